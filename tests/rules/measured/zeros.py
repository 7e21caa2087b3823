"""Forms about zeros: channels of weights with scale 0, and biases of zeros with any scale."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.rules.measured.form import Form, at, each, ramp, tensor
from tests.rules.measured.weighted import meant, weighted
from tests.support.models import Quant
from tflite_align.record import replace

_LITERT = ("litert", "xnnpack", "tflite")
_ALL = (*_LITERT, "tflm")
_SUBNORMAL = 1e-40
_FC = "FULLY_CONNECTED"


def _channels(operator: str, unit: float, kind: str = "int8", **found: Any) -> Form:
    """Two of four channels of weights are zeros with scale `unit`, as is their bias."""
    form = weighted(
        f"{kind}_channels_of_{unit:g}",
        operator,
        type_name=kind,
        scales=each(0.01, unit, 0.03, unit),
        bias="int64" if kind == "int16" else "int32",
        **found,
    )
    weights, bias = form.inputs[1:]
    assert weights.data is not None
    assert bias.data is not None
    assert bias.quant is not None
    emptied, kept = weights.data.copy(), bias.data.copy()
    if operator == "DEPTHWISE_CONV_2D":
        emptied[..., [1, 3]] = 0
    else:
        emptied[[1, 3]] = 0
    kept[[1, 3]] = 0
    weights = replace(weights, data=emptied)
    source = form.inputs[0].quant
    assert source is not None
    real = (form.fed[0].astype(np.float64) - source.zero_point[0]) * source.scale[0]
    expected = meant(operator, real, weights) + kept * np.asarray(bias.quant.scale)
    return replace(
        form,
        inputs=(form.inputs[0], weights, replace(bias, data=kept)),
        expected=expected,
    )


def _negated(kind: str, points: tuple[int, int], scale: float = 0.05, **found: Any) -> Form:
    """NEG, whose kernel negates the integers: right if input and output have opposite zero points."""
    low = np.iinfo(kind).min + 1  # the smallest integer has no opposite
    fed = np.asarray([low, -77, -3, 0, 3, 5, 77, 127], kind).reshape(1, 8)
    before, after = (
        Quant(scale=(s,), zero_point=(p,)) for s, p in zip((0.05, scale), points, strict=True)
    )
    return Form(
        name=f"negated_{kind}_{points[0]}_{points[1]}_{scale:g}",
        operator="NEG",
        inputs=(tensor("x", kind, (1, 8), before),),
        output=tensor("y", kind, (1, 8), after),
        fed=(fed,),
        expected=-(fed.astype(np.float64) - points[0]) * 0.05,
        options=("NegOptions", {}),
        tolerance=0.0,
        warnings=dict.fromkeys(_LITERT, "support/NEG/least"),  # `x` may hold the smallest integer
        **found,
    )


_NO_NEG = {"tflm": "types/NEG"}
_NEG_SHIFTED = {**_NO_NEG, **dict.fromkeys(_LITERT, "zero/NEG")}
NEGATED = [
    _negated("int8", (0, 0), wrong=_NO_NEG),
    _negated("int8", (3, -3), wrong=_NO_NEG),
    _negated("int8", (-100, 100), wrong=_NO_NEG),
    _negated("int16", (5, -5), wrong=_NO_NEG),
    _negated("int8", (3, 3), wrong=_NEG_SHIFTED),
    _negated(
        "int8", (3, -3), 0.1, wrong={**_NO_NEG, **dict.fromkeys(_LITERT, "same/NEG zero/NEG")}
    ),
]

_WARNINGS = dict.fromkeys(_ALL, "params/zero_scales")
CHANNELS = [
    _channels(operator, unit, kind, warnings=_WARNINGS)
    for operator in ("CONV_2D", "DEPTHWISE_CONV_2D", _FC)
    for unit in (0.0, _SUBNORMAL)
    for kind in ("int8", "int16")
]


def _four_bits(unit: float) -> Form:
    """Float inputs and 4-bit weights with one channel of zeros."""
    random = np.random.default_rng(5)
    weights = random.integers(-7, 8, (4, 8)).astype(np.int8)
    weights[2] = 0
    scales = each(0.1, 0.2, unit, 0.15)
    fed = random.uniform(-1, 1, (1, 8)).astype(np.float32)
    bias = np.asarray([0.5, -0.25, 1.0, 0.0], np.float32)
    return Form(
        name=f"fully_connected_four_bits_channel_of_{unit:g}",
        operator=_FC,
        inputs=(
            tensor("x", "float32", (1, 8)),
            tensor("w", "int4", (4, 8), scales, weights),
            tensor("b", "float32", (4,), None, bias),
        ),
        output=tensor("y", "float32", (1, 4)),
        fed=(fed,),
        expected=fed @ (weights * np.asarray(scales.scale)[:, None]).T + bias,
        options=("FullyConnectedOptions", {}),
        version=12,
        coarse=True,
        wrong={
            "xnnpack": "params/zero_scales",
            "tflm": "support/FULLY_CONNECTED/scales types/FULLY_CONNECTED",
        },
        warnings=dict.fromkeys(("litert", "tflite", "tflm"), "params/zero_scales"),
    )


FOUR_BITS = [_four_bits(0.0), _four_bits(_SUBNORMAL)]


def _bias(operator: str, scales: Quant, kind: str = "int8", **found: Any) -> Form:
    """A bias of zeros with 10,000 times the product of scales as its scale."""
    several = "several" if len(scales.scale) > 1 else "one"
    units = tuple(float(np.float32(200.0 * scale)) for scale in scales.scale)
    form = weighted(
        f"{kind}_{several}_zero_bias",
        operator,
        type_name=kind,
        scales=scales,
        bias="int64" if kind == "int16" else "int32",
        bias_quant=Quant(scale=units, zero_point=(0,) * len(units)),
        **found,
    )
    source, weights, bias = form.inputs
    if operator == "TRANSPOSE_CONV":
        source, bias = form.inputs[2:]
    assert source.quant is not None
    real = (form.fed[0].astype(np.float64) - source.quant.zero_point[0]) * source.quant.scale[0]
    expected = meant(operator, real, weights)
    most = float(np.abs(expected).max())
    output = at(most / 127, -1) if kind == "int8" else at(most / 32767)
    zeros = replace(bias, data=np.zeros(4, np.int64))
    return replace(
        form,
        inputs=tuple(zeros if one is bias else one for one in form.inputs),
        output=replace(form.output, quant=output),
        expected=expected,
    )


_ONE, _SEVERAL = at(0.01), each(0.01, 0.02, 0.03, 0.015)
_RULE = "bias/FULLY_CONNECTED/zeros"
BIASES = [
    *(
        _bias(operator, scales, kind)
        for operator in ("CONV_2D", "DEPTHWISE_CONV_2D")
        for kind in ("int8", "int16")
        for scales in (_ONE, _SEVERAL)
    ),
    _bias(_FC, _SEVERAL),
    _bias(
        _FC,
        _ONE,
        wrong={"litert": _RULE, "tflm": _RULE},
        warnings={"tflite": _RULE},
    ),
    _bias(_FC, _ONE, "int16", wrong=dict.fromkeys(_ALL, _RULE)),
]


def _added(unit: float, **found: Any) -> Form:
    """An ADD with a constant of zeros whose scale is `unit`."""
    fed, quant = ramp("int8", (2, 8)), at(0.02, 3)
    held = Quant(scale=(float(np.float32(unit)),), zero_point=(-5,))
    return Form(
        name=f"add_zeros_of_{unit:g}",
        operator="ADD",
        inputs=(
            tensor("x", "int8", (2, 8), quant),
            tensor("z", "int8", (2, 8), held, np.full((2, 8), -5)),
        ),
        output=tensor("y", "int8", (2, 8), quant),
        fed=(fed,),
        expected=(fed.astype(np.float64) - 3) * quant.scale[0],
        options=("AddOptions", {}),
        version=2,
        **found,
    )


_ZERO = "params/zero_scale"
ADDED = [
    _added(0.0, wrong=dict.fromkeys(_ALL, f"{_ZERO}/aborts")),
]

_FUSED = "fusedActivationFunction"


def _clamped(operator: str, kind: str, activation: int, unit: float, **found: Any) -> Form:
    """An output with so small a step that the limit of its fused activation is beyond int32."""
    form = weighted(
        f"{kind}_clamp_{activation}_at_{unit:g}",
        operator,
        type_name=kind,
        scales=at(unit),
        bias="int64" if kind == "int16" else "int32",
        options={_FUSED: activation},
        **found,
    )
    return replace(
        form, expected=np.maximum(form.expected, 0) if activation == 3 else form.expected
    )


def _beyond(operator: str, *, delegated: bool = True) -> dict[str, Any]:
    """The rules with an error by target, for a form whose clamp does not fit int32; `delegated`:
    XNNPACK computes the operator correctly, so that its target has no error.
    """
    builtin = ("litert", "tflite", "tflm") if delegated else _ALL
    return {"wrong": dict.fromkeys(builtin, f"window/{operator}/clamp")}


CLAMPS = [
    form
    for operator in ("CONV_2D", "DEPTHWISE_CONV_2D", _FC)
    for form in (
        _clamped(operator, "int8", 3, 1e-11, **_beyond(operator)),
        _clamped(operator, "int8", 3, 1e-7),
        _clamped(operator, "int16", 3, 1e-10, **_beyond(operator, delegated=False)),
        _clamped(operator, "int8", 2, 1e-12, **_beyond(operator)),
    )
]

FORMS: list[Form] = [*CHANNELS, *NEGATED, *FOUR_BITS, *BIASES, *ADDED, *CLAMPS]
