"""The real values that a file declares, and the error of a written value against them.

Values are float64: with float32 scales and integers below 2^32 each value of a tensor is exact, and a
few operations on them have a relative error below 2^-48 of the largest, which `SLACK` covers.
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
LARGEST = 2.0**26  # LSB: no value in a bound may exceed it
_SIX = 6e-3  # how near to 6 a range ends that states a RELU6: a quarter of a step of an 8-bit range

_LIMITS = {"INT4": (-8, 7), "INT8": (-128, 127), "UINT8": (0, 255), "INT16": (-32768, 32767)}


def type_range(name: str) -> tuple[int, int]:
    """(least, greatest) integer of a tensor type, by its schema name; KeyError if it is not a type
    of quantized activations.
    """
    return _LIMITS[name]


def declared_range(tensor: ReadTensor) -> tuple[float, float]:
    """(least, greatest) real value that a per-tensor quantized tensor can hold."""
    low, high = _LIMITS[tensor.type]
    (scale,), (zero,) = tensor.scale, tensor.zero_point
    return (low - zero) * scale, (high - zero) * scale


def upward(bound: float) -> float:
    """The bound as certificates state it: rounded up to a multiple of `SLACK`, plus one `SLACK` for float64
    rounding.
    """
    return round(math.ceil(bound / SLACK + 1) * SLACK, 6)


class Segment(NamedTuple):
    """The correct values of an output: each from the real result to that result clipped to
    `needed`.

    `needed`: (least, greatest) real value that readers distinguish; `stated`: the clamp that the
    original's range implies; `step`: the written output's scale.
    """

    needed: tuple[float, float]
    stated: tuple[float, float]
    step: float

    @classmethod
    def of(cls, original: ReadTensor, needed: tuple[float, float], step: float) -> Segment:
        """The segment of an output with this original tensor. A declared range that begins or ends
        at zero implies a clamp there; 0 to 6 implies RELU6. `needed`, `step`: as in the class.
        """
        low, high = declared_range(original)
        six = low == 0 and abs(high - 6) <= _SIX
        above = high if six else 0.0 if high == 0 else math.inf
        return cls(needed, (0.0 if low == 0 else -math.inf, above), step)

    def distance(self, written: Array, real: Array) -> float:
        """The largest distance of written real values from the correct ones for the real results
        `real`, in steps of the written output.
        """
        real = np.clip(real, *self.stated)
        clipped = np.clip(real, *self.needed)
        low, high = np.minimum(real, clipped), np.maximum(real, clipped)
        off = np.maximum(np.maximum(low - written, written - high), 0.0)
        return float(np.max(off, initial=0.0)) / self.step


class UnshownError(ValueError):
    """No bound is proved for the operator; the message gives the reason."""


@dataclass(frozen=True, kw_only=True)
class Operand:
    """A tensor of the original (`given`) and of the written file. `arrives`: (least, greatest) integer
    that can occur, None where it is not tracked. `needed`: the real values that readers distinguish.
    """

    given: ReadTensor
    tensor: ReadTensor
    arrives: tuple[int, int] | None
    needed: tuple[float, float]

    @property
    def affine(self) -> Affine:
        """The written tensor's scale and zero point, with the integers that can occur. UnshownError
        without exactly one scale or without known integers.
        """
        if len(self.tensor.scale) != 1 or self.tensor.scale[0] <= 0:
            raise UnshownError("an operand has no single scale above zero")
        if self.arrives is None:
            raise UnshownError("what can arrive in an operand is not known")
        return Affine(self.tensor.scale[0], self.tensor.zero_point[0], *self.arrives)

    @property
    def target(self) -> Segment:
        """The correct values of the operand as an output."""
        return Segment.of(self.given, self.needed, self.tensor.scale[0])
