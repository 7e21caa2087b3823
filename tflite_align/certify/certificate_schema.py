"""The JSON Schema of a certificate."""

from __future__ import annotations

from typing import Any

__all__ = ["certificate_schema"]

_NUMBER = {"type": "number"}
_INDEX = {"type": "integer", "minimum": 0}


def _object(properties: dict[str, Any], *optional: str) -> dict[str, Any]:
    """JSON Schema of an object with these properties and no others; all are required but the
    `optional` ones.
    """
    return {
        "type": "object",
        "additionalProperties": False,
        "required": [name for name in properties if name not in optional],
        "properties": properties,
    }


def _pair(item_type: str) -> dict[str, Any]:
    """JSON Schema of an array of exactly two items of one type."""
    return {"type": "array", "items": {"type": item_type}, "minItems": 2, "maxItems": 2}


def _list(items: dict[str, Any]) -> dict[str, Any]:
    """JSON Schema of an array of any length. `items`: the schema of an element."""
    return {"type": "array", "items": items}


def _by_runtime(values: dict[str, Any]) -> dict[str, Any]:
    """JSON Schema of an object from runtime names to values of one schema."""
    return {"type": "object", "additionalProperties": values}


_FILE = _object(
    {"sha256": {"type": "string", "pattern": "^[0-9a-f]{64}$"}, "bytes": {"type": "integer"}}
)
_ORIGINAL = {"anyOf": [_INDEX, {"type": "null"}]}
_OPERATOR = {"operator": _INDEX, "original": _ORIGINAL, "name": {"type": "string"}}
_CERTIFIED = _object(
    {
        **_OPERATOR,
        "status": {"const": "certified"},
        "functions": _by_runtime(_list({"type": "string"})),
        "bounds": _by_runtime(_NUMBER),
        "bounds_in_original_steps": _by_runtime(_NUMBER),
        "accumulator": _pair("integer"),
        "saturates": _list({"enum": ["low", "high"]}),
    },
    "accumulator",
)
_UNCHANGED = _object({**_OPERATOR, "status": {"const": "unchanged"}, "reason": {"type": "string"}})
_TENSOR = _object(
    {
        "tensor": _INDEX,
        "original": _ORIGINAL,
        "arrives": _pair("integer"),
        "needed": _pair("number"),
    },
    "needed",
)


_SLOT = {
    "type": "array",
    "prefixItems": [
        _INDEX,
        {"type": "integer", "minimum": -1},
        {"enum": ["inputs", "outputs"]},
        _INDEX,
    ],
    "minItems": 4,
    "maxItems": 4,
}
_LABEL = {
    "type": "array",
    "prefixItems": [_NUMBER, {"type": "integer"}],
    "minItems": 2,
    "maxItems": 2,
}
_WHOLE = {"type": "integer"}
_COMPONENT = _object(
    {
        "labels": _list(_LABEL),
        "groups": _list(_object({"candidates": _list(_INDEX), "slots": _list(_SLOT)})),
        "tables": _list(_object({"groups": _list(_INDEX), "costs": _list({"type": "string"})})),
        "quantize": _list(_object({"source": _INDEX, "readers": _list(_INDEX), "cost": _WHOLE})),
        "chosen": _list(_INDEX),
        "order": _list(_INDEX),
        "cost": _WHOLE,
        "bound": _WHOLE,
    }
)
_OPTIMUM = _object(
    {
        "unit": {"const": 1e-9},
        "components": _list(_COMPONENT),
        "left_out": _list(_object({"component": _INDEX, "why": {"type": "string"}})),
    }
)


def certificate_schema() -> dict[str, Any]:
    """JSON Schema of a certificate, as make_certificate returns it and the checker reads it.
    docs/certificates.md explains its fields.
    """
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "tflite_align certificate",
        **_object(
            {
                "format": {"const": 1},
                "tool": {"type": "string"},
                "original": _FILE,
                "written": _FILE,
                "runtimes": {"type": "array", "items": {"type": "string"}, "minItems": 1},
                "bias": {"enum": ["declared", "as-run"]},
                "observed": _list(
                    _object({"subgraph": _INDEX, "tensor": _INDEX, "arrives": _pair("integer")})
                ),
                "moved": _list({"type": "string"}),
                "subgraphs": _list(
                    _object(
                        {
                            "operators": _list({"anyOf": [_CERTIFIED, _UNCHANGED]}),
                            "tensors": _list(_TENSOR),
                            "folded": _list(_INDEX),
                        },
                        "folded",
                    )
                ),
                "optimum": _OPTIMUM,
            },
            "optimum",
        ),
    }
