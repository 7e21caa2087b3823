#!/usr/bin/env python3
"""Renders docs/rules.md from schema/operators.toml and schema/targets/*.toml.

scripts/gen_rules_doc.py            write docs/rules.md
scripts/gen_rules_doc.py --check    write nothing; exit status 1 when it is not up to date
"""

from __future__ import annotations

import argparse
import itertools
import math
import re
import sys
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # runs from a bare checkout, installed or not

from tflite_align.certify.arithmetic import (  # noqa: E402 - needs the path
    ArithmeticRow,
    arithmetic_runtimes,
    load_arithmetic,
)
from tflite_align.checks.support.breaches import TENSOR_TESTS  # noqa: E402
from tflite_align.rules.kernels import KernelRow, kernel_sets, load_kernels  # noqa: E402 - needs the path
from tflite_align.rules.operand_types import Pattern  # noqa: E402 - needs the path
from tflite_align.rules.operator_rows import CATEGORIES, load_operators  # noqa: E402 - needs the path
from tflite_align.rules.rows import OperatorRow, Rule  # noqa: E402 - needs the path
from tflite_align.rules.rule_story import anchor  # noqa: E402 - needs the path
from tflite_align.rules.rule_text import GENERAL, kinds, number, rule_words, slots  # noqa: E402
from tflite_align.rules.store import read_data  # noqa: E402 - needs the path
from tflite_align.rules.support_rows import SupportRow, tell_limits  # noqa: E402 - needs the path
from tflite_align.rules.targets import Requirement, Target, load_target, target_names  # noqa: E402 - needs the path

DOCUMENT = ROOT / "docs" / "rules.md"
KERNELS = ROOT / "docs" / "kernels.md"

HEAD = """\
# Quantization rules of TFLite's builtin operators

Made by `scripts/gen_rules_doc.py` from `schema/operators.toml` and `schema/targets/`; do not edit.

Kernels rely on the scales and zero points in a file. A rule is one such assumption: it names operands of an operator (*slots*) and the types for which it holds. A violated rule has a severity on each target:

| severity | meaning |
|---|---|
| **error** | the target refuses the file, or computes wrong values |
| warning | the target computes the right values, but the file is outside the specification, or other runtimes compute wrong values |
| off | the target computes the right values |

An operator without rules here is *rigid*: an alignment never changes the parameters of its operands.

Sources name a repository and a place in it, and link to the lines of the commit that was read: litert (google-ai-edge/LiteRT), tflm
(tensorflow/tflite-micro), xnnpack (google/XNNPACK), vela (ethos-u-vela), aeq
(ai-edge-quantizer), edgetpu (google-coral/edgetpu), ppq (OpenPPL/ppq).
"""


# Prefix of a source -> GitHub repository and commit that line numbers refer to.
REPOSITORIES = {
    "litert": ("google-ai-edge/LiteRT", "f6745779"),
    "tflm": ("tensorflow/tflite-micro", "90b983c2"),
    "xnnpack": ("google/XNNPACK", "75db3c09"),
    "aeq": ("google-ai-edge/ai-edge-quantizer", "85092035"),
    "edgetpu": ("google-coral/edgetpu", "5020de93"),
}
_SOURCE = re.compile(
    r"(?P<prefix>\w+):(?P<path>[\w./-]+\.\w+)(?::(?P<first>\d+)(?:-(?P<last>\d+))?)?"
)


def cited(source: str) -> str:
    """A source in Markdown, with a link to its lines if the commit is known."""
    place = _SOURCE.fullmatch(source)
    if place is None or place["prefix"] not in REPOSITORIES:
        return f"`{source}`"
    repository, commit = REPOSITORIES[place["prefix"]]
    lines = f"#L{place['first']}" if place["first"] else ""
    lines += f"-L{place['last']}" if place["last"] else ""
    return f"[`{source}`](https://github.com/{repository}/blob/{commit}/{place['path']}{lines})"


def _word(level: Requirement) -> str:
    """A requirement's severity, with the place (CPU or NPU) if it applies only there."""
    word = f"**{level.severity}**" if level.severity == "error" else level.severity
    if level.only:
        return f"{word} on the CPU"
    if level.honours:
        part = level.honours.replace("_", " ")
        return f"{word}, warning if only the {part} differs"
    return word


def place(rule_id: str) -> str:
    """The anchor of a rule."""
    return f'<a id="{anchor(rule_id)}"></a>'


def general() -> Iterator[str]:
    """The section on rules that belong to no operator's row."""
    yield "## Rules of every operator"
    yield ""
    yield (
        "`OPERATOR` stands for the operator's name, as in `types/CONV_2D`. The operand types that"
        " kernels support have [a page of their own](kernels.md)."
    )
    yield ""
    yield "| rule | meaning |"
    yield "|---|---|"
    for start, words in GENERAL.items():
        if start.endswith("/") and sum(other.startswith(start) for other in GENERAL) > 1:
            continue  # the rules that begin with it have rows of their own
        whose = "JUDGE" if start == "judge/" else "FIELD" if start == "lock/" else "OPERATOR"
        yield f"| {place(start)}`{start}{whose if start.endswith('/') else ''}` | {words} |"
    yield ""


def grades(rule: Rule, target: Target) -> str:
    """A target's severity for a rule; by type if types differ."""
    found = {kind: target.requirement(rule.id, kind) for kind in kinds(rule.types)}
    bold = {kind: _word(level) for kind, level in found.items()}
    if len(set(bold.values())) == 1:
        return next(iter(bold.values()))
    pairs = itertools.groupby(
        sorted(bold, key=lambda kind: bold[kind]), key=lambda kind: bold[kind]
    )
    return ", ".join(f"{'/'.join(members)} {word}" for word, members in pairs)


def severities(rule: Rule, targets: Sequence[Target]) -> str:
    """The severity of a rule, each with the targets that have it."""
    names: dict[str, list[str]] = {}
    for target in targets:
        names.setdefault(grades(rule, target), []).append(target.name)
    if len(names) == 1:
        return f"{next(iter(names))} on all"
    return "<br>".join(f"{words}: {', '.join(members)}" for words, members in names.items())


def table(rows: Sequence[OperatorRow], targets: Sequence[Target]) -> Iterator[str]:
    """The table of operators' rules with their severity on each target."""
    yield "| rule | constraint | types | severity: targets |"
    yield "|---|---|---|---|"
    for row in rows:
        for rule in row.rules:
            text = rule_words(rule) + (f". {rule.note}" if rule.note else "")
            types = " ".join(kinds(rule.types))
            yield f"| {place(rule.id)}`{rule.id}` | {text} | {types} | {severities(rule, targets)} |"


def special(row: OperatorRow) -> Iterator[str]:
    """Sentences on properties of a row other than its rules."""
    if row.resource in ("read", "write"):
        yield "tied to every reader and writer of the same variable"
    for call in row.calls:
        ends = [f"{end}" for end in (call.inputs, call.outputs) if end is not None]
        tied = f": `{'`, `'.join(ends)}` are its inputs and outputs" if ends else ""
        yield f"runs the subgraph `{call.option}`{tied}"
    if row.carried:
        yield "a value has the same scale and zero point in every round of the loop"
    if row.rigid:
        yield f"parameters are never changed: {slots(row.rigid)}"
    if row.flow is not None:
        ways = f"{slots(row.flow.inputs)} to {slots(row.flow.outputs)}"
        yield f"values pass from {ways} ({row.flow.kind})"
    if row.range is not None:
        yield f"results lie in [{number(row.range.low)}, {number(row.range.high)}]"


def operator_entry(row: OperatorRow) -> Iterator[str]:
    """The list entry of one operator, with its sources."""
    text = "; ".join(special(row)) or (
        "see the table" if row.rules else "correct with any parameters"
    )
    yield f"- **{row.name}**: {' '.join((text + '.', *row.notes))}"
    sources = [*row.sources, *(s for rule in row.rules for s in rule.sources)]
    yield f"  <br>Sources: {', '.join(map(cited, dict.fromkeys(sources)))}"


def new_places(row: SupportRow, placed: set[str]) -> str:
    """Anchors for the rules that this row mentions first. `placed`: anchors so far; extended."""
    plain = [name for name in row.operators if not any(sign in name for sign in "*?[")]
    new = [rule for rule in dict.fromkeys(map(row.rule, plain)) if rule not in placed]
    placed.update(new)
    return "".join(map(place, new))


def support(target: Target, placed: set[str]) -> Iterator[str]:
    """The section on the operators that a target supports, one row per limit. `placed`: rules that
    already have an anchor; new ones are added.
    """
    yield f"## What {target.name} supports"
    yield ""
    yield (
        "The rules `support/OPERATOR/PART` of this target, with their [limits](targets.md#limits-of-operators)."
        " MODEL is the file as a whole."
    )
    yield ""
    yield "| operators | part | limit | if violated, and sources |"
    yield "|---|---|---|---|"
    for row in target.support:
        names = ", ".join(row.operators) + (f" but {', '.join(row.unless)}" if row.unless else "")
        when = f", where {tell_limits(row.when)}" if row.when else ""
        operands = f"{slots(row.slots)}: " if {*row.limits} & {*TENSOR_TESTS} else ""
        severity = f"**{row.severity}**" if row.severity == "error" else row.severity
        note = f". {row.note}" if row.note else ""
        sources = ", ".join(map(cited, row.sources))
        limit = f"{operands}{tell_limits(row.limits)}{when}{note}"
        consequence = f"{severity}: {row.behaviour}"
        yield f"| {new_places(row, placed)}{names} | {row.part} | {limit} | {consequence}<br>{sources} |"
    yield ""


def render() -> str:
    """The whole document."""
    rows = list(load_operators().values())
    targets = [load_target(name) for name in target_names()]
    lines = [HEAD, "## Targets", ""]
    lines += [f"- `{target.name}`: {target.title}" for target in targets]
    lines += ["", *general()][:-1]
    for category in CATEGORIES:
        members = [row for row in rows if row.category == category]
        lines += ["", f"## {category[0].upper()}{category[1:]}", ""]
        if any(row.rules for row in members):
            lines += [*table(members, targets), ""]
        for row in members:
            lines += operator_entry(row)
    placed: set[str] = set()
    for target in targets:
        if target.support:
            lines += ["", *support(target, placed)][:-1]
    return "\n".join(lines) + "\n"


KERNELS_HEAD = """\
# Which runtime computes what

<!-- made from schema/kernels/*.toml and schema/arithmetic/*.toml by scripts/gen_rules_doc.py -->

Two tables on the kernels of LiteRT, XNNPACK (LiteRT's default delegate) and TensorFlow Lite Micro. [The first](#operand-types) lists the operand types that a kernel computes
correctly, [the second](#integer-functions) the integer function that it computes. Versions of the runtimes:

{versions}

## Operand types

Each cell lists the input types of an operator, then `>`, then its output types. Example: `T int32 > T: int8 float32` stands for two combinations, an int8 input with an int32 one and an
int8 output, and the same with float32.

| sign | meaning |
|---|---|
| `T` | one of the types behind the colon, the same one at each `T` |
| `a\\|b` | either type |
| `-` | an optional input that is left out, given as index -1 |
| `~` | an optional input that is left out at the end of the list |
| `*` | one or more operands of this type |
| `any` | every type |

Other types are refused, or run with wrong results; `check` says which of the two (rules `types/OPERATOR`). `as litert`: the same types as in the column `litert`; `none`: no types. XNNPACK leaves
operators that it cannot run to LiteRT's builtin kernels, so that its column includes what these compute. Scales, zero points, shapes and options have [rules of their own](rules.md).

"""


ARITHMETIC_HEAD = """\
Kernels of different runtimes round differently. A cell names the integer function of a kernel, for the operand types in front of it, from `schema/arithmetic/`. Kernels with the same
function compute the same integers; `check --portable` lists the operators of a model [whose integers can differ](certificates.md#which-runtimes-agree). The tests compare each function with the
real kernel.

Two functions joined by `and` are used for different elements of one output: vector instructions compute most elements, and other code those that remain. Where no function is known, the
cell gives the reason. An empty cell: the kernel does not exist or was not compared. `as litert` and `as litert-ref`: the runtime uses these kernels. The functions are
in `tflite_align/certify/functions/`.
"""


# More combinations of types than this are not compared.
MOST_COMBINATIONS = 20_000


def combinations(pattern: Pattern) -> set[tuple[str, ...]]:
    """Every combination of types that a pattern stands for; empty if there are too many."""
    tokens = (*pattern.inputs, *pattern.outputs)
    choices = [sorted(token.names) for token in tokens]
    if len(pattern.types or ("",)) * math.prod(map(len, choices)) > MOST_COMBINATIONS:
        return set()
    return {
        tuple(chosen if name == "T" else name for name in names)
        for chosen in pattern.types or ("",)
        for names in itertools.product(*choices)
    }


def distinct(patterns: Sequence[Pattern]) -> list[Pattern]:
    """The patterns without those whose combinations earlier ones contain."""
    known: set[tuple[str, ...]] = set()
    chosen = []
    for pattern in patterns:
        named = combinations(pattern)
        if not named or not named <= known:
            chosen.append(pattern)
        known |= named
    return chosen


def _kernel_cell(row: KernelRow | None) -> str:
    """The cell with the operand types that a kernel set supports; "not known" without a row."""
    if row is None:
        return "not known"
    texts = [f"`{pattern.text}`".replace("|", "\\|") for pattern in distinct(row.takes)]
    return "<br>".join(texts) or "none"


def render_arithmetic() -> str:
    """The section on the integer functions of each runtime's kernels."""
    tables = {name: load_arithmetic(name) for name in arithmetic_runtimes()}
    lines = ["## Integer functions", "", ARITHMETIC_HEAD]
    lines += [f"| operator | {' | '.join(tables)} |", f"|---|{'---|' * len(tables)}"]
    for operator in sorted({name for table in tables.values() for name in table.rows}):
        cells = [
            "<br>".join(_arithmetic_words(row) for row in table.rows.get(operator, ()))
            or (f"as {table.otherwise}" if table.otherwise else "")
            for table in tables.values()
        ]
        lines.append(f"| {operator} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _arithmetic_words(row: ArithmeticRow) -> str:
    """One arithmetic row as text."""
    types = ", ".join(f"`{pattern.text}`".replace("|", "\\|") for pattern in row.types)
    functions = " and ".join(f"`{name}`" for name in row.functions if name)
    return f"{types}: {functions or row.reason}"


def _title(name: str) -> str:
    """A kernel set's title: the runtime and version it was measured with."""
    title: str = tomllib.loads(read_data(f"kernels/{name}.toml"))["title"]
    return title


def _kernel_cells(rows: Mapping[str, KernelRow | None]) -> list[str]:
    """A cell for each kernel set; a set whose cell equals that of LiteRT refers to it. `rows`: by
    kernel set; None without a row.
    """
    cells = {name: _kernel_cell(row) for name, row in rows.items()}
    return [
        "as litert" if name != "litert" and cell == cells["litert"] and len(cell) > 12 else cell
        for name, cell in cells.items()
    ]


def render_kernels() -> str:
    """The page of operand types."""
    sets = {name: load_kernels(name) for name in kernel_sets()}
    lines = [f"| operator | {' | '.join(sets)} |", f"|---|{'---|' * len(sets)}"]
    for operator in sorted({name for rows in sets.values() for name in rows}):
        known = {name: rows.get(operator) for name, rows in sets.items()}
        if any(row.takes for row in known.values() if row is not None):
            lines.append(f"| {operator} | {' | '.join(_kernel_cells(known))} |")
    versions = "\n".join(f"- `{name}`: {_title(name)}" for name in sets)
    head = KERNELS_HEAD.replace("{versions}", versions)
    return head + "\n".join(lines) + "\n\n" + render_arithmetic()


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit status. `arguments`: its words; None: those of the
    process.
    """
    parser = argparse.ArgumentParser(description="Render docs/rules.md and docs/kernels.md.")
    parser.add_argument("--check", action="store_true", help="compare only")
    given = parser.parse_args(arguments)
    stale = 0
    for document, text in ((DOCUMENT, render()), (KERNELS, render_kernels())):
        if document.exists() and document.read_text(encoding="utf-8") == text:
            continue
        stale = 1
        word = "is not up to date" if given.check else "written"
        print(f"{document.relative_to(ROOT)} {word}")
        if not given.check:
            document.write_text(text, encoding="utf-8")
    return stale if given.check else 0


if __name__ == "__main__":
    sys.exit(main())
