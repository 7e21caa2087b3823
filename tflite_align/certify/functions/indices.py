"""Functions that write an index: of the largest or smallest of several integers.

Each is output = f(x, output), for an array x of shape [rows, elements]; of equal integers, the index of the
first. As a scale is above 0, that element's real value is the largest or smallest too.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .affine import Affine

__all__ = ["first_largest", "first_smallest"]

Array = NDArray[np.int64]


def first_largest(x: Array, output: Affine) -> Array:
    """ARG_MAX; the parameters are ignored."""
    del output
    return np.asarray(np.argmax(x, axis=-1))


def first_smallest(x: Array, output: Affine) -> Array:
    """ARG_MIN; the parameters are ignored."""
    del output
    return np.asarray(np.argmin(x, axis=-1))
