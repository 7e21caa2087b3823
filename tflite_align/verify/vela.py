"""Judge: Arm's Vela compiler for Ethos-U, through its command line."""

from __future__ import annotations

import csv
import importlib.util
import re
import sys
from pathlib import Path

from ..errors import AlignError
from ..verdicts import Acceptance, OperatorEstimate
from .board import ANY_BOARD, Board
from .object_api import parse
from .process import acceptance, run_tool, workspace

__all__ = ["available", "judge"]

ACCELERATORS = {
    "ethos-u55": "ethos-u55-128",
    "ethos-u65": "ethos-u65-256",
    "ethos-u85": "ethos-u85-256",
}
# The code of the script `vela`, which need not be on the PATH.
_RUN = "import sys; from ethosu.vela.vela import main; sys.exit(main())"
_OPERATORS = re.compile(r"^([CN]PU operators)\s*=\s+(.*)$", re.MULTILINE)
# Column of Vela's summary file -> (name, unit) of the figure. They are estimates of a model: the
# same file gives the same figures.
_COLUMNS = {
    "cycles_total": ("cycles", "{:.0f}"),
    "sram_memory_used": ("SRAM", "{:.2f} KiB"),
    "dram_memory_used": ("DRAM", "{:.2f} KiB"),
    "on_chip_flash_memory_used": ("on-chip flash", "{:.2f} KiB"),
    "off_chip_flash_memory_used": ("off-chip flash", "{:.2f} KiB"),
}
_PLACE = re.compile(r"Error: (\w+) '([^']*)'")


def available() -> str | None:
    """None when ethos-u-vela is installed, else why the judge is skipped."""
    if importlib.util.find_spec("ethosu"):
        return None
    return "ethos-u-vela is not installed (extra: ethos-u)"


def judge(
    data: bytes | memoryview, kernels: str, seconds: float, board: Board = ANY_BOARD
) -> Acceptance:
    """Compile for one accelerator, the judge's or `board`'s; accepted means exit status 0 and a
    compiled file. `kernels`: the judge's name; `seconds`: time limit.
    """
    with workspace() as folder:
        (folder / "model.tflite").write_bytes(data)
        (folder / "vela.ini").write_text(board.config, encoding="utf-8")
        command = [sys.executable, "-P", "-c", _RUN, "model.tflite", "--output-dir", "compiled"]
        command += ["--verbose-performance", *board.arguments(kernels, ACCELERATORS[kernels])]
        ended = run_tool(command, folder, seconds=seconds)
        written = any((folder / "compiled").glob("*_vela.tflite"))
        summary = _summary(folder / "compiled")
        operators = _operators(folder / "compiled")
    if ended.code == 0 and written:
        facts = tuple(
            (key.strip(), value.strip()) for key, value in _OPERATORS.findall(ended.errors)
        )
        facts += summary
        return Acceptance(status="accepted", facts=facts, operators=operators)
    if ended.code is None or ended.code < 0:
        return acceptance(ended)
    reason = _reason(ended.errors)
    return Acceptance(status="refused", reason=reason, operator=_operator(reason, data))


def _summary(compiled: Path) -> tuple[tuple[str, str], ...]:
    """(name, figure) from Vela's *_summary_*.csv in the folder `compiled`; empty if there is none."""
    files = sorted(compiled.glob("*_summary_*.csv"))
    if not files:
        return ()
    with files[0].open(encoding="utf-8", newline="") as stream:
        row = next(csv.DictReader(stream), {})
    facts = []
    for column, (name, form) in _COLUMNS.items():
        try:
            value = float(row.get(column, ""))
        except ValueError:
            continue  # this version of Vela does not write the column
        if value > 0:
            facts.append((name, form.format(value)))
    return tuple(facts)


def _operators(compiled: Path) -> tuple[OperatorEstimate, ...]:
    """Rows of Vela's *_per-layer.csv, in order of execution; empty if there is none."""
    found = sorted(compiled.glob("*_per-layer.csv"))
    if not found:
        return ()
    with found[0].open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    estimates = []
    for row in rows:
        try:
            cycles = round(float(row["Op Cycles"]))
        except (KeyError, ValueError, TypeError):
            continue  # this version of Vela does not write the column
        estimates.append(
            OperatorEstimate(
                operator=row.get("Original Operator") or "",
                runs_as=row.get("NNG Operator") or "",
                unit=row.get("Target") or "",
                cycles=cycles,
                name=row.get("Name") or "",
            )
        )
    return tuple(estimates)


def _reason(text: str) -> str:
    """Vela's message from its last "Error" line to the end, on one line."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    starts = [i for i, line in enumerate(lines) if "Error" in line]
    return " ".join(lines[starts[-1] :]) if starts else (lines[-1] if lines else "no output file")


def _operator(reason: str, data: bytes | memoryview) -> int | None:
    """The index of the operator that writes the tensor named in the error; None if that is not
    clear. `reason`: the error message.
    """
    match = _PLACE.search(reason)
    if match is None:
        return None
    try:
        graph = parse(data).subgraphs[0]
    except AlignError:
        return None
    name = match.group(2).encode()
    writers = [
        index
        for index, operator in enumerate(graph.operators)
        if any(graph.tensors[t].name == name for t in operator.outputs)
    ]
    return writers[0] if len(writers) == 1 else None
