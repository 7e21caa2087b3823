"""Forms about weights and biases: zero points, several scales, types of a bias, an absent bias,
constants.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.rules.measured.form import ABSENT, Form, at, each, ramp, tensor
from tests.support.models import Array, Quant, TensorSpec
from tflite_align.record import replace

_SCALE = float(np.float32(0.02))
_OPTIONS = {
    "CONV_2D": ("Conv2DOptions", {"strideW": 1, "strideH": 1}),
    "DEPTHWISE_CONV_2D": (
        "DepthwiseConv2DOptions",
        {"strideW": 1, "strideH": 1, "depthMultiplier": 1},
    ),
    "TRANSPOSE_CONV": ("TransposeConvOptions", {"strideW": 1, "strideH": 1, "padding": 1}),
    "FULLY_CONNECTED": ("FullyConnectedOptions", {}),
}
_RANDOM = np.random.default_rng(3)


def _along(quant: Quant, count: int) -> Array:
    laid: Array = np.broadcast_to(np.asarray(quant.scale), (count,))
    return laid


def _weights(operator: str, kind: str, quant: Quant) -> TensorSpec:
    """Weights [4, 4] (outputs by inputs), or for other operators one factor per channel."""
    shape = {
        "FULLY_CONNECTED": (4, 4),
        "DEPTHWISE_CONV_2D": (1, 1, 1, 4),
    }.get(operator, (4, 1, 1, 4))
    most = 7 if kind == "int4" else 100
    axis = 3 if operator == "DEPTHWISE_CONV_2D" else 0
    placed = Quant(scale=quant.scale, zero_point=quant.zero_point, axis=axis)
    values = _RANDOM.integers(-most, most + 1, shape).astype(np.int8)
    return tensor("w", kind, shape, placed, values)


def meant(operator: str, x: Array, weights: TensorSpec) -> Array:
    """The expected real sums without a bias."""
    assert weights.data is not None
    assert weights.quant is not None
    integers = weights.data.reshape(-1, 4).astype(np.float64) - weights.quant.zero_point[0]
    scale = _along(weights.quant, 4)
    if operator == "DEPTHWISE_CONV_2D":
        result: Array = x * (integers[0] * scale)
    else:
        result = x @ (integers * scale[:, None]).T
    return result


def weighted(
    name: str,
    operator: str,
    *,
    type_name: str = "int8",
    weights: str = "int8",
    scales: Quant,
    bias: str = "int32",
    bias_quant: Quant | None = None,
    options: dict[str, Any] | None = None,
    lead: tuple[int, ...] = (),
    **found: Any,
) -> Form:
    """An operator with weights and bias. `bias`: the bias's type; `bias_quant`: its parameters,
    None: input scale times each weight scale; `lead`: leading dimensions of FULLY_CONNECTED's
    input.
    """
    shape = (*lead, 2, 4) if operator == "FULLY_CONNECTED" else (1, 3, 3, 4)
    source = at(_SCALE, 3 if type_name == "int8" else 0)
    fed = ramp(type_name, shape)
    held = _weights(operator, weights, scales)
    expected = meant(operator, (fed.astype(np.float64) - source.zero_point[0]) * _SCALE, held)
    units = tuple(float(np.float32(_SCALE * scale)) for scale in scales.scale)
    own = bias_quant or Quant(scale=units, zero_point=(0,) * len(units))
    integers = np.asarray([500, -300, 20, 7])
    expected = expected + integers * _along(own, 4)
    most = float(np.abs(expected).max())
    output = at(most / 127, -1) if type_name == "int8" else at(most / 32767)
    table, values = _OPTIONS[operator]
    inputs = (tensor("x", type_name, shape, source), held, tensor("b", bias, (4,), own, integers))
    if operator == "TRANSPOSE_CONV":
        size = tensor("s", "int32", (4,), None, np.asarray(shape))
        inputs = (size, held, inputs[0], inputs[2])  # type: ignore[assignment]
    if lead:
        options = {**(options or {}), "keepNumDims": True}
    return Form(
        name=f"{operator.lower()}_{name}",
        operator=operator,
        inputs=inputs,
        output=tensor("y", type_name, shape, output),
        fed=(fed,),
        expected=expected,
        options=(table, {**values, **(options or {})}),
        version={"int4": 10}.get(weights, 5),
        **found,
    )


_FC = "FULLY_CONNECTED"
_ONE, _SEVERAL = at(0.01), each(0.01, 0.02, 0.03, 0.015)
_FOUR, _FOURS = at(0.1), each(0.1, 0.2, 0.3, 0.15)
_LITERT = ("litert", "xnnpack", "tflite")
_ALL = (*_LITERT, "tflm")


def _off(quant: Quant, point: int) -> Quant:
    return Quant(scale=quant.scale, zero_point=(point,) * len(quant.scale))


ZERO_POINTS = [
    weighted("one", _FC, scales=_ONE),
    weighted("several", _FC, scales=_SEVERAL),
    weighted(
        "one_off_zero",
        _FC,
        scales=_off(_ONE, 20),
        warnings=dict.fromkeys(_ALL, "weight/FULLY_CONNECTED/zero_point"),
    ),
    weighted(
        "several_off_zero",
        _FC,
        scales=_off(_SEVERAL, 20),
        wrong=dict.fromkeys(_ALL, "weight/FULLY_CONNECTED/zero_points"),
    ),
    weighted("four_bits", _FC, weights="int4", scales=_FOUR),
    weighted(
        "four_bits_off_zero",
        _FC,
        weights="int4",
        scales=_off(_FOUR, 3),
        wrong=dict.fromkeys(_LITERT, "weight/FULLY_CONNECTED/zero_point4"),
        warnings={"tflm": "weight/FULLY_CONNECTED/zero_point4"},
    ),
    weighted(
        "four_bits_several",
        _FC,
        weights="int4",
        scales=_FOURS,
        wrong={"tflm": "support/FULLY_CONNECTED/scales"},
    ),
]

_STATED = "quantizedBiasType"
_INT32, _INT64 = 2, 4


def _wide(operator: str, bias: str, stated: int, **found: Any) -> Form:
    return weighted(
        f"int16_bias_{bias}_stated_{stated}",
        operator,
        type_name="int16",
        scales=_SEVERAL,
        bias=bias,
        options={_STATED: stated} if operator != "DEPTHWISE_CONV_2D" else None,
        **found,
    )


def _bias_wrong(operator: str, *, tflm: bool = False) -> dict[str, Any]:
    wrong = dict.fromkeys(_LITERT, f"bias/{operator}")
    return {"wrong": {**wrong, "tflm": f"bias/{operator}/wide"} if tflm else wrong}


BIAS_TYPES = [
    _wide("CONV_2D", "int64", 0),
    _wide("CONV_2D", "int32", 0, **_bias_wrong("CONV_2D")),
    _wide("CONV_2D", "int32", _INT32),
    _wide("CONV_2D", "int64", _INT32, **_bias_wrong("CONV_2D")),
    _wide("CONV_2D", "int32", _INT64, **_bias_wrong("CONV_2D")),
    _wide(_FC, "int64", 0),
    _wide(_FC, "int32", 0),
    _wide(_FC, "int64", _INT32, **_bias_wrong(_FC)),
    _wide("TRANSPOSE_CONV", "int64", 0),
    _wide("TRANSPOSE_CONV", "int64", _INT32, **_bias_wrong("TRANSPOSE_CONV")),
    _wide("TRANSPOSE_CONV", "int32", 0, **_bias_wrong("TRANSPOSE_CONV", tflm=True)),
    _wide("TRANSPOSE_CONV", "int32", _INT32, wrong={"tflm": "bias/TRANSPOSE_CONV/wide"}),
]

_UNIT = float(np.float32(_SCALE * float(np.float32(0.01))))


def _counted(operator: str, name: str, scales: Quant, bias: Quant) -> Form:
    rule = f"bias/{operator}/scales"
    found: dict[str, Any] = {"wrong": {"xnnpack": rule}, "warnings": {"tflite": rule}}
    if operator == _FC:
        found = {}
    return weighted(name, operator, scales=scales, bias_quant=bias, **found)


BIAS_SCALES = [
    form
    for operator in ("CONV_2D", "DEPTHWISE_CONV_2D", "TRANSPOSE_CONV", _FC)
    for form in (
        _counted(operator, "more_scales_of_the_bias", _ONE, each(*[_UNIT] * 4)),
        _counted(operator, "one_scale_of_the_bias", each(*[0.01] * 4), at(_UNIT)),
    )
]


def _missing(operator: str, kind: str, *, left_out: bool, **found: Any) -> Form:
    """A convolution whose bias operand is left out (`left_out`) or -1."""
    form = weighted(
        f"{kind}_bias_{'left_out' if left_out else 'minus_one'}",
        operator,
        type_name=kind,
        scales=_SEVERAL,
        bias="int64" if kind == "int16" else "int32",
        **found,
    )
    source, held = form.inputs[:2]
    zeros = form.fed[0].astype(np.float64) - (source.quant.zero_point[0] if source.quant else 0)
    inputs = (source, held) if left_out else (source, held, ABSENT)
    return replace(form, inputs=inputs, expected=meant(operator, zeros * _SCALE, held))


def _no_bias(operator: str, *parts: str, tflm: bool = False) -> dict[str, dict[str, str]]:
    rule = "/".join(("present", operator, *parts))
    return {"wrong": dict.fromkeys(_ALL if tflm else _LITERT, rule)}


_DEPTHWISE = "DEPTHWISE_CONV_2D"
MISSING = [
    *(
        _missing("CONV_2D", kind, left_out=left_out, **_no_bias("CONV_2D"))
        for kind in ("int8", "int16")
        for left_out in (True, False)
    ),
    _missing(_DEPTHWISE, "int8", left_out=True, **_no_bias(_DEPTHWISE, "left_out")),
    _missing(_DEPTHWISE, "int16", left_out=True),
    *(
        _missing(_DEPTHWISE, kind, left_out=False, **_no_bias(_DEPTHWISE, "minus_one", tflm=True))
        for kind in ("int8", "int16")
    ),
]

RANKS = [
    weighted("rank_6", _FC, scales=_ONE, lead=(1, 1, 1, 1)),
    weighted(
        "rank_7",
        _FC,
        scales=_ONE,
        lead=(1, 1, 1, 1, 1),
        wrong={"xnnpack": "support/FULLY_CONNECTED/rank"},
        warnings={"tflite": "support/FULLY_CONNECTED/rank"},
    ),
]


def _matmul(name: str, kind: str, scales: Quant, **found: Any) -> Form:
    fed = ramp(kind, (2, 3, 4))
    weights = _RANDOM.integers(-100, 101, (2, 4, 5)).astype(np.int8)
    expected = (fed * _SCALE) @ (weights * np.asarray(scales.scale))
    most = float(np.abs(expected).max())
    return Form(
        name=f"batch_matmul_{name}",
        operator="BATCH_MATMUL",
        inputs=(
            tensor("x", kind, fed.shape, at(_SCALE)),
            tensor("w", "int8", weights.shape, scales, weights),
        ),
        output=tensor("y", kind, (2, 3, 5), at(most / (127 if kind == "int8" else 32767))),
        fed=(fed,),
        expected=expected,
        options=("BatchMatMulOptions", {}),
        version=4,
        **found,
    )


_COLUMNS = each(0.01, 0.02, 0.03, 0.015, 0.04, axis=2)
_AXIS, _MIXED = "weight/BATCH_MATMUL/axis", "types/BATCH_MATMUL"
MATMULS = [
    _matmul("8x8", "int8", _ONE),
    _matmul("8x8_several", "int8", _COLUMNS, wrong=dict.fromkeys(_ALL, _AXIS)),
    _matmul("16x8", "int16", _ONE, wrong={"tflm": _MIXED}),
    _matmul(
        "16x8_several",
        "int16",
        _COLUMNS,
        wrong={**dict.fromkeys(_LITERT, _AXIS), "tflm": f"{_MIXED} {_AXIS}"},
    ),
]


def _dequantized(kind: str, **found: Any) -> Form:
    """DEQUANTIZE of a constant into a graph output."""
    stored = np.arange(-4, 20).reshape(4, 6).astype(kind)
    quant = None if kind == "float16" else Quant(scale=(0.1,), zero_point=(0,))
    scale = 1.0 if quant is None else 0.1
    return Form(
        name=f"dequantized_constant_{kind}",
        operator="DEQUANTIZE",
        inputs=(tensor("w", kind, (4, 6), quant, stored),),
        output=tensor("y", "float32", (4, 6)),
        fed=(),
        expected=stored.astype(np.float64) * scale,
        version=3,
        **found,
    )


_UNSET = dict.fromkeys(("xnnpack", "tflite"), "support/DEQUANTIZE/output")
DEQUANTIZED = [
    _dequantized("int8", wrong=_UNSET),
    _dequantized("float16", wrong={**_UNSET, "tflm": "types/DEQUANTIZE"}),
    _dequantized("int16"),
]

FORMS: list[Form] = [
    *ZERO_POINTS,
    *DEQUANTIZED,
    *BIAS_TYPES,
    *BIAS_SCALES,
    *MISSING,
    *RANKS,
    *MATMULS,
]
