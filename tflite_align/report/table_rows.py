"""Reports of many models as flat rows for SQL and data frames."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .batch_lines import BatchLine
from .report import Report

__all__ = ["FINDINGS", "JUDGES", "MODELS", "Columns", "finding_rows", "judge_rows", "model_row"]

Columns = dict[str, type]
Row = dict[str, Any]

# One row per model. `errors`, `warnings`: remaining findings that no baseline accepts.
MODELS: Columns = {
    "path": str, "command": str, "outcome": str, "exit_status": int, "message": str,
    "verification": str, "targets": str, "findings_before": int, "findings_after": int,
    "errors": int, "warnings": int, "quantize": int, "operators": int, "tensors": int,
    "input_bytes": int, "output_bytes": int, "input_sha256": str, "output_sha256": str,
    "seconds": float, "resumed": bool,
}  # fmt: skip
# One row per finding of the input file. `remains`: the written file has it as well.
FINDINGS: Columns = {
    "path": str, "severity": str, "rule": str, "operator": str, "address": str,
    "tensor": str, "targets": str, "message": str, "behaviour": str, "fix": str,
    "offset": int, "remains": bool, "accepted": bool,
}  # fmt: skip
# One row per judge that was run, and its verdict on the written file.
JUDGES: Columns = {"path": str, "judge": str, "status": str, "word": str, "reason": str}


def model_row(line: BatchLine) -> Row:
    """The row of one model, by column; None for an unknown value."""
    report = line.report
    row: Row = {name: getattr(line, name, None) for name in MODELS}
    if report is not None:
        grave = [finding.severity for finding in report.open]
        row |= {
            "command": report.command,
            "targets": ",".join(report.targets),
            "errors": grave.count("error"),
            "warnings": grave.count("warning"),
            "operators": report.size.operators,
            "tensors": report.size.tensors,
        }
    return _storable(row)


def _storable(row: Row) -> Row:
    """The row with escapes for what UTF-8 cannot hold: bytes of file names that are no UTF-8."""
    return {
        name: value.encode("utf-8", "backslashreplace").decode() if type(value) is str else value
        for name, value in row.items()
    }


def finding_rows(line: BatchLine) -> Iterator[Row]:
    """A row for each finding of one model."""
    report = line.report
    if report is None:
        return
    left = _keys(report.remaining)
    passed = _keys(report.accepted)
    for finding in report.findings:
        key = (finding.rule, finding.address)
        yield _storable(
            {
                "path": line.path,
                "severity": finding.severity,
                "rule": finding.rule,
                "operator": _operator(finding.address),
                "address": finding.address,
                "tensor": finding.tensor_name,
                "targets": ",".join(finding.targets),
                "message": finding.message,
                "behaviour": finding.behaviour,
                "fix": finding.fix,
                "offset": finding.offset,
                "remains": key in left,
                "accepted": key in passed,
            }
        )


def _keys(findings: Any) -> set[tuple[str, str]]:
    """(rule, address) of the findings."""
    return {(finding.rule, finding.address) for finding in findings}


def _operator(address: str) -> str:
    """The operator's name in an address: `CONCATENATION` for `subgraph[0]/operator[12]
    CONCATENATION/inputs[1]`.
    """
    _, named, rest = address.partition("] ")
    return rest.partition("/")[0] if named else ""


def judge_rows(line: BatchLine) -> Iterator[Row]:
    """A row for each judge of one model."""
    report: Report | None = line.report
    if report is None or report.verification is None:
        return
    for verdict in report.verification.judges:
        yield _storable(
            {
                "path": line.path,
                "judge": verdict.judge,
                "status": verdict.after.status,
                "word": verdict.word,
                "reason": verdict.after.reason,
            }
        )
