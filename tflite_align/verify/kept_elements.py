"""Which elements of a large output are compared. Imported by worker processes too."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["kept_elements"]

_KEPT = 65536  # of one output and one sample: enough for an SQNR, small enough to hold


@cache  # few sizes, requested with every sample
def kept_elements(size: int) -> npt.NDArray[Any] | None:
    """Indices of the elements of a flat output of `size` elements that are compared, ascending: the
    same for every variant of a model. None: all.
    """
    if size <= _KEPT:
        return None
    return np.sort(np.random.default_rng(size).integers(0, size, _KEPT))
