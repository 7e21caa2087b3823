"""Conversion of the JSON values of report/json.py back to records."""

from __future__ import annotations

import math
import types
from functools import cache
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from ..checks.checker import Finding
from ..format.model import OperatorId, TensorId
from ..numerics import to_float32
from ..record import compared, is_record, replace
from .report import Report

__all__ = ["restored"]

Record = TypeVar("Record")

# Keys of a report's JSON that are not fields of Report.
_TOLD = ("format", "tool", "cuts", "exit_status")
_BEYOND = {"inf": math.inf, "-inf": -math.inf, "nan": math.nan}


def restored(record: type[Record], value: Any) -> Record:
    """The record of type `record` that the JSON values describe; fields that JSON leaves out get
    their defaults.

    Raises ValueError for values that do not match the record type.
    """
    found: Record = _of(record, value)
    return found


def _of(hint: Any, value: Any) -> Any:
    """The value of type `hint` (a type annotation) from its JSON value."""
    if hint in (str, bool, int, types.NoneType):
        return _exactly(hint, value)
    if hint is float:
        return _number(value)
    if hint in (OperatorId, TensorId):  # JSON arrays of two integers
        return hint(*_of(tuple[int, int], value))
    if is_record(hint) or hasattr(hint, "_fields"):
        return _record(hint, value)
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Literal:
        if value in arguments and any(type(value) is type(word) for word in arguments):
            return value
    elif origin in (Union, types.UnionType):
        # Unions are `X | None`.
        return None if value is None else _of(arguments[0], value)
    elif origin is tuple and isinstance(value, list):
        several = arguments[-1] is Ellipsis
        kinds = arguments[:1] * len(value) if several else arguments
        return tuple(_of(item_type, item) for item_type, item in zip(kinds, value, strict=True))
    raise ValueError(f"no {hint}: {value!r}")


def _exactly(record_type: type, value: Any) -> Any:
    """The value, if it has exactly this type; ValueError otherwise."""
    if type(value) is not record_type:
        raise ValueError(f"not a {record_type.__name__}: {value!r}")
    return value


def _number(value: Any) -> float:
    """A float from its JSON value, also from "inf", "-inf" and "nan"."""
    if isinstance(value, str) and value in _BEYOND:
        return _BEYOND[value]
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value)
    raise ValueError(f"no number: {value!r}")


def _record(record: Any, value: Any) -> Any:
    """A record from a JSON object."""
    if not isinstance(value, dict):
        raise ValueError(f"no {record.__name__}: {value!r}")  # noqa: TRY004 - every error of the document is a ValueError
    hints = _hints(record)
    fields = {key: item for key, item in value.items() if key in hints or key not in _TOLD}
    if fields.keys() != hints.keys():
        raise ValueError(f"{record.__name__} has other fields: {sorted(fields)}")
    values = {key: _of(hints[key], fields[key]) for key in hints}
    if "scale" in values:  # decimals that stand for float32 values
        values["scale"] = _float32(values["scale"])
    restored = record(**values)
    return _accepting(restored) if record is Report else restored


def _float32(value: Any) -> Any:
    """Decimals as the float32 values that they stand for; a tuple element by element."""
    return tuple(map(_float32, value)) if isinstance(value, tuple) else to_float32(value)


@cache
def _hints(record: Any) -> dict[str, Any]:
    """Name -> type of the fields that JSON contains. `record`: the record class."""
    hints = get_type_hints(record)
    named = getattr(record, "_fields", None) or compared(record)
    return {name: hints[name] for name in named}


def _accepting(report: Report) -> Report:
    """The report with its accepted findings replaced by the equal objects among the remaining ones."""
    left = list(report.remaining)
    restored_findings: list[Finding] = []
    for finding in report.accepted:
        if finding not in left:
            raise ValueError(f"accepted, but not there: {finding.message}")
        restored_findings.append(left.pop(left.index(finding)))
    return replace(report, accepted=tuple(restored_findings))
