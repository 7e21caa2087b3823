#!/usr/bin/env python3
"""Disagreements between a target's findings and its judge's verdict, each with an explanation.

scripts/judge_table.py MODELS...                       print the table (Markdown)
scripts/judge_table.py MODELS... --into docs/judges.md  write it between the file's markers
scripts/judge_table.py MODELS... --target tflm          only this target; repeatable

Exit status 1 if a disagreement has no explanation.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tflite_align.record import Record

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # runs from a bare checkout, installed or not

from tflite_align import AlignOptions, check  # noqa: E402 - needs the path
from tflite_align.checks.checker import Finding  # noqa: E402
from tflite_align.rules.targets import load_target, target_names  # noqa: E402
from tflite_align.verdicts import Acceptance  # noqa: E402
from tflite_align.verify.judges import available, judge_file  # noqa: E402

BEGIN, END = "<!-- table: begin -->", "<!-- table: end -->"
SECONDS = 120.0

# Kind of disagreement -> explanation. The first kinds follow from the texts of the findings.
KINDS = {
    "wrong values": "the judge accepts the file, but its kernels compute wrong values, as the finding says",
    "elsewhere": "the compiler accepts the file; wrong values are computed by operators that it leaves "
    "to the CPU, or by another runtime that runs the file",
    "other runtime": "the finding is about another runtime of the target, which refuses the file",
    "warned": "a warning says that this judge refuses the file; another runtime of the target "
    "accepts it",
    "custom operator": "the judge has no custom operator of that name; firmware and applications "
    "register their own",
    "not quantization": "shapes or buffers are wrong, not quantization parameters",
    "blockwise": "blockwise quantization, which only some runtimes read; the rules do not "
    "check its parameters",
    "crash": "the judge's process crashes without a message; "
    "`tests/corpus/test_judges_agree.py` lists these files",
}

# (judge, pattern of its message, kind). Only the message decides, never the model's name.
REASONS = (
    ("litert|xnnpack|litert-ref|tflm", r"^custom operator .* not registered", "custom operator"),
    ("litert|xnnpack|tflm", r"squeeze\.cc:\d+ current >= 0", "not quantization"),
    ("ethos-.*", r"Constant tensors must not have empty buffers", "not quantization"),
    ("tflm", r"quantization\.type != kTfLiteNoQuantization", "blockwise"),
)

_REFUSES = re.compile(r"\b(refuses?|stops|ends the whole|aborts|fails the whole)\b")
_COMPUTES = re.compile(r"\bwrong values\b|\bcomputes?\b|\btakes\b")
_COMPILER = re.compile(r"^Vela (refuses|stops)")


class Line(Record, frozen=True, kw_only=True):
    """One model, target and verdict. `errors`: number of error findings; `kind`: kind of
    disagreement, "" if findings and judge agree, "unexplained" without an explanation.
    """

    model: str
    target: str
    judge: str
    errors: int
    verdict: Acceptance
    kind: str


def lines(name: str, data: bytes, targets: Sequence[str]) -> Iterator[Line]:
    """A Line for each target and judge of one file; judges that are not installed are left out."""
    asked: dict[str, Acceptance] = {}
    for target in targets:
        found = check(data, AlignOptions(targets=(target,), verify=False)).findings
        judges = [name for name in load_target(target).judges if available(name) is None]
        for judge in judges:
            if judge not in asked:
                asked[judge] = judge_file(data, judge, seconds=SECONDS)
        verdicts = {judge: asked[judge] for judge in judges}
        refused = any(verdict.status in ("refused", "crashed") for verdict in verdicts.values())
        for judge, verdict in verdicts.items():
            kind = disagreement(found, judge, verdict)
            if kind == "unexplained" and verdict.status == "accepted" and refused:
                kind = "other runtime"
            yield Line(
                model=name,
                target=target,
                judge=judge,
                errors=sum(finding.severity == "error" for finding in found),
                verdict=verdict,
                kind=kind,
            )


def disagreement(found: Sequence[Finding], judge: str, verdict: Acceptance) -> str:
    """The kind of disagreement between findings and a judge's verdict; "" if they agree. `found`:
    the findings of `check`.
    """
    errors = [finding for finding in found if finding.severity == "error"]
    if verdict.status in ("timeout", "skipped"):
        return _explained(
            judge, verdict
        )  # skipped or timed out: neither agreement nor disagreement
    if verdict.status == "accepted":
        if not errors:
            return ""
        if any(_must_refuse(finding.behaviour, judge) for finding in errors):
            return "unexplained"
        return "elsewhere" if judge.startswith("ethos-") else "wrong values"
    if errors:
        return ""
    if verdict.status == "crashed":
        return "crash"
    if any(_may_refuse(finding.behaviour, judge) for finding in found):
        return "warned"
    return _explained(judge, verdict)


def _explained(judge: str, verdict: Acceptance) -> str:
    """The kind of disagreement that the judge's message explains."""
    for judges, said, kind in REASONS:
        if re.fullmatch(judges, judge) and re.search(said, verdict.reason):
            return kind
    return "unexplained"


def _may_refuse(behaviour: str, judge: str) -> bool:
    """Whether a finding's text allows that the judge refuses the file. `behaviour`: the finding's
    text.
    """
    if judge.startswith("ethos-"):
        return bool(_COMPILER.search(behaviour))
    return bool(_REFUSES.search(behaviour))


def _must_refuse(behaviour: str, judge: str) -> bool:
    """Whether a finding's text says that the judge refuses the file. `behaviour`: the finding's
    text.
    """
    if judge.startswith("ethos-"):
        return _may_refuse(behaviour, judge)
    return _may_refuse(behaviour, judge) and not _COMPUTES.search(behaviour)


def table(found: Sequence[Line]) -> str:
    """Markdown: totals, then the number of files for each kind of disagreement. `found`: one line
    per file.
    """
    apart = [line for line in found if line.kind]
    models = len({line.model for line in found})
    unexplained = sum(line.kind == "unexplained" for line in apart)
    counts = Counter((one.target, one.judge, one.verdict.status, one.kind) for one in apart)
    rows = [
        (
            f"{len(found)} verdicts on {models} models: {len(apart)} disagree with the findings, "
            f"{unexplained} of them unexplained."
        ),
        "",
        "| target | judge | verdict | explanation | files |",
        "|---|---|---|---|---|",
    ]
    rows += [f"| {' | '.join(kind)} | {count} |" for kind, count in sorted(counts.items())]
    return "\n".join(rows) + "\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status. `arguments`: its words; None: those of the
    process.
    """
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("models", nargs="+", type=Path, help=".tflite files")
    parser.add_argument("--target", action="append", choices=target_names(), help="repeatable")
    parser.add_argument("--into", type=Path, help="a file with the two markers, to write to")
    given = parser.parse_args(arguments)
    targets = given.target or target_names()

    def one(path: Path) -> list[Line]:
        """The lines of one file."""
        return list(lines(path.name, path.read_bytes(), targets))

    with ThreadPoolExecutor(2) as pool:
        found = [line for many in pool.map(one, given.models) for line in many]
    text = table(found)
    if given.into is None:
        print(text, end="")
    else:
        before, _, rest = given.into.read_text(encoding="utf-8").partition(BEGIN)
        _, _, after = rest.partition(END)
        given.into.write_text(f"{before}{BEGIN}\n\n{text}\n{END}{after}", encoding="utf-8")
    for line in found:
        if line.kind == "unexplained":
            print(f"unexplained: {line}", file=sys.stderr)
    return int(any(line.kind == "unexplained" for line in found))


if __name__ == "__main__":
    raise SystemExit(main())
