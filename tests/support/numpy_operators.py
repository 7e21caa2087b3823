"""The function of each operator in float64 NumPy, independently of the package.

The file is read with the generated object API. An operator's function takes its operands' real
values (None for an absent operand) and its options, and returns its outputs' real values before
rounding.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as fb
from numpy.typing import NDArray

Reals = NDArray[np.float64]
Operands = Sequence[Any]
Function = Callable[[Operands, Any], list[Any]]

__all__ = ["COPIES", "FUNCTIONS", "clamp", "operator_name"]

_NAMES = {value: name for name, value in vars(fb.BuiltinOperator).items() if name[0] != "_"}
_FUSED = {
    0: (-np.inf, np.inf),
    1: (0.0, np.inf),
    2: (-1.0, 1.0),
    3: (0.0, 6.0),
}


def operator_name(model: Any, operator: Any) -> str:
    """The schema's name of an operator's code."""
    code = model.operatorCodes[operator.opcodeIndex]
    name: str = _NAMES[max(code.builtinCode, code.deprecatedBuiltinCode)]
    return name


def clamp(values: Reals, options: Any) -> Reals:
    """The fused activation of the options, if they have one."""
    low, high = _FUSED[getattr(options, "fusedActivationFunction", 0)]
    return np.clip(values, low, high)


def _elementwise(function: Callable[..., Reals]) -> Function:
    return lambda x, options: [clamp(function(*x), options)]


def _padded(x: Reals, options: Any, size: tuple[int, int], fill: float) -> Reals:
    """NHWC `x` with SAME or VALID padding for windows of `size`. `options`: the operator's; `fill`:
    padded value.
    """
    if options.padding == 1:  # VALID
        return x
    pads = [(0, 0)]
    steps = (options.strideH, options.strideW)
    for extent, window, stride in zip(x.shape[1:3], size, steps, strict=True):
        total = max((-(-extent // stride) - 1) * stride + window - extent, 0)
        pads.append((total // 2, total - total // 2))
    return np.pad(x, [*pads, (0, 0)], constant_values=fill)


def _windows(x: Reals, size: tuple[int, int], options: Any) -> Reals:
    """[batch, rows, columns, channels, window rows, window columns]. `options`: the operator's."""
    seen = np.lib.stride_tricks.sliding_window_view(x, size, axis=(1, 2))
    return seen[:, :: options.strideH, :: options.strideW]


def _conv(x: Operands, options: Any) -> list[Reals]:
    image, weights, bias = x
    size = (weights.shape[1], weights.shape[2])
    seen = _windows(_padded(image, options, size, 0.0), size, options)
    made = np.einsum("bhwcij,oijc->bhwo", seen, weights, optimize=True)
    return [clamp(made if bias is None else made + bias, options)]


def _depthwise(x: Operands, options: Any) -> list[Reals]:
    image, weights, bias = x
    size = (weights.shape[1], weights.shape[2])
    seen = _windows(_padded(image, options, size, 0.0), size, options)
    made = np.einsum("bhwcij,ijc->bhwc", seen, weights[0], optimize=True)
    return [clamp(made if bias is None else made + bias, options)]


def _fully_connected(x: Operands, options: Any) -> list[Reals]:
    rows, weights, bias = x
    made = rows.reshape(-1, weights.shape[1]) @ weights.T
    if options.keepNumDims:
        made = made.reshape((*rows.shape[:-1], weights.shape[0]))
    return [clamp(made if bias is None else made + bias, options)]


def _pool(kind: str) -> Function:
    def function(x: Operands, options: Any) -> list[Reals]:
        size = (options.filterHeight, options.filterWidth)
        if kind == "max":
            seen = _windows(_padded(x[0], options, size, -np.inf), size, options)
            return [clamp(seen.max(axis=(4, 5)), options)]
        # Elements in the padding are not counted.
        total = _windows(_padded(x[0], options, size, 0.0), size, options).sum(axis=(4, 5))
        taps = _windows(_padded(np.ones_like(x[0]), options, size, 0.0), size, options)
        return [clamp(total / taps.sum(axis=(4, 5)), options)]

    return function


def _reduced(function: Callable[..., Reals]) -> Function:
    def reduce(x: Operands, options: Any) -> list[Reals]:
        axes = tuple(int(axis) for axis in np.atleast_1d(x[1]))
        return [function(x[0], axis=axes, keepdims=bool(options.keepDims))]

    return reduce


def _softmax(x: Operands, options: Any) -> list[Reals]:
    powers = np.exp(options.beta * (x[0] - x[0].max(axis=-1, keepdims=True)))
    return [powers / powers.sum(axis=-1, keepdims=True)]


def _batch_matmul(x: Operands, options: Any) -> list[Reals]:
    left = np.swapaxes(x[0], -1, -2) if options.adjX else x[0]
    right = np.swapaxes(x[1], -1, -2) if options.adjY else x[1]
    return [left @ right]


def _bilinear(x: Operands, options: Any) -> list[Reals]:
    """Bilinear interpolation; `halfPixelCenters` and `alignCorners` place the samples. `options`:
    the operator's.
    """
    image, (height, width) = x[0], (int(n) for n in x[1])
    for axis, size in ((1, height), (2, width)):
        extent = image.shape[axis]
        ratio = extent / size
        if options.alignCorners and size > 1:
            ratio = (extent - 1) / (size - 1)
        places = np.arange(size) * ratio
        if options.halfPixelCenters:
            places = (np.arange(size) + 0.5) * ratio - 0.5
        places = np.clip(places, 0, extent - 1)
        low = np.floor(places).astype(int)
        high = np.minimum(low + 1, extent - 1)
        share = (places - low).reshape([-1 if a == axis else 1 for a in range(4)])
        image = image.take(low, axis) * (1 - share) + image.take(high, axis) * share
    return [image]


def _strided_slice(x: Operands, options: Any) -> list[Reals]:
    picks = tuple(
        slice(
            None if options.beginMask >> axis & 1 else int(begin),
            None if options.endMask >> axis & 1 else int(end),
            int(stride),
        )
        for axis, (begin, end, stride) in enumerate(zip(x[1], x[2], x[3], strict=True))
    )
    return [x[0][picks]]


def _sliced(x: Operands, options: Any) -> list[Reals]:
    ends = [int(b) + int(n) if n >= 0 else None for b, n in zip(x[1], x[2], strict=True)]
    return [x[0][tuple(slice(int(b), e) for b, e in zip(x[1], ends, strict=True))]]


def _depth_to_space(x: Operands, options: Any) -> list[Reals]:
    block = options.blockSize
    batch, height, width, depth = x[0].shape
    parts = x[0].reshape(batch, height, width, block, block, depth // block**2)
    shape = (batch, height * block, width * block, depth // block**2)
    return [parts.transpose(0, 1, 3, 2, 4, 5).reshape(shape)]


def _space_to_depth(x: Operands, options: Any) -> list[Reals]:
    block = options.blockSize
    batch, height, width, depth = x[0].shape
    parts = x[0].reshape(batch, height // block, block, width // block, block, depth)
    shape = (batch, height // block, width // block, depth * block**2)
    return [parts.transpose(0, 1, 3, 2, 4, 5).reshape(shape)]


def _mirrored(x: Operands, options: Any) -> list[Reals]:
    return [np.pad(x[0], np.asarray(x[1]), mode=("reflect", "symmetric")[options.mode])]


def _shaped(x: Operands, options: Any) -> list[Reals]:
    return [x[0].reshape([int(n) for n in x[1]])]


# Copies of raw integers: the output's integers are the operand's.
COPIES: dict[str, Function] = {
    "CONCATENATION": lambda x, o: [clamp(np.concatenate(x, axis=o.axis), o)],
    "DEPTH_TO_SPACE": _depth_to_space,
    "EXPAND_DIMS": lambda x, _: [np.expand_dims(x[0], int(np.ravel(x[1])[0]))],
    "GATHER": lambda x, o: [np.take(x[0], np.asarray(x[1], dtype=int), axis=o.axis)],
    "MAX_POOL_2D": _pool("max"),
    "MAXIMUM": _elementwise(np.maximum),
    "MINIMUM": _elementwise(np.minimum),
    "MIRROR_PAD": _mirrored,
    "PACK": lambda x, o: [np.stack(x, axis=o.axis)],
    "PAD": lambda x, _: [np.pad(x[0], np.asarray(x[1]))],
    "REDUCE_MAX": _reduced(np.max),
    "REDUCE_MIN": _reduced(np.min),
    "RESHAPE": _shaped,
    "REVERSE_V2": lambda x, _: [np.flip(x[0], tuple(int(a) for a in x[1]))],
    "SLICE": _sliced,
    "SPACE_TO_DEPTH": _space_to_depth,
    "SPLIT": lambda x, o: np.split(x[1], o.numSplits, axis=int(np.ravel(x[0])[0])),
    "STRIDED_SLICE": _strided_slice,
    "TILE": lambda x, _: [np.tile(x[0], [int(n) for n in x[1]])],
    "TRANSPOSE": lambda x, _: [np.transpose(x[0], [int(n) for n in x[1]])],
    "UNPACK": lambda x, o: [np.squeeze(p, o.axis) for p in np.split(x[0], o.num, axis=o.axis)],
}

FUNCTIONS: dict[str, Function] = {
    **COPIES,
    "ADD": _elementwise(np.add),
    "AVERAGE_POOL_2D": _pool("average"),
    "BATCH_MATMUL": _batch_matmul,
    "CONV_2D": _conv,
    "DEPTHWISE_CONV_2D": _depthwise,
    "FULLY_CONNECTED": _fully_connected,
    "HARD_SWISH": _elementwise(lambda x: x * np.clip(x + 3, 0, 6) / 6),
    "LEAKY_RELU": lambda x, o: [np.where(x[0] < 0, o.alpha * x[0], x[0])],
    "LOGISTIC": _elementwise(lambda x: 0.5 + np.tanh(x / 2) / 2),
    "MEAN": _reduced(np.mean),
    "MUL": _elementwise(np.multiply),
    "QUANTIZE": _elementwise(np.positive),
    "RELU": _elementwise(lambda x: np.maximum(x, 0)),
    "RELU6": _elementwise(lambda x: np.clip(x, 0, 6)),
    "RELU_N1_TO_1": _elementwise(lambda x: np.clip(x, -1, 1)),
    "RESIZE_BILINEAR": _bilinear,
    "SOFTMAX": _softmax,
    "SQUARED_DIFFERENCE": _elementwise(lambda x, y: np.square(x - y)),
    "SUB": _elementwise(np.subtract),
    "SUM": _reduced(np.sum),
    "TANH": _elementwise(np.tanh),
}
