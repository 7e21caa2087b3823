"""The commands `report merge` and `report diff` on reports of many models."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from ..errors import UsageError
from ..report.batch_diff import diff_of
from ..report.batch_lines import BatchLine, Tally, parse_line
from ..report.shard_lines import merged
from ..store.chunk_work import Result
from ..store.named_errors import about
from ..store.urls import shown
from ..store.whole_files import read
from .failure import reader_may_leave
from .many import Outcomes, check_reports
from .paths import STREAM, prepare
from .summary import show_sections

__all__ = ["run_report"]

_SHOWN = 200  # characters of a damaged line in a message


def run_report(action: str, files: Sequence[str], values: dict[str, Any]) -> int:
    """Merge or compare reports and return the exit status: of `merge` the highest of its models, of
    `diff` 1 if a model is worse.

    `files`: paths of reports; `values`: the parsed options. Raises Failure or UsageError for
    reports that cannot be merged or compared. `action`: merge or diff.
    """
    if action == "diff":
        return _diff(files, values)
    check_reports(values["report"])
    prepare(files, values["report"])
    rows = None if values["verbose"] else 20
    tally = Tally(rows=rows)
    with Outcomes() as outcomes:
        for index, text in enumerate(merged([(shown(name), _data(name)) for name in files])):
            line = _parsed(text)
            tally.add(line)
            name = line.report.name if line.report is not None else line.path
            outcomes.add(Result(number=index, name=name, line=line, text=text))
        outcomes.write(values["report"])
    if not values["quiet"]:
        with reader_may_leave(tally.exit_status):
            err = STREAM in values["report"]
            show_sections([tally.section()], tally.closing(""), tally.exit_status, err=err)
    return tally.exit_status


def _parsed(text: bytes) -> BatchLine:
    """A line of the merged report. Raises UsageError for one with other values than this version
    writes.
    """
    try:
        return parse_line(text)
    except ValueError as error:
        path = str(json.loads(text)["path"])[:_SHOWN]
        raise UsageError(
            f"{path!r}: the report's line on this model is damaged ({str(error)[:_SHOWN]}); make the"
            " report again"
        ) from error


def _data(name: str) -> Any:
    """The bytes of a report file."""
    with about(shown(name)):
        return read(name)


def _diff(files: Sequence[str], values: dict[str, Any]) -> int:
    """Print the differences of two reports; returns the exit status. `files`: paths OLD and NEW."""
    if len(files) != 2:
        raise UsageError(f"report diff compares two reports, OLD and NEW; {len(files)} are named")
    if values["report"]:
        raise UsageError("report diff prints to stdout; --report is an option of `report merge`")
    old, new = ((shown(name), bytes(_data(name)).splitlines()) for name in files)
    difference = diff_of(old, new)
    rows = None if values["verbose"] else 20
    if not values["quiet"]:
        with reader_may_leave(difference.exit_status):
            show_sections(
                difference.sections(rows), difference.closing(), difference.exit_status, err=False
            )
    return difference.exit_status
