"""Functions of two operands that depend on one integer alone: the sum of the rescaled operands
(ADD, SUB) or their product (MUL).

Two int16 operands have 2^32 pairs, too many to compare. The output is monotone in that one integer,
so that its values suffice.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from . import pairs
from .affine import Affine, Integers, float32, integer_of
from .rescale import double, fixed_point

__all__ = ["PARTED", "Parted"]

Array = NDArray[np.int64]


class Parted(NamedTuple):
    """A function of one integer from `low` to `high`: `last` maps it to the output integer and is
    monotone. The integer times `unit` is the exact real result but for at most `off` (real value).
    """

    low: int
    high: int
    unit: float
    off: float
    last: Callable[[Any], Any]


def _all(operand: Affine) -> Array:
    """Every integer that an operand can have, ascending."""
    return np.arange(operand.low, operand.high + 1)


def _off(parts: Array, operand: Affine, unit: float) -> float:
    """The largest difference, as a real value, between `parts` x `unit` and the real values of an
    operand's integers.
    """
    real = (_all(operand) - operand.zero_point) * operand.scale
    return float(np.max(np.abs(parts * unit - real), initial=0.0))


def _sum(
    first: Affine,
    second: Affine,
    output: Affine,
    common: Callable[..., tuple[Integers, Integers, float]],
    sign: int,
) -> Parted:
    """ADD (`sign` 1) or SUB (-1): each operand rounded to 2^-15 of the common step by `common`,
    then added.
    """
    left, _, twice = common(_all(first), np.array([second.zero_point]), first, second, 15)
    _, right, _ = common(np.array([first.zero_point]), _all(second), first, second, 15)
    left, right, unit = np.asarray(left), np.asarray(right), twice / 2.0**15
    ends = sign * right
    return Parted(
        low=int(left.min() + ends.min()),
        high=int(left.max() + ends.max()),
        unit=unit,
        off=_off(left, first, unit) + _off(right, second, unit),
        last=lambda total: integer_of(pairs.rescaled(total, twice, 15, output), output),
    )


def _product(first: Affine, second: Affine, output: Affine, real: float) -> Parted:
    """MUL: the product of both integers minus their zero points, times the multiplier `real`."""
    ends = [
        (a - first.zero_point) * (b - second.zero_point)
        for a in (first.low, first.high)
        for b in (second.low, second.high)
    ]
    by = fixed_point(real)
    return Parted(
        low=min(ends),
        high=max(ends),
        unit=first.scale * second.scale,
        off=0.0,
        last=lambda product: integer_of(double(product, by), output),
    )


# Function name -> the operator that it computes, and the function's parts.
PARTED: Mapping[str, tuple[str, Callable[[Affine, Affine, Affine], Parted]]] = {
    "add_double_16": ("ADD", lambda a, b, y: _sum(a, b, y, pairs.common, 1)),
    "add_double_once_16": ("ADD", lambda a, b, y: _sum(a, b, y, pairs.common_once, 1)),
    "sub_double_16": ("SUB", lambda a, b, y: _sum(a, b, y, pairs.common, -1)),
    "mul_double": ("MUL", lambda a, b, y: _product(a, b, y, a.scale * b.scale / y.scale)),
    "mul_double_float32_scale": (
        "MUL",
        lambda a, b, y: _product(a, b, y, float32(float32(a.scale * b.scale) / y.scale)),
    ),
}
