"""Which elements of a large output are compared. Imported by worker processes too."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["kept_elements"]

_KEPT = 65536  # largest number of elements kept of one output and one sample


@cache  # few different sizes, requested for every sample
def kept_elements(size: int) -> npt.NDArray[Any] | None:
    """Indices of the elements of a flat output of `size` elements that are compared, ascending: the
    same for every variant of a model. None: all.
    """
    if size <= _KEPT:
        return None
    return np.sort(np.random.default_rng(size).integers(0, size, _KEPT))
