"""Shape functions of operators that look values up: by index, by key, by rank.

Arguments, results and errors are those of the functions in `arranging`.
"""

from __future__ import annotations

from .scene import ContradictionError, Scene, Shape, UnknownShapeError, axis_of, told

__all__ = [
    "count",
    "gather",
    "gather_nd",
    "lookup",
    "one_hot",
    "segments",
    "topk",
]


def gather(at: Scene) -> list[Shape]:
    """GATHER: the axis is replaced by the axes of the indices."""
    shape, places = at.shape(0), at.shape(1)
    axis = at.axis(at.option("axis"))
    batch = at.option("batch_dims")
    batch += len(places) if batch < 0 else 0
    most = min(axis, len(places))
    if not 0 <= batch <= most:
        raise ContradictionError(f"batch_dims from 0 to {most}", f"batch_dims {batch}")
    _within(at, shape[axis])
    return [(*shape[:axis], *places[batch:], *shape[axis + 1 :])]


def _within(at: Scene, size: int) -> None:
    """Raise ContradictionError if a constant index is outside 0 to `size` - 1."""
    try:
        named = at.listed(1)
    except UnknownShapeError:
        return
    beyond = [index for index in named if not 0 <= index < size]
    if beyond:
        raise ContradictionError(f"indices from 0 to {size - 1}", f"index {beyond[0]}")


def gather_nd(at: Scene) -> list[Shape]:
    """GATHER_ND: the axes that a row of indices addresses are replaced by the indices' outer axes."""
    shape, places = at.shape(0), at.shape(1)
    if not places or not shape:
        raise UnknownShapeError  # a shape may have been left out of the file
    if not 1 <= places[-1] <= len(shape):
        expected = f"indices of 1 to {len(shape)} axes"
        raise ContradictionError(expected, told(places))
    return [(*places[:-1], *shape[places[-1] :])]


def lookup(at: Scene) -> list[Shape]:
    """EMBEDDING_LOOKUP: a row of a table for each key."""
    keys, table = at.ranked(0, 1), at.shape(1)
    return [(keys[0], *table[1:])]


def one_hot(at: Scene) -> list[Shape]:
    """ONE_HOT: one more axis, as long as the depth."""
    shape, depth = at.shape(0), at.single(1)
    axis = axis_of(at.option("axis"), len(shape) + 1)
    return [(*shape[:axis], depth, *shape[axis:])]


def topk(at: Scene) -> list[Shape]:
    """TOPK_V2: the last axis shortened to k, for values and indices."""
    shape = at.shape(0)
    if not shape:
        raise UnknownShapeError
    return [(*shape[:-1], at.single(1))] * 2


def segments(at: Scene) -> list[Shape]:
    """UNSORTED_SEGMENT_*: as many rows as the third input states."""
    shape, ids = at.shape(0), at.shape(1)
    return [(at.single(2), *shape[len(ids) :])]


def count(at: Scene) -> list[Shape]:
    """RANGE: a vector of whole numbers from a start up to a limit."""
    start, limit, step = (at.single(index) for index in range(3))
    if step == 0:
        raise UnknownShapeError
    return [(len(range(start, limit, step)),)]
