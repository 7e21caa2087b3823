"""What would settle a verification that says neither verified nor failed, in sentences."""

from __future__ import annotations

from collections.abc import Iterator

from ..verdicts import JudgeVerdict, Verification
from .report import Report

__all__ = ["settling"]

_LEAST = 64  # inputs that a verdict needs


def settling(report: Report) -> tuple[str, ...]:
    """Empty where nothing is open."""
    found = report.verification
    if found is None:
        return () if report.command == "check" else ("Align it without --no-verify.",)
    if found.word == "accepted":
        return ("--require numbers runs the file and judges its numbers.",)
    if found.word not in ("inconclusive", "skipped"):
        return ()
    told = [*_of_judges(found), *_of_numbers(found)]
    return tuple(dict.fromkeys(told)) or ("A run on the runtime that the file is meant for.",)


def _of_judges(found: Verification) -> Iterator[str]:
    for verdict in found.judges:
        said = _of_judge(verdict)
        if said:
            yield said


def _of_judge(verdict: JudgeVerdict) -> str:
    status, reason = verdict.after.status, verdict.after.reason
    if status == "timeout":
        return f"More time for {verdict.judge}: --judge-seconds."
    if status != "skipped":
        return ""
    if reason.startswith("size:"):
        return f"More memory for {verdict.judge}: --memory ({reason})."
    if "registered" in reason:
        return f"A program that registers the operator: {reason}."
    return f"What {verdict.judge} needs, installed: {reason}."


def _of_numbers(found: Verification) -> Iterator[str]:
    if found.why.startswith("size:") or "size:" in found.why:
        yield "More memory: --memory."
    open_ones = [one for one in found.outputs if one.word in ("inconclusive", "skipped")]
    if found.samples and found.samples < _LEAST:
        yield f"At least {_LEAST} inputs: --samples {_LEAST}."
    elif any(one.word == "inconclusive" for one in open_ones):
        if "calibration" in found.inputs:
            yield "More inputs as the model meets them: --calibration with a larger file."
        else:
            yield "Inputs as the model meets them in place of random ones: --calibration FILE."
