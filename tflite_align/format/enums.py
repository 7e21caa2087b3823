"""Names of tensor types and builtin operators.

The names come from the `tflite` package and, for newer ones, from the table here; unknown values
are represented by their number.
"""

from __future__ import annotations

import importlib.machinery
import importlib.util
import math
from enum import IntEnum
from functools import lru_cache
from typing import Any

__all__ = [
    "BITS",
    "OPERATOR_NAMES",
    "TENSOR_TYPES",
    "Activation",
    "constant_size",
    "operator_code",
    "operator_name",
    "type_code",
    "type_name",
]


# Bits per element in a constant's bytes; types not listed have no fixed width.
BITS = {
    "bfloat16": 16,
    "bool": 8,
    "complex128": 128,
    "complex64": 64,
    "float16": 16,
    "float32": 32,
    "float64": 64,
    "float8_e4m3fn": 8,
    "float8_e5m2": 8,
    "int16": 16,
    "int2": 2,
    "int32": 32,
    "int4": 4,
    "int64": 64,
    "int8": 8,
    "uint16": 16,
    "uint32": 32,
    "uint4": 4,
    "uint64": 64,
    "uint8": 8,
}


class Activation(IntEnum):
    """A fused activation by its code: ActivationFunctionType of the TFLite schema."""

    NONE = 0
    RELU = 1
    RELU_N1_TO_1 = 2
    RELU6 = 3
    TANH = 4
    SIGN_BIT = 5


# Operators and types of LiteRT 2.3's schema that the `tflite` package lacks.
_NEWER = {
    "BuiltinOperator": {209: "STABLEHLO_CASE"},
    "TensorType": {19: "INT2", 20: "UINT4", 21: "FLOAT8_E4M3FN", 22: "FLOAT8_E5M2"},
}


def _members(name: str) -> dict[int, str]:
    """The names of an enum of the `tflite` package by value, and newer ones.

    Executes the enum's module alone: the package imports two hundred others, which takes longer
    than aligning a small model.
    """
    package = importlib.util.find_spec("tflite")
    where = package.submodule_search_locations if package is not None else None
    spec = importlib.machinery.PathFinder.find_spec(name, list(where or ()))
    if spec is None or spec.loader is None:
        raise ImportError(f"tflite.{name} is missing: install the package `tflite`", name="tflite")
    module: Any = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    members = vars(getattr(module, name)).items()
    return _NEWER[name] | {value: member for member, value in members if isinstance(value, int)}


_TYPE_NAMES = {code: name.lower() for code, name in _members("TensorType").items()}
# Names of all types of the schema.
TENSOR_TYPES = tuple(sorted(_TYPE_NAMES.values()))
_TYPE_CODES = {name: code for code, name in _TYPE_NAMES.items()}
_OPERATOR_NAMES = _members("BuiltinOperator")
_OPERATOR_CODES = {name: code for code, name in _OPERATOR_NAMES.items()}
# Names of all builtin operators of the schema.
OPERATOR_NAMES = frozenset(_OPERATOR_CODES)


def type_name(code: int) -> str:
    """The name of a type: 9 is "int8"; an unknown value becomes "type#57". `code`: the number in
    the file.
    """
    return _TYPE_NAMES.get(code) or f"type#{code}"


def type_code(name: str) -> int:
    """The inverse of `type_name`; raises KeyError for a name that is no type."""
    if name.startswith("type#"):
        return int(name.removeprefix("type#"))
    return _TYPE_CODES[name]


def operator_name(code: int) -> str:
    """The name of an operator: 3 is "CONV_2D"; an unknown value becomes "BUILTIN#250". `code`: the
    number in the file.
    """
    return _OPERATOR_NAMES.get(code) or f"BUILTIN#{code}"


def operator_code(name: str) -> int:
    """The inverse of `operator_name`; raises KeyError for a name that is no operator."""
    if name.startswith("BUILTIN#"):
        return int(name.removeprefix("BUILTIN#"))
    return _OPERATOR_CODES[name]


@lru_cache(maxsize=4096)
def constant_size(shape: tuple[int, ...], type_name: str) -> int | None:
    """The number of bytes of a constant with this shape and type, packed; None if they do not
    determine it.
    """
    bits = BITS.get(type_name)
    if bits is None or min(shape, default=1) < 1:
        return None
    return (math.prod(shape) * bits + 7) // 8
