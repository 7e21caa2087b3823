"""The points at which a monotone integer function changes its value."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .affine import DomainError

__all__ = ["step_ends"]

Array = Any
_WINDOW = np.arange(-4, 5)  # integers tried around the expected position of a change
_MOST_STEPS = 2**17  # most output values of a function


def step_ends(
    kernel: Callable[[Array], Array], low: int, high: int, by: float, zero: float
) -> tuple[Array, Array]:
    """(sample points, their outputs) of a monotone kernel on the integers `low`..`high`. The
    samples include both ends of each run of integers with equal output. `by`, `zero`: an estimate,
    output = integer x by + zero.
    """
    ends = np.array([low, high])
    first, last = (int(v) for v in kernel(ends))
    if last - first > _MOST_STEPS:
        raise DomainError("the output has too many values to try them all")
    outputs = np.arange(first, last)
    expected = np.clip((outputs + 0.5 - zero) / by if by else outputs * 0.0, low, high)
    accumulators = np.clip(np.rint(expected).astype(np.int64)[:, None] + _WINDOW, low, high)
    reached = kernel(accumulators)
    missed = (reached[:, 0] > outputs) | (reached[:, -1] <= outputs)
    if missed.any():
        accumulators[missed] = _bisected(kernel, outputs[missed], low, high)[:, None] + np.clip(
            _WINDOW, -1, 0
        )
        reached = kernel(accumulators)
    return np.concatenate([ends, accumulators.ravel()]), np.concatenate(
        [[first, last], reached.ravel()]
    )


def _bisected(kernel: Callable[[Array], Array], outputs: Array, low: int, high: int) -> Array:
    """For each output value, the first integer between `low` and `high` whose output is larger.
    `kernel`: the non-decreasing integer function; `outputs`: output integers.
    """
    below, above = np.full(outputs.shape, low), np.full(outputs.shape, high)
    while np.any(above - below > 1):
        middle = (above + below) // 2
        more = kernel(middle) > outputs
        below, above = np.where(more, below, middle), np.where(more, middle, above)
    return above
