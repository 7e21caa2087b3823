"""One operand to output, element by element; an 8-bit operand makes 256 cases.

Each is output = f(x, given, output); `given` are the operand's parameters.
"""

from __future__ import annotations

from .affine import Affine, Integers, clamped
from .rescale import double, fixed_point

__all__ = ["copied", "requantize_double"]


def copied(x: Integers, given: Affine, output: Affine) -> Integers:
    """The integer itself, within the output's limits; its parameters are not looked at."""
    del given
    return clamped(x, output.low, output.high)


def requantize_double(x: Integers, given: Affine, output: Affine) -> Integers:
    """Integer to integer QUANTIZE: the multiplier from float64 scales, rounded twice."""
    steps = double(x - given.zero_point, fixed_point(given.scale / output.scale))
    return clamped(steps + output.zero_point, output.low, output.high)
