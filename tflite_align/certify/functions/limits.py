"""Integer limits of fused activations."""

from __future__ import annotations

import math

import numpy as np

from .affine import Affine

__all__ = ["LIMITS", "activation_limits_away", "activation_limits_even"]

# Schema name of the activation -> its limits as real values.
LIMITS = {
    "NONE": (-math.inf, math.inf),
    "RELU": (0.0, math.inf),
    "RELU_N1_TO_1": (-1.0, 1.0),
    "RELU6": (0.0, 6.0),
}


def _step(real: float, output: Affine, *, even: bool) -> float:
    """The integer nearest to a real value in the output's parameters, with the quotient in float32
    and ties away from zero or to even; infinite for an infinite value.
    """
    with np.errstate(over="ignore"):
        quotient = float(np.float32(real) / np.float32(output.scale))
    if math.isinf(quotient):
        return quotient
    away = math.copysign(math.floor(abs(quotient) + 0.5), quotient)
    return (round(quotient) if even else away) + output.zero_point


def _limits(activation: str, output: Affine, *, even: bool) -> Affine:
    """The output's parameters, with `low` and `high` narrowed to an activation's real limits.
    `even`: round ties to even instead of away from zero.
    """
    low, high = (_step(real, output, even=even) for real in LIMITS[activation])
    least, most = max(output.low, low), min(output.high, high)
    return output._replace(low=int(least), high=int(most))


def activation_limits_away(activation: str, output: Affine) -> Affine:
    """The output's parameters, narrowed to the limits of a fused activation (its name in the
    schema) as LiteRT's and TFLM's kernels compute them: ties away from zero.

    Raises KeyError for an activation that kernels do not fuse.
    """
    return _limits(activation, output, even=False)


def activation_limits_even(activation: str, output: Affine) -> Affine:
    """As activation_limits_away, as XNNPACK's kernels compute the limits: ties to even.
    `activation`: schema name, such as RELU6.
    """
    return _limits(activation, output, even=True)
