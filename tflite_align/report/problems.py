"""What a report has against a model, one record each: findings, judges that refuse it, and whatever
else makes the exit status 1. Forms that show a list of problems show this one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal

from ..checks.checker import Finding
from ..record import Record
from ..verdicts import JudgeVerdict
from .report import Report
from .terminal_text import follow_up

__all__ = ["ReportedProblem", "problems"]

# Findings speak for themselves.
_COUNTED = re.compile(r"\d+ (error|warning) findings?")


class ReportedProblem(Record, frozen=True, kw_only=True):
    """`place`: an address, or "" for the file as a whole; `text`: without place and rule.

    `accepted`: a baseline lets it pass. `finding`: where it is one.
    """

    rule: str
    severity: Literal["error", "warning"]
    place: str
    text: str
    accepted: bool = False
    finding: Finding | None = None


def problems(report: Report) -> Iterator[ReportedProblem]:
    """Every finding that is left, also those that are let pass; then refusals, then other reasons.

    A refusal that does not fail the run (of one of a target's ways, or with --allow-refused) is a
    warning.
    """
    passed = set(map(id, report.accepted))
    for finding in report.remaining:
        yield ReportedProblem(
            rule=finding.rule,
            severity=finding.severity,
            place=finding.address,
            text=_bare(finding),
            accepted=id(finding) in passed,
            finding=finding,
        )
    refused = _refusing(report)
    for verdict in refused:
        acceptance = verdict.after
        fails = any(_tells(reason, verdict) for reason in report.reasons)
        yield ReportedProblem(
            rule=f"judge/{verdict.judge}",
            severity="error" if fails else "warning",
            place=acceptance.place,
            text=f"{acceptance.status}: {acceptance.reason}"
            if acceptance.reason
            else acceptance.status,
        )
    for reason in report.reasons:
        if not _COUNTED.fullmatch(reason) and not any(
            _tells(reason, problem) for problem in refused
        ):
            yield ReportedProblem(rule="verification", severity="error", place="", text=reason)


def _refusing(report: Report) -> list[JudgeVerdict]:
    """Judges that were asked and do not take the file, whether that fails the run or is let pass."""
    judges = report.verification.judges if report.verification is not None else ()
    return [judge for judge in judges if judge.after.status not in ("accepted", "skipped")]


def _bare(finding: Finding) -> str:
    text = finding.message.removeprefix(f"{finding.address}: ")
    text = text.removesuffix(f" (rule {finding.rule})")
    return f"{text}; {finding.behaviour}{follow_up(finding)}"


def _tells(reason: str, verdict: JudgeVerdict) -> bool:
    """Whether the reason is that this judge refuses the file."""
    words = verdict.after.reason
    return verdict.judge in reason and (not words or words in reason)
