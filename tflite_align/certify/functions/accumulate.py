"""Functions from an accumulator to an output integer: convolutions, fully connected layers, matrix
products.

Each is output = f(accumulator, input scale, weight scale, output), monotone in the accumulator: the
sum of the products of integers minus zero points, plus the bias. A fused activation is contained in
the output's limits. int8 and uint8 have an int32 accumulator, 16x8 has int32 or int64.
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
    """The multiplier input scale x weight scale / output scale, each step in float64."""
    return input_scale * weight_scale / output.scale


def _real_of_float32(input_scale: float, weight_scale: float, output: Affine) -> float:
    """The multiplier in float64, from the product of input and weight scale rounded to float32."""
    return float32(input_scale * weight_scale) / output.scale


def _out(steps: Integers, output: Affine) -> Integers:
    """The output integers for results in steps of the output: zero point added, then clamped."""
    result = steps + output.zero_point
    within(result, *INT32, "product and zero point")
    return clamped(result, output.low, output.high)


def accumulate_double(
    a: Integers, input_scale: float, weight_scale: float, output: Affine
) -> Integers:
    """Multiplier from float64 scales; product and right shift each rounded."""
    return _out(double(a, fixed_point(_real(input_scale, weight_scale, output))), output)


def accumulate_double_float32_scale(
    a: Integers, input_scale: float, weight_scale: float, output: Affine
) -> Integers:
    """As accumulate_double, with the product of input and weight scale rounded to float32."""
    real = _real_of_float32(input_scale, weight_scale, output)
    return _out(double(a, fixed_point(real)), output)


def accumulate_double_second_tie_up(
    a: Integers, input_scale: float, weight_scale: float, output: Affine
) -> Integers:
    """Multiplier from float64 scales; product and right shift each rounded, the shift's ties up."""
    real = _real(input_scale, weight_scale, output)
    return _out(double_second_tie_up(a, fixed_point(real)), output)


def accumulate_double_second_tie_up_float32_scale(
    a: Integers, input_scale: float, weight_scale: float, output: Affine
) -> Integers:
    """As accumulate_double_second_tie_up, with input scale x weight scale rounded to float32."""
    real = _real_of_float32(input_scale, weight_scale, output)
    return _out(double_second_tie_up(a, fixed_point(real)), output)


def accumulate_float64(
    a: Integers, input_scale: float, weight_scale: float, output: Affine
) -> Integers:
    """Accumulator times multiplier in float64, rounded to nearest with ties away from zero. `a`:
    accumulators. `input_scale`, `weight_scale`: real values per step.
    """
    return _out(float64_product(a, _real(input_scale, weight_scale, output)), output)


def accumulate_float32(
    a: Integers, input_scale: float, weight_scale: float, output: Affine
) -> Integers:
    """Each step in float32, rounded to nearest with ties to even. `a`: accumulators. `input_scale`,
    `weight_scale`: real values per step.
    """
    real = float32(_real_of_float32(input_scale, weight_scale, output))
    return _out(float32_product(a, real), output)


def accumulate_reduced(
    a: Integers, input_scale: float, weight_scale: float, output: Affine
) -> Integers:
    """int64 accumulator times the high 16 bits of the multiplier (from float64 scales), ties up."""
    return _out(reduced(a, fixed_point(_real(input_scale, weight_scale, output))), output)
