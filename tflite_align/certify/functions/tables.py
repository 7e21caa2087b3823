"""Elementwise functions of one operand; an 8-bit operand has 256 cases.

Each is output = f(x, operand, output), where `operand` holds the parameters of x. A clamp at a real
value (RELU6) is contained in the output's limits. An operator's option is a keyword of its name.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .affine import Affine, DomainError, Integers, NotTakenError, clamped, float32, integer_of
from .rescale import Multiplier, double, double_second_tie_up, fixed_point

__all__ = [
    "abs_double",
    "abs_double_float32_scale",
    "copied",
    "hard_swish_16",
    "leaky_relu_double",
    "leaky_relu_double_float32_scale",
    "leaky_relu_double_signed_float32_scale",
    "leaky_relu_shifted",
    "negated",
    "requantize_double",
    "requantize_double_float32_scale",
    "requantize_double_second_tie_up",
    "requantize_shifted",
]


def _where(condition: Any, first: Integers, second: Integers) -> Integers:
    """numpy.where for arrays and for single integers. `condition`: Boolean array or bool."""
    if isinstance(first, np.ndarray):
        return np.where(condition, first, second)
    return first if condition or isinstance(second, np.ndarray) else second


def copied(x: Integers, operand: Affine, output: Affine) -> Integers:
    """The integer itself, clamped to the output's limits; the operand's parameters are ignored."""
    del operand
    return clamped(x, output.low, output.high)


def negated(x: Integers, operand: Affine, output: Affine) -> Integers:
    """NEG: the integer negated, its parameters ignored; the least integer of a type stays what it is."""
    del operand
    return _where(-x <= output.high, -x, output.low)


def requantize_double(x: Integers, operand: Affine, output: Affine) -> Integers:
    """Requantization: multiplier from float64 scales, rounded twice."""
    steps = double(x - operand.zero_point, fixed_point(operand.scale / output.scale))
    return integer_of(steps, output)


def requantize_double_float32_scale(x: Integers, operand: Affine, output: Affine) -> Integers:
    """Requantization: multiplier from float32 operations, rounded twice."""
    steps = double(x - operand.zero_point, fixed_point(float32(operand.scale / output.scale)))
    return integer_of(steps, output)


def requantize_double_second_tie_up(x: Integers, operand: Affine, output: Affine) -> Integers:
    """Requantization: multiplier from float64 scales, rounded twice, the second time with ties up."""
    by = fixed_point(operand.scale / output.scale)
    return integer_of(double_second_tie_up(x - operand.zero_point, by), output)


def _abs(x: Integers, operand: Affine, output: Affine, real: float) -> Integers:
    """ABS; `real`: the multiplier for unequal scales."""
    distance = _where(x >= operand.zero_point, x - operand.zero_point, operand.zero_point - x)
    if operand.scale == output.scale:
        return integer_of(distance, output)
    return integer_of(double(distance, fixed_point(real)), output)


def abs_double(x: Integers, operand: Affine, output: Affine) -> Integers:
    """ABS: unchanged magnitude for equal scales, otherwise multiplied and rounded twice."""
    return _abs(x, operand, output, operand.scale / output.scale)


def abs_double_float32_scale(x: Integers, operand: Affine, output: Affine) -> Integers:
    """As abs_double, with a float32 multiplier."""
    return _abs(x, operand, output, float32(operand.scale / output.scale))


def _leaky(x: Integers, operand: Affine, output: Affine, reals: tuple[float, float]) -> Integers:
    """LEAKY_RELU; `reals`: the multipliers for x >= 0 and x < 0; a negative one flips the sign
    after rounding.
    """
    sign = -1 if reals[1] < 0 else 1
    x = x - operand.zero_point
    below = sign * double(x, fixed_point(abs(reals[1])))
    return integer_of(_where(x >= 0, double(x, fixed_point(reals[0])), below), output)


def leaky_relu_double(x: Integers, operand: Affine, output: Affine, alpha: float) -> Integers:
    """LEAKY_RELU: multipliers from float64 scales, rounded twice. `alpha`: the slope below 0."""
    reals = operand.scale / output.scale, operand.scale * alpha / output.scale
    return _leaky(x, operand, output, reals)


def leaky_relu_double_float32_scale(
    x: Integers, operand: Affine, output: Affine, alpha: float
) -> Integers:
    """LEAKY_RELU: multipliers from float32 operations, rounded twice. `alpha`: the slope below 0."""
    below = float32(float32(operand.scale * alpha) / output.scale)
    return _leaky(x, operand, output, (float32(operand.scale / output.scale), below))


def leaky_relu_double_signed_float32_scale(
    x: Integers, operand: Affine, output: Affine, alpha: float
) -> Integers:
    """As leaky_relu_double_float32_scale, but a negative alpha flips the sign before rounding."""
    below = float32(float32(operand.scale * alpha) / output.scale)
    sign = -1 if below < 0 else 1
    x = x - operand.zero_point
    above = double(x, fixed_point(float32(operand.scale / output.scale)))
    return integer_of(_where(x >= 0, above, double(sign * x, fixed_point(abs(below)))), output)


def _ratio(operand: Affine, output: Affine) -> float:
    """The operand's scale / the output's, float32. NotTakenError outside XNNPACK's limits."""
    ratio = float32(operand.scale / output.scale)
    if not 2.0**-8 <= ratio <= 2.0**7:
        raise NotTakenError(f"ratio of scales: {ratio:.9g} is outside [1/256, 128]")
    return ratio


def requantize_shifted(x: Integers, operand: Affine, output: Affine) -> Integers:
    """XNNPACK's requantization: multiplier with 8 fraction bits, ties up."""
    by = round(256 * _ratio(operand, output))
    return integer_of(((x - operand.zero_point) * by + 128) >> 8, output)


def leaky_relu_shifted(x: Integers, operand: Affine, output: Affine, alpha: float) -> Integers:
    """XNNPACK's LEAKY_RELU: multipliers with 8 fraction bits, ties up. `alpha`: the slope below 0."""
    above = _ratio(operand, output)
    below = float32(above * alpha)
    if not (-127.99609375 <= below <= 128 and abs(below) >= 2.0**-8):
        raise NotTakenError(f"ratio of scales: {below:.9g} is outside [-127.996, 128], or tiny")
    by = _where(x >= operand.zero_point, _like(x, 256 * above), _like(x, 256 * below))
    return integer_of(((x - operand.zero_point) * by + 128) >> 8, output)


def _like(x: Integers, value: float) -> Integers:
    """`value`, a multiplier in fixed point, rounded to an integer; if `x` is an array, an array of its
    shape that is filled with it.
    """
    whole = round(value)
    return np.full(x.shape, whole, np.int64) if isinstance(x, np.ndarray) else whole


def _int16(by: Multiplier) -> int:
    """A multiplier's upper 16 bits, rounded, at most 32767."""
    return 32767 if by.q >= 2**31 - 2**15 else (by.q + 2**15) >> 16


def _half_away(x: Integers, right: int) -> Integers:
    """`x` shifted right, ties away from zero."""
    if right == 0:
        return x
    half = 1 << (right - 1)
    return _where(x >= 0, (x + half) >> right, -((half - x) >> right))


def hard_swish_16(x: Integers, operand: Affine, output: Affine) -> Integers:
    """HARD_SWISH in 16-bit fixed point, with 7 bits below the input's step."""
    fine = float32(operand.scale / 128)
    by = fixed_point(float32(fine / output.scale))
    ramp = fixed_point(float32(fine / float32(3 / 32768)))
    if by.shift > 0:
        raise NotTakenError("ratio of scales: the output's step is too small for the kernel")
    if by.shift < -15 or ramp.shift < -15:
        raise DomainError("ratio of scales: a right shift of more than 15 in 16-bit arithmetic")
    wide = (x - operand.zero_point) << 7
    plain = (wide * _int16(by) + 2**14) >> 15
    near = wide
    if ramp.shift > 0:
        near = clamped(near << (ramp.shift - 1), -32768, 32767)
    near = (near * _int16(ramp) + 2**14) >> 15
    if ramp.shift > 0:
        near = clamped(near << 1, -32768, 32767)
    near = _half_away(near, max(-ramp.shift, 0))
    near = (near + 32768) >> 1
    product = near * plain
    steps = _where(product >= 0, product >> 15, -((-product) >> 15))
    return integer_of(_half_away(steps, -by.shift), output)
