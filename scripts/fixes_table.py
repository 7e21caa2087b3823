#!/usr/bin/env python3
"""Renders docs/fixes.md: the repairs of schema/fixes.toml, and the effect of each on a real file.

scripts/fixes_table.py FIXTURES     measure on the files of scripts/make_fixtures.py, write the page
scripts/fixes_table.py              write only the list of repairs; measured figures stay
scripts/fixes_table.py --check      write nothing; exit status 1 if the list is not up to date
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

A repair changes a file so that a finding disappears. Each repair has an id and a switch:

| option | effect |
|---|---|
| `--fix ID` | the repair is switched on |
| `--no-fix ID` | the repair is switched off: its findings are reported, with the option that would repair them, and the file keeps the fault |

ID may be a pattern (`weight-*`) or `all`; if an id and a pattern contradict each other, the id counts. `python -m tflite_align fixes` lists all repairs. With `--no-fix all` the output
file is the input file, byte for byte.

A repair is on by default only if it keeps the meaning of the file: the function that the declared scales and zero points stand for. The column *meaning* says so (`kept`).

**Biases.** A bias whose scale is not input scale x weight scale can be read in two ways. By default its real values are its integers times its *declared* scale, and the
bias is re-expressed. With `--bias as-run` its real values are those that kernels compute with, which ignore the declared scale: its scale is corrected and its integers are unchanged. The report
shows how far the outputs of the two readings differ.

**Biases that do not fit.** A re-expressed bias can exceed its integer type. Then the weight scale of its channel is raised, just enough that half of the type's range is left for the
accumulator. This adds noise in that channel only (power scale^2 / 12 for each weight). If a coarser input loses less, as with small weights per tensor, a QUANTIZE makes the input coarser
instead. A bias whose step is larger than half a step of the output cannot be made finer without clipping the input or the weights: the report gives its rounding error.

**Faults without harm.** Duplicate tensor names and old operator versions are common in correct files. They are reported only if the repair `names` or `versions` is switched on.
"""
MEASURED = """\
## Measured

Files of TensorFlow's converter (`scripts/make_fixtures.py`) got a fault (`scripts/faults.py`) and were aligned with `--fix ID` for the targets tflite and tflm. The column *judges* has the answers of
LiteRT's builtin kernels, XNNPACK and TensorFlow Lite Micro on the file before and after. The two dB columns are the SQNR of the first output against the float twin, for the runtime with the worst
figure; `-` if none runs the file.
"""


def render_list() -> str:
    """The page's introduction and the table of repairs."""
    lines = [HEAD, "| id | default | meaning | repairs | what it does |", "|---|---|---|---|---|"]
    for fix in load_fixes().values():
        patterns = (
            " ".join(f"`{pattern}`" for pattern in fix.repairs)
            or "(a consequence of other repairs)"
        )
        lines.append(f"| `{fix.id}` | {fix.default} | {fix.meaning} | {patterns} | {fix.does} |")
    return "\n".join(lines) + "\n\n"


def measured(fault: Fault, folder: Path) -> Report:
    """The report of an alignment of one faulty file."""
    data = fault.broken((folder / f"{fault.base}.tflite").read_bytes())
    return align(data, AlignOptions(fix=(fault.fix,), targets=TARGETS)).report


def worst(report: Report) -> tuple[float | None, float | None]:
    """(lowest SQNR in dB of the first output before alignment, lowest after) over the judges; None
    where no judge ran the file.
    """
    runs = (
        report.verification.outputs[0].runs
        if report.verification and report.verification.outputs
        else ()
    )
    before = [run.original_db for run in runs if run.original_db is not None]
    after = [run.sqnr_db for run in runs if run.sqnr_db is not None]
    return min(before, default=None), min(after, default=None)


def row(fault: Fault, report: Report) -> str:
    """The table row of one fault."""
    judges = report.verification.judges if report.verification is not None else ()
    acceptances = "<br>".join(f"{j.judge} {j.before.status} -> {j.after.status}" for j in judges)
    levels = " | ".join("-" if level is None else f"{level:.1f}" for level in worst(report))
    word = report.verification.word if report.verification is not None else "-"
    found = f"{len(report.findings)} -> {len(report.remaining)}"
    cells = (
        f"`{fault.fix}`",
        f"`{fault.base}`: {fault.description}",
        found,
        acceptances,
        levels,
        word,
    )
    return f"| {' | '.join(cells)} |"


def render_measured(folder: Path) -> str:
    """The table of measured effects."""
    head = "| repair | file and fault | findings | judges | dB before | dB after | verification |"
    rows = [row(fault, measured(fault, folder)) for fault in FAULTS]
    return "\n".join([MEASURED, head, "|" + "---|" * 7, *rows]) + "\n"


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit status. `arguments`: its words; None: those of the
    process.
    """
    parser = argparse.ArgumentParser(description="Render docs/fixes.md.")
    parser.add_argument("fixtures", nargs="?", type=Path, help="folder that make_fixtures.py wrote")
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
