"""Every problem that a report lists, as records of one type: findings, refusals by judges, and
other reasons for exit status 1. All formats that list problems use it.
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

# Reasons that only count findings are left out: each finding is listed itself.
_COUNTED = re.compile(r"\d+ (error|warning) findings?")


class ReportedProblem(Record, frozen=True, kw_only=True):
    """One problem. `place`: an address, or "" for the whole file; `text`: without place and rule.

    `accepted`: accepted by a baseline. `finding`: the finding, for a problem that is one.
    """

    rule: str
    severity: Literal["error", "warning"]
    place: str
    text: str
    accepted: bool = False
    finding: Finding | None = None


def problems(report: Report) -> Iterator[ReportedProblem]:
    """All remaining findings, accepted ones included; then refusals; then other reasons for exit
    status 1.

    A refusal that does not fail the run (by one of several runtimes of a target, or with
    --allow-refused) is a warning.
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
    """Verdicts of judges that ran and did not accept the file."""
    judges = report.verification.judges if report.verification is not None else ()
    return [judge for judge in judges if judge.after.status not in ("accepted", "skipped")]


def _bare(finding: Finding) -> str:
    """The message of a finding without address and rule, with its consequence and notes."""
    text = finding.message.removeprefix(f"{finding.address}: ")
    text = text.removesuffix(f" (rule {finding.rule})")
    return f"{text}; {finding.behaviour}{follow_up(finding)}"


def _tells(reason: str, verdict: JudgeVerdict) -> bool:
    """Whether a reason for exit status 1 is the refusal by this judge."""
    words = verdict.after.reason
    return verdict.judge in reason and (not words or words in reason)
