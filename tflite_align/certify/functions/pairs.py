"""Two operands to output, element by element: ADD and its like.

Each is output = f(a, b, first, second, output); 8-bit operands make 65,536 cases.
"""

from __future__ import annotations

from .affine import Affine, Integers, clamped
from .rescale import double, fixed_point

__all__ = ["add_double"]


def add_double(a: Integers, b: Integers, first: Affine, second: Affine, output: Affine) -> Integers:
    """8-bit ADD: both operands in 2^-20 of twice the larger step, each rounded twice, then the sum."""
    twice = 2 * max(first.scale, second.scale)
    one = double((a - first.zero_point) << 20, fixed_point(first.scale / twice))
    two = double((b - second.zero_point) << 20, fixed_point(second.scale / twice))
    steps = double(one + two, fixed_point(twice / (2.0**20 * output.scale)))
    return clamped(steps + output.zero_point, output.low, output.high)
