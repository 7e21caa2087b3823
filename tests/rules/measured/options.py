"""Forms about fused activations, comparisons, casts, lookups and padding."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tests.rules.measured.form import Form, at, each, ramp, read, tensor
from tests.support.models import Array, Quant

_ALL = ("litert", "xnnpack", "tflite", "tflm")
_SHAPE = (4, 8)
_X = at(0.05, 3)

_ACTIVATIONS: dict[int, Callable[[Array], Array]] = {
    0: lambda values: values,
    1: lambda values: np.maximum(values, 0.0),
    2: lambda values: np.clip(values, -1.0, 1.0),
    3: lambda values: np.clip(values, 0.0, 6.0),
    4: np.tanh,
    5: np.sign,
}


def _fused(operator: str, code: int) -> Form:
    first, second = ramp("int8", _SHAPE), ramp("int8", _SHAPE)[::-1].copy()
    joined = operator == "CONCATENATION"
    values = [read(first, _X), read(second, _X)]
    expected = np.concatenate(values, axis=1) if joined else values[0] + values[1]
    found = code > (0 if joined else 3)
    rule = f"support/{operator}/activation"
    table = "ConcatenationOptions" if joined else "AddOptions"
    extra = {"axis": 1} if joined else {}
    return Form(
        name=f"{operator.lower()}_fused_{code}",
        operator=operator,
        inputs=(tensor("x", "int8", _SHAPE, _X), tensor("z", "int8", _SHAPE, _X)),
        output=tensor("y", "int8", expected.shape, _X if joined else at(0.1, -5)),
        fed=(first, second),
        expected=_ACTIVATIONS[code](expected),
        options=(table, {"fusedActivationFunction": code, **extra}),
        version=2,
        wrong=dict.fromkeys(_ALL, rule) if found else {},
    )


_COMPARE: dict[str, Callable[..., Array]] = {
    "LESS": np.less,
    "GREATER_EQUAL": np.greater_equal,
    "EQUAL": np.equal,
    "NOT_EQUAL": np.not_equal,
}


def _comparison(operator: str, kind: str, scale: float, *, exact: bool) -> Form:
    """Comparison of neighbouring integers with one scale."""
    first = ramp(kind, (16, 16))
    limits = np.iinfo(kind)
    near = first.astype(int) + np.random.default_rng(5).integers(-1, 2, first.shape)
    second = np.clip(near, limits.min, limits.max).astype(kind)
    raw = kind == "int16" and "EQUAL" not in operator  # kernels that compare the integers
    wrong: dict[str, str] = {}
    if scale >= 1:
        wrong = dict.fromkeys(_ALL, f"window/{operator}/shift")
    warnings = {} if exact or raw else dict.fromkeys(_ALL, f"window/{operator}/grid")
    if kind == "int16":
        wrong["tflm"] = " ".join(filter(None, (f"types/{operator}", wrong.get("tflm"))))
    return Form(
        name=f"{operator.lower()}_{kind}_{scale:g}",
        operator=operator,
        inputs=(
            tensor("x", kind, first.shape, at(scale)),
            tensor("z", kind, first.shape, at(scale)),
        ),
        output=tensor("y", "bool", first.shape),
        fed=(first, second),
        expected=_COMPARE[operator](first, second),
        version=4 if kind == "int16" and operator in ("EQUAL", "NOT_EQUAL") else 2,
        coarse=not exact and not raw,
        wrong=wrong,
        warnings=warnings,
    )


COMPARISONS = [
    *(
        _comparison(operator, "int8", scale, exact=exact)
        for operator in _COMPARE
        for scale, exact in (
            (0.001, False),
            (0.0035, False),
            (0.05, True),
            (0.9, True),
            (1.5, True),
        )
    ),
    _comparison("EQUAL", "int16", 0.0005, exact=False),
    _comparison("EQUAL", "int16", 0.05, exact=True),
    _comparison("EQUAL", "int16", 1.5, exact=True),
    _comparison("LESS", "int16", 0.05, exact=True),
]

_CAST = Form(
    name="cast_of_quantized_integers",
    operator="CAST",
    inputs=(tensor("x", "int8", _SHAPE, _X),),
    output=tensor("y", "float32", _SHAPE),
    fed=(ramp("int8", _SHAPE),),
    expected=ramp("int8", _SHAPE),
    warnings=dict.fromkeys(_ALL, "support/CAST/quantized"),
)


def _lookup(name: str, kind: str, quant: Quant, **found: Any) -> Form:
    table = np.arange(-8, 8).reshape(4, 4) // (2 if kind == "int4" else 1)
    steps = np.asarray(quant.scale).reshape(-1, 1)
    real = (table - quant.zero_point[0]) * np.broadcast_to(steps, (4, 1))
    indices = np.asarray([2, 1], np.int32)
    return Form(
        name=f"embedding_{name}",
        operator="EMBEDDING_LOOKUP",
        inputs=(
            tensor("i", "int32", (2,)),
            tensor("w", kind, (4, 4), quant, table.astype("int8" if kind == "int4" else kind)),
        ),
        output=tensor("y", "float32", (2, 4)),
        fed=(indices,),
        expected=real[indices],
        version=4,
        **found,
    )


_ROWS = each(0.02, 0.03, 0.04, 0.05)
_TABLE = "support/EMBEDDING_LOOKUP"
LOOKUPS = [
    _lookup("one_scale", "int8", at(0.02)),
    _lookup(
        "off_zero",
        "int8",
        at(0.02, 9),
        wrong=dict.fromkeys(_ALL, "weight/EMBEDDING_LOOKUP/zero_point"),
    ),
    _lookup("scale_a_row", "int8", _ROWS, wrong={"tflm": f"{_TABLE}/scales"}),
    _lookup("four_bits", "int4", at(0.02), wrong={"tflm": "types/EMBEDDING_LOOKUP"}),
    _lookup("int16", "int16", at(0.02), wrong=dict.fromkeys(_ALL, "types/EMBEDDING_LOOKUP")),
]


def _to_batch(name: str, pads: list[list[int]], size: int, quant: Quant = _X, **found: Any) -> Form:
    fed = ramp("int8", (1, size, size, 2))
    padded = np.pad(read(fed, quant), ((0, 0), *map(tuple, pads), (0, 0)))
    expected = np.concatenate([padded[:, i::2, j::2] for i in range(2) for j in range(2)])
    return Form(
        name=f"space_to_batch_{name}",
        operator="SPACE_TO_BATCH_ND",
        inputs=(
            tensor("x", "int8", fed.shape, quant),
            tensor("b", "int32", (2,), None, np.asarray([2, 2])),
            tensor("p", "int32", (2, 2), None, np.asarray(pads)),
        ),
        output=tensor("y", "int8", expected.shape, quant),
        fed=(fed,),
        expected=expected,
        version=2,
        **found,
    )


BATCHES = [
    _to_batch("bare", [[0, 0], [0, 0]], 4),
    _to_batch("padded", [[1, 0], [0, 1]], 3, wrong={"tflm": "support/SPACE_TO_BATCH_ND/padding"}),
]

_HALVES = np.linspace(-2, 2, 32).astype(np.float16).reshape(_SHAPE)
_DEQUANTIZE = Form(
    name="dequantize_float16",
    operator="DEQUANTIZE",
    inputs=(tensor("x", "float16", _SHAPE),),
    output=tensor("y", "float32", _SHAPE),
    fed=(_HALVES,),
    expected=_HALVES,
    version=3,
    wrong={"tflm": "types/DEQUANTIZE"},
)

FORMS: list[Form] = [
    *(_fused(operator, code) for operator in ("CONCATENATION", "ADD") for code in _ACTIVATIONS),
    *COMPARISONS,
    _CAST,
    *LOOKUPS,
    *BATCHES,
    _DEQUANTIZE,
]
