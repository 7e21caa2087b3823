"""JSON values of records, and the header that every JSON document has."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..format.model import Slot
from ..numerics import Label, Range
from ..record import compared, is_record

__all__ = ["json_value", "record_values", "shortest", "tool", "tool_version"]

_DECIMALS = 3  # decimals of figures in dB or steps; results of machines differ in further decimals


def tool_version() -> str:
    """The version of this package."""
    # sys.modules and not an import: the package is loaded before its modules.
    return str(getattr(sys.modules[__name__.partition(".")[0]], "__version__", "unknown"))


def tool() -> dict[str, str]:
    """Name and version of this tool, for the header of a document."""
    return {"name": "tflite_align", "version": tool_version()}


def record_values(record: Any) -> dict[str, Any]:
    """The fields of a record, without those that comparisons ignore.

    Numbers without a JSON form become the strings "inf", "-inf" and "nan".
    """
    return {name: json_value(name, getattr(record, name)) for name in compared(record.__class__)}


def json_value(name: str, value: Any) -> Any:
    """The JSON value of a value in the field `name`. A record's own `to_dict` is used if it has
    one.
    """
    if is_record(value):
        return value.to_dict() if hasattr(value, "to_dict") else record_values(value)
    if isinstance(value, float):
        return _number(name, value)
    if isinstance(value, (frozenset, set)):
        return sorted(json_value(name, item) for item in value)
    if isinstance(value, Mapping):
        return {str(key): json_value(name, value[key]) for key in sorted(value, key=str)}
    if isinstance(value, (Label, Range, Slot)):
        return {key: json_value(key, item) for key, item in value._asdict().items()}
    if isinstance(value, (tuple, list)):
        return [json_value(name, item) for item in value]
    return value


def shortest(value: float) -> float:
    """The shortest decimal that rounds to this float32."""
    return float(str(np.float32(value)))


def _number(name: str, value: float) -> float | str:
    """The JSON value of a float: scales as shortest float32 decimals, levels rounded, "inf" and
    "nan" as text.
    """
    if not math.isfinite(value):
        return "nan" if math.isnan(value) else ("inf" if value > 0 else "-inf")
    if name == "scale":
        return shortest(value)
    measured = name.endswith(("_db", "lsb"))
    return round(float(value), _DECIMALS) if measured else float(value)
