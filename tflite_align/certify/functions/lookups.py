"""Functions that kernels tabulate with the C library's float32 functions: LOGISTIC, TANH, ELU,
EXP, GELU.

Each is output = f(x, operand, output). The function is computed in float64 and rounded to float32
here. The C library may differ in the last float32 bit, which changes the integer only if the result
is within 1e-7 of the middle between two integers.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .affine import Affine, DomainError, Integers, clamped

__all__ = [
    "elu_looked_up",
    "elu_looked_up_nearest",
    "exp_looked_up",
    "gelu_looked_up",
    "gelu_tanh_looked_up",
    "logistic_looked_up",
    "logistic_looked_up_nearest",
    "tanh_looked_up",
    "tanh_looked_up_nearest",
]

Floats = NDArray[np.floating[Any]]


def _logistic(x: Floats) -> Floats:
    """1 / (1 + exp(-x)), in float32."""
    with np.errstate(over="ignore"):
        grown = np.exp(-x.astype(np.float64)).astype(np.float32)
    return np.float32(1) / (np.float32(1) + grown)


def _tanh(x: Floats) -> Floats:
    """The hyperbolic tangent, rounded to float32."""
    return np.tanh(x.astype(np.float64)).astype(np.float32)


def _elu(x: Floats) -> Floats:
    """ELU: x for x >= 0, exp(x) - 1 below, in float32."""
    below = np.expm1(np.minimum(x.astype(np.float64), 0)).astype(np.float32)
    return np.where(x < 0, below, x)


def _exp(x: Floats) -> Floats:
    """The exponential function, rounded to float32; infinite where it overflows."""
    with np.errstate(over="ignore"):
        grown: Floats = np.exp(x.astype(np.float64)).astype(np.float32)
        return grown


def _gelu(x: Floats) -> Floats:
    """GELU, the product of x and the normal distribution function of x, in float32."""
    near = (x * np.float32(-math.sqrt(0.5))).astype(np.float64)
    tail: Floats = np.vectorize(math.erfc, otypes=[np.float64])(near).astype(np.float32)
    return np.float32(0.5) * x * tail


def _gelu_tanh(x: Floats) -> Floats:
    """The approximation of GELU by the hyperbolic tangent, in float32."""
    inner = x + np.float32(0.044715) * x * x * x
    scaled = (np.float32(math.sqrt(2 / math.pi)) * inner).astype(np.float64)
    return np.float32(0.5) * x * (np.float32(1) + np.tanh(scaled).astype(np.float32))


def _real(x: Integers, operand: Affine) -> Floats:
    """The real values of the operand's integers, in float32."""
    return np.asarray(np.asarray(x) - operand.zero_point, dtype=np.float32) * np.float32(
        operand.scale
    )


def _typed_as(values: Floats, x: Integers, output: Affine) -> Integers:
    """Whole float values as output integers, clamped; array or int as `x` is."""
    whole = np.clip(values, -(2.0**31), 2.0**31 - 1)
    steps = whole.astype(np.int64) if isinstance(x, np.ndarray) else int(whole)
    return clamped(steps, output.low, output.high)


def _away(x: Integers, operand: Affine, output: Affine, of: Callable[[Floats], Floats]) -> Integers:
    """The output integer for the real function `of`, as LiteRT converts it: nearest with ties away
    from zero, then the zero point is added.
    """
    scaled = of(_real(x, operand)) * (np.float32(1) / np.float32(output.scale))
    whole = np.trunc(scaled)
    whole = whole + np.copysign(np.abs(scaled - whole) >= 0.5, scaled).astype(np.float32)
    return _typed_as(whole + np.float32(output.zero_point), x, output)


def _nearest(
    x: Integers, operand: Affine, output: Affine, of: Callable[[Floats], Floats]
) -> Integers:
    """The output integer for the real function `of`, as XNNPACK converts it: the zero point is
    added first, then rounded with ties to even.
    """
    scaled = of(_real(x, operand)) * (np.float32(1) / np.float32(output.scale))
    return _typed_as(np.rint(scaled + np.float32(output.zero_point)), x, output)


def logistic_looked_up(x: Integers, operand: Affine, output: Affine) -> Integers:
    """LiteRT's LOGISTIC."""
    return _away(x, operand, output, _logistic)


def tanh_looked_up(x: Integers, operand: Affine, output: Affine) -> Integers:
    """LiteRT's TANH."""
    return _away(x, operand, output, _tanh)


def elu_looked_up(x: Integers, operand: Affine, output: Affine) -> Integers:
    """ELU of LiteRT and TFLM."""
    return _away(x, operand, output, _elu)


def logistic_looked_up_nearest(x: Integers, operand: Affine, output: Affine) -> Integers:
    """XNNPACK's LOGISTIC."""
    return _nearest(x, operand, output, _logistic)


def exp_looked_up(x: Integers, operand: Affine, output: Affine) -> Integers:
    """LiteRT's EXP. Raises DomainError for a result beyond int32, whose conversion depends on the
    processor.
    """
    most = _exp(_real(operand.high, operand)) / np.float32(output.scale)
    if not float(most) < 2.0**31 - 2.0**8:
        raise DomainError("result: it is beyond int32, where a kernel converts it")
    return _away(x, operand, output, _exp)


def gelu_looked_up(x: Integers, operand: Affine, output: Affine) -> Integers:
    """GELU of LiteRT."""
    return _away(x, operand, output, _gelu)


def gelu_tanh_looked_up(x: Integers, operand: Affine, output: Affine) -> Integers:
    """GELU of LiteRT with the option `approximate`."""
    return _away(x, operand, output, _gelu_tanh)


def tanh_looked_up_nearest(x: Integers, operand: Affine, output: Affine) -> Integers:
    """XNNPACK's TANH."""
    return _nearest(x, operand, output, _tanh)


def elu_looked_up_nearest(x: Integers, operand: Affine, output: Affine) -> Integers:
    """XNNPACK's ELU."""
    return _nearest(x, operand, output, _elu)
