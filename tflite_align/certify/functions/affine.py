"""Affine: a tensor's per-tensor parameters for integer functions; and errors for inputs outside
their domain.
"""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "INT32",
    "Affine",
    "DomainError",
    "Integers",
    "NotTakenError",
    "clamped",
    "float32",
    "integer_of",
    "within",
]

Integers: TypeAlias = "int | NDArray[np.int64]"

INT32 = (-(2**31), 2**31 - 1)


class DomainError(ValueError):
    """The function does not describe the kernel for these integers or parameters."""


class NotTakenError(DomainError):
    """The kernel rejects these parameters, and another kernel runs instead."""


class Affine(NamedTuple):
    """Parameters of an operand. `scale` is a float32 value, real units per step.

    `low` and `high`: least and greatest integer that can occur: for an input, the limits of its
    type or of the values that arrive; for an output, the limits of its type and of the fused
    activation.
    """

    scale: float
    zero_point: int
    low: int
    high: int


def float32(value: float) -> float:
    """The nearest float32 value, ties to even, as a Python float."""
    return float(np.float32(value))


def clamped(value: Integers, low: int, high: int) -> Integers:
    """`value` clamped to `low` and `high`; `high` where low is above high, as in the kernels."""
    if isinstance(value, np.ndarray):
        return np.minimum(np.maximum(value, low), high)
    return min(max(value, low), high)


def integer_of(steps: Integers, output: Affine) -> Integers:
    """The output's integer for a result in steps: zero point added, then clamped."""
    return clamped(steps + output.zero_point, output.low, output.high)


def within(value: Integers, low: int, high: int, what: str) -> None:
    """Raise DomainError, with the name `what`, if an integer is outside `low` and `high`."""
    least, most = (value, value) if isinstance(value, int) else _ends(value)
    if least < low or most > high:
        outlier = least if least < low else most
        raise DomainError(
            f"{what}: {outlier} is outside {low}..{high}, where the function is known"
        )


def _ends(values: NDArray[np.int64]) -> tuple[int, int]:
    """(least, greatest) value of an array; (0, 0) if it is empty."""
    return (int(values.min()), int(values.max())) if values.size else (0, 0)
