"""Operators with weights and bias, pooling, resizing, and operators with fixed output parameters."""

from __future__ import annotations

import numpy as np

from tests.rules.operators.operands import (
    ALL,
    BYTES,
    PLAIN_NUMBERS,
    Array,
    Form,
    Operand,
    bias,
    constant,
    data,
    maker,
    output,
    plain,
    weight,
)

VALID = 1  # Padding of the schema


def _bias_type(type_name: str) -> str:
    return "int64" if type_name == "int16" else "int32"


def _weight(*shape: int, axis: int, type_name: str) -> Operand:
    """An operand of int8 weights with one scale per channel, or of uint8 weights for uint8
    activations.
    """
    if type_name == "uint8":
        return constant(*shape, span=(-1.0, 1.0))
    return weight(*shape, axis=axis)


def _windows(x: Array, size: int, stride: int) -> Array:
    """[n, h, w, size, size, c]: the windows of an NHWC tensor, no padding."""
    views = np.lib.stride_tricks.sliding_window_view(x, (size, size), axis=(1, 2))
    moved: Array = views[:, ::stride, ::stride].transpose(0, 1, 2, 4, 5, 3)
    return moved


@maker("CONV_2D")
def _conv_2d(type_name: str) -> Form:
    def conv(x: Array, w: Array, b: Array) -> Array:
        result: Array = np.einsum("nhwijc,oijc->nhwo", _windows(x, 3, 1), w) + b
        return result

    return Form(
        inputs=(
            data(1, 5, 5, 3),
            _weight(4, 3, 3, 3, axis=0, type_name=type_name),
            bias(4, _bias_type(type_name)),
        ),
        outputs=(output(1, 3, 3, 4),),
        reference=conv,
        options=("Conv2DOptions", {"padding": VALID, "strideW": 1, "strideH": 1}),
        tolerance=1.0,
    )


@maker("DEPTHWISE_CONV_2D")
def _depthwise_conv_2d(type_name: str) -> Form:
    def conv(x: Array, w: Array, b: Array) -> Array:
        result: Array = np.einsum("nhwijc,ijc->nhwc", _windows(x, 3, 1), w[0]) + b
        return result

    return Form(
        inputs=(
            data(1, 5, 5, 4),
            _weight(1, 3, 3, 4, axis=3, type_name=type_name),
            bias(4, _bias_type(type_name)),
        ),
        outputs=(output(1, 3, 3, 4),),
        reference=conv,
        options=(
            "DepthwiseConv2DOptions",
            {"padding": VALID, "strideW": 1, "strideH": 1, "depthMultiplier": 1},
        ),
        tolerance=1.0,
    )


@maker("TRANSPOSE_CONV")
def _transpose_conv(type_name: str) -> Form:
    def conv(shape: Array, w: Array, x: Array, b: Array) -> Array:
        result = np.zeros(shape)
        for row in range(x.shape[1]):
            for column in range(x.shape[2]):
                patch = np.einsum("nc,oijc->nijo", x[:, row, column], w)
                result[:, 2 * row : 2 * row + 3, 2 * column : 2 * column + 3] += patch
        return result + b

    return Form(
        inputs=(
            plain([1, 7, 7, 2]),
            _weight(2, 3, 3, 3, axis=0, type_name=type_name),
            data(1, 3, 3, 3),
            bias(2, _bias_type(type_name)),
        ),
        outputs=(output(1, 7, 7, 2),),
        reference=conv,
        options=("TransposeConvOptions", {"padding": VALID, "strideW": 2, "strideH": 2}),
        tolerance=1.0,
    )


@maker("FULLY_CONNECTED")
def _fully_connected(type_name: str) -> Form:
    # One scale per tensor, as in the specification; convolutions have one per channel.
    return Form(
        inputs=(
            data(3, 8),
            constant(5, 8, span=(-1.0, 1.0)) if type_name == "uint8" else weight(5, 8),
            bias(5, _bias_type(type_name)),
        ),
        outputs=(output(3, 5),),
        reference=lambda x, w, b: x @ w.T + b,
        options=("FullyConnectedOptions", {}),
        tolerance=1.0,
    )


@maker("BATCH_MATMUL", types=("int8", "int16"))
def _batch_matmul(type_name: str) -> Form:
    right = weight(2, 4, 5) if type_name == "int8" else data(2, 4, 5, span=(-1.0, 2.0))
    return Form(
        inputs=(data(2, 3, 4), right),
        outputs=(output(2, 3, 5),),
        reference=np.matmul,
        options=("BatchMatMulOptions", {}),
        tolerance=1.0,
    )


@maker("SVDF", types=("int8",))
def _svdf(kind: str) -> Form:
    def first_step(x: Array, feature: Array, time: Array, b: Array, _state: Array) -> Array:
        """One step from a state of zeros: only the newest column of the time weights has an effect."""
        result: Array = np.maximum((x @ feature.T) * time[:, -1] + b, 0.0)
        return result

    return Form(
        inputs=(
            data(1, 4),
            weight(6, 4),
            # Wide enough for integers other than 0, which no kernel may read as floats.
            Operand(role="weight", shape=(6, 3), span=(-3.0, 3.0), type="int16"),
            bias(6, "int32"),
            Operand(
                role="state",
                shape=(1, 18),
                span=(-8.0, 8.0),
                type="float32" if kind == "float32" else "int16",
            ),
        ),
        outputs=(output(1, 6),),
        reference=first_step,
        options=("SVDFOptions", {"rank": 1, "fusedActivationFunction": 1}),
        tolerance=1.0,
    )


@maker("PRELU", types=BYTES)
def _prelu(_: str) -> Form:
    return Form(
        inputs=(data(1, 3, 4, 5), constant(1, 1, 5, span=(0.6, 2.2))),
        outputs=(output(1, 3, 4, 5),),
        reference=lambda x, a: np.where(x >= 0, x, a * x),
        tolerance=1.0,
    )


@maker("AVERAGE_POOL_2D", "MAX_POOL_2D")
def _pool(_: str, name: str) -> Form:
    reduce = np.mean if name == "AVERAGE_POOL_2D" else np.max
    options = {
        "padding": VALID,
        "strideW": 2,
        "strideH": 2,
        "filterWidth": 2,
        "filterHeight": 2,
    }
    return Form(
        inputs=(data(1, 4, 6, 3),),
        outputs=(output(1, 2, 3, 3),),
        reference=lambda x: reduce(_windows(x, 2, 2), axis=(3, 4)),
        options=("Pool2DOptions", options),
        tolerance=1.0,
    )


def _bilinear(x: Array, size: Array) -> Array:
    """Bilinear interpolation with both options off: position = output index x input size / output
    size.
    """
    for axis, wanted in ((1, int(size[0])), (2, int(size[1]))):
        count = x.shape[axis]
        place = np.arange(wanted) * count / wanted
        low = np.floor(place).astype(int)
        high = np.minimum(low + 1, count - 1)
        share = (place - low).reshape([-1 if i == axis else 1 for i in range(4)])
        x = x.take(low, axis) * (1 - share) + x.take(high, axis) * share
    return x


@maker("RESIZE_BILINEAR")
def _resize_bilinear(_: str) -> Form:
    return Form(
        inputs=(data(1, 3, 4, 2), plain([6, 8])),
        outputs=(output(1, 6, 8, 2),),
        reference=_bilinear,
        options=("ResizeBilinearOptions", {}),
        tolerance=1.0,
    )


@maker("RESIZE_NEAREST_NEIGHBOR", plain=("float32", "float16", "bool", "int32"))
def _resize_nearest(_: str) -> Form:
    return Form(
        inputs=(data(1, 3, 4, 2), plain([6, 8])),
        outputs=(output(1, 6, 8, 2),),
        reference=lambda x, _size: x.repeat(2, axis=1).repeat(2, axis=2),
        options=("ResizeNearestNeighborOptions", {}),
        tolerance=1.0,
    )


@maker("REDUCE_MAX", "REDUCE_MIN", plain=PLAIN_NUMBERS)
def _reduce(_: str, name: str) -> Form:
    reduce = np.max if name == "REDUCE_MAX" else np.min
    return Form(
        inputs=(data(2, 4, 6), plain([1])),
        outputs=(output(2, 6),),
        reference=lambda x, _axis: reduce(x, axis=1),
        options=("ReducerOptions", {"keepDims": False}),
    )


def _softmax(x: Array) -> Array:
    powers = np.exp(x - x.max(axis=-1, keepdims=True))
    result: Array = powers / powers.sum(axis=-1, keepdims=True)
    return result


@maker("SOFTMAX", plain=("float32", "float16"))
def _softmax_form(type_name: str) -> Form:
    return Form(
        inputs=(data(3, 6),),
        outputs=(output(3, 6),),
        reference=_softmax,
        options=("SoftmaxOptions", {"beta": 1.0}),
        tolerance=4.0 if type_name == "int16" else 1.0,
    )


@maker("LOG_SOFTMAX", types=BYTES)
def _log_softmax(_: str) -> Form:
    return Form(
        inputs=(data(3, 6),),
        outputs=(output(3, 6),),
        reference=lambda x: np.log(_softmax(x)),
        options=("LogSoftmaxOptions", {}),
        tolerance=1.0,
    )


@maker("LOGISTIC", "TANH", types=ALL, plain=("float32", "float16"))
def _sigmoid(type_name: str, name: str) -> Form:
    def logistic(x: Array) -> Array:
        result: Array = 1.0 / (1.0 + np.exp(-x))
        return result

    return Form(
        inputs=(data(4, 16),),
        outputs=(output(4, 16),),
        reference=logistic if name == "LOGISTIC" else np.tanh,
        tolerance=6.0 if type_name == "int16" else 1.0,
    )


@maker("L2_NORMALIZATION", types=BYTES)
def _l2_normalization(_: str) -> Form:
    return Form(
        inputs=(data(3, 6),),
        outputs=(output(3, 6),),
        reference=lambda x: x / np.sqrt((x * x).sum(axis=-1, keepdims=True)),
        options=("L2NormOptions", {}),
        tolerance=1.0,
    )
