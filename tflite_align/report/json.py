"""The report as JSON, in the form of schema/report.schema.json."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from ..model import Slot
from ..numerics import Label, Range
from ..record import compared, is_record
from .record import FORMAT, Report, Unread

__all__ = ["render_document", "render_json", "render_line", "to_dict", "tool_version"]

_DECIMALS = 3  # of a figure in dB or steps; kernels differ below that from machine to machine


def tool_version() -> str:
    # The package is there before any of its rooms: asking for it is no import to the right.
    return str(getattr(sys.modules[__name__.partition(".")[0]], "__version__", "unknown"))


def to_dict(report: Report) -> dict[str, Any]:
    """The report as JSON values: same report in, same values out; no times, no dates.

    A record's fields keep their order. A field that does not count when records are compared is
    left out. Numbers that JSON lacks are the strings "inf", "-inf" and "nan".
    """
    return {
        "format": FORMAT,
        "tool": _tool(),
        **_record(report),
        "cuts": report.cuts,
        "exit_status": report.exit_status,
    }


def render_json(report: Report | Sequence[Report], unread: Sequence[Unread] = ()) -> str:
    """One report as an object; several as `{"format", "tool", "reports", "unread"}`, each whole."""
    if isinstance(report, Report):
        document = to_dict(report)
    else:
        document = {
            "format": FORMAT,
            "tool": _tool(),
            "reports": [to_dict(one) for one in report],
            "unread": [_record(one) for one in unread],
        }
    return _dump(document)


def render_document(name: str, record: Any) -> str:
    """Any record as JSON in the same manner: `{"format", "tool", name: record}`."""
    return _dump(
        {
            "format": FORMAT,
            "tool": _tool(),
            name: _value(name, record),
        }
    )


def render_line(record: Any) -> str:
    """A record as one line of JSON lines; a report in it is whole, as render_json has it."""
    document = {"format": FORMAT, "tool": _tool(), **_record(record)}
    return json.dumps(document, ensure_ascii=True, allow_nan=False, separators=(",", ":")) + "\n"


def _tool() -> dict[str, str]:
    return {"name": "tflite_align", "version": tool_version()}


def _dump(document: dict[str, Any]) -> str:
    return json.dumps(document, indent=2, ensure_ascii=True, allow_nan=False) + "\n"


def _record(record: Any) -> dict[str, Any]:
    return {name: _value(name, getattr(record, name)) for name in compared(record.__class__)}


def _value(name: str, value: Any) -> Any:
    if isinstance(value, Report):
        return to_dict(value)
    if is_record(value):
        return _record(value)
    if isinstance(value, float):
        return _number(name, value)
    if isinstance(value, (frozenset, set)):
        return sorted(_value(name, entry) for entry in value)
    if isinstance(value, Mapping):
        return {str(key): _value(name, value[key]) for key in sorted(value, key=str)}
    if isinstance(value, (Label, Range, Slot)):
        return {key: _value(key, entry) for key, entry in value._asdict().items()}
    if isinstance(value, (tuple, list)):
        return [_value(name, entry) for entry in value]
    return value


def _number(name: str, value: float) -> float | str:
    if not math.isfinite(value):
        return "nan" if math.isnan(value) else ("inf" if value > 0 else "-inf")
    measured = name.endswith(("_db", "lsb"))
    return round(float(value), _DECIMALS) if measured else float(value)
