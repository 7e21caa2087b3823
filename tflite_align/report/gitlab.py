"""The report as GitLab's Code Quality has it: merge requests show what is new and what is mended.

Source of the form: https://docs.gitlab.com/ci/testing/code_quality/#code-quality-report-format
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from typing import Any

from .locations import fingerprints, relative_path
from .problems import problems
from .report import Report, Unread
from .terminal_text import printable

__all__ = ["render_gitlab"]

_SEVERITY = {"error": "major", "warning": "minor"}


def render_gitlab(reports: Sequence[Report], unread: Sequence[Unread] = ()) -> str:
    """A list of every problem that nothing lets pass; a file that cannot be read blocks."""
    seen: set[str] = set()
    issues = [
        {**issue, "fingerprint": _alone(issue, seen)}
        for issue in [
            *(one for report in reports for one in _issues(report)),
            *(_issue(one.name, "unreadable", "blocker", one.message, "") for one in unread),
        ]
    ]
    return json.dumps(issues, indent=2, ensure_ascii=True) + "\n"


def _issues(report: Report) -> Iterator[dict[str, Any]]:
    found = [one for one in problems(report) if not one.accepted]
    for one, known_by in zip(found, fingerprints(found), strict=True):
        told = f"{one.place}: {one.text}" if one.place else one.text
        yield _issue(report.name, one.rule, _SEVERITY[one.severity], told, known_by)


def _issue(name: str, rule: str, severity: str, told: str, known_by: str) -> dict[str, Any]:
    """`lines` is asked for: a binary has none, so its first stands for all of it."""
    return {
        "type": "issue",
        "check_name": rule,
        "description": printable(told),
        "severity": severity,
        "fingerprint": known_by,
        "location": {"path": printable(relative_path(name)), "lines": {"begin": 1}},
    }


def _alone(issue: dict[str, Any], seen: set[str]) -> str:
    """A fingerprint that no other entry has: where files have the same fault, their paths tell."""
    known_by = str(issue["fingerprint"])
    if not known_by or known_by in seen:
        known_by += issue["location"]["path"]
    seen.add(known_by)
    return hashlib.sha256(known_by.encode()).hexdigest()[:32]
