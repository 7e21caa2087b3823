"""Shape functions of operators that change the sizes of axes: paddings, blocks, resized images.

Arguments, results and errors are those of the functions in `arranging`.
"""

from __future__ import annotations

import math

from .arranging import sized
from .computing import join
from .scene import ContradictionError, Scene, Shape, UnknownShapeError, shape_text

__all__ = [
    "batch_to_space",
    "broadcast_to",
    "depth_to_space",
    "diagonal",
    "dilate",
    "mirror_pad",
    "pad",
    "resize",
    "space_to_batch",
    "space_to_depth",
]


def pad(at: Scene) -> list[Shape]:
    """The output shape of PAD and PADV2: each size plus the two paddings in the second input.
    ContradictionError unless that has two numbers, 0 or more, for each axis.
    """
    border = at.listed(1)
    if min(border, default=0) < 0:
        raise ContradictionError("paddings of 0 or more", f"{min(border)}")
    shape = at.shape(0)
    if len(border) != 2 * len(shape):
        raise ContradictionError(
            f"{len(border) // 2} axes, one per pair of paddings", shape_text(shape)
        )
    return [
        tuple(
            size + before + after
            for size, before, after in zip(shape, border[::2], border[1::2], strict=True)
        )
    ]


def mirror_pad(at: Scene) -> list[Shape]:
    """The output shape of MIRROR_PAD: as that of PAD. ContradictionError if a padding is wider than
    the part that it mirrors.
    """
    padded, shape, border = pad(at), at.shape(0), at.listed(1)
    spare = at.option("mode")  # mode REFLECT (0) does not repeat the edge element
    for size, sides in zip(shape, zip(border[::2], border[1::2], strict=True), strict=True):
        if max(sides) > size - (1 - spare):
            raise ContradictionError(f"paddings of {size - 1 + spare} or less", f"{max(sides)}")
    return padded


def broadcast_to(at: Scene) -> list[Shape]:
    """The output shape of BROADCAST_TO: the values of the second input. ContradictionError if the
    first input does not broadcast to it.
    """
    (resized,) = sized(at)
    if join(at.shape(0), resized) != resized:
        raise ContradictionError(
            f"a shape that broadcasts to {list(resized)}", shape_text(at.shape(0))
        )
    return [resized]


def space_to_batch(at: Scene) -> list[Shape]:
    """The output shape of SPACE_TO_BATCH_ND: inner sizes plus paddings divided by the blocks, the
    batch times their product. ContradictionError if a padded size is no multiple of its block.
    """
    shape, blocks, border = _blocks(at)
    inner = shape[1:-1]
    full = [s + border[2 * i] + border[2 * i + 1] for i, s in enumerate(inner)]
    if min(full) < 0:
        raise ContradictionError("padded sizes of 0 or more", shape_text(tuple(full)))
    if any(size % block for size, block in zip(full, blocks, strict=True)):
        raise ContradictionError(f"padded sizes that are multiples of {blocks}", shape_text(shape))
    sizes = (size // block for size, block in zip(full, blocks, strict=True))
    return [(shape[0] * math.prod(blocks), *sizes, shape[-1])]


def batch_to_space(at: Scene) -> list[Shape]:
    """The output shape of BATCH_TO_SPACE_ND: inner sizes times the blocks minus the crops, the
    batch divided by their product. ContradictionError if that leaves a remainder or the crops are
    too large.
    """
    if min(at.listed(2), default=0) < 0:
        raise ContradictionError("crops of 0 or more", f"{min(at.listed(2))}")
    shape, blocks, crops = _blocks(at)
    if shape[0] % math.prod(blocks):
        raise ContradictionError(
            f"a batch that is a multiple of {math.prod(blocks)}", shape_text(shape)
        )
    full = [size * block for size, block in zip(shape[1:-1], blocks, strict=True)]
    sizes = tuple(size - crops[2 * i] - crops[2 * i + 1] for i, size in enumerate(full))
    if min(sizes) < 0:
        raise ContradictionError(f"crops within sizes of {full}", f"{crops}")
    return [(shape[0] // math.prod(blocks), *sizes, shape[-1])]


def _blocks(at: Scene) -> tuple[Shape, list[int], list[int]]:
    """(shape of the first input, block for each inner axis, two paddings or crops for each of them)
    of SPACE_TO_BATCH_ND and BATCH_TO_SPACE_ND; ContradictionError if their numbers do not fit.
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
    """The output shape of SPACE_TO_DEPTH (NHWC): height and width divided by the block, channels
    times its square. ContradictionError if that leaves a remainder.
    """
    shape, block = at.ranked(0, 4), at.option("block_size")
    if block < 1:
        raise ContradictionError("blocks of 1 or more", f"blocks of {block}")
    if shape[1] % block or shape[2] % block:
        raise ContradictionError(
            f"a height and a width that are multiples of {block}", shape_text(shape)
        )
    return [(shape[0], shape[1] // block, shape[2] // block, shape[3] * block * block)]


def depth_to_space(at: Scene) -> list[Shape]:
    """The output shape of DEPTH_TO_SPACE (NHWC): height and width times the block, channels divided
    by its square. ContradictionError if that leaves a remainder.
    """
    shape, block = at.ranked(0, 4), at.option("block_size")
    if block < 1:
        raise ContradictionError("blocks of 1 or more", f"blocks of {block}")
    if shape[3] % (block * block):
        raise ContradictionError(f"a multiple of {block * block} channels", shape_text(shape))
    return [(shape[0], shape[1] * block, shape[2] * block, shape[3] // (block * block))]


def resize(at: Scene) -> list[Shape]:
    """The output shape of RESIZE_BILINEAR and RESIZE_NEAREST_NEIGHBOR (NHWC): the input's with
    height and width from the second input. ContradictionError unless these are two sizes of 1 or
    more.
    """
    shape, sizes = at.ranked(0, 4), at.listed(1)
    if len(sizes) != 2 or min(sizes) < 1:
        raise ContradictionError("a height and a width of 1 or more", shape_text(tuple(sizes)))
    return [(shape[0], *sizes, shape[3])]


def dilate(at: Scene) -> list[Shape]:
    """The output shape of DILATE: each size with step - 1 elements inserted between neighbours; the
    steps are the second input.
    """
    shape, steps = at.shape(0), at.listed(1)
    if len(shape) != len(steps):
        raise UnknownShapeError
    return [tuple((size - 1) * step + 1 for size, step in zip(shape, steps, strict=True))]


def diagonal(at: Scene) -> list[Shape]:
    """The output shape of MATRIX_DIAG: the input's with its innermost size repeated, since the last
    axis becomes the diagonal of a square matrix.
    """
    shape = at.shape(0)
    if not shape:
        raise UnknownShapeError
    return [(*shape, shape[-1])]
