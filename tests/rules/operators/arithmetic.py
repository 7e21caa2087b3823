"""Operators that compute: they requantize, compare, or work on integers without scale."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tests.rules.operators.operands import (
    ALL,
    BYTES,
    PLAIN_ANY,
    PLAIN_NUMBERS,
    Array,
    Form,
    constant,
    data,
    maker,
    output,
    plain,
)

_TWO = {
    "ADD": ("AddOptions", np.add),
    "SUB": ("SubOptions", np.subtract),
    "MUL": ("MulOptions", np.multiply),
    "MAXIMUM": ("MaximumMinimumOptions", np.maximum),
    "MINIMUM": ("MaximumMinimumOptions", np.minimum),
}


@maker(*_TWO, plain=PLAIN_NUMBERS)
def _two_inputs(_: str, name: str) -> Form:
    table, reference = _TWO[name]
    return Form(
        inputs=(data(4, 6), data(4, 6, span=(-3.0, 5.0))),
        outputs=(output(4, 6),),
        reference=reference,
        options=(table, {}),
        tolerance=1.0,
    )


@maker("SQUARED_DIFFERENCE", types=("int8", "int16"), plain=("float32", "int32"))
def _squared_difference(type_name: str) -> Form:
    return Form(
        inputs=(data(4, 6), data(4, 6, span=(-3.0, 5.0))),
        outputs=(output(4, 6),),
        reference=lambda a, b: (a - b) ** 2,
        options=("SquaredDifferenceOptions", {}),
        tolerance=4.0 if type_name == "int16" else 1.0,
    )


@maker("DIV", types=ALL, plain=("float32", "int32"))
def _div(type_name: str) -> Form:
    # The 8-bit kernels are wrong for numerators near zero, a known defect.
    return Form(
        inputs=(data(4, 6, span=(1.0, 4.0)), data(4, 6, span=(1.0, 2.0))),
        outputs=(output(4, 6),),
        reference=np.floor_divide if type_name == "int32" else np.divide,
        options=("DivOptions", {}),
        tolerance=1.0,
    )


@maker("ADD_N", types=("int8",), plain=("float32", "int32"))
def _add_n(_: str) -> Form:
    return Form(
        inputs=(data(4, 6), data(4, 6)),
        outputs=(output(4, 6),),
        reference=np.add,
        options=("AddNOptions", {}),
        tolerance=1.0,
    )


@maker("CUMSUM", types=("int8",), plain=PLAIN_NUMBERS)
def _cumsum(_: str) -> Form:
    return Form(
        inputs=(data(4, 6), plain(1)),
        outputs=(output(4, 6),),
        reference=lambda x, _axis: np.cumsum(x, axis=1),
        options=("CumsumOptions", {}),
        tolerance=1.0,
    )


def _gelu(x: Array) -> Array:
    from math import erf

    result: Array = x * (1.0 + np.vectorize(erf)(x / np.sqrt(2.0))) / 2.0
    return result


_ONE: dict[str, tuple[Any, tuple[float, float], tuple[str, ...], Any]] = {
    "ABS": (np.abs, (-4.0, 4.0), ("int8", "int16"), ("AbsOptions", {})),
    "SQRT": (np.sqrt, (0.5, 4.0), ("int8", "int16"), None),
    "RSQRT": (lambda x: 1.0 / np.sqrt(x), (0.5, 4.0), ("int8", "int16"), None),
    "LOG": (np.log, (0.5, 4.0), ("int8", "int16"), None),
    "EXP": (np.exp, (-3.0, 1.0), ("int8", "int16"), ("ExpOptions", {})),
    "GELU": (_gelu, (-4.0, 4.0), ALL, ("GeluOptions", {})),
    "ELU": (lambda x: np.where(x > 0, x, np.expm1(x)), (-4.0, 4.0), ("int8",), None),
    "RELU": (lambda x: np.maximum(x, 0.0), (-4.0, 4.0), ALL, None),
    "RELU6": (lambda x: np.clip(x, 0.0, 6.0), (-4.0, 8.0), ALL, None),
    "RELU_N1_TO_1": (lambda x: np.clip(x, -1.0, 1.0), (-4.0, 4.0), BYTES, None),
    "RELU_0_TO_1": (lambda x: np.clip(x, 0.0, 1.0), (-4.0, 4.0), BYTES, None),
    "HARD_SWISH": (
        lambda x: x * np.clip(x + 3.0, 0.0, 6.0) / 6.0,
        (-4.0, 4.0),
        BYTES,
        ("HardSwishOptions", {}),
    ),
    "LEAKY_RELU": (
        lambda x: np.where(x > 0, x, 0.25 * x),
        (-4.0, 4.0),
        ALL,
        ("LeakyReluOptions", {"alpha": 0.25}),
    ),
    "QUANTIZE": (lambda x: x, (-4.0, 4.0), ALL, ("QuantizeOptions", {})),
    "NEG": (np.negative, (-4.0, 4.0), ("int8", "int16"), ("NegOptions", {})),
}
# The int16 kernels interpolate a table, with errors above a step where the function is steep.
_LOOSE = {"SQRT": 8.0, "RSQRT": 64.0, "LOG": 16.0, "EXP": 24.0, "GELU": 24.0}


def _one_input(type_name: str, name: str) -> Form:
    reference, span, _, options = _ONE[name]
    loose = _LOOSE.get(name, 1.0) if type_name == "int16" else 1.0
    return Form(
        inputs=(data(4, 6, span=span),),
        outputs=(output(4, 6),),
        reference=reference,
        options=options,
        tolerance=0.0 if name == "NEG" else loose,
    )


# QUANTIZE of a tensor without parameters.
_PLAIN_ONE: dict[str, tuple[str, ...]] = {
    "ABS": ("float32", "int32"),
    "GELU": ("float32", "float16"),
    "NEG": ("float32", "float16", "int32", "int64"),
    "QUANTIZE": (),
}

for _name, (_, _, _types, _) in _ONE.items():
    _plain = _PLAIN_ONE.get(_name, ("float32",))
    maker(_name, types=_types, plain=_plain)(
        lambda type_name, name=_name: _one_input(type_name, name)
    )


@maker("DEQUANTIZE", types=ALL, plain=("float16",))
def _dequantize(_: str) -> Form:
    return Form(
        inputs=(data(4, 6),),
        outputs=(output(4, 6, type_name="float32"),),
        reference=lambda x: x,
        options=("DequantizeOptions", {}),
        tolerance=1.0,
    )


_REDUCE: dict[str, tuple[Callable[..., Array], tuple[str, ...]]] = {
    "MEAN": (np.mean, ALL),
    "SUM": (np.sum, ALL),
    "REDUCE_PROD": (np.prod, ("int8", "int16")),
}


def _reduce(type_name: str, name: str) -> Form:
    reduce, _ = _REDUCE[name]
    return Form(
        inputs=(data(2, 3, 6, span=(0.5, 2.0)), plain([1])),
        outputs=(output(2, 6),),
        reference=lambda x, _axis: reduce(x, axis=1),
        options=("ReducerOptions", {"keepDims": False}),
        tolerance=1.0 if type_name != "int16" or name != "REDUCE_PROD" else 4.0,
    )


for _name, (_, _types) in _REDUCE.items():
    _plain = ("float32",) if _name == "MEAN" else PLAIN_NUMBERS
    maker(_name, types=_types, plain=_plain)(lambda type_name, name=_name: _reduce(type_name, name))


@maker("FLOOR_DIV", types=("int8", "int16"), plain=("float32", "int32"))
def _floor_div(_: str) -> Form:
    return Form(
        inputs=(data(4, 6), constant(4, 6, span=(1.0, 3.9))),
        outputs=(output(4, 6),),
        reference=lambda a, b: np.floor(np.round(a / b, 6)),
        options=("FloorDivOptions", {}),
    )


@maker("FLOOR_MOD", types=("int8", "int16"), plain=PLAIN_NUMBERS)
def _floor_mod(_: str) -> Form:
    return Form(
        inputs=(data(4, 6), constant(4, 6, span=(1.0, 3.9))),
        outputs=(output(4, 6),),
        reference=lambda a, b: a - b * np.floor(np.round(a / b, 6)),
        options=("FloorModOptions", {}),
    )


_COMPARE = {
    "EQUAL": ("EqualOptions", np.equal, BYTES),
    "NOT_EQUAL": ("NotEqualOptions", np.not_equal, BYTES),
    "GREATER": ("GreaterOptions", np.greater, ALL),
    "GREATER_EQUAL": ("GreaterEqualOptions", np.greater_equal, ALL),
    "LESS": ("LessOptions", np.less, ALL),
    "LESS_EQUAL": ("LessEqualOptions", np.less_equal, ALL),
}
# The 8-bit kernels compare multiples of 1/256: closer values may compare either way.
_GRID = 1.0 / 128


def _compare(type_name: str, name: str) -> Form:
    table, compare, _ = _COMPARE[name]

    def judged(a: Array, b: Array) -> Array:
        whole = (a == np.rint(a)) & (b == np.rint(b))
        near = (np.abs(a - b) < _GRID) & ~whole & (type_name in BYTES)
        return np.where(near, np.nan, compare(a, b).astype(float))

    return Form(
        inputs=(data(4, 6, whole=True), data(4, 6, span=(-3.0, 5.0), whole=True)),
        outputs=(output(4, 6, type_name="bool"),),
        reference=judged,
        options=(table, {}),
    )


for _name, (_, _, _types) in _COMPARE.items():
    maker(_name, types=_types, plain=("float32", "float16", "int32", "int64"))(
        lambda type_name, name=_name: _compare(type_name, name)
    )


@maker("ARG_MAX", "ARG_MIN", types=BYTES, plain=("float32", "bool", "int32"))
def _arg(_: str, name: str) -> Form:
    pick = np.argmax if name == "ARG_MAX" else np.argmin
    table = "ArgMaxOptions" if name == "ARG_MAX" else "ArgMinOptions"
    return Form(
        inputs=(data(4, 6), plain(1)),
        outputs=(output(4, type_name="int32"),),
        reference=lambda x, _axis: pick(x, axis=1),
        options=(table, {"outputType": 2}),
    )


@maker("SHAPE", types=ALL, plain=PLAIN_ANY)
def _shape(_: str) -> Form:
    return Form(
        inputs=(data(4, 6),),
        outputs=(output(2, type_name="int32"),),
        reference=lambda x: np.array(x.shape),
        options=("ShapeOptions", {"outType": 2}),
        tolerance=1.0,
    )


@maker("WHERE", types=BYTES, plain=("float32", "bool", "int32", "int64"))
def _where(_: str) -> Form:
    return Form(
        inputs=(data(256),),
        outputs=(output(256, 1, type_name="int64"),),
        reference=lambda x: np.argwhere(x != 0),
        options=("WhereOptions", {}),
        tolerance=1.0,
    )
