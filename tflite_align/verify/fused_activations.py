"""Fused activations that a float kernel refuses or ignores: in the twin they become operators.

Measured with LiteRT 2.3.0 on x86-64, for every operator with such an option and every activation.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..format.enums import Activation

__all__ = ["ACTIVATIONS", "take_activation"]

# Fused activation -> operator that computes it.
ACTIVATIONS: Mapping[int, str] = {
    Activation.RELU: "RELU",
    Activation.RELU_N1_TO_1: "RELU_N1_TO_1",
    Activation.RELU6: "RELU6",
    Activation.TANH: "TANH",
}
_CLAMPS = frozenset({Activation.RELU, Activation.RELU_N1_TO_1, Activation.RELU6})
# Activations that kernels of these operators apply. Other activations are not changed.
_HONOURED: Mapping[str, frozenset[int]] = {
    **dict.fromkeys(("CONCATENATION", "L2_NORMALIZATION"), frozenset[int]()),
    **dict.fromkeys(
        (
            "ADD",
            "AVERAGE_POOL_2D",
            "CONV_2D",
            "DEPTHWISE_CONV_2D",
            "DIV",
            "FULLY_CONNECTED",
            "L2_POOL_2D",
            "MAX_POOL_2D",
            "MUL",
            "SUB",
            "TRANSPOSE_CONV",
        ),
        _CLAMPS,
    ),
}


def take_activation(operator: Any, name: str) -> str | None:
    """The activation operator to insert after this one, whose option is then cleared; None if the
    float kernel applies the fused activation itself.
    """
    code = getattr(operator.builtinOptions, "fusedActivationFunction", 0)
    if code not in ACTIVATIONS or code in _HONOURED.get(name, frozenset({code})):
        return None
    operator.builtinOptions.fusedActivationFunction = 0
    return ACTIVATIONS[code]
