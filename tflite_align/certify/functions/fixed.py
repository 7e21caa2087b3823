"""TFLM's int8 LOGISTIC and TANH: gemmlowp's fixed-point functions, in exact integers.

A number Qm is an int32 with m integer bits: raw x 2^(m - 31). Products round to nearest, ties up;
right shifts round ties away from zero. Source: gemmlowp fixedpoint/fixedpoint.h.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from .affine import Affine, Integers, clamped
from .rescale import Multiplier, double

__all__ = ["logistic_fixed_point", "tanh_fixed_point"]

Array = NDArray[np.int64]

_ONE = 2**31 - 1  # largest Q0 number, about 1
_BITS = 4  # integer bits of the rescaled input
# exp(-2^k) as Q0 numbers for k = -2, -1, ...: factors for the exponent's bits from 1/4 upwards.
_POWERS = (1672461947, 1302514674, 790015084, 290630308, 39332535, 720401, 242)


def _times(a: Array, b: Array | int) -> Array:
    """The product of two Q0 numbers, or of a Qm and a Q0 number; ties up. `a`, `b`: int32 arrays."""
    return np.asarray((a * b + 2**30) >> 31, dtype=np.int64)


def _right(a: Array, bits: int) -> Array:
    """`a` shifted right by `bits`, ties away from zero."""
    half = 1 << (bits - 1)
    shifted: Array = np.where(a >= 0, (a + half) >> bits, -((half - a) >> bits))
    return shifted


def _left(a: Array, bits: int) -> Array:
    """`a` shifted left by `bits`, saturated to int32."""
    return np.asarray(np.clip(a << bits, -(2**31), 2**31 - 1), dtype=np.int64)


def _exp_of_quarter(a: Array) -> Array:
    """exp(a) in Q0 for a in Q0 from -1/4 to 0: a Taylor series at -1/8."""
    x = a + 2**28
    square = _times(x, x)
    cube, fourth = _times(square, x), _times(square, square)
    rest = _right(_times(_right(fourth, 2) + cube, 715827883) + square, 1)
    return 1895147668 + _times(x + rest, 1895147668)


def _exp(a: Array, bits: int) -> Array:
    """exp(a) in Q0 for a <= 0 with `bits` integer bits."""
    quarter = 1 << (29 - bits)
    part = (a & (quarter - 1)) - quarter
    result = _exp_of_quarter(_left(part, bits))
    remainder = part - a
    for bit, power in enumerate(_POWERS[: bits + 2]):
        has = remainder & (1 << (29 - bits + bit))
        result = np.where(has != 0, _times(result, power), result)
    return np.where(a == 0, _ONE, result)


def _reciprocal(a: Array) -> Array:
    """2 / (1 + a) in Q2, for a in Q0 from 0 to 1: three Newton steps."""
    total = a + _ONE
    half = (total + np.where(total >= 0, 1, -1)) >> 1
    x = 1515870810 + _times(half, -1010580540)
    for _ in range(3):
        x = x + _left(_times(x, 2**29 - _times(half, x)), 2)
    return x


def _logistic(a: Array) -> Array:
    """The logistic function of numbers with `_BITS` integer bits, in Q0. `a`: int32 array in that
    form.
    """
    above = _left(_reciprocal(_exp(-abs(a), _BITS)), 1)
    return np.where(a == 0, 2**30, np.where(a > 0, above, _ONE - above))


def _tanh(a: Array) -> Array:
    """The hyperbolic tangent of numbers with `_BITS` integer bits, in Q0. `a`: int32 array in that
    form.
    """
    above = _left(_reciprocal(_exp(-abs(a), _BITS + 1)) - 2**29, 2)
    return np.where(a == 0, 0, np.where(a < 0, -above, above))


def _rescaled(x: Array, scale: float) -> tuple[Array, int]:
    """The input steps `x` as numbers with 4 integer bits, and the number of steps from which on the
    output is saturated. `scale`: of the input, real value per step.
    """
    fraction, shift = math.frexp(scale * 2.0 ** (31 - _BITS))
    by = Multiplier(math.floor(fraction * 2**31 + 0.5), shift)
    radius = math.floor(15 * 2.0 ** (31 - _BITS) / 2.0**shift)
    return double(np.clip(x, 1 - radius, radius - 1), by), radius  # type: ignore[return-value]


def _table(x: Integers, operand: Affine, output: Affine, *, logistic: bool) -> Integers:
    """The output integers of LOGISTIC (`logistic`) or TANH for input integers `x`."""
    centred = np.asarray(x, dtype=np.int64) - operand.zero_point
    near, radius = _rescaled(centred, operand.scale)
    steps = _right(_logistic(near), 23) - 128 if logistic else _right(_tanh(near), 24)
    steps = np.where(centred <= -radius, -128, np.where(centred >= radius, 127, steps))
    result = clamped(steps, -128, 127)
    result = clamped(result, output.low, output.high)
    return result if isinstance(x, np.ndarray) else int(result)


def logistic_fixed_point(x: Integers, operand: Affine, output: Affine) -> Integers:
    """TFLM's int8 LOGISTIC. The output always has scale 1/256 and zero point -128, whatever is
    declared.
    """
    return _table(x, operand, output, logistic=True)


def tanh_fixed_point(x: Integers, operand: Affine, output: Affine) -> Integers:
    """TFLM's int8 TANH. The output always has scale 1/128 and zero point 0, whatever is declared."""
    return _table(x, operand, output, logistic=False)
