"""Functions from a sum over elements to an output integer: AVERAGE_POOL_2D, MEAN, SUM.

Each is output = f(total, count, operand, output), monotone in the total: the sum of `count`
integers of the operand, zero points included.
"""

from __future__ import annotations

import math

import numpy as np

from .affine import Affine, DomainError, Integers, clamped, float32, integer_of, within
from .rescale import Multiplier, double, double_second_tie_up, fixed_point

__all__ = [
    "average_away",
    "mean_double",
    "mean_double_bias",
    "mean_double_second_tie_up_bias",
    "mean_float32",
    "sum_double",
    "sum_float32",
    "sum_float32_even",
]

_EXACT = 2**24  # integers up to this limit are exact in float32


def average_away(total: Integers, count: int, operand: Affine, output: Affine) -> Integers:
    """AVERAGE_POOL_2D: total / count, ties away from zero; the parameters are ignored."""
    del operand
    up, down = (total + count // 2) // count, -((count // 2 - total) // count)
    if isinstance(total, np.ndarray):
        return clamped(np.where(total > 0, up, down), output.low, output.high)
    return clamped(up if total > 0 else down, output.low, output.high)


def _divided(by: Multiplier, count: int) -> Multiplier:
    """A multiplier divided by a count, with as many bits kept as its shift allows."""
    shift = min(count.bit_length() - 1, 32, 31 + by.shift)
    if shift < 0:
        raise DomainError(
            f"multiplier: a shift of {by.shift} leaves no bits for the number of elements"
        )
    return Multiplier((by.q << shift) // count, by.shift - shift)


def mean_double(total: Integers, count: int, operand: Affine, output: Affine) -> Integers:
    """MEAN: multiplier divided by the count, rounded down; the product rounded twice."""
    by = _divided(fixed_point(operand.scale / output.scale), count)
    return integer_of(double(total - count * operand.zero_point, by), output)


def sum_double(total: Integers, count: int, operand: Affine, output: Affine) -> Integers:
    """SUM: multiplier from float64 scales, rounded twice. `count`: the number of summed elements."""
    by = fixed_point(operand.scale / output.scale)
    return integer_of(double(total - count * operand.zero_point, by), output)


def _biased(count: int, operand: Affine, output: Affine) -> tuple[Multiplier, int]:
    """For MEAN over height and width: the multiplier of the sum, and the constant added to the
    product.

    The sum includes zero points; the constant compensates them and is rounded once, ties away from
    zero. `count`: the number of summed elements.
    """
    zero = float32(float32(operand.zero_point * operand.scale) / output.scale)
    bias = math.trunc(float32(zero + 0.5) if zero > 0 else float32(zero - 0.5))
    real = float32(operand.scale / float32(count * output.scale))
    return fixed_point(real), output.zero_point - bias


def mean_double_bias(total: Integers, count: int, operand: Affine, output: Affine) -> Integers:
    """MEAN over height and width: sum with zero points times multiplier, rounded twice, plus a
    constant.

    The constant compensates the zero points and is rounded once. `count`: the number of summed
    elements.
    """
    by, bias = _biased(count, operand, output)
    return clamped(double(total, by) + bias, output.low, output.high)


def mean_double_second_tie_up_bias(
    total: Integers, count: int, operand: Affine, output: Affine
) -> Integers:
    """As mean_double_bias, but the second rounding's ties are up. `count`: the number of summed
    elements.
    """
    by, bias = _biased(count, operand, output)
    return clamped(double_second_tie_up(total, by) + bias, output.low, output.high)


def _in_float32(total: Integers, real: float, bias: float, *, even: bool) -> Integers:
    """The sum `total` times `real` plus `bias`, in float32, rounded with ties to even or away from
    zero. DomainError if float32 does not hold the sum exactly.
    """
    within(total, -_EXACT, _EXACT, "sum")
    steps = np.asarray(total).astype(np.float32) * np.float32(real) + np.float32(bias)
    whole = np.rint(steps) if even else np.trunc(steps)
    if not even:
        whole = whole + np.copysign(np.abs(steps - whole) >= 0.5, steps)
    limits = np.clip(whole.astype(np.float64), -(2.0**31), 2.0**31 - 1)
    return limits.astype(np.int64) if isinstance(total, np.ndarray) else int(limits)


def sum_float32(total: Integers, count: int, operand: Affine, output: Affine) -> Integers:
    """LiteRT's SUM: each step in float32, ties away from zero. `count`: the number of summed
    elements.
    """
    real = float32(operand.scale / output.scale)
    bias = float32(float32(-operand.zero_point * real) * count)
    return integer_of(_in_float32(total, real, bias, even=False), output)


def sum_float32_even(total: Integers, count: int, operand: Affine, output: Affine) -> Integers:
    """XNNPACK's SUM: each step in float32, the zero point added before rounding, ties to even.
    `count`: the number of summed elements.
    """
    real = float32(operand.scale / output.scale)
    zero = float32(output.zero_point - float32(count * operand.zero_point * real))
    return clamped(_in_float32(total, real, zero, even=True), output.low, output.high)


def mean_float32(total: Integers, count: int, operand: Affine, output: Affine) -> Integers:
    """XNNPACK's MEAN: each step in float32, the zero point added before rounding, ties to even.
    `count`: the number of summed elements.
    """
    real = float32(float32(operand.scale / output.scale) * float32(1 / count))
    zero = float32(output.zero_point - float32(count * operand.zero_point * real))
    return clamped(_in_float32(total, real, zero, even=True), output.low, output.high)
