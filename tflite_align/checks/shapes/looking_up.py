"""Shape functions of operators that look values up: by index, by key, by rank.

Arguments, results and errors are those of the functions in `arranging`.
"""

from __future__ import annotations

from .scene import ContradictionError, Scene, Shape, UnknownShapeError, axis_of, shape_text

__all__ = [
    "count",
    "gather",
    "gather_nd",
    "lookup",
    "one_hot",
    "reverse_sequence",
    "scatter",
    "segments",
    "sparse",
    "topk",
]


def gather(at: Scene) -> list[Shape]:
    """The output shape of GATHER: the input's with one axis replaced by the axes of the indices
    (without `batch_dims` of them). ContradictionError for an axis, batch_dims or a constant index
    that does not exist.
    """
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
    """Raise ContradictionError if a constant index, in the second input, is outside 0 to `size` -
    1. Computed indices are not checked.
    """
    try:
        named = at.listed(1)
    except UnknownShapeError:
        return
    beyond = [index for index in named if not 0 <= index < size]
    if beyond:
        raise ContradictionError(f"indices from 0 to {size - 1}", f"index {beyond[0]}")


def gather_nd(at: Scene) -> list[Shape]:
    """The output shape of GATHER_ND: the outer axes of the indices, then those axes of the input
    that an index (of the indices' innermost size) does not address.
    """
    shape, places = at.shape(0), at.shape(1)
    if not places or not shape:
        raise UnknownShapeError  # a shape may have been left out of the file
    if not 1 <= places[-1] <= len(shape):
        expected = f"indices of 1 to {len(shape)} axes"
        raise ContradictionError(expected, shape_text(places))
    return [(*places[:-1], *shape[places[-1] :])]


def lookup(at: Scene) -> list[Shape]:
    """The output shape of EMBEDDING_LOOKUP: a row of the table (the second input) for each key (the
    first).
    """
    keys, table = at.ranked(0, 1), at.shape(1)
    return [(keys[0], *table[1:])]


def one_hot(at: Scene) -> list[Shape]:
    """The output shape of ONE_HOT: the input's with a further axis, whose size is the value of the
    second input.
    """
    shape, depth = at.shape(0), at.single(1)
    axis = axis_of(at.option("axis"), len(shape) + 1)
    return [(*shape[:axis], depth, *shape[axis:])]


def topk(at: Scene) -> list[Shape]:
    """The output shapes of TOPK_V2, of values and indices: the input's with k, the second input's
    value, as the innermost size.
    """
    shape = at.shape(0)
    if not shape:
        raise UnknownShapeError
    return [(*shape[:-1], at.single(1))] * 2


def segments(at: Scene) -> list[Shape]:
    """The output shape of UNSORTED_SEGMENT_*: a row for each segment, whose number is the third
    input's value. ContradictionError if the first axes of the data are not those of the segments'
    numbers.
    """
    shape, ids = at.shape(0), at.shape(1)
    if shape[: len(ids)] != ids:
        raise ContradictionError(f"data whose first axes are {shape_text(ids)}", shape_text(shape))
    return [(at.single(2), *shape[len(ids) :])]


def count(at: Scene) -> list[Shape]:
    """The output shape of RANGE: a vector of the numbers from start up to limit in steps, the three
    inputs' values.
    """
    start, limit, step = (at.single(index) for index in range(3))
    if step == 0:
        raise UnknownShapeError
    return [(len(range(start, limit, step)),)]


def scatter(at: Scene) -> list[Shape]:
    """The output shape of SCATTER_ND: the integers of the third input. The innermost size of the
    indices says how many axes an index names; an update has the axes that are left.
    """
    indices, updates, (rank,) = at.shape(0), at.shape(1), at.ranked(2, 1)
    if not indices:
        raise UnknownShapeError
    outer, named = indices[:-1], indices[-1]
    if updates[: len(outer)] != outer or len(updates) - len(outer) != rank - named:
        expected = f"updates of shape {shape_text(outer)} and {rank - named} further axes"
        raise ContradictionError(expected, shape_text(updates))
    sizes = tuple(at.listed(2))
    if updates[len(outer) :] != sizes[named:]:
        raise ContradictionError(
            f"updates of shape {shape_text(outer + sizes[named:])}", shape_text(updates)
        )
    return [sizes]


def reverse_sequence(at: Scene) -> list[Shape]:
    """The output shape of REVERSE_SEQUENCE: the input's. The second input has a length for each
    index of the batch axis.
    """
    shape, lengths = at.shape(0), at.shape(1)
    batch, _ = at.axis(at.option("batch_dim")), at.axis(at.option("seq_dim"))
    if lengths != (shape[batch],):
        raise ContradictionError(f"{shape[batch]} lengths at inputs[1]", shape_text(lengths))
    return [shape]


def sparse(at: Scene) -> list[Shape]:
    """The output shape of SPARSE_TO_DENSE: the integers of the second input. ContradictionError if
    an index has another number of axes, or the number of values is neither 1 nor that of indices.
    """
    indices, (rank,), values = at.shape(0), at.ranked(1, 1), at.shape(2)
    count = indices[0] if indices else 1
    axes = indices[1] if len(indices) > 1 else 1
    if len(indices) > 2 or axes != rank:
        raise ContradictionError(f"indices of {rank} axes", shape_text(indices))
    if values not in ((), (count,)):
        raise ContradictionError(f"one value, or {count}", shape_text(values))
    return [tuple(at.listed(1))]
