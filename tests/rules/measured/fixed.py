"""SOFTMAX and LOGISTIC: outputs whose parameters the kernel writes."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.rules.measured.form import Form, at, ramp, read, tensor
from tests.support.models import Array, Quant


def softmax(values: Array) -> Array:
    powers = np.exp(values - values.max(axis=-1, keepdims=True))
    shares: Array = powers / powers.sum(axis=-1, keepdims=True)
    return shares


def _softmax(name: str, quant: Quant, **found: Any) -> Form:
    source = at(0.05, 3)
    fed = ramp("int8", (8, 16))
    return Form(
        name=f"softmax_{name}",
        operator="SOFTMAX",
        inputs=(tensor("x", "int8", fed.shape, source),),
        output=tensor("y", "int16", fed.shape, quant),
        fed=(fed,),
        expected=softmax(read(fed, source)),
        options=("SoftmaxOptions", {"beta": 1.0}),
        version=2,
        **found,
    )


SOFTMAX_RULE = "fixed/SOFTMAX/16_from_8_bits"
SOFTMAX = [
    _softmax("half_open", at(1 / 65536, -32768)),
    _softmax("old_converter", at(1 / 65535, -32768)),
    *(
        _softmax(name, quant, wrong={"tflm": SOFTMAX_RULE}, warnings={"tflite": SOFTMAX_RULE})
        for name, quant in {
            "symmetric": at(1 / 32768),
            "off_zero": at(1 / 32768, 20),
            "coarse": at(2e-5, -32768),
        }.items()
    ),
]


def _logistic(name: str, quant: Quant, **found: Any) -> Form:
    source = at(0.05, 3)
    fed = ramp("int8", (16, 16))
    return Form(
        name=f"logistic_{name}",
        operator="LOGISTIC",
        inputs=(tensor("x", "int8", fed.shape, source),),
        output=tensor("y", "int8", fed.shape, quant),
        fed=(fed,),
        expected=1 / (1 + np.exp(-read(fed, source))),
        version=2,
        **found,
    )


_LOGISTIC_POINT, _LOGISTIC_SCALE = "fixed/LOGISTIC/zero_point", "fixed/LOGISTIC/scale"
LOGISTIC = [
    _logistic("fixed", at(1 / 256, -128)),
    _logistic(
        "other_zero_point",
        at(1 / 256, -120),
        wrong={"tflm": _LOGISTIC_POINT},
        warnings={"tflite": _LOGISTIC_POINT},
    ),
    _logistic(
        "other_scale",
        at(1 / 200, -128),
        wrong=dict.fromkeys(("tflm", "litert", "tflite"), _LOGISTIC_SCALE),
    ),
]

FORMS: list[Form] = [*SOFTMAX, *LOGISTIC]
