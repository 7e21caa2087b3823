"""Functions of two integers as functions of a single one: a sum of what each operand gives, a product.

Of int16 operands there are 2^32 pairs, but ADD rescales each of them alone, and MUL looks at their
product alone: what remains is monotone in one integer.
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
    """`last` of an integer from `low` to `high` is the output, monotone; the integer stands for `unit`
    times itself, off by at most `off`, real values.
    """

    low: int
    high: int
    unit: float
    off: float
    last: Callable[[Any], Any]


def _all(operand: Affine) -> Array:
    return np.arange(operand.low, operand.high + 1)


def _off(parts: Array, operand: Affine, unit: float) -> float:
    real = (_all(operand) - operand.zero_point) * operand.scale
    return float(np.max(np.abs(parts * unit - real), initial=0.0))


def _sum(
    first: Affine,
    second: Affine,
    output: Affine,
    common: Callable[..., tuple[Integers, Integers, float]],
    sign: int,
) -> Parted:
    """The operands at 15 bits below the common step, each rounded alone, added."""
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


# Function -> the operator that it is a kernel of, and its parts.
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
