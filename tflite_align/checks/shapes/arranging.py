"""Shape functions of operators that move values: reshape, join, split, broadcast.

Each function takes one operator (`at`: with the known shapes and values of its operands) and
returns the shapes of its outputs, at least the first. It raises UnknownShapeError if they depend on
unknown values, and ContradictionError if no kernel takes the operands together.
"""

from __future__ import annotations

import math

from .computing import join
from .scene import ContradictionError, Scene, Shape, UnknownShapeError, axis_of, told
from .slicing import sliced_axes

__all__ = [
    "batch_to_space",
    "broadcast_to",
    "concatenation",
    "declared",
    "depth_to_space",
    "diagonal",
    "dilate",
    "expand_dims",
    "fill",
    "mirror_pad",
    "pack",
    "pad",
    "rank",
    "reshape",
    "resize",
    "reverse",
    "shape",
    "sized",
    "slice_",
    "space_to_batch",
    "space_to_depth",
    "split",
    "split_v",
    "squeeze",
    "strided_slice",
    "tile",
    "transpose",
    "unpack",
]


def declared(at: Scene) -> list[Shape]:
    """The shape that the file states, for READ_VARIABLE: its input does not determine it."""
    if not at.operator.outputs:
        raise UnknownShapeError
    output = at.graph.tensors[at.operator.outputs[0]]
    if min((*output.shape, *output.shape_signature), default=0) < 0 or not output.shape:
        raise UnknownShapeError
    return [output.shape]


def sized(at: Scene) -> list[Shape]:
    """The output's sizes are the values of a constant operand, which the row names."""
    sizes = at.listed(at.operand.start)
    if min(sizes, default=0) < 0:
        raise ContradictionError("sizes of 0 or more", told(tuple(sizes)))
    return [tuple(sizes)]


def fill(at: Scene) -> list[Shape]:
    """FILL: sizes from the first input, a vector; the second is the value, a scalar."""
    at.vector(0)
    if at.has(1) and at.shape(1):
        raise ContradictionError("a scalar at inputs[1]", told(at.shape(1)))
    return sized(at)


def reshape(at: Scene) -> list[Shape]:
    """RESHAPE: sizes from the second input, if a vector, else from the options; one may be -1."""
    sizes = _new_sizes(at)
    fixed, open_ = math.prod(size for size in sizes if size != -1), sizes.count(-1)
    if open_ > 1:
        raise ContradictionError("at most one size of -1", told(tuple(sizes)))
    if min(sizes, default=0) < -1:
        raise ContradictionError("sizes of 0 or more, or one of -1", told(tuple(sizes)))
    shape = at.shape(0)
    elements = math.prod(shape)
    if open_:
        if fixed == 0 and not elements:
            raise UnknownShapeError
        if fixed == 0 or elements % fixed:
            expected = f"a multiple of {fixed} elements" if fixed else "no elements"
            raise ContradictionError(expected, told(shape))
        sizes = [elements // fixed if size == -1 else size for size in sizes]
    elif fixed != elements:
        raise ContradictionError(f"{fixed} elements for {sizes}", told(shape))
    return [tuple(sizes)]


def _new_sizes(at: Scene) -> list[int]:
    """The sizes that RESHAPE is given; [] for a scalar."""
    stated = at.has(1)
    if stated and len(at.shape(1)) == 1 and at.graph.tensors[at.operator.inputs[1]].type == "int32":
        return at.listed(1)
    sizes = list(at.operator.numbers)
    if not sizes and stated and not at.shape(1) and not at.certain(1):
        raise UnknownShapeError  # a shape may have been left out of the file
    return [] if sizes == [0] else sizes


def squeeze(at: Scene) -> list[Shape]:
    """SQUEEZE: without the named axes of size 1, or without all of them."""
    shape = at.shape(0)
    named = {axis_of(axis, len(shape)) for axis in at.operator.numbers}
    axes = named or {index for index, size in enumerate(shape) if size == 1}
    if any(shape[axis] != 1 for axis in axes):
        raise ContradictionError(f"sizes of 1 along axes {sorted(axes)}", told(shape))
    return [tuple(size for index, size in enumerate(shape) if index not in axes)]


def reverse(at: Scene) -> list[Shape]:
    """REVERSE_V2: the shape of the input. The axes are neighbours, each named once."""
    if at.shape(1) == (0,) and at.certain(1):
        raise ContradictionError("one axis or more", "none")
    named = at.vector(1)
    axes = sorted(at.axis(axis) for axis in named)
    if axes != list(range(axes[0], axes[0] + len(axes))):
        raise ContradictionError("neighbouring axes, each named once", f"axes {named}")
    return [at.shape(0)]


def expand_dims(at: Scene) -> list[Shape]:
    """EXPAND_DIMS: with one more axis of size 1."""
    shape, axes = at.shape(0), at.listed(1)
    if len(axes) != 1:
        raise ContradictionError("one axis", told(tuple(axes)))
    axis = axis_of(axes[0], len(shape) + 1)
    return [(*shape[:axis], 1, *shape[axis:])]


def transpose(at: Scene) -> list[Shape]:
    """TRANSPOSE: the axes in the order of the second input."""
    shape, order = at.shape(0), at.listed(1)
    if len(order) != len(shape):
        raise ContradictionError(f"{len(order)} axes, one per permuted axis", told(shape))
    axes = [axis_of(axis, len(shape)) for axis in order]
    if sorted(axes) != list(range(len(shape))):
        raise ContradictionError("an order that names each axis once", told(tuple(order)))
    return [tuple(shape[axis] for axis in axes)]


def shape(at: Scene) -> list[Shape]:
    """SHAPE: a vector with one size for each axis of the input."""
    return [(len(at.shape(0)),)]


def rank(at: Scene) -> list[Shape]:
    """RANK: a scalar."""
    at.shape(0)
    return [()]


# --- joined and cut ------------------------------------------------------------------------------


def concatenation(at: Scene) -> list[Shape]:
    """CONCATENATION: sizes along the option's axis are added."""
    first = at.shape(0)
    parts = [at.shape(index) for index in range(len(at.operator.inputs))]
    axis = at.axis(at.option("axis"))
    around = {(len(part), part[:axis], part[axis + 1 :]) for part in parts}
    if len(around) > 1:
        raise ContradictionError(f"shapes that differ only along axis {axis}", told(*parts))
    return [(*first[:axis], sum(part[axis] for part in parts), *first[axis + 1 :])]


def pack(at: Scene) -> list[Shape]:
    """PACK: one more axis, as long as there are inputs."""
    first = at.shape(0)
    parts = [at.shape(index) for index in range(len(at.operator.inputs))]
    if len(set(parts)) > 1:
        raise ContradictionError("one shape", told(*parts))
    axis = axis_of(at.option("axis"), len(first) + 1)
    return [(*first[:axis], len(parts), *first[axis:])]


def unpack(at: Scene) -> list[Shape]:
    """UNPACK: one output for each index of an axis, without that axis."""
    shape, axis = at.shape(0), at.axis(at.option("axis"))
    parts = len(at.operator.outputs)
    if shape[axis] != parts:
        raise ContradictionError(f"{parts} along axis {axis}, as many as outputs", told(shape))
    return [shape[:axis] + shape[axis + 1 :]] * parts


def split(at: Scene) -> list[Shape]:
    """SPLIT: equal parts along an axis, one for each output."""
    shape = at.shape(1)
    axis = at.axis(at.single(0), 1)
    parts = len(at.operator.outputs)
    if not parts:
        return []
    if shape[axis] % parts:
        raise ContradictionError(f"a multiple of {parts} along axis {axis}", told(shape))
    return [(*shape[:axis], shape[axis] // parts, *shape[axis + 1 :])] * parts


def split_v(at: Scene) -> list[Shape]:
    """SPLIT_V: parts of the sizes that the second input states; one size may be -1."""
    shape, sizes = at.shape(0), at.listed(1)
    axis = at.axis(at.single(2))
    if sizes.count(-1) == 1:
        rest = shape[axis] - sum(sizes) - 1
        sizes = [rest if size == -1 else size for size in sizes]
    if min(sizes, default=0) < 0 or sum(sizes) != shape[axis]:
        raise ContradictionError(
            f"size {sum(sizes)} (the sum of the parts) along axis {axis}", told(shape)
        )
    return [(*shape[:axis], size, *shape[axis + 1 :]) for size in sizes]


def slice_(at: Scene) -> list[Shape]:
    """SLICE: sizes from the third input; -1 means up to the end."""
    begin, size = at.listed(1), at.listed(2)
    if min(size, default=0) < -1:
        raise ContradictionError("sizes of 0 or more, or -1", told(tuple(size)))
    shape = at.shape(0)
    if not len(shape) == len(begin) == len(size):
        counted = f"{len(begin)} axes, one for each begin and size"
        raise ContradictionError(counted, told(shape))
    rows = list(zip(shape, begin, size, strict=True))
    sizes_found = tuple(full - start if size == -1 else size for full, start, size in rows)
    if any(
        start < 0 or got < 0 or start + got > full
        for (full, start, _), got in zip(rows, sizes_found, strict=True)
    ):
        raise ContradictionError(f"sizes {list(sizes_found)} with begin {begin}", told(shape))
    return [sizes_found]


def strided_slice(at: Scene) -> list[Shape]:
    """STRIDED_SLICE: the number of selected elements along each axis."""
    if at.option("offset"):
        raise UnknownShapeError
    axes = sliced_axes(at)
    return [tuple(len(axis.taken) for axis in axes if not axis.dropped)]


def tile(at: Scene) -> list[Shape]:
    """TILE: each size times the number of repetitions."""
    times = at.listed(1)
    if min(times, default=0) < 0:
        raise ContradictionError("multiples of 0 or more", told(tuple(times)))
    shape = at.shape(0)
    if len(shape) != len(times):
        raise ContradictionError(f"{len(times)} axes, one for each multiple", told(shape))
    return [tuple(size * count for size, count in zip(shape, times, strict=True))]


# --- borders, batches, sizes ---------------------------------------------------------------------


def pad(at: Scene) -> list[Shape]:
    """PAD and PADV2: each size plus its two borders."""
    border = at.listed(1)
    if min(border, default=0) < 0:
        raise ContradictionError("paddings of 0 or more", f"{min(border)}")
    shape = at.shape(0)
    if len(border) != 2 * len(shape):
        raise ContradictionError(f"{len(border) // 2} axes, one per pair of paddings", told(shape))
    return [
        tuple(
            size + before + after
            for size, before, after in zip(shape, border[::2], border[1::2], strict=True)
        )
    ]


def mirror_pad(at: Scene) -> list[Shape]:
    """MIRROR_PAD: as `pad`; a border may not be wider than the mirrored part."""
    padded, shape, border = pad(at), at.shape(0), at.listed(1)
    spare = at.option("mode")  # mode REFLECT (0) does not repeat the edge element
    for size, sides in zip(shape, zip(border[::2], border[1::2], strict=True), strict=True):
        if max(sides) > size - (1 - spare):
            raise ContradictionError(f"paddings of {size - 1 + spare} or less", f"{max(sides)}")
    return padded


def broadcast_to(at: Scene) -> list[Shape]:
    """The sizes in the second input, to which the first must broadcast."""
    (resized,) = sized(at)
    if join(at.shape(0), resized) != resized:
        raise ContradictionError(f"a shape that broadcasts to {list(resized)}", told(at.shape(0)))
    return [resized]


def space_to_batch(at: Scene) -> list[Shape]:
    """SPACE_TO_BATCH_ND: blocks of the padded image are moved to the batch axis."""
    shape, blocks, border = _blocks(at)
    inner = shape[1:-1]
    full = [s + border[2 * i] + border[2 * i + 1] for i, s in enumerate(inner)]
    if min(full) < 0:
        raise ContradictionError("padded sizes of 0 or more", told(tuple(full)))
    if any(size % block for size, block in zip(full, blocks, strict=True)):
        raise ContradictionError(f"padded sizes that are multiples of {blocks}", told(shape))
    sizes = (size // block for size, block in zip(full, blocks, strict=True))
    return [(shape[0] * math.prod(blocks), *sizes, shape[-1])]


def batch_to_space(at: Scene) -> list[Shape]:
    """BATCH_TO_SPACE_ND: parts of the batch axis are moved to the image, which is cropped."""
    if min(at.listed(2), default=0) < 0:
        raise ContradictionError("crops of 0 or more", f"{min(at.listed(2))}")
    shape, blocks, crops = _blocks(at)
    if shape[0] % math.prod(blocks):
        raise ContradictionError(f"a batch that is a multiple of {math.prod(blocks)}", told(shape))
    full = [size * block for size, block in zip(shape[1:-1], blocks, strict=True)]
    sizes = tuple(size - crops[2 * i] - crops[2 * i + 1] for i, size in enumerate(full))
    if min(sizes) < 0:
        raise ContradictionError(f"crops within sizes of {full}", f"{crops}")
    return [(shape[0] // math.prod(blocks), *sizes, shape[-1])]


def _blocks(at: Scene) -> tuple[Shape, list[int], list[int]]:
    """The shape of the image, its blocks (one for each inner axis), and two paddings or crops for
    each of them.
    """
    blocks, border = at.vector(1), at.listed(2)
    if min(blocks, default=1) < 1:
        raise ContradictionError("blocks of 1 or more", f"{blocks}")
    if len(border) != 2 * len(blocks):
        expected = f"two paddings or crops for each of {len(blocks)} blocks"
        raise ContradictionError(expected, f"{len(border)}")
    shape = at.ranked(0, 3, 4)
    if len(blocks) != len(shape) - 2:
        raise ContradictionError(f"{len(shape) - 2} blocks, one per inner axis", f"{len(blocks)}")
    return shape, blocks, border


def space_to_depth(at: Scene) -> list[Shape]:
    """SPACE_TO_DEPTH: blocks of height and width are moved to the channels (NHWC)."""
    shape, block = at.ranked(0, 4), at.option("block_size")
    if block < 1:
        raise ContradictionError("blocks of 1 or more", f"blocks of {block}")
    if shape[1] % block or shape[2] % block:
        raise ContradictionError(f"a height and a width that are multiples of {block}", told(shape))
    return [(shape[0], shape[1] // block, shape[2] // block, shape[3] * block * block)]


def depth_to_space(at: Scene) -> list[Shape]:
    """DEPTH_TO_SPACE: parts of the channels are moved to height and width (NHWC)."""
    shape, block = at.ranked(0, 4), at.option("block_size")
    if block < 1:
        raise ContradictionError("blocks of 1 or more", f"blocks of {block}")
    if shape[3] % (block * block):
        raise ContradictionError(f"a multiple of {block * block} channels", told(shape))
    return [(shape[0], shape[1] * block, shape[2] * block, shape[3] // (block * block))]


def resize(at: Scene) -> list[Shape]:
    """RESIZE_BILINEAR and RESIZE_NEAREST_NEIGHBOR: height and width from the second input (NHWC)."""
    shape, sizes = at.ranked(0, 4), at.listed(1)
    if len(sizes) != 2 or min(sizes) < 1:
        raise ContradictionError("a height and a width of 1 or more", told(tuple(sizes)))
    return [(shape[0], *sizes, shape[3])]


def dilate(at: Scene) -> list[Shape]:
    """DILATE: each size with step - 1 elements inserted between neighbours."""
    shape, steps = at.shape(0), at.listed(1)
    if len(shape) != len(steps):
        raise UnknownShapeError
    return [tuple((size - 1) * step + 1 for size, step in zip(shape, steps, strict=True))]


def diagonal(at: Scene) -> list[Shape]:
    """MATRIX_DIAG: the last axis becomes the diagonal of a square matrix."""
    shape = at.shape(0)
    if not shape:
        raise UnknownShapeError
    return [(*shape, shape[-1])]
