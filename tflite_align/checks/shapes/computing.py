"""Shape functions of operators that compute: elementwise, products, windows over images, recurrent.

Each function takes one operator (`at`: with the known shapes and values of its operands) and
returns the shapes of its outputs, at least the first. It raises UnknownShapeError if they depend on
unknown values, and ContradictionError if no kernel takes the operands together.
"""

from __future__ import annotations

import math

from .scene import ContradictionError, Scene, Shape, UnknownShapeError, axis_of, told

__all__ = [
    "argument",
    "batch_matmul",
    "broadcast",
    "convolution",
    "cumulative",
    "depthwise",
    "fully_connected",
    "join",
    "lstm",
    "pooling",
    "recurrent",
    "reduce",
    "same",
    "sequence_lstm",
    "svdf",
    "transposed",
]

_SAME = 0  # Padding.SAME of the schema


class _TooLargeError(UnknownShapeError):
    """A window that is larger than the axis it slides along."""


def same(at: Scene) -> list[Shape]:
    """The output has the shape of the operand that the row names."""
    return [at.shape(at.operand.start)]


def join(*shapes: Shape) -> Shape:
    """The broadcast shape; raises ContradictionError if the shapes do not broadcast."""
    rank = max(map(len, shapes))
    padded = [(1,) * (rank - len(shape)) + shape for shape in shapes]
    found = []
    for sizes in zip(*padded, strict=True):
        wide = {size for size in sizes if size != 1}
        if len(wide) > 1:
            raise ContradictionError("shapes that broadcast", told(*shapes))
        found.append(wide.pop() if wide else 1)
    return tuple(found)


def broadcast(at: Scene) -> list[Shape]:
    """The broadcast shape of all inputs."""
    return [join(at.shape(0), *(at.shape(index) for index in range(1, len(at.operator.inputs))))]


def fully_connected(at: Scene) -> list[Shape]:
    """FULLY_CONNECTED: a row of units for each row of the input; weights [units, depth]."""
    shape, weights = at.shape(0), at.ranked(1, 2)
    units, depth = weights
    if at.option("weights_format"):
        raise UnknownShapeError
    _biased(at, 2, units)
    if at.option("keep_num_dims"):
        if not shape:
            raise UnknownShapeError
        if shape[-1] != depth:
            raise ContradictionError(f"an innermost size of {depth}", told(shape))
        return [(*shape[:-1], units)]
    count = math.prod(shape)
    if depth == 0 or count % depth:
        raise ContradictionError(f"a multiple of {depth} elements", told(shape))
    return [(count // depth, units)]


def batch_matmul(at: Scene) -> list[Shape]:
    """BATCH_MATMUL: [..., rows, columns], outer axes broadcast."""
    left, right = at.shape(0), at.shape(1)
    if not left or not right:
        raise UnknownShapeError  # a shape may have been left out of the file
    if len(left) < 2 or len(right) < 2:
        raise ContradictionError("operands of 2 dimensions or more", told(left, right))
    rows, inner = (left[-1], left[-2]) if at.option("adj_x") else left[-2:]
    other, columns = (right[-1], right[-2]) if at.option("adj_y") else right[-2:]
    if inner != other:
        raise ContradictionError("inner sizes that agree", told(left, right))
    return [(*join(left[:-2], right[:-2]), rows, columns)]


# --- windows -------------------------------------------------------------------------------------


def _slid(at: Scene, size: int, window: int, stride: int, dilation: int = 1) -> int:
    """The number of positions of a window along an axis of `size` elements. Raises _TooLargeError
    if it fits nowhere. `window`, `stride`, `dilation`: in elements.
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
    """Output sizes along the inner axes (depth, height, width, or the last two of them) of a shape
    under windows of these sizes.
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
    """CONV_2D with weights [out, height, width, in]; CONV_3D with [depth, height, width, in, out]."""
    shape, weights = at.ranked(0, 4, 5), at.ranked(1, 4, 5)
    if len(shape) != len(weights):
        raise UnknownShapeError
    flat = len(shape) == 4
    depth, depth_out = (weights[3], weights[0]) if flat else (weights[3], weights[4])
    if depth < 1 or (shape[-1] % depth if flat else shape[-1] != depth):
        raise ContradictionError(f"a multiple of {depth} channels", told(shape))
    windows = weights[1:3] if flat else weights[:3]
    _biased(at, 2, depth_out)
    return [(shape[0], *_fitting(at, shape, windows), depth_out)]


def depthwise(at: Scene) -> list[Shape]:
    """DEPTHWISE_CONV_2D: weights [1, height, width, out]."""
    shape, weights = at.ranked(0, 4), at.ranked(1, 4)
    if shape[3] < 1 or weights[3] % shape[3]:
        raise ContradictionError(f"a number of channels that divides {weights[3]}", told(shape))
    _biased(at, 2, weights[3])
    return [(shape[0], *_fitting(at, shape, weights[1:3]), weights[3])]


def transposed(at: Scene) -> list[Shape]:
    """TRANSPOSE_CONV: the sizes that the first input states; weights [out, height, width, in]."""
    weights, shape, sizes = at.ranked(1, 4), at.ranked(2, 4), at.listed(0)
    if len(sizes) != 4 or min(sizes) < 0:
        raise UnknownShapeError
    if shape[3] != weights[3]:
        raise ContradictionError(f"{weights[3]} channels", told(shape))
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
    """As `_windows`; raises ContradictionError for a window larger than its input."""
    try:
        return _windows(at, shape, windows)
    except _TooLargeError:
        raise ContradictionError(
            f"an image of at least the window's size {list(windows)}", told(shape)
        ) from None


def pooling(at: Scene) -> list[Shape]:
    """AVERAGE_POOL_2D, MAX_POOL_2D, L2_POOL_2D: windows of the options' sizes (NHWC)."""
    shape = at.ranked(0, 4)
    windows = (at.option("filter_height"), at.option("filter_width"))
    return [(shape[0], *_windows(at, shape, windows), shape[3])]


# --- reductions ----------------------------------------------------------------------------------


def reduce(at: Scene) -> list[Shape]:
    """MEAN, SUM and other reductions: without the named axes, or with size 1 there."""
    shape = at.shape(0)
    axes = {axis_of(axis, len(shape)) for axis in at.listed(1)} if shape else set[int]()
    if at.option("keep_dims"):
        return [tuple(1 if i in axes else size for i, size in enumerate(shape))]
    return [tuple(size for i, size in enumerate(shape) if i not in axes)]


def cumulative(at: Scene) -> list[Shape]:
    """CUMSUM: the shape of the input. A constant operand names one axis."""
    axes = at.listed(1)
    if len(axes) != 1:
        raise ContradictionError("one axis", told(tuple(axes)))
    at.axis(axes[0])
    return [at.shape(0)]


def argument(at: Scene) -> list[Shape]:
    """ARG_MAX and ARG_MIN: the input without the axis that a constant operand names."""
    shape, axis = at.shape(0), at.axis(at.single(1))
    return [shape[:axis] + shape[axis + 1 :]]


# --- recurrent -----------------------------------------------------------------------------------


def svdf(at: Scene) -> list[Shape]:
    """SVDF: [batch, features / rank]."""
    shape, features = at.ranked(0, 2), at.ranked(1, 2)
    rank = at.option("rank")
    if rank < 1:
        raise UnknownShapeError
    return [(shape[0], features[0] // rank)]


def recurrent(at: Scene) -> list[Shape]:
    """A simple RNN cell or a sequence of them: the last axis gets as many units as the weights have
    rows.
    """
    shape, weights = at.ranked(0, 2, 3), at.ranked(1, 2)
    return [(*shape[:-1], weights[0])]


def lstm(at: Scene) -> list[Shape]:
    """LSTM: one step of the full kernel, which has at least 20 inputs; the basic kernel has 5."""
    if len(at.operator.inputs) < 20:
        raise UnknownShapeError
    return [(at.ranked(0, 2)[0], at.ranked(8, 2)[1])]


def sequence_lstm(at: Scene) -> list[Shape]:
    """UNIDIRECTIONAL_SEQUENCE_LSTM: [batch, time, features], or [time, batch, features] with
    `time_major`. The states, inputs[18] and inputs[19], must have a row for each element of the
    batch.
    """
    shape, (cells, outputs) = at.ranked(0, 3), at.ranked(8, 2)
    batch = shape[1] if at.option("time_major") else shape[0]
    for index, units in ((18, outputs), (19, cells)):
        if at.has(index) and math.prod(at.shape(index)) != batch * units:
            expected = f"inputs[{index}] of {batch} x {units} elements"
            raise ContradictionError(expected, told(at.shape(index)))
    return [(*shape[:-1], outputs)]
