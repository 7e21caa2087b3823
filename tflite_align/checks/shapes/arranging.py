"""Shape functions of operators that move values: reshape, reorder, join, split.

Each function takes one operator (`at`: with the known shapes and values of its operands) and
returns the shapes of its outputs, at least the first. It raises UnknownShapeError if they depend on
unknown values, and ContradictionError if no kernel takes the operands together.
"""

from __future__ import annotations

import math

from .scene import ContradictionError, Scene, Shape, UnknownShapeError, axis_of, shape_text
from .slicing import sliced_axes

__all__ = [
    "concatenation",
    "declared",
    "expand_dims",
    "fill",
    "pack",
    "rank",
    "reshape",
    "reverse",
    "shape",
    "sized",
    "slice_",
    "split",
    "split_v",
    "squeeze",
    "strided_slice",
    "tile",
    "transpose",
    "unpack",
]


def declared(at: Scene) -> list[Shape]:
    """The output shape of READ_VARIABLE: the one that the file states, as its input does not
    determine it. UnknownShapeError if that is open or missing.
    """
    if not at.operator.outputs:
        raise UnknownShapeError
    output = at.graph.tensors[at.operator.outputs[0]]
    if min((*output.shape, *output.shape_signature), default=0) < 0 or not output.shape:
        raise UnknownShapeError
    return [output.shape]


def sized(at: Scene) -> list[Shape]:
    """The output shape of an operator whose sizes are the values of an input; which one, its row in
    schema/shapes.toml says. ContradictionError for a negative size.
    """
    sizes = at.listed(at.operand.start)
    if min(sizes, default=0) < 0:
        raise ContradictionError("sizes of 0 or more", shape_text(tuple(sizes)))
    return [tuple(sizes)]


def fill(at: Scene) -> list[Shape]:
    """The output shape of FILL: the values of the first input, a vector. ContradictionError if that
    is no vector or the second input no scalar.
    """
    at.vector(0)
    if at.has(1) and at.shape(1):
        raise ContradictionError("a scalar at inputs[1]", shape_text(at.shape(1)))
    return sized(at)


def reshape(at: Scene) -> list[Shape]:
    """The output shape of RESHAPE: the values of the second input if that is a vector, else of the
    options; one may be -1. ContradictionError if the number of elements differs from the input's.
    """
    sizes = _new_sizes(at)
    fixed, open_ = math.prod(size for size in sizes if size != -1), sizes.count(-1)
    if open_ > 1:
        raise ContradictionError("at most one size of -1", shape_text(tuple(sizes)))
    if min(sizes, default=0) < -1:
        raise ContradictionError("sizes of 0 or more, or one of -1", shape_text(tuple(sizes)))
    shape = at.shape(0)
    elements = math.prod(shape)
    if open_:
        if fixed == 0 and not elements:
            raise UnknownShapeError
        if fixed == 0 or elements % fixed:
            expected = f"a multiple of {fixed} elements" if fixed else "no elements"
            raise ContradictionError(expected, shape_text(shape))
        sizes = [elements // fixed if size == -1 else size for size in sizes]
    elif fixed != elements:
        raise ContradictionError(f"{fixed} elements for {sizes}", shape_text(shape))
    return [tuple(sizes)]


def _new_sizes(at: Scene) -> list[int]:
    """The sizes that a RESHAPE states, in its second input or its options; [] for a scalar."""
    stated = at.has(1)
    if stated and len(at.shape(1)) == 1 and at.graph.tensors[at.operator.inputs[1]].type == "int32":
        return at.listed(1)
    sizes = list(at.operator.numbers)
    if not sizes and stated and not at.shape(1) and not at.certain(1):
        raise UnknownShapeError  # a shape may have been left out of the file
    return [] if sizes == [0] else sizes


def squeeze(at: Scene) -> list[Shape]:
    """The output shape of SQUEEZE: the input's without the named axes, or if none is named without
    all axes of size 1. ContradictionError if a named axis has another size.
    """
    shape = at.shape(0)
    named = {axis_of(axis, len(shape)) for axis in at.operator.numbers}
    axes = named or {index for index, size in enumerate(shape) if size == 1}
    if any(shape[axis] != 1 for axis in axes):
        raise ContradictionError(f"sizes of 1 along axes {sorted(axes)}", shape_text(shape))
    return [tuple(size for index, size in enumerate(shape) if index not in axes)]


def reverse(at: Scene) -> list[Shape]:
    """The output shape of REVERSE_V2: the input's. ContradictionError unless the axes in the second
    input are neighbours, each named once.
    """
    if at.shape(1) == (0,) and at.certain(1):
        raise ContradictionError("one axis or more", "none")
    named = at.vector(1)
    axes = sorted(at.axis(axis) for axis in named)
    if axes != list(range(axes[0], axes[0] + len(axes))):
        raise ContradictionError("neighbouring axes, each named once", f"axes {named}")
    return [at.shape(0)]


def expand_dims(at: Scene) -> list[Shape]:
    """The output shape of EXPAND_DIMS: the input's with an axis of size 1 inserted.
    ContradictionError unless one existing position is named.
    """
    shape, axes = at.shape(0), at.listed(1)
    if len(axes) != 1:
        raise ContradictionError("one axis", shape_text(tuple(axes)))
    axis = axis_of(axes[0], len(shape) + 1)
    return [(*shape[:axis], 1, *shape[axis:])]


def transpose(at: Scene) -> list[Shape]:
    """The output shape of TRANSPOSE: the input's sizes in the order that the second input gives.
    ContradictionError if that does not name each axis once.
    """
    shape, order = at.shape(0), at.listed(1)
    if len(order) != len(shape):
        raise ContradictionError(f"{len(order)} axes, one per permuted axis", shape_text(shape))
    axes = [axis_of(axis, len(shape)) for axis in order]
    if sorted(axes) != list(range(len(shape))):
        raise ContradictionError("an order that names each axis once", shape_text(tuple(order)))
    return [tuple(shape[axis] for axis in axes)]


def shape(at: Scene) -> list[Shape]:
    """The output shape of SHAPE: a vector with one element for each axis of the input."""
    return [(len(at.shape(0)),)]


def rank(at: Scene) -> list[Shape]:
    """The output shape of RANK: a scalar."""
    at.shape(0)
    return [()]


# --- joined and cut ------------------------------------------------------------------------------


def concatenation(at: Scene) -> list[Shape]:
    """The output shape of CONCATENATION: the first input's, with the sizes of all inputs added up
    along the axis in the options. ContradictionError if inputs differ along other axes.
    """
    first = at.shape(0)
    parts = [at.shape(index) for index in range(len(at.operator.inputs))]
    axis = at.axis(at.option("axis"))
    around = {(len(part), part[:axis], part[axis + 1 :]) for part in parts}
    if len(around) > 1:
        raise ContradictionError(f"shapes that differ only along axis {axis}", shape_text(*parts))
    return [(*first[:axis], sum(part[axis] for part in parts), *first[axis + 1 :])]


def pack(at: Scene) -> list[Shape]:
    """The output shape of PACK: the inputs' with a further axis whose size is their number.
    ContradictionError if the inputs' shapes differ.
    """
    first = at.shape(0)
    parts = [at.shape(index) for index in range(len(at.operator.inputs))]
    if len(set(parts)) > 1:
        raise ContradictionError("one shape", shape_text(*parts))
    axis = axis_of(at.option("axis"), len(first) + 1)
    return [(*first[:axis], len(parts), *first[axis:])]


def unpack(at: Scene) -> list[Shape]:
    """The output shapes of UNPACK: for each output the input's without one axis. ContradictionError
    if that axis' size is not the number of outputs.
    """
    shape, axis = at.shape(0), at.axis(at.option("axis"))
    parts = len(at.operator.outputs)
    if shape[axis] != parts:
        raise ContradictionError(
            f"{parts} along axis {axis}, as many as outputs", shape_text(shape)
        )
    return [shape[:axis] + shape[axis + 1 :]] * parts


def split(at: Scene) -> list[Shape]:
    """The output shapes of SPLIT: equal parts of the input along an axis. ContradictionError if its
    size is no multiple of the number of outputs.
    """
    shape = at.shape(1)
    axis = at.axis(at.single(0), 1)
    parts = len(at.operator.outputs)
    if not parts:
        return []
    if shape[axis] % parts:
        raise ContradictionError(f"a multiple of {parts} along axis {axis}", shape_text(shape))
    return [(*shape[:axis], shape[axis] // parts, *shape[axis + 1 :])] * parts


def split_v(at: Scene) -> list[Shape]:
    """The output shapes of SPLIT_V: parts of the input along an axis, of the sizes in the second
    input, one of which may be -1. ContradictionError if they do not add up to the axis' size.
    """
    shape, sizes = at.shape(0), at.listed(1)
    axis = at.axis(at.single(2))
    if sizes.count(-1) == 1:
        rest = shape[axis] - sum(sizes) - 1
        sizes = [rest if size == -1 else size for size in sizes]
    if min(sizes, default=0) < 0 or sum(sizes) != shape[axis]:
        raise ContradictionError(
            f"size {sum(sizes)} (the sum of the parts) along axis {axis}", shape_text(shape)
        )
    return [(*shape[:axis], size, *shape[axis + 1 :]) for size in sizes]


def slice_(at: Scene) -> list[Shape]:
    """The output shape of SLICE: the values of the third input; -1 means up to the end.
    ContradictionError if the slice is not inside the input.
    """
    begin, size = at.listed(1), at.listed(2)
    if min(size, default=0) < -1:
        raise ContradictionError("sizes of 0 or more, or -1", shape_text(tuple(size)))
    shape = at.shape(0)
    if not len(shape) == len(begin) == len(size):
        counted = f"{len(begin)} axes, one for each begin and size"
        raise ContradictionError(counted, shape_text(shape))
    rows = list(zip(shape, begin, size, strict=True))
    sizes_found = tuple(full - start if size == -1 else size for full, start, size in rows)
    if any(
        start < 0 or got < 0 or start + got > full
        for (full, start, _), got in zip(rows, sizes_found, strict=True)
    ):
        raise ContradictionError(f"sizes {list(sizes_found)} with begin {begin}", shape_text(shape))
    return [sizes_found]


def strided_slice(at: Scene) -> list[Shape]:
    """The output shape of STRIDED_SLICE: the number of selected elements along each axis.
    UnknownShapeError with option offset.
    """
    if at.option("offset"):
        raise UnknownShapeError
    axes = sliced_axes(at)
    return [tuple(len(axis.taken) for axis in axes if not axis.dropped)]


def tile(at: Scene) -> list[Shape]:
    """The output shape of TILE: each size times the number of repetitions in the second input.
    ContradictionError unless that has one number, 0 or more, for each axis.
    """
    times = at.listed(1)
    if min(times, default=0) < 0:
        raise ContradictionError("multiples of 0 or more", shape_text(tuple(times)))
    shape = at.shape(0)
    if len(shape) != len(times):
        raise ContradictionError(f"{len(times)} axes, one for each multiple", shape_text(shape))
    return [tuple(size * count for size, count in zip(shape, times, strict=True))]
