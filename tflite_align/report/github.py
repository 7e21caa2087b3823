"""The report as GitHub workflow commands, which become annotations of the file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from .problems import problems
from .report import Report, Unread, report_list

__all__ = ["render_github"]

_DATA = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A"})
_PROPERTY = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A", ":": "%3A", ",": "%2C"})


def render_github(reports: Report | Sequence[Report], unread: Sequence[Unread] = ()) -> str:
    """One line per problem that no baseline accepts, and per unreadable file. `unread`: files that
    could not be read.
    """
    reports = report_list(reports)
    lines = [line for report in reports for line in _lines(report)]
    lines += [
        _command("error", unread_file.name, "unreadable", unread_file.message)
        for unread_file in unread
    ]
    return "".join(f"{line}\n" for line in lines)


def _lines(report: Report) -> Iterator[str]:
    """The workflow commands for one report's findings."""
    for problem in problems(report):
        if not problem.accepted:
            text = f"{problem.place}: {problem.text}" if problem.place else problem.text
            yield _command(problem.severity, report.name, problem.rule, text)


def _command(level: str, name: str, title: str, message: str) -> str:
    """One workflow command, with special characters escaped. `level`: error or warning; `title`,
    `message`: its texts.
    """
    position = f"file={name.translate(_PROPERTY)},title={title.translate(_PROPERTY)}"
    return f"::{level} {position}::{message.translate(_DATA)}"
