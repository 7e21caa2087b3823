"""The values of small integer tensors that are computed from known shapes, such as sizes for
RESHAPE.

A fold takes one operator and its output's shape and returns the integers of its first output.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .scene import ContradictionError, Scene, Shape, UnknownShapeError
from .slicing import sliced_axes

__all__ = ["FOLDED", "folded"]

_Array = NDArray[Any]
_Fold = Callable[[Scene, Shape], _Array]


def folded(at: Scene, output_shape: Shape) -> _Array | None:
    """Integers of the operator's first output, of shape `output_shape`; None where they are not known."""
    fold = FOLDED.get(at.operator.name)
    if fold is None:
        return None
    try:
        return fold(at, output_shape).reshape(output_shape)
    except (UnknownShapeError, ContradictionError, ValueError, IndexError, TypeError):
        return None


def _all(at: Scene) -> list[_Array]:
    """The integers of all inputs."""
    return [at.value(index) for index in range(len(at.operator.inputs))]


def _elementwise(function: Callable[..., Any]) -> _Fold:
    """The fold of an operator that applies a numpy function to its inputs."""

    def fold(at: Scene, _: Shape) -> _Array:
        """The integers of the first output."""
        if at.option("fused_activation_function"):
            raise UnknownShapeError
        return np.asarray(function(*_all(at)))

    return fold


def _divided(left: _Array, right: _Array) -> _Array:
    """Integer division that rounds toward zero, as C does."""
    if not np.all(right):
        raise UnknownShapeError
    return np.asarray(np.sign(left) * np.sign(right) * (np.abs(left) // np.abs(right)))


def _floor_divided(left: _Array, right: _Array) -> _Array:
    """Integer division that rounds down."""
    if not np.all(right):
        raise UnknownShapeError
    return np.asarray(left // right)


def _floor_rest(left: _Array, right: _Array) -> _Array:
    """The remainder of division that rounds down."""
    if not np.all(right):
        raise UnknownShapeError
    return np.asarray(left % right)


def _strided(at: Scene, _: Shape) -> _Array:
    """The integers that STRIDED_SLICE selects."""
    axes = sliced_axes(at)
    value = at.value(0)
    sizes = iter(value.shape)
    wide = value.reshape([1 if axis.added else next(sizes) for axis in axes])
    return np.asarray(wide[np.ix_(*(list(axis.taken) for axis in axes))])


def _sliced(at: Scene, output_shape: Shape) -> _Array:
    """The integers that SLICE selects. `output_shape`: shape of the result."""
    begin = at.listed(1)
    places = (slice(b, b + size) for b, size in zip(begin, output_shape, strict=True))
    return at.value(0)[tuple(places)]


def _reduced(function: Callable[..., Any]) -> _Fold:
    """The folding function of a reduction (SUM, ...) that the numpy function `function` computes."""

    def fold(at: Scene, _: Shape) -> _Array:
        """The integers of the first output."""
        value = at.value(0)
        axes = tuple({axis % value.ndim for axis in at.listed(1)}) if value.ndim else ()
        return np.asarray(function(value, axis=axes))

    return fold


def _gathered(at: Scene, _: Shape) -> _Array:
    """The integers that GATHER selects."""
    if at.option("batch_dims"):
        raise UnknownShapeError
    return np.take(at.value(0), at.value(1), axis=at.option("axis"))


def _counted(at: Scene, _: Shape) -> _Array:
    """The integers of RANGE: from start to limit in steps of delta."""
    return np.arange(at.single(0), at.single(1), at.single(2))


FOLDED: Mapping[str, _Fold] = {
    "ABS": _elementwise(np.abs),
    "ADD": _elementwise(np.add),
    "BROADCAST_TO": lambda at, output_shape: np.broadcast_to(at.value(0), output_shape),
    "CAST": _elementwise(np.asarray),
    "CONCATENATION": lambda at, _: np.concatenate(_all(at), axis=at.option("axis")),
    "DIV": _elementwise(_divided),
    "EXPAND_DIMS": lambda at, _: at.value(0),
    "FILL": lambda at, output_shape: np.full(output_shape, at.value(1)),
    "FLOOR_DIV": _elementwise(_floor_divided),
    "FLOOR_MOD": _elementwise(_floor_rest),
    "GATHER": _gathered,
    "MAXIMUM": _elementwise(np.maximum),
    "MINIMUM": _elementwise(np.minimum),
    "MUL": _elementwise(np.multiply),
    "NEG": _elementwise(np.negative),
    "PACK": lambda at, _: np.stack(_all(at), axis=at.option("axis")),
    "RANGE": _counted,
    "RANK": lambda at, _: np.array(len(at.shape(0))),
    "REDUCE_MAX": _reduced(np.max),
    "REDUCE_MIN": _reduced(np.min),
    "REDUCE_PROD": _reduced(np.prod),
    "RESHAPE": lambda at, _: at.value(0),
    "SHAPE": lambda at, _: np.array(at.shape(0)),
    "SLICE": _sliced,
    "SQUEEZE": lambda at, _: at.value(0),
    "STRIDED_SLICE": _strided,
    "SUB": _elementwise(np.subtract),
    "SUM": _reduced(np.sum),
    "TILE": lambda at, _: np.tile(at.value(0), at.listed(1)),
    "TRANSPOSE": lambda at, _: np.transpose(at.value(0), at.listed(1)),
}
