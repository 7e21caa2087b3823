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
        return () if report.command == "check" else ("Align again without --no-verify.",)
    if verification.word == "accepted":
        return ("Use --require numbers to run the file and compare its outputs.",)
    if verification.word not in ("inconclusive", "skipped"):
        return ()
    sentences = [*_of_judges(verification), *_of_numbers(verification)]
    return tuple(dict.fromkeys(sentences)) or (
        "Run the file on the device or runtime where it will be used, and compare outputs.",
    )


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
        return f"Give {verdict.judge} more time with --judge-seconds."
    if status != "skipped":
        return ""
    if reason.startswith("size:"):
        return f"Give {verdict.judge} more memory with --memory ({reason})."
    if "registered" in reason:
        return f"Run the file in a program that registers the operator ({reason})."
    return f"Install the requirements of {verdict.judge} ({reason})."


def _of_numbers(verification: Verification) -> Iterator[str]:
    """Advice about outputs that were not decided."""
    if verification.why.startswith("size:") or "size:" in verification.why:
        yield "Allow more memory with --memory."
    open_ones = [
        output for output in verification.outputs if output.word in ("inconclusive", "skipped")
    ]
    if verification.samples and verification.samples < _LEAST:
        yield f"Use at least {_LEAST} inputs: --samples {_LEAST}."
    elif any(open_one.word == "inconclusive" for open_one in open_ones):
        if "calibration" in verification.inputs:
            yield "Use more real inputs: --calibration with a larger file."
        else:
            yield "Use real inputs instead of random ones: --calibration FILE."
