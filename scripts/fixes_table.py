#!/usr/bin/env python3
"""Renders docs/fixes.md: the repairs of schema/fixes.toml, and the effect of each on a real file.

scripts/fixes_table.py FIXTURES     measure on the files of scripts/make_fixtures.py, write all
scripts/fixes_table.py              write only the list of repairs; figures are unchanged
scripts/fixes_table.py --check      write nothing; exit status 1 when the list is not up to date
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # runs from a bare checkout, installed or not

from faults import FAULTS, Fault  # noqa: E402 - needs the path
from tflite_align import AlignOptions, Report, align  # noqa: E402
from tflite_align.rules.fixes import load_fixes  # noqa: E402

DOCUMENT = ROOT / "docs" / "fixes.md"
TARGETS = ("tflite", "tflm")

HEAD = """\
# Repairs

Made by `scripts/fixes_table.py` from `schema/fixes.toml`; do not edit.

Each repair is a rule with an id and a switch: `--fix ID` turns it on, `--no-fix ID` off (globs and
`all` work; an id weighs more than a glob), and `python -m tflite_align fixes` lists them. A finding
whose repair is off stays a finding: it is reported with the switch that would mend it, and what is
broken there stays as it is. On by default is what provably keeps the meaning of the file, read by
its declared parameters. With every switch off OUT is IN, byte for byte.

A bias whose scale is not input scale x weight scale has two readings: its integers in its declared
scale (the default: they are re-expressed), or as kernels compute with them (`--bias as-run`: the
scale is corrected, the integers stay). The report shows how far the outputs of the two are apart.

A bias that does not fit its type once it is re-expressed makes the weight scale of its channel
coarser, just enough that half of the type is left to the accumulator: the noise of a channel's
weights, scale^2/12 a weight, grows in that channel alone. Where a coarser input loses less (small
weights under one scale), a QUANTIZE makes the input coarser instead. A bias whose step is more than
half a step of the output cannot be made finer without clipping its input or its weights: the report
says by how much it is rounded.

`names` and `versions` mend what good files have too, so their findings are told only where they are
switched on.
"""
MEASURED = """\
## Measured

Files of the real TFLiteConverter (`scripts/make_fixtures.py`), broken by `scripts/faults.py`, with
`--fix ID` for targets tflite and tflm. Judges: LiteRT's builtin kernels, XNNPACK, TFLite Micro,
before -> after. The figures are of the first output in dB against the float twin, of the worst
judge that runs the file; `-` where none does.
"""


def render_list() -> str:
    """The page's introduction and the table of repairs."""
    lines = [HEAD, "| id | default | meaning | repairs | what it does |", "|---|---|---|---|---|"]
    for fix in load_fixes().values():
        patterns = " ".join(f"`{pattern}`" for pattern in fix.repairs) or "while others are made"
        lines.append(f"| `{fix.id}` | {fix.default} | {fix.meaning} | {patterns} | {fix.does} |")
    return "\n".join(lines) + "\n\n"


def measured(fault: Fault, folder: Path) -> Report:
    """The report of an alignment of one faulty file."""
    data = fault.broken((folder / f"{fault.base}.tflite").read_bytes())
    return align(data, AlignOptions(fix=(fault.fix,), targets=TARGETS)).report


def worst(report: Report) -> tuple[float | None, float | None]:
    """SQNR in dB of the first output before and after, for the worst judge that runs the file."""
    runs = (
        report.verification.outputs[0].runs
        if report.verification and report.verification.outputs
        else ()
    )
    before = [run.original_db for run in runs if run.original_db is not None]
    after = [run.sqnr_db for run in runs if run.sqnr_db is not None]
    return min(before, default=None), min(after, default=None)


def row(fault: Fault, report: Report) -> str:
    judges = report.verification.judges if report.verification is not None else ()
    told = "<br>".join(f"{j.judge} {j.before.status} -> {j.after.status}" for j in judges)
    levels = " | ".join("-" if level is None else f"{level:.1f}" for level in worst(report))
    word = report.verification.word if report.verification is not None else "-"
    found = f"{len(report.findings)} -> {len(report.remaining)}"
    cells = (f"`{fault.fix}`", f"`{fault.base}`: {fault.told}", found, told, levels, word)
    return f"| {' | '.join(cells)} |"


def render_measured(folder: Path) -> str:
    head = "| repair | file and fault | findings | judges | dB before | dB after | verification |"
    rows = [row(fault, measured(fault, folder)) for fault in FAULTS]
    return "\n".join([MEASURED, head, "|" + "---|" * 7, *rows]) + "\n"


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Render docs/fixes.md.")
    parser.add_argument("fixtures", nargs="?", type=Path, help="folder of make_fixtures.py")
    parser.add_argument("--check", action="store_true", help="compare only")
    given = parser.parse_args(arguments)
    old = DOCUMENT.read_text(encoding="utf-8") if DOCUMENT.exists() else ""
    mark = old.find("## Measured")
    figures = old[mark:] if mark >= 0 else ""
    if given.fixtures is not None:
        figures = render_measured(given.fixtures)
    text = render_list() + figures
    if text == old:
        return 0
    if given.check:
        print(f"{DOCUMENT.relative_to(ROOT)} is not up to date")
        return 1
    DOCUMENT.write_text(text, encoding="utf-8")
    print(f"{DOCUMENT.relative_to(ROOT)} written")
    return 0


if __name__ == "__main__":
    sys.exit(main())
