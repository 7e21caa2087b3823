"""The report as workflow commands: GitHub shows each finding as an annotation of the file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from .report import Report, Unread
from .terminal_text import follow_up

__all__ = ["render_github"]

_DATA = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A"})
_PROPERTY = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A", ":": "%3A", ",": "%2C"})


def render_github(reports: Sequence[Report], unread: Sequence[Unread] = ()) -> str:
    """A line for each open finding, each refusal by a judge and each unreadable file."""
    lines = [line for report in reports for line in _lines(report)]
    lines += [_command("error", one.name, "unreadable", one.message) for one in unread]
    return "".join(f"{line}\n" for line in lines)


def _lines(report: Report) -> Iterator[str]:
    for finding in report.open:
        told = f"{finding.message}: {finding.behaviour}{follow_up(finding)}"
        yield _command(finding.severity, report.name, finding.rule, told)
    for verdict in report.verification.judges if report.verification is not None else ():
        said = verdict.after
        if said.status not in ("accepted", "skipped"):
            told = f"{said.status}: {said.reason}" if said.reason else said.status
            yield _command("error", report.name, f"judge/{verdict.judge}", told)


def _command(level: str, name: str, title: str, message: str) -> str:
    place = f"file={name.translate(_PROPERTY)},title={title.translate(_PROPERTY)}"
    return f"::{level} {place}::{message.translate(_DATA)}"
