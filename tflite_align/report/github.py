"""The report as workflow commands: GitHub shows each finding as an annotation of the file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from .problems import problems
from .report import Report, Unread

__all__ = ["render_github"]

_DATA = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A"})
_PROPERTY = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A", ":": "%3A", ",": "%2C"})


def render_github(reports: Sequence[Report], unread: Sequence[Unread] = ()) -> str:
    """A line for each problem that nothing lets pass and each unreadable file."""
    lines = [line for report in reports for line in _lines(report)]
    lines += [_command("error", one.name, "unreadable", one.message) for one in unread]
    return "".join(f"{line}\n" for line in lines)


def _lines(report: Report) -> Iterator[str]:
    for one in problems(report):
        if not one.accepted:
            told = f"{one.place}: {one.text}" if one.place else one.text
            yield _command(one.severity, report.name, one.rule, told)


def _command(level: str, name: str, title: str, message: str) -> str:
    place = f"file={name.translate(_PROPERTY)},title={title.translate(_PROPERTY)}"
    return f"::{level} {place}::{message.translate(_DATA)}"
