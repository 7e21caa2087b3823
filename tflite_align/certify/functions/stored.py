"""How integers are stored: the limits of each type, and a constant's bytes as integers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["ACTIVATION_LIMITS", "stored_integers"]

# Types of quantized activations, by their names in the schema.
ACTIVATION_LIMITS: Mapping[str, tuple[int, int]] = {
    "INT4": (-8, 7),
    "INT8": (-128, 127),
    "UINT8": (0, 255),
    "INT16": (-32768, 32767),
}
_DTYPES = {"INT8": "i1", "UINT8": "u1", "INT16": "<i2", "INT32": "<i4", "INT64": "<i8"}


def stored_integers(data: bytes, type_name: str, shape: Sequence[int]) -> NDArray[Any]:
    """The integers, int64, in their shape; two int4 share a byte, the first in its low half. KeyError for
    another type, ValueError where their number differs from the shape's.
    """
    if type_name == "INT4":
        packed = np.frombuffer(data, dtype="u1").astype(np.int64)
        flat = np.stack([packed & 15, packed >> 4], 1).ravel()[: math.prod(shape)]
        return np.where(flat > 7, flat - 16, flat).reshape(shape)
    return np.frombuffer(data, _DTYPES[type_name]).astype(np.int64).reshape(shape)
