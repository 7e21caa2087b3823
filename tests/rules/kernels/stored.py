"""Integers in which a tensor of a given type stores real values."""

from __future__ import annotations

import numpy as np

from tests.rules.operators.operands import Array
from tests.support.models import Quant
from tflite_align.numerics import type_limits

__all__ = ["stored"]


def stored(reals: Array, kind: str, quant: Quant | None) -> Array:
    if kind == "bool":
        return np.asarray(reals > 0)
    if kind.startswith("complex"):
        return np.asarray(reals, kind)
    reals = np.real(reals).astype(np.float64)
    if kind.startswith("float"):
        with np.errstate(over="ignore"):
            return np.asarray(reals, kind)
    if type_limits(kind) is None:
        return np.asarray(np.abs(np.rint(reals)), kind)
    integers = (
        np.rint(reals)
        if quant is None
        else np.rint(reals / _spread(reals, quant)) + _points(reals, quant)
    )
    limits = type_limits(kind)
    assert limits is not None
    # The largest float64 that an int64 can hold.
    low, high = max(limits[0], -(2**62)), min(limits[1], 2**62)
    return np.clip(integers, low, high).astype("int8" if kind == "int4" else kind)


def _along(values: tuple[float, ...], reals: Array, axis: int) -> Array:
    shape = [1] * reals.ndim
    if len(values) > 1:
        shape[axis] = -1
    return np.asarray(values).reshape(shape) if shape else np.asarray(values[0])


def _spread(reals: Array, quant: Quant) -> Array:
    return _along(quant.scale, reals, quant.axis)


def _points(reals: Array, quant: Quant) -> Array:
    return _along(quant.zero_point, reals, quant.axis)
