"""Whether a constant under another scale and zero point is the same constant, correctly rounded."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["is_rounded"]


Constant = tuple[NDArray[Any], float, int]  # integers, scale, zero point


def is_rounded(
    given: Constant, written: Constant, low: float = -math.inf, high: float = math.inf
) -> bool:
    """Whether each written integer is a nearest one to the real value of the given integer in its
    place. `low`, `high`: integers of the written constant to which that value may be clipped first.
    Computed in exact fractions; False for unequal shapes or a written scale that is not positive.
    """
    (before, scale, zero_point), (after, step, zero) = given, written
    if before.shape != after.shape or step <= 0:
        return False
    ratio = Fraction(scale) / Fraction(step)
    pairs = np.unique(np.stack([before.ravel(), after.ravel()], 1), axis=0).tolist()
    exact = ((ratio * (q - zero_point) + zero, w) for q, w in pairs)
    return all(abs(min(max(value, low), high) - w) <= Fraction(1, 2) for value, w in exact)
