"""Real multipliers as fixed-point numbers, and the ways in which kernels multiply by them.

Every function takes int32 accumulators, as a Python int or an int64 array, and raises DomainError
where the kernel's arithmetic would overflow int32, which is undefined behaviour in C++. Sources:
litert:tflite/kernels/internal/quantization_util.cc, common.cc; gemmlowp fixedpoint.h; ruy
apply_multiplier.cc; XNNPACK qs8 requantization, fp32.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .affine import INT32, DomainError, Integers, within

__all__ = [
    "Multiplier",
    "double",
    "double_second_tie_up",
    "fixed_point",
    "float32_product",
    "float64_product",
    "reduced",
    "single",
]

INT48 = (-(2**47), 2**47 - 1)


class Multiplier(NamedTuple):
    """A fixed-point multiplier `q` x 2^(`shift` - 31); q is 0 or within 2^30 .. 2^31 - 1."""

    q: int
    shift: int


def fixed_point(real: float) -> Multiplier:
    """A non-negative float64 multiplier as a fixed-point number with 31 fraction bits, ties up; 0
    for one below 2^-32. DomainError for a negative or infinite one. `real`: the multiplier.
    """
    if not 0 <= real < math.inf:
        raise DomainError(f"multiplier: {real} is negative or not finite")
    if real == 0:
        return Multiplier(0, 0)
    fraction, shift = math.frexp(real)
    q = math.floor(fraction * 2**31 + 0.5)
    if q == 2**31:
        q, shift = 2**30, shift + 1
    return Multiplier(0, 0) if shift < -31 else Multiplier(q, shift)


def _shifted(a: Integers, shift: int) -> Integers:
    """The product a x 2^shift. Raises DomainError where it overflows int32."""
    if shift > 30:
        raise DomainError(f"multiplier: a left shift of {shift} is more than int32 has bits")
    within(a, -(2 ** (31 - shift)), 2 ** (31 - shift) - 1, "accumulator before its left shift")
    return a << shift


def single(a: Integers, by: Multiplier) -> Integers:
    """The product of `a` and the multiplier with one rounding, ties up: floor(a x q x 2^(shift -
    31) + 1/2).
    """
    within(a, *INT32, "accumulator")
    if by.shift > 30:
        raise DomainError(f"multiplier: a left shift of {by.shift} is more than int32 has bits")
    result = (a * by.q + (1 << (30 - by.shift))) >> (31 - by.shift)
    within(result, *INT32, "product")
    return result


def _high(a: Integers, q: int) -> Integers:
    """The high 32 bits of 2 x a x q, rounded to nearest, ties up."""
    return (a * q + 2**30) >> 31


def _right_shift(by: Multiplier) -> int:
    """The right shift of a multiplier, 0 for a left shift. DomainError beyond int32's bits."""
    if by.shift < -31:
        raise DomainError(f"multiplier: a right shift of {-by.shift} is more than int32 has bits")
    return max(-by.shift, 0)


def double(a: Integers, by: Multiplier) -> Integers:
    """The product of `a` and the multiplier with two roundings: its high half, ties up; then the
    right shift, ties away from zero.
    """
    high = _high(_shifted(a, max(by.shift, 0)), by.q)
    right = _right_shift(by)
    if right == 0:
        return high
    half = 1 << (right - 1)
    if isinstance(high, np.ndarray):
        return np.where(high >= 0, (high + half) >> right, -((half - high) >> right))
    return (high + half) >> right if high >= 0 else -((half - high) >> right)


def double_second_tie_up(a: Integers, by: Multiplier) -> Integers:
    """As `double`, but the right shift rounds ties up."""
    high = _high(_shifted(a, max(by.shift, 0)), by.q)
    right = _right_shift(by)
    return high if right == 0 else (high + (1 << (right - 1))) >> right


def reduced(a: Integers, by: Multiplier) -> Integers:
    """The product in 16x8 kernels: 48-bit accumulator times the multiplier's high 16 bits, ties up."""
    within(a, *INT48, "accumulator")
    if not -31 <= by.shift < 8:
        raise DomainError(f"multiplier: a shift of {by.shift} is outside -31..7")
    q = (by.q + 2**15) >> 16 if by.q < 0x7FFF0000 else 0x7FFF
    result = (a * q + (1 << (14 - by.shift))) >> (15 - by.shift)
    within(result, *INT32, "product")
    return result


def float64_product(a: Integers, real: float) -> Integers:
    """The product a x real in float64, rounded to nearest, ties away from zero."""
    product = np.asarray(a, dtype=np.float64) * real
    whole = np.trunc(product)
    away = np.copysign(np.abs(product - whole) >= 0.5, product)
    return _typed_as(whole + away, a)


def float32_product(a: Integers, real: float) -> Integers:
    """The product float32(a) x real in float32, rounded to the nearest integer, ties to even;
    `real` is a float32 value.
    """
    product = np.asarray(a).astype(np.float32) * np.float32(real)
    return _typed_as(np.rint(product), a)


def _typed_as(values: NDArray[np.floating[Any]], like: Integers) -> Integers:
    """Whole float values as integers, array or int as `like` is. DomainError beyond int32."""
    if values.size and not np.all(np.abs(values) < -INT32[0]):  # a comparison with NaN is false
        raise DomainError("product: it is beyond int32, where a kernel converts it")
    return values.astype(np.int64) if isinstance(like, np.ndarray) else int(values)
