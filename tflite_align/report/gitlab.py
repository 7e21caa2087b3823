"""The report in GitLab's Code Quality format, in which merge requests show new and fixed problems.

Format: https://docs.gitlab.com/ci/testing/code_quality/#code-quality-report-format
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
    """A JSON list of the problems that no baseline accepts; an unreadable file has severity
    blocker. `reports`: one per file. `unread`: files that could not be read.
    """
    used: set[str] = set()
    issues = [
        {**issue, "fingerprint": _alone(issue, used)}
        for issue in [
            *(issue for report in reports for issue in _issues(report)),
            *(
                _issue(unread_file.name, "unreadable", "blocker", unread_file.message, "")
                for unread_file in unread
            ),
        ]
    ]
    return json.dumps(issues, indent=2, ensure_ascii=True) + "\n"


def _issues(report: Report) -> Iterator[dict[str, Any]]:
    """The Code Quality entries of one report."""
    reported = [problem for problem in problems(report) if not problem.accepted]
    for problem, known_by in zip(reported, fingerprints(reported), strict=True):
        text = f"{problem.place}: {problem.text}" if problem.place else problem.text
        yield _issue(report.name, problem.rule, _SEVERITY[problem.severity], text, known_by)


def _issue(name: str, rule: str, severity: str, text: str, known_by: str) -> dict[str, Any]:
    """One entry. `known_by`: its fingerprint. The format requires a line number; a binary file has
    none, so line 1 is given. `rule`: its id. `severity`: of the problem.
    """
    return {
        "type": "issue",
        "check_name": rule,
        "description": printable(text),
        "severity": severity,
        "fingerprint": known_by,
        "location": {"path": printable(relative_path(name)), "lines": {"begin": 1}},
    }


def _alone(issue: dict[str, Any], used: set[str]) -> str:
    """A fingerprint that no other entry has: the path is added if two files have the same problem.
    `used`: fingerprints so far. `issue`: the entry.
    """
    known_by = str(issue["fingerprint"])
    if not known_by or known_by in used:
        known_by += issue["location"]["path"]
    used.add(known_by)
    return hashlib.sha256(known_by.encode()).hexdigest()[:32]
