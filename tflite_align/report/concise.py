"""The concise format: one line per problem, `path: place: severity: text (rule)`, which editors can
parse.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from .problems import problems
from .report import Report, Unread
from .terminal_text import printable

__all__ = ["problem_lines", "render_concise"]


def render_concise(reports: Sequence[Report], unread: Sequence[Unread] = ()) -> str:
    """One line per problem that no baseline accepts, and per unreadable file. `reports`: one per
    file. `unread`: files that could not be read.
    """
    lines = [line for report in reports for line in problem_lines(report)]
    lines += [
        _line(unread_file.name, "file", "error", unread_file.message, "unreadable")
        for unread_file in unread
    ]
    return "".join(f"{line}\n" for line in lines)


def problem_lines(report: Report) -> Iterator[str]:
    """The lines of one report. The place is an address, or `model` for the whole file."""
    for problem in problems(report):
        if not problem.accepted:
            address = problem.place or "model"
            yield _line(
                report.name or "model", address, problem.severity, problem.text, problem.rule
            )


def _line(name: str, address: str, severity: str, text: str, rule: str) -> str:
    """One line of the format. `severity`: of the problem. `rule`: its id."""
    return printable(f"{name}: {address}: {severity}: {text} ({rule})")
