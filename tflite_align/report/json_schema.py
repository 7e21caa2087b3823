"""The JSON Schema of the JSON report, derived from the record types."""

from __future__ import annotations

import inspect
import types
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from ..format.model import OperatorId, TensorId
from ..record import compared, is_record
from .batch_lines import BatchLine
from .report import FORMAT, Report, Unread

__all__ = ["batch_schema", "report_schema"]

_FLOAT = {"anyOf": [{"type": "number"}, {"enum": ["inf", "-inf", "nan"]}]}
_SCALARS: dict[type, dict[str, Any]] = {
    str: {"type": "string"},
    bool: {"type": "boolean"},
    int: {"type": "integer"},
    float: _FLOAT,
    types.NoneType: {"type": "null"},
}
_TOOL = {
    "type": "object",
    "additionalProperties": False,
    "required": ["name", "version"],
    "properties": {"name": {"const": "tflite_align"}, "version": {"type": "string"}},
}
_HEAD = {"format": {"const": FORMAT}, "tool": _TOOL}


def report_schema() -> dict[str, Any]:
    """The schema of render_json's output: one report, or several in `reports`."""
    defs = _report()
    several = {
        "type": "object",
        "additionalProperties": False,
        "required": ["format", "tool", "reports", "unread"],
        "properties": {
            **_HEAD,
            "reports": {"type": "array", "items": {"$ref": "#/$defs/Report"}},
            "unread": {"type": "array", "items": _of(Unread, defs)},
        },
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "tflite_align report",
        "anyOf": [{"$ref": "#/$defs/Report"}, several],
        "$defs": dict(sorted(defs.items())),
    }


def batch_schema() -> dict[str, Any]:
    """The schema of one JSON line of a run over many models."""
    defs = _report()
    _of(BatchLine, defs)
    line = defs.pop("BatchLine")
    line["properties"] = {**_HEAD, **line["properties"]}
    line["required"] = list(line["properties"])
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "tflite_align batch line",
        **line,
        "$defs": dict(sorted(defs.items())),
    }


def _report() -> dict[str, Any]:
    """Schemas of Report and of every record type in it, by name."""
    defs: dict[str, Any] = {}
    _of(Report, defs)
    report = defs["Report"]
    report["properties"] = {
        **_HEAD,
        **report["properties"],
        "cuts": {"type": "integer", "minimum": 0, "description": "QUANTIZE operators inserted."},
        "exit_status": {"enum": [0, 1]},
    }
    report["required"] = list(report["properties"])
    return defs


def _of(hint: Any, defs: dict[str, Any]) -> dict[str, Any]:
    """The schema of one type annotation; record types are added to `defs` and referenced. `hint`:
    the annotation.
    """
    if hint in _SCALARS:
        return dict(_SCALARS[hint])
    if hint in (OperatorId, TensorId):  # JSON arrays of two integers
        hint = tuple[int, int]
    if is_record(hint) or hasattr(hint, "_fields"):
        return _record(hint, defs)
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Literal:
        return {"enum": list(arguments)}
    if origin in (Union, types.UnionType):
        return {"anyOf": [_of(argument, defs) for argument in arguments]}
    if origin is tuple and arguments[-1] is Ellipsis:
        return {"type": "array", "items": _of(arguments[0], defs)}
    if origin is tuple:
        return {
            "type": "array",
            "prefixItems": [_of(argument, defs) for argument in arguments],
            "minItems": len(arguments),
            "maxItems": len(arguments),
        }
    raise TypeError(
        f"a report cannot hold {hint!r}: teach report/json_schema.py and report/values.py"
    )


def _record(record: Any, defs: dict[str, Any]) -> dict[str, Any]:
    """A reference to the schema of a record type, which is added to `defs`."""
    name = record.__name__
    if name not in defs:
        defs[name] = {}  # reserves the name, for record types that contain themselves
        hints = get_type_hints(record)
        field_names = getattr(record, "_fields", ()) or compared(record)
        properties = {name: _of(hints[name], defs) for name in field_names}
        defs[name] = {
            "description": _first_paragraph(record),
            "type": "object",
            "additionalProperties": False,
            "required": list(properties),
            "properties": properties,
        }
    return {"$ref": f"#/$defs/{name}"}


def _first_paragraph(record: Any) -> str:
    """The first paragraph of a record's docstring; "" where it has none but the generated one."""
    text = inspect.cleandoc(vars(record).get("__doc__") or "")
    if text.startswith(f"{record.__name__}("):
        return ""
    return " ".join(text.partition("\n\n")[0].split())
