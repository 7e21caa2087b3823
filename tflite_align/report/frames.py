"""Parts of a report as pandas data frames: one row per finding, change or output."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from ..checks.checker import Finding
from ..errors import UsageError
from ..record import compared
from ..repair.planner.changes import Change
from .report import Report
from .values import record_values

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["TABLES", "frame"]


def _findings(report: Report) -> Iterable[dict[str, Any]]:
    """A row for each finding of the input file."""
    return map(_finding, report.findings)


def _remaining(report: Report) -> Iterable[dict[str, Any]]:
    """A row for each finding of the written file."""
    return map(_finding, report.remaining)


def _finding(finding: Finding) -> dict[str, Any]:
    """The values of the table's columns for one finding."""
    return {
        "rule": finding.rule,
        "severity": finding.severity,
        "place": finding.address,
        "subgraph": finding.slot.subgraph,
        "operator": finding.slot.operator,
        "tensor": finding.tensor,
        "name": finding.tensor_name,
        "expected": finding.expected,
        "actual": finding.actual,
        "fix": finding.fix,
        "message": finding.message,
    }


def _changes(report: Report) -> Iterable[dict[str, Any]]:
    """A row for each change."""
    return map(record_values, report.changes)


def _outputs(report: Report) -> Iterable[dict[str, Any]]:
    """A row for each output, with SQNR in dB against the float twin: of the declared readings and
    of each kernel set.
    """
    for score in report.verification.outputs if report.verification is not None else ():
        row: dict[str, Any] = {
            "output": score.index,
            "tensor": score.tensor,
            "name": score.title,
            "word": score.word,
            "declared_original_db": score.declared_original_db,
            "declared_aligned_db": score.declared_aligned_db,
        }
        for run in score.runs:
            row[f"{run.judge}_original_db"] = run.original_db
            row[f"{run.judge}_aligned_db"] = run.sqnr_db
        yield row


_FINDING = (
    *("rule", "severity", "place", "subgraph", "operator", "tensor"),
    *("name", "expected", "actual", "fix", "message"),
)
_OUTPUT = ("output", "tensor", "name", "word", "declared_original_db", "declared_aligned_db")
# The columns of a table without rows.
_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "findings": _FINDING,
    "remaining": _FINDING,
    "changes": compared(Change),
    "outputs": _OUTPUT,
}

TABLES: Mapping[str, Callable[[Report], Iterable[dict[str, Any]]]] = {
    "findings": _findings,
    "remaining": _remaining,
    "changes": _changes,
    "outputs": _outputs,
}


def frame(report: Report, table: str) -> pd.DataFrame:
    """The table `table` of the report as a data frame. Raises UsageError for an unknown table, or
    without pandas.
    """
    if table not in TABLES:
        raise UsageError(f"table: expected one of {', '.join(TABLES)}; found {table!r}")
    try:
        import pandas as pd  # noqa: PLC0415 - optional
    except ImportError:
        raise UsageError("a data frame needs pandas: pip install pandas") from None
    rows = [{"model": report.name, **row} for row in TABLES[table](report)]
    return pd.DataFrame(rows) if rows else pd.DataFrame(columns=["model", *_COLUMNS[table]])
