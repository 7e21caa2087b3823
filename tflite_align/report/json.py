"""The report as JSON, in the format of schema/report.schema.json."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from .report import FORMAT, Report, Unread, report_list
from .values import json_value, record_values, tool

__all__ = ["render_document", "render_json", "render_line"]


def render_json(report: Report | Sequence[Report], unread: Sequence[Unread] = ()) -> str:
    """One report as an object; several as `{"format", "tool", "reports", "unread"}`."""
    if isinstance(report, Report):
        document = report.to_dict()
    else:
        document = {
            "format": FORMAT,
            "tool": tool(),
            "reports": [each.to_dict() for each in report_list(report)],
            "unread": [record_values(unread_file) for unread_file in unread],
        }
    return _dump(document)


def render_document(name: str, record: Any) -> str:
    """Any record as a JSON document `{"format", "tool", name: record}`."""
    return _dump(
        {
            "format": FORMAT,
            "tool": tool(),
            name: json_value(name, record),
        }
    )


def render_line(record: Any) -> str:
    """A record as one JSON line; reports in it have all the fields of render_json."""
    document = {"format": FORMAT, "tool": tool(), **record_values(record)}
    return json.dumps(document, ensure_ascii=True, allow_nan=False, separators=(",", ":")) + "\n"


def _dump(document: dict[str, Any]) -> str:
    """A JSON document as indented text."""
    return json.dumps(document, indent=2, ensure_ascii=True, allow_nan=False) + "\n"
