"""Advice for a verification that is neither verified nor failed: how to decide it."""

from __future__ import annotations

from collections.abc import Iterator

from ..verdicts import JudgeVerdict, Verification
from .report import Report

__all__ = ["settling"]

_LEAST = 64  # fewest inputs for a verdict


def settling(report: Report) -> tuple[str, ...]:
    """Sentences of advice; empty if the verification is decided."""
    verification = report.verification
    if verification is None:
        return () if report.command == "check" else ("Align it without --no-verify.",)
    if verification.word == "accepted":
        return ("--require numbers runs the file and judges its numbers.",)
    if verification.word not in ("inconclusive", "skipped"):
        return ()
    sentences = [*_of_judges(verification), *_of_numbers(verification)]
    return tuple(dict.fromkeys(sentences)) or ("A run on the runtime that the file is meant for.",)


def _of_judges(verification: Verification) -> Iterator[str]:
    """Advice about judges that timed out or were skipped."""
    for verdict in verification.judges:
        sentence = _of_judge(verdict)
        if sentence:
            yield sentence


def _of_judge(verdict: JudgeVerdict) -> str:
    """Advice about one judge; "" if there is none."""
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


def _of_numbers(verification: Verification) -> Iterator[str]:
    """Advice about outputs that were not decided."""
    if verification.why.startswith("size:") or "size:" in verification.why:
        yield "More memory: --memory."
    open_ones = [
        output for output in verification.outputs if output.word in ("inconclusive", "skipped")
    ]
    if verification.samples and verification.samples < _LEAST:
        yield f"At least {_LEAST} inputs: --samples {_LEAST}."
    elif any(open_one.word == "inconclusive" for open_one in open_ones):
        if "calibration" in verification.inputs:
            yield "More inputs as the model meets them: --calibration with a larger file."
        else:
            yield "Inputs as the model meets them in place of random ones: --calibration FILE."
