"""Accumulator to output: convolutions, fully connected layers, matrix products.

Each is output = f(accumulator, input scale, weight scale, output), monotone in the accumulator,
which is the sum of the products of integers less zero points, and the bias. A fused activation is
in the output's limits. int8 and uint8: an int32 accumulator; 16x8: int32 or int64.
"""

from __future__ import annotations

from .affine import INT32, Affine, Integers, clamped, float32, within
from .rescale import (
    double,
    double_second_tie_up,
    fixed_point,
    float32_product,
    float64_product,
    reduced,
)

__all__ = [
    "accumulate_double",
    "accumulate_double_float32_scale",
    "accumulate_double_second_tie_up",
    "accumulate_double_second_tie_up_float32_scale",
    "accumulate_float32",
    "accumulate_float64",
    "accumulate_reduced",
]


def _real(input_scale: float, weight_scale: float, output: Affine) -> float:
    """Every step in float64."""
    return input_scale * weight_scale / output.scale


def _real_of_float32(input_scale: float, weight_scale: float, output: Affine) -> float:
    """In float64, of the float32 product of input and weight scale."""
    return float32(input_scale * weight_scale) / output.scale


def _out(steps: Integers, output: Affine) -> Integers:
    result = steps + output.zero_point
    within(result, *INT32, "product and zero point")
    return clamped(result, output.low, output.high)


def accumulate_double(
    a: Integers, input_scale: float, weight_scale: float, output: Affine
) -> Integers:
    """The multiplier from float64 scales, rounded twice."""
    return _out(double(a, fixed_point(_real(input_scale, weight_scale, output))), output)


def accumulate_double_float32_scale(
    a: Integers, input_scale: float, weight_scale: float, output: Affine
) -> Integers:
    """As above, but the product of input and weight scale is a float32."""
    real = _real_of_float32(input_scale, weight_scale, output)
    return _out(double(a, fixed_point(real)), output)


def accumulate_double_second_tie_up(
    a: Integers, input_scale: float, weight_scale: float, output: Affine
) -> Integers:
    """The multiplier from float64 scales, rounded twice, the second time ties up."""
    real = _real(input_scale, weight_scale, output)
    return _out(double_second_tie_up(a, fixed_point(real)), output)


def accumulate_double_second_tie_up_float32_scale(
    a: Integers, input_scale: float, weight_scale: float, output: Affine
) -> Integers:
    """As above, but the product of input and weight scale is a float32."""
    real = _real_of_float32(input_scale, weight_scale, output)
    return _out(double_second_tie_up(a, fixed_point(real)), output)


def accumulate_float64(
    a: Integers, input_scale: float, weight_scale: float, output: Affine
) -> Integers:
    """The accumulator times the multiplier in float64, ties away from zero."""
    return _out(float64_product(a, _real(input_scale, weight_scale, output)), output)


def accumulate_float32(
    a: Integers, input_scale: float, weight_scale: float, output: Affine
) -> Integers:
    """Every step in float32, ties to even."""
    real = float32(_real_of_float32(input_scale, weight_scale, output))
    return _out(float32_product(a, real), output)


def accumulate_reduced(
    a: Integers, input_scale: float, weight_scale: float, output: Affine
) -> Integers:
    """The multiplier from float64 scales, its high 16 bits, an int64 accumulator, ties up."""
    return _out(reduced(a, fixed_point(_real(input_scale, weight_scale, output))), output)
