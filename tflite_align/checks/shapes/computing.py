"""Shape functions of operators that compute: elementwise, products, windows over images.

Each function takes one operator (`at`: with the known shapes and values of its operands) and
returns the shapes of its outputs, at least the first. It raises UnknownShapeError if they depend on
unknown values, and ContradictionError if no kernel takes the operands together.
"""

from __future__ import annotations

import contextlib
import math

from .scene import ContradictionError, Scene, Shape, UnknownShapeError, axis_of, shape_text

__all__ = [
    "argument",
    "batch_matmul",
    "broadcast",
    "broadcast_args",
    "by_data",
    "convolution",
    "cumulative",
    "depthwise",
    "fully_connected",
    "join",
    "pooling",
    "reduce",
    "same",
    "select",
    "transposed",
]

_SAME = 0  # Padding.SAME of the schema


class _TooLargeError(UnknownShapeError):
    """A window that is larger than the axis it slides along."""


def same(at: Scene) -> list[Shape]:
    """The output shape: that of the input that the operator's row in schema/shapes.toml names."""
    return [at.shape(at.operand.start)]


def join(*shapes: Shape) -> Shape:
    """The shape to which these shapes broadcast; ContradictionError if they do not."""
    rank = max(map(len, shapes))
    padded = [(1,) * (rank - len(shape)) + shape for shape in shapes]
    found = []
    for sizes in zip(*padded, strict=True):
        wide = {size for size in sizes if size != 1}
        if len(wide) > 1:
            raise ContradictionError("shapes that broadcast", shape_text(*shapes))
        found.append(wide.pop() if wide else 1)
    return tuple(found)


def select(at: Scene) -> list[Shape]:
    """The output shape of SELECT: the one of both choices. The condition is a scalar, has that
    shape too, or one element for each index of the first axis.
    """
    chosen, condition = at.shape(1), at.shape(0)
    if condition not in ((), chosen[:1], chosen):
        raise ContradictionError(
            f"a condition of shape {shape_text(chosen)}", shape_text(condition)
        )
    return [chosen]


def broadcast_args(at: Scene) -> list[Shape]:
    """The output shape of BROADCAST_ARGS: an element for each dimension of the longer of two shapes;
    ContradictionError if both are constants that do not broadcast.
    """
    (first,), (second,) = at.ranked(0, 1), at.ranked(1, 1)
    with contextlib.suppress(UnknownShapeError):
        join(tuple(at.listed(0)), tuple(at.listed(1)))
    return [(max(first, second),)]


def by_data(_: Scene) -> list[Shape]:
    """Always UnknownShapeError: the output's shape depends on data."""
    raise UnknownShapeError


def broadcast(at: Scene) -> list[Shape]:
    """The output shape of an elementwise operator: that to which all inputs broadcast."""
    return [join(at.shape(0), *(at.shape(index) for index in range(1, len(at.operator.inputs))))]


def fully_connected(at: Scene) -> list[Shape]:
    """The output shape of FULLY_CONNECTED with weights [units, depth]: [rows, units], or the
    input's with `units` as the innermost size (option keep_num_dims). ContradictionError if the
    input's size is no multiple of `depth`.
    """
    shape, weights = at.shape(0), at.ranked(1, 2)
    units, depth = weights
    if at.option("weights_format"):
        raise UnknownShapeError
    _biased(at, 2, units)
    if at.option("keep_num_dims"):
        if not shape:
            raise UnknownShapeError
        if shape[-1] != depth:
            raise ContradictionError(f"an innermost size of {depth}", shape_text(shape))
        return [(*shape[:-1], units)]
    count = math.prod(shape)
    if depth == 0 or count % depth:
        raise ContradictionError(f"a multiple of {depth} elements", shape_text(shape))
    return [(count // depth, units)]


def batch_matmul(at: Scene) -> list[Shape]:
    """The output shape of BATCH_MATMUL: the outer axes of both inputs broadcast, then [rows,
    columns]. ContradictionError if the inner sizes differ.
    """
    left, right = at.shape(0), at.shape(1)
    if not left or not right:
        raise UnknownShapeError  # a shape may have been left out of the file
    if len(left) < 2 or len(right) < 2:
        raise ContradictionError("operands of 2 dimensions or more", shape_text(left, right))
    rows, inner = (left[-1], left[-2]) if at.option("adj_x") else left[-2:]
    other, columns = (right[-1], right[-2]) if at.option("adj_y") else right[-2:]
    if inner != other:
        raise ContradictionError("inner sizes that agree", shape_text(left, right))
    return [(*join(left[:-2], right[:-2]), rows, columns)]


# --- windows -------------------------------------------------------------------------------------


def _slid(at: Scene, size: int, window: int, stride: int, dilation: int = 1) -> int:
    """The number of positions of a window along an axis of `size` elements, by the operator's
    padding option. `window`, `stride`, `dilation`: in elements. Raises _TooLargeError if the window
    fits nowhere, UnknownShapeError for sizes below 1.
    """
    if stride < 1 or window < 1 or dilation < 1:
        raise UnknownShapeError
    if at.option("padding") == _SAME:
        return -(-size // stride)
    size_out = (size + stride - ((window - 1) * dilation + 1)) // stride
    if size_out < 1:
        raise _TooLargeError
    return size_out


def _windows(at: Scene, shape: Shape, windows: Shape) -> Shape:
    """The number of positions of a window along each inner axis of `shape` ([batch, ...,
    channels]). `windows`: the window's size along these axes: (height, width) or (depth, height,
    width).
    """
    names = ("d", "h", "w")[-len(windows) :]
    return tuple(
        _slid(
            at,
            size,
            window,
            at.option(f"stride_{name}"),
            at.option(f"dilation_{name}_factor") or 1,
        )
        for size, window, name in zip(shape[1:-1], windows, names, strict=True)
    )


def convolution(at: Scene) -> list[Shape]:
    """The output shape of CONV_2D with weights [out, height, width, in] and of CONV_3D with weights
    [depth, height, width, in, out]: [batch, window positions, out]. ContradictionError if the
    channels, the bias or the image do not fit the weights.
    """
    shape, weights = at.ranked(0, 4, 5), at.ranked(1, 4, 5)
    if len(shape) != len(weights):
        raise UnknownShapeError
    flat = len(shape) == 4
    depth, depth_out = (weights[3], weights[0]) if flat else (weights[3], weights[4])
    if depth < 1 or (shape[-1] % depth if flat else shape[-1] != depth):
        raise ContradictionError(f"a multiple of {depth} channels", shape_text(shape))
    windows = weights[1:3] if flat else weights[:3]
    _biased(at, 2, depth_out)
    return [(shape[0], *_fitting(at, shape, windows), depth_out)]


def depthwise(at: Scene) -> list[Shape]:
    """The output shape of DEPTHWISE_CONV_2D with weights [1, height, width, out]: [batch, window
    positions, out]. ContradictionError if the channels, the bias or the image do not fit the
    weights.
    """
    shape, weights = at.ranked(0, 4), at.ranked(1, 4)
    if shape[3] < 1 or weights[3] % shape[3]:
        raise ContradictionError(
            f"a number of channels that divides {weights[3]}", shape_text(shape)
        )
    _biased(at, 2, weights[3])
    return [(shape[0], *_fitting(at, shape, weights[1:3]), weights[3])]


def transposed(at: Scene) -> list[Shape]:
    """The output shape of TRANSPOSE_CONV with weights [out, height, width, in]: the values of its
    first input. ContradictionError if the bias does not fit the weights; the row of operands
    compares the channels.
    """
    weights, _, sizes = at.ranked(1, 4), at.ranked(2, 4), at.listed(0)
    if len(sizes) != 4 or min(sizes) < 0:
        raise UnknownShapeError
    _biased(at, 3, weights[0])
    return [tuple(sizes)]


def _biased(at: Scene, index: int, depth: int) -> None:
    """Raise ContradictionError if the input `index` is a bias that does not have `depth` values."""
    if not at.has(index):
        return
    bias = at.shapes.get(at.operator.inputs[index])
    if bias is not None and math.prod(bias) != depth:
        raise ContradictionError(f"a bias of {depth} values", f"{math.prod(bias)}")


def _fitting(at: Scene, shape: Shape, windows: Shape) -> Shape:
    """Like `_windows`, but raises ContradictionError if a window is larger than the image."""
    try:
        return _windows(at, shape, windows)
    except _TooLargeError:
        raise ContradictionError(
            f"an image of at least the window's size {list(windows)}", shape_text(shape)
        ) from None


def pooling(at: Scene) -> list[Shape]:
    """The output shape of AVERAGE_POOL_2D, MAX_POOL_2D and L2_POOL_2D: [batch, output height,
    output width, channels]; the window's size, stride and padding are in the options.
    """
    shape = at.ranked(0, 4)
    windows = (at.option("filter_height"), at.option("filter_width"))
    return [(shape[0], *_windows(at, shape, windows), shape[3])]


# --- reductions ----------------------------------------------------------------------------------


def reduce(at: Scene) -> list[Shape]:
    """The output shape of MEAN, SUM and other reductions: the input's without the axes in the
    second input, or with size 1 there (option keep_dims).
    """
    shape = at.shape(0)
    axes = {axis_of(axis, len(shape)) for axis in at.listed(1)} if shape else set[int]()
    if at.option("keep_dims"):
        return [tuple(1 if i in axes else size for i, size in enumerate(shape))]
    return [tuple(size for i, size in enumerate(shape) if i not in axes)]


def cumulative(at: Scene) -> list[Shape]:
    """The output shape of CUMSUM: the input's. ContradictionError unless the second input is one
    existing axis.
    """
    axes = at.listed(1)
    if len(axes) != 1:
        raise ContradictionError("one axis", shape_text(tuple(axes)))
    at.axis(axes[0])
    return [at.shape(0)]


def argument(at: Scene) -> list[Shape]:
    """The output shape of ARG_MAX and ARG_MIN: the input's without the axis in the second input."""
    shape, axis = at.shape(0), at.axis(at.single(1))
    return [shape[:axis] + shape[axis + 1 :]]
