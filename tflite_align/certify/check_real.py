"""The real function that a file declares for an operator, and how far a written value is from it.

Values are float64: scales are float32 and integers below 2^32, so that a value of a tensor is exact
and what is made of few of them is off by less than 2^-48 of the largest. `SLACK` covers that.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from .check_read import ReadTensor
from .functions.affine import Affine

__all__ = [
    "LARGEST",
    "Operand",
    "Segment",
    "UnshownError",
    "declared_range",
    "type_range",
    "upward",
]

Array = Any
SLACK = 1e-6  # LSB: bounds are rounded up to a multiple of it, and once more
LARGEST = 2.0**26  # LSB: no value that goes into a bound is beyond it
_SIX = 6e-3  # how near to 6 a range ends that states a RELU6: a quarter of a step of an 8-bit range

_LIMITS = {"INT4": (-8, 7), "INT8": (-128, 127), "UINT8": (0, 255), "INT16": (-32768, 32767)}


def type_range(name: str) -> tuple[int, int]:
    """Raises KeyError for a type that is no quantized activation's."""
    return _LIMITS[name]


def declared_range(tensor: ReadTensor) -> tuple[float, float]:
    """The least and greatest real value that a tensor can hold."""
    low, high = _LIMITS[tensor.type]
    (scale,), (zero,) = tensor.scale, tensor.zero_point
    return (low - zero) * scale, (high - zero) * scale


def upward(bound: float) -> float:
    """A bound as it is published: rounded up, by enough for all rounding on the way."""
    return round(math.ceil(bound / SLACK + 1) * SLACK, 6)


class Segment(NamedTuple):
    """Where a written value has to be: within a bound of the segment between the real result and
    that result clipped to `needed`. `stated`: the clamp that the original's range states.
    """

    needed: tuple[float, float]
    stated: tuple[float, float]
    step: float

    @classmethod
    def of(cls, original: ReadTensor, needed: tuple[float, float], step: float) -> Segment:
        """A range that begins or ends at zero states a clamp there, one from zero to 6 a RELU6."""
        low, high = declared_range(original)
        six = low == 0 and abs(high - 6) <= _SIX
        above = high if six else 0.0 if high == 0 else math.inf
        return cls(needed, (0.0 if low == 0 else -math.inf, above), step)

    def distance(self, written: Array, real: Array) -> float:
        """The greatest, in steps of the written output."""
        real = np.clip(real, *self.stated)
        clipped = np.clip(real, *self.needed)
        low, high = np.minimum(real, clipped), np.maximum(real, clipped)
        off = np.maximum(np.maximum(low - written, written - high), 0.0)
        return float(np.max(off, initial=0.0)) / self.step


class UnshownError(ValueError):
    """Nothing is shown of the operator; the message says why."""


@dataclass(frozen=True, kw_only=True)
class Operand:
    """A tensor of the original and of the written file, and the integers that can arrive in it;
    None where that is not followed.
    `needed`: the real values that readers can tell apart, of an output.
    """

    given: ReadTensor
    tensor: ReadTensor
    arrives: tuple[int, int] | None
    needed: tuple[float, float]

    @property
    def affine(self) -> Affine:
        if len(self.tensor.scale) != 1 or self.tensor.scale[0] <= 0:
            raise UnshownError("an operand has no single scale above zero")
        if self.arrives is None:
            raise UnshownError("what can arrive in an operand is not known")
        return Affine(self.tensor.scale[0], self.tensor.zero_point[0], *self.arrives)

    @property
    def target(self) -> Segment:
        return Segment.of(self.given, self.needed, self.tensor.scale[0])
