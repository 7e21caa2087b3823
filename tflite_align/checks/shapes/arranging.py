"""Shapes of operators that move values: reshaped, joined, cut, spread, taken from tables.

Each function takes the operator and returns its first outputs' shapes.
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
    "count",
    "depth_to_space",
    "diagonal",
    "dilate",
    "expand_dims",
    "gather",
    "gather_nd",
    "lookup",
    "mirror_pad",
    "one_hot",
    "pack",
    "pad",
    "rank",
    "reshape",
    "resize",
    "segments",
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
    "topk",
    "transpose",
    "unpack",
]


def sized(at: Scene) -> list[Shape]:
    """The sizes are the values of the operand that the row names."""
    sizes = at.listed(at.operand.start)
    if min(sizes, default=0) < 0:
        raise UnknownShapeError
    return [tuple(sizes)]


def reshape(at: Scene) -> list[Shape]:
    """Sizes from the second input where that is a vector, else from the options; one may be -1."""
    given, stated = at.shape(0), at.has(1)
    if stated and len(at.shape(1)) == 1 and at.graph.tensors[at.operator.inputs[1]].type == "int32":
        sizes = at.listed(1)
    else:
        sizes = list(at.operator.numbers)
        if not sizes and stated:
            raise UnknownShapeError
        sizes = [] if sizes == [0] else sizes
    elements, known = math.prod(given), math.prod(size for size in sizes if size != -1)
    open_ = sizes.count(-1)
    if open_ > 1:
        raise ContradictionError("one size of -1 at most", told(tuple(sizes)))
    if known < 0:
        raise UnknownShapeError
    if open_:
        if known == 0:
            raise UnknownShapeError
        if elements % known:
            raise ContradictionError(f"a multiple of {known} elements", told(given))
        sizes = [elements // known if size == -1 else size for size in sizes]
    elif known != elements:
        raise ContradictionError(f"{known} elements for {sizes}", told(given))
    return [tuple(sizes)]


def squeeze(at: Scene) -> list[Shape]:
    given = at.shape(0)
    named = {axis_of(axis, len(given)) for axis in at.operator.numbers}
    axes = named or {index for index, size in enumerate(given) if size == 1}
    if any(given[axis] != 1 for axis in axes):
        raise ContradictionError(f"sizes of 1 along axes {sorted(axes)}", told(given))
    return [tuple(size for index, size in enumerate(given) if index not in axes)]


def expand_dims(at: Scene) -> list[Shape]:
    given = at.shape(0)
    axis = axis_of(at.single(1), len(given) + 1)
    return [(*given[:axis], 1, *given[axis:])]


def transpose(at: Scene) -> list[Shape]:
    given, order = at.shape(0), at.listed(1)
    if len(order) != len(given):
        raise ContradictionError(f"{len(order)} axes, as many as are ordered", told(given))
    axes = [axis_of(axis, len(given)) for axis in order]
    if sorted(axes) != list(range(len(given))):
        raise UnknownShapeError
    return [tuple(given[axis] for axis in axes)]


def shape(at: Scene) -> list[Shape]:
    return [(len(at.shape(0)),)]


def rank(at: Scene) -> list[Shape]:
    at.shape(0)
    return [()]


# --- joined and cut ------------------------------------------------------------------------------


def concatenation(at: Scene) -> list[Shape]:
    first = at.shape(0)
    parts = [at.shape(index) for index in range(len(at.operator.inputs))]
    axis = axis_of(at.option("axis"), len(first))
    around = {(len(part), part[:axis], part[axis + 1 :]) for part in parts}
    if len(around) > 1:
        raise ContradictionError(f"shapes that differ along axis {axis} alone", told(*parts))
    return [(*first[:axis], sum(part[axis] for part in parts), *first[axis + 1 :])]


def pack(at: Scene) -> list[Shape]:
    first = at.shape(0)
    parts = [at.shape(index) for index in range(len(at.operator.inputs))]
    if len(set(parts)) > 1:
        raise ContradictionError("one shape", told(*parts))
    axis = axis_of(at.option("axis"), len(first) + 1)
    return [(*first[:axis], len(parts), *first[axis:])]


def unpack(at: Scene) -> list[Shape]:
    given = at.shape(0)
    axis = axis_of(at.option("axis"), len(given))
    return [given[:axis] + given[axis + 1 :]] * len(at.operator.outputs)


def split(at: Scene) -> list[Shape]:
    given = at.shape(1)
    axis = axis_of(at.single(0), len(given))
    parts = len(at.operator.outputs)
    if given[axis] % parts:
        raise ContradictionError(f"a multiple of {parts} along axis {axis}", told(given))
    return [(*given[:axis], given[axis] // parts, *given[axis + 1 :])] * parts


def split_v(at: Scene) -> list[Shape]:
    given, sizes = at.shape(0), at.listed(1)
    axis = axis_of(at.single(2), len(given))
    if sizes.count(-1) == 1:
        rest = given[axis] - sum(sizes) - 1
        sizes = [rest if size == -1 else size for size in sizes]
    if min(sizes, default=0) < 0 or sum(sizes) != given[axis]:
        raise ContradictionError(f"{sum(sizes)} along axis {axis}", told(given))
    return [(*given[:axis], size, *given[axis + 1 :]) for size in sizes]


def slice_(at: Scene) -> list[Shape]:
    given, begin, size = at.shape(0), at.listed(1), at.listed(2)
    if not len(given) == len(begin) == len(size):
        counted = f"{len(begin)} axes, as many as have a beginning and a size"
        raise ContradictionError(counted, told(given))
    rows = list(zip(given, begin, size, strict=True))
    found = tuple(full - start if wanted == -1 else wanted for full, start, wanted in rows)
    if any(
        start < 0 or start + got > full for (full, start, _), got in zip(rows, found, strict=True)
    ):
        raise ContradictionError(f"sizes {list(found)} from {begin} on", told(given))
    return [found]


def strided_slice(at: Scene) -> list[Shape]:
    if at.option("offset"):
        raise UnknownShapeError
    axes = sliced_axes(at)
    return [tuple(len(axis.taken) for axis in axes if not axis.dropped)]


def tile(at: Scene) -> list[Shape]:
    given, times = at.shape(0), at.listed(1)
    if len(given) != len(times):
        raise ContradictionError(f"{len(times)} axes, as many as multiples", told(given))
    return [tuple(size * count for size, count in zip(given, times, strict=True))]


# --- borders, batches, sizes ---------------------------------------------------------------------


def pad(at: Scene) -> list[Shape]:
    given, border = at.shape(0), at.listed(1)
    if len(border) != 2 * len(given):
        raise ContradictionError(f"{len(border) // 2} axes, as many as borders", told(given))
    return [
        tuple(
            size + before + after
            for size, before, after in zip(given, border[::2], border[1::2], strict=True)
        )
    ]


def mirror_pad(at: Scene) -> list[Shape]:
    """As `pad`; a border holds no more than there is to mirror."""
    found, given, border = pad(at), at.shape(0), at.listed(1)
    spare = at.option("mode")  # REFLECT, 0, leaves the edge itself out
    for size, sides in zip(given, zip(border[::2], border[1::2], strict=True), strict=True):
        if max(sides) > size - (1 - spare):
            raise ContradictionError(f"borders of {size - 1 + spare} or less", f"{max(sides)}")
    return found


def broadcast_to(at: Scene) -> list[Shape]:
    """The sizes that the second input states, which the first stretches to."""
    (made,) = sized(at)
    if join(at.shape(0), made) != made:
        raise ContradictionError(f"a shape that broadcasts to {list(made)}", told(at.shape(0)))
    return [made]


def space_to_batch(at: Scene) -> list[Shape]:
    given, blocks, border = at.ranked(0, 3, 4), at.listed(1), at.listed(2)
    inner = given[1:-1]
    if len(blocks) != len(inner) or len(border) != 2 * len(inner) or min(blocks) < 1:
        raise UnknownShapeError
    full = [s + border[2 * i] + border[2 * i + 1] for i, s in enumerate(inner)]
    if any(size % block for size, block in zip(full, blocks, strict=True)):
        raise ContradictionError(f"multiples of {blocks} with the borders", told(given))
    sizes = (size // block for size, block in zip(full, blocks, strict=True))
    return [(given[0] * math.prod(blocks), *sizes, given[-1])]


def batch_to_space(at: Scene) -> list[Shape]:
    given, blocks, crops = at.ranked(0, 3, 4), at.listed(1), at.listed(2)
    inner = given[1:-1]
    if len(blocks) != len(inner) or len(crops) != 2 * len(inner) or min(blocks) < 1:
        raise UnknownShapeError
    if given[0] % math.prod(blocks):
        raise ContradictionError(f"a batch that is a multiple of {math.prod(blocks)}", told(given))
    sizes = tuple(
        size * blocks[i] - crops[2 * i] - crops[2 * i + 1] for i, size in enumerate(inner)
    )
    if min(sizes) < 0:
        raise UnknownShapeError
    return [(given[0] // math.prod(blocks), *sizes, given[-1])]


def space_to_depth(at: Scene) -> list[Shape]:
    given, block = at.ranked(0, 4), at.option("block_size")
    if block < 1:
        raise UnknownShapeError
    if given[1] % block or given[2] % block:
        raise ContradictionError(f"a height and a width that {block} divides", told(given))
    return [(given[0], given[1] // block, given[2] // block, given[3] * block * block)]


def depth_to_space(at: Scene) -> list[Shape]:
    given, block = at.ranked(0, 4), at.option("block_size")
    if block < 1:
        raise UnknownShapeError
    if given[3] % (block * block):
        raise ContradictionError(f"a multiple of {block * block} channels", told(given))
    return [(given[0], given[1] * block, given[2] * block, given[3] // (block * block))]


def resize(at: Scene) -> list[Shape]:
    given, sizes = at.ranked(0, 4), at.listed(1)
    if len(sizes) != 2 or min(sizes) < 1:
        raise ContradictionError("a height and a width of 1 or more", told(tuple(sizes)))
    return [(given[0], *sizes, given[3])]


def dilate(at: Scene) -> list[Shape]:
    given, steps = at.shape(0), at.listed(1)
    if len(given) != len(steps):
        raise UnknownShapeError
    return [tuple((size - 1) * step + 1 for size, step in zip(given, steps, strict=True))]


def diagonal(at: Scene) -> list[Shape]:
    given = at.shape(0)
    if not given:
        raise UnknownShapeError
    return [(*given, given[-1])]


# --- tables --------------------------------------------------------------------------------------


def gather(at: Scene) -> list[Shape]:
    given, places = at.shape(0), at.shape(1)
    axis = axis_of(at.option("axis"), len(given))
    batch = at.option("batch_dims")
    batch += len(places) if batch < 0 else 0
    if not 0 <= batch <= min(axis, len(places)):
        raise UnknownShapeError
    _within(at, given[axis])
    return [(*given[:axis], *places[batch:], *given[axis + 1 :])]


def _within(at: Scene, size: int) -> None:
    """ContradictionError where a constant index points beyond the axis."""
    try:
        named = at.listed(1)
    except UnknownShapeError:
        return
    beyond = [index for index in named if not 0 <= index < size]
    if beyond:
        raise ContradictionError(f"indices from 0 to {size - 1}", f"index {beyond[0]}")


def gather_nd(at: Scene) -> list[Shape]:
    given, places = at.shape(0), at.shape(1)
    if not places or places[-1] > len(given):
        raise UnknownShapeError
    return [(*places[:-1], *given[places[-1] :])]


def lookup(at: Scene) -> list[Shape]:
    """Rows of a table, one for each key."""
    keys, table = at.ranked(0, 1), at.shape(1)
    return [(keys[0], *table[1:])]


def one_hot(at: Scene) -> list[Shape]:
    given, depth = at.shape(0), at.single(1)
    axis = axis_of(at.option("axis"), len(given) + 1)
    return [(*given[:axis], depth, *given[axis:])]


def topk(at: Scene) -> list[Shape]:
    given = at.shape(0)
    if not given:
        raise UnknownShapeError
    return [(*given[:-1], at.single(1))] * 2


def segments(at: Scene) -> list[Shape]:
    """As many rows as the third input says."""
    given, ids = at.shape(0), at.shape(1)
    return [(at.single(2), *given[len(ids) :])]


def count(at: Scene) -> list[Shape]:
    """A row of whole numbers from a start to a limit."""
    start, limit, step = (at.single(index) for index in range(3))
    if step == 0:
        raise UnknownShapeError
    return [(len(range(start, limit, step)),)]
