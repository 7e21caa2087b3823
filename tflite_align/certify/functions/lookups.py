"""Functions that kernels tabulate with the C library's float32 functions: LOGISTIC, TANH, ELU.

Each is output = f(x, operand, output). The function is computed in float64 and rounded to float32
here. The C library may differ in the last float32 bit, which changes the integer only if the result
is within 1e-7 of the middle between two integers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .affine import Affine, Integers, clamped

__all__ = [
    "elu_looked_up",
    "elu_looked_up_nearest",
    "logistic_looked_up",
    "logistic_looked_up_nearest",
    "tanh_looked_up",
    "tanh_looked_up_nearest",
]

Floats = NDArray[np.floating[Any]]


def _logistic(x: Floats) -> Floats:
    with np.errstate(over="ignore"):
        grown = np.exp(-x.astype(np.float64)).astype(np.float32)
    return np.float32(1) / (np.float32(1) + grown)


def _tanh(x: Floats) -> Floats:
    return np.tanh(x.astype(np.float64)).astype(np.float32)


def _elu(x: Floats) -> Floats:
    below = np.expm1(np.minimum(x.astype(np.float64), 0)).astype(np.float32)
    return np.where(x < 0, below, x)


def _real(x: Integers, operand: Affine) -> Floats:
    return np.asarray(np.asarray(x) - operand.zero_point, dtype=np.float32) * np.float32(
        operand.scale
    )


def _typed_as(values: Floats, x: Integers, output: Affine) -> Integers:
    whole = np.clip(values, -(2.0**31), 2.0**31 - 1)
    steps = whole.astype(np.int64) if isinstance(x, np.ndarray) else int(whole)
    return clamped(steps, output.low, output.high)


def _away(x: Integers, operand: Affine, output: Affine, of: Callable[[Floats], Floats]) -> Integers:
    """LiteRT's conversion: nearest with ties away from zero, then the zero point is added."""
    scaled = of(_real(x, operand)) * (np.float32(1) / np.float32(output.scale))
    whole = np.trunc(scaled)
    whole = whole + np.copysign(np.abs(scaled - whole) >= 0.5, scaled).astype(np.float32)
    return _typed_as(whole + np.float32(output.zero_point), x, output)


def _nearest(
    x: Integers, operand: Affine, output: Affine, of: Callable[[Floats], Floats]
) -> Integers:
    """XNNPACK's conversion: the zero point is added first, then rounded with ties to even."""
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


def tanh_looked_up_nearest(x: Integers, operand: Affine, output: Affine) -> Integers:
    """XNNPACK's TANH."""
    return _nearest(x, operand, output, _tanh)


def elu_looked_up_nearest(x: Integers, operand: Affine, output: Affine) -> Integers:
    """XNNPACK's ELU."""
    return _nearest(x, operand, output, _elu)
