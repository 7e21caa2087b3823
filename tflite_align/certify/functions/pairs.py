"""Elementwise functions of two operands, such as ADD.

Each is output = f(a, b, first, second, output): integers `a` and `b` of operands with the
parameters `first` and `second`; 8-bit operands have 65,536 pairs. A fused activation is contained
in the output's limits. The common step of two operands is twice the larger scale.
"""

from __future__ import annotations

import math

import numpy as np

from .affine import Affine, Integers, NotTakenError, float32, integer_of, within
from .rescale import Multiplier, double, fixed_point, float32_product

__all__ = [
    "add_double",
    "add_double_16",
    "add_double_floored",
    "add_double_once",
    "add_double_once_16",
    "add_shifted",
    "larger",
    "mul_double",
    "mul_double_float32_scale",
    "mul_double_narrow",
    "mul_float32",
    "prelu_double",
    "prelu_double_float32_scale",
    "smaller",
    "squared_difference_double",
    "sub_double",
    "sub_double_16",
    "sub_shifted",
]


def _out_narrow(steps: Integers, output: Affine) -> Integers:
    """The output's integer for a result in steps, in kernels that narrow it to int16 without
    saturating.

    Raises DomainError where it does not fit.
    """
    within(steps + output.zero_point, -(2**15), 2**15 - 1, "result before its clamp")
    return integer_of(steps, output)


def common(
    a: Integers, b: Integers, first: Affine, second: Affine, bits: int
) -> tuple[Integers, Integers, float]:
    """Both operands in units of 2^-`bits` x common step, each rounded twice; and the common step,
    real value.
    """
    twice = 2 * max(first.scale, second.scale)
    left = double((a - first.zero_point) << bits, fixed_point(first.scale / twice))
    right = double((b - second.zero_point) << bits, fixed_point(second.scale / twice))
    return left, right, twice


def _by_one(x: Integers, operand: Affine, bits: int, twice: float) -> Integers:
    """One operand in units of 2^-`bits` x `twice` (the common step), shifted before it is
    multiplied.
    """
    by = fixed_point(operand.scale / twice)
    left = bits + by.shift
    wide = (x - operand.zero_point) << left if left >= 0 else (x - operand.zero_point) >> -left
    return double(wide, Multiplier(by.q, 0))


def common_once(
    a: Integers, b: Integers, first: Affine, second: Affine, bits: int
) -> tuple[Integers, Integers, float]:
    """As `common`, but each operand is shifted before it is multiplied, so that it is rounded once
    or twice. `bits`: the left shift of both operands.
    """
    twice = 2 * max(first.scale, second.scale)
    return _by_one(a, first, bits, twice), _by_one(b, second, bits, twice), twice


def _floored(x: Integers, operand: Affine, bits: int, twice: float) -> Integers:
    """One operand in units of 2^-`bits` x `twice` (the common step), the second rounding down."""
    by = fixed_point(operand.scale / twice)
    return double((x - operand.zero_point) << bits, Multiplier(by.q, 0)) >> -by.shift


def _common_floored(
    a: Integers, b: Integers, first: Affine, second: Affine, bits: int
) -> tuple[Integers, Integers, float]:
    """As `common`, but the second rounding is down. `bits`: the left shift of both operands."""
    twice = 2 * max(first.scale, second.scale)
    return _floored(a, first, bits, twice), _floored(b, second, bits, twice), twice


def rescaled(total: Integers, twice: float, bits: int, output: Affine) -> Integers:
    """A sum in units of 2^-`bits` x `twice` (the common step), converted to steps of the output,
    rounded twice.
    """
    return double(total, fixed_point(twice / (2.0**bits * output.scale)))


def add_double(a: Integers, b: Integers, first: Affine, second: Affine, output: Affine) -> Integers:
    """8-bit ADD: each operand and the sum rounded twice, with 20 bits below the common step."""
    left, right, twice = common(a, b, first, second, 20)
    return integer_of(rescaled(left + right, twice, 20, output), output)


def add_double_once(
    a: Integers, b: Integers, first: Affine, second: Affine, output: Affine
) -> Integers:
    """8-bit ADD: each operand rounded once, the sum twice, with 20 bits below the common step."""
    left, right, twice = common_once(a, b, first, second, 20)
    return _out_narrow(rescaled(left + right, twice, 20, output), output)


def add_double_floored(
    a: Integers, b: Integers, first: Affine, second: Affine, output: Affine
) -> Integers:
    """8-bit ADD: each operand rounded, then shifted down; the sum rounded twice."""
    left, right, twice = _common_floored(a, b, first, second, 20)
    return _out_narrow(rescaled(left + right, twice, 20, output), output)


def add_double_once_16(
    a: Integers, b: Integers, first: Affine, second: Affine, output: Affine
) -> Integers:
    """int16 ADD: each operand rounded once, the sum twice, with 15 bits below the common step."""
    left, right, twice = common_once(a, b, first, second, 15)
    return integer_of(rescaled(left + right, twice, 15, output), output)


def add_double_16(
    a: Integers, b: Integers, first: Affine, second: Affine, output: Affine
) -> Integers:
    """int16 ADD: as add_double, with 15 bits below the common step."""
    left, right, twice = common(a, b, first, second, 15)
    return integer_of(rescaled(left + right, twice, 15, output), output)


def sub_double(a: Integers, b: Integers, first: Affine, second: Affine, output: Affine) -> Integers:
    """8-bit SUB, computed as add_double."""
    left, right, twice = common(a, b, first, second, 20)
    return integer_of(rescaled(left - right, twice, 20, output), output)


def sub_double_16(
    a: Integers, b: Integers, first: Affine, second: Affine, output: Affine
) -> Integers:
    """int16 SUB, computed as add_double_16."""
    left, right, twice = common(a, b, first, second, 15)
    return integer_of(rescaled(left - right, twice, 15, output), output)


def squared_difference_double(
    a: Integers, b: Integers, first: Affine, second: Affine, output: Affine
) -> Integers:
    """int8 SQUARED_DIFFERENCE: each operand with 7 bits below the common step, then the square."""
    left, right, twice = common(a, b, first, second, 7)
    by = fixed_point(twice * twice / (2.0**14 * output.scale))
    return integer_of(double((left - right) * (left - right), by), output)


def mul_double(a: Integers, b: Integers, first: Affine, second: Affine, output: Affine) -> Integers:
    """MUL: multiplier from float64 scales, rounded twice."""
    by = fixed_point(first.scale * second.scale / output.scale)
    return integer_of(double((a - first.zero_point) * (b - second.zero_point), by), output)


def mul_double_float32_scale(
    a: Integers, b: Integers, first: Affine, second: Affine, output: Affine
) -> Integers:
    """MUL: multiplier from float32 operations, rounded twice."""
    by = fixed_point(float32(float32(first.scale * second.scale) / output.scale))
    return integer_of(double((a - first.zero_point) * (b - second.zero_point), by), output)


def mul_double_narrow(
    a: Integers, b: Integers, first: Affine, second: Affine, output: Affine
) -> Integers:
    """8-bit MUL: as mul_double_float32_scale; a result beyond int16 would wrap before its clamp."""
    by = fixed_point(float32(float32(first.scale * second.scale) / output.scale))
    return _out_narrow(double((a - first.zero_point) * (b - second.zero_point), by), output)


def _prelu(
    a: Integers, b: Integers, first: Affine, second: Affine, reals: tuple[float, float]
) -> Integers:
    """PRELU's result in steps of the output; `reals`: the multipliers for a >= zero point and below
    it.
    """
    above = double(a - first.zero_point, fixed_point(reals[0]))
    product = (a - first.zero_point) * (b - second.zero_point)
    below = double(product, fixed_point(reals[1]))
    if isinstance(above, np.ndarray):
        return np.where(a >= first.zero_point, above, below)
    return above if a >= first.zero_point else below


def prelu_double(
    a: Integers, b: Integers, first: Affine, second: Affine, output: Affine
) -> Integers:
    """PRELU with alpha `b`: multipliers from float64 scales, rounded twice."""
    reals = first.scale / output.scale, first.scale * second.scale / output.scale
    return integer_of(_prelu(a, b, first, second, reals), output)


def prelu_double_float32_scale(
    a: Integers, b: Integers, first: Affine, second: Affine, output: Affine
) -> Integers:
    """PRELU with alpha `b`: multipliers from float32 operations, rounded twice."""
    product = float32(first.scale * second.scale)
    reals = float32(first.scale / output.scale), float32(product / output.scale)
    return integer_of(_prelu(a, b, first, second, reals), output)


def larger(a: Integers, b: Integers, first: Affine, second: Affine, output: Affine) -> Integers:
    """MAXIMUM of the integers; the parameters are ignored."""
    del first, second, output
    return np.maximum(a, b) if isinstance(a, np.ndarray) else max(a, b)


def smaller(a: Integers, b: Integers, first: Affine, second: Affine, output: Affine) -> Integers:
    """MINIMUM of the integers; the parameters are ignored."""
    del first, second, output
    return np.minimum(a, b) if isinstance(a, np.ndarray) else min(a, b)


def _ratio(scale: float, output: Affine, least: float, beyond: float) -> float:
    """Ratio of an operand's scale to the output's, float32. Raises NotTakenError beyond XNNPACK's
    limits. `least`, `beyond`: the allowed interval [least, beyond) of the ratio.
    """
    ratio = float32(scale / output.scale)
    if not least <= ratio < beyond:
        raise NotTakenError(f"ratio of scales: {ratio:.9g} is outside [{least}, {beyond})")
    return ratio


def _shifts(first: Affine, second: Affine, output: Affine) -> tuple[int, int, int]:
    """XNNPACK's two 21-bit multipliers and their common shift."""
    left_ratio, right_ratio = (
        _ratio(operand.scale, output, 2.0**-10, 2.0**8) for operand in (first, second)
    )
    shift = 21 - math.frexp(max(left_ratio, right_ratio))[1]
    return round(left_ratio * 2**shift), round(right_ratio * 2**shift), shift


def add_shifted(
    a: Integers, b: Integers, first: Affine, second: Affine, output: Affine
) -> Integers:
    """XNNPACK's 8-bit ADD: 21-bit multipliers, one rounding, ties up."""
    left, right, shift = _shifts(first, second, output)
    total = (a - first.zero_point) * left + (b - second.zero_point) * right
    return integer_of((total + (1 << (shift - 1))) >> shift, output)


def sub_shifted(
    a: Integers, b: Integers, first: Affine, second: Affine, output: Affine
) -> Integers:
    """XNNPACK's 8-bit SUB, computed as add_shifted."""
    left, right, shift = _shifts(first, second, output)
    total = (a - first.zero_point) * left - (b - second.zero_point) * right
    return integer_of((total + (1 << (shift - 1))) >> shift, output)


def mul_float32(
    a: Integers, b: Integers, first: Affine, second: Affine, output: Affine
) -> Integers:
    """XNNPACK's 8-bit MUL: each step in float32, ties to even."""
    real = _ratio(float32(first.scale * second.scale), output, 2.0**-16, 2.0**8)
    product = (a - first.zero_point) * (b - second.zero_point)
    return integer_of(float32_product(product, real), output)
