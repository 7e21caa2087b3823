"""The table "Before and after", the last one of an alignment's summary."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

from .report import Report
from .section import Row, Section
from .terminal_text import counts, plural
from .verification_section import decibels

__all__ = ["glance"]

_SQNR = "SQNR: signal-to-quantization-noise ratio of the worst output; more is better"


def glance(report: Report) -> Section:
    """The table with findings, file size, acceptance by each judge and SQNR, before and after.
    Empty if nothing changed.
    """
    if report.command != "align" or not report.changes:
        return Section(title="")
    numbers = tuple(_numbers(report))
    rows = [
        ("findings", counts(report.findings), counts(report.remaining)),
        ("size", plural(report.size.bytes, "byte"), _size(report)),
        *_judges(report),
        *numbers,
    ]
    return Section(
        title="Before and after",
        head=("", "before", "after"),
        rows=tuple(rows),
        lines=(_SQNR,) if numbers else (),
    )


def _size(report: Report) -> str:
    """The written file's size as text, or `the same`."""
    grown = report.size.bytes + report.grown_bytes
    return "the same" if not report.grown_bytes else plural(grown, "byte")


def _judges(report: Report) -> Iterator[Row]:
    """A row for each judge: whether it accepts the file before and after."""
    for verdict in report.verification.judges if report.verification is not None else ():
        yield (verdict.judge, verdict.before.status, verdict.after.status)


def _numbers(report: Report) -> Iterator[Row]:
    """A row for each judge that ran the model: SQNR of the worst output, before and after."""
    if report.verification is None:
        return
    runs = [run for output in report.verification.outputs for run in output.runs]
    for judge in dict.fromkeys(run.judge for run in runs):
        runs_of_judge = [run for run in runs if run.judge == judge]
        before = _worst(run.original_db for run in runs_of_judge)
        yield (f"{judge}: SQNR", before, _worst(run.sqnr_db for run in runs_of_judge))


def _worst(levels: Iterable[float | None]) -> str:
    """The lowest of the levels (dB) as text; `did not run` without one."""
    known_levels = [level for level in levels if level is not None]
    level_text = decibels(min(known_levels, default=None), "did not run")
    return f"{level_text} dB" if known_levels and math.isfinite(min(known_levels)) else level_text
