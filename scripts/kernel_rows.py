#!/usr/bin/env python3
"""Writes schema/kernels/*.toml, the operand types that kernels support, from measurements with the
installed runtimes.

    scripts/kernel_rows.py ADD CONV_2D      the rows of these operators
    scripts/kernel_rows.py                  every row: some ten minutes on one core

Every operator is built with every operand type and run (tests/rules/kernels). Versions, sources and
notes of a row are kept; `takes` (supported) and `wrong` (computed wrongly) are replaced.
"""

from __future__ import annotations

import argparse
import sys
import tomllib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # runs from a bare checkout, installed or not

from tests.rules.kernels.patterns import patterns_of  # noqa: E402 - needs the path
from tests.rules.kernels.survey import RUNTIMES, Observed, survey  # noqa: E402
from tests.rules.operators.all_makers import MAKERS  # noqa: E402

KERNELS = ROOT / "schema" / "kernels"
AT_ONCE = 10  # operators whose models are on disk at the same time


def observed(operators: Sequence[str]) -> Iterable[Observed]:
    """The measurements of these operators, in portions."""
    for start in range(0, len(operators), AT_ONCE):
        chosen = operators[start : start + AT_ONCE]
        print(f"{start} of {len(operators)}: {', '.join(chosen)}", file=sys.stderr, flush=True)
        yield from survey(chosen)


def render(known: Mapping[str, Any]) -> str:
    """The text of a file of kernel rows. `known`: its parsed content."""
    lines = [_HEADER, "format = 1", f"title = {_text(known['title'])}"]
    lines += [f"sources = {_list(known['sources'])}"]
    for name, row in sorted(known["operator"].items()):
        lines += ["", f"[operator.{name}]"]
        if row.get("versions"):
            lines.append(f"versions = [{', '.join(map(str, row['versions']))}]")
        lines.append(f"takes = {_list(row['takes'])}")
        if row.get("wrong"):
            lines.append(f"wrong = {_list(row['wrong'])}")
        lines.append(f"sources = {_list(row['sources'])}")
        if row.get("note"):
            lines.append(f"note = {_text(row['note'])}")
    return "\n".join(lines) + "\n"


_HEADER = """\
# Operand types and versions that the kernels of each builtin operator support (docs/targets.md).
# takes: computed correctly; wrong: the kernel runs with wrong values; all other types are refused.
# `T T int32|-|~ > T: int8 uint8`: inputs, then outputs; `-` is an operand that is left out.
# Made by scripts/kernel_rows.py from runs of the runtime; the tests repeat them."""


def _text(value: str) -> str:
    """A TOML string."""
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _list(values: Iterable[str]) -> str:
    """A TOML list of strings."""
    items = [_text(value) for value in values]
    short = f"[{', '.join(items)}]"
    return short if len(short) < 90 else "[\n" + "".join(f"  {item},\n" for item in items) + "]"


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit status. `arguments`: its words; None: those of the
    process.
    """
    parser = argparse.ArgumentParser(description="Write schema/kernels/*.toml.")
    parser.add_argument("operators", nargs="*", metavar="OPERATOR", help="default: all")
    given = parser.parse_args(arguments)
    by_row: dict[tuple[str, str], list[Observed]] = defaultdict(list)
    for seen in observed(given.operators or sorted(MAKERS)):
        by_row[seen.runtime, seen.operator].append(seen)
    for runtime in RUNTIMES:
        path = KERNELS / f"{runtime}.toml"
        known = tomllib.loads(path.read_text(encoding="utf-8"))
        for (name, operator), found in by_row.items():
            if name == runtime:
                row = known["operator"].setdefault(operator, {"sources": ["measured"]})
                row.update(patterns_of(found))
        path.write_text(render(known), encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
