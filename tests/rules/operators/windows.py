"""Operators without a quantized kernel that work on windows, strings or sparse constants."""

from __future__ import annotations

import numpy as np

from tests.rules.operators.operands import (
    Array,
    Form,
    constant,
    data,
    maker,
    output,
    plain,
    text,
)
from tests.support.models import OperatorSpec, TensorSpec

VALID = 1  # Padding of the schema


@maker("L2_POOL_2D", types=())
def _l2_pool(_: str) -> Form:
    def pool(x: Array) -> Array:
        result: Array = np.sqrt(np.mean(x.reshape(1, 2, 2, 3, 2, 3) ** 2, axis=(2, 4)))
        return result

    window = {"strideW": 2, "strideH": 2, "filterWidth": 2, "filterHeight": 2}
    return Form(
        inputs=(data(1, 4, 6, 3),),
        outputs=(output(1, 2, 3, 3),),
        reference=pool,
        options=("Pool2DOptions", {"padding": VALID, **window}),
    )


@maker("LOCAL_RESPONSE_NORMALIZATION", types=())
def _local_response_normalization(_: str) -> Form:
    def normalize(x: Array) -> Array:
        padded = np.pad(x * x, [(0, 0)] * 3 + [(2, 2)])
        sums = np.lib.stride_tricks.sliding_window_view(padded, 5, axis=3).sum(axis=-1)
        result: Array = x / np.sqrt(1.0 + 0.25 * sums)
        return result

    return Form(
        inputs=(data(1, 2, 3, 8),),
        outputs=(output(1, 2, 3, 8),),
        reference=normalize,
        options=(
            "LocalResponseNormalizationOptions",
            {"radius": 2, "bias": 1.0, "alpha": 0.25, "beta": 0.5},
        ),
    )


_CONV_3D = ("Conv3DOptions", {"padding": VALID, "strideD": 1, "strideW": 1, "strideH": 1})


@maker("CONV_3D", types=())
def _conv_3d(_: str) -> Form:
    def conv(x: Array, w: Array, b: Array) -> Array:
        windows = np.lib.stride_tricks.sliding_window_view(x, (2, 2, 2), axis=(1, 2, 3))
        result: Array = np.einsum("ndhwcijk,ijkco->ndhwo", windows, w) + b
        return result

    return Form(
        inputs=(data(1, 3, 4, 5, 2), constant(2, 2, 2, 2, 3), constant(3)),
        outputs=(output(1, 2, 3, 4, 3),),
        reference=conv,
        options=_CONV_3D,
    )


@maker("CONV_3D_TRANSPOSE", types=())
def _conv_3d_transpose(_: str) -> Form:
    def conv(shape: Array, w: Array, x: Array, b: Array) -> Array:
        result = np.zeros(shape)
        for d, h, k in np.ndindex(*x.shape[1:4]):
            patch = np.einsum("nc,ijkoc->nijko", x[:, d, h, k], w)
            result[:, d : d + 2, h : h + 2, k : k + 2] += patch
        return result + b

    return Form(
        inputs=(
            plain([1, 3, 4, 5, 2]),
            constant(2, 2, 2, 2, 3),
            data(1, 2, 3, 4, 3),
            constant(2),
        ),
        outputs=(output(1, 3, 4, 5, 2),),
        reference=conv,
        options=_CONV_3D,
    )


# Operators that only move values: any type will do.
ANY = ("float32", "float64", "bool", "int8", "uint8", "int16", "int32", "int64")


@maker("DILATE", types=(), plain=ANY)
def _dilate(_: str) -> Form:
    def dilate(x: Array, _steps: Array, fill: Array) -> Array:
        result = np.full((3, 7), fill.reshape(()))
        result[::2, ::3] = x
        return result

    return Form(
        inputs=(data(2, 3), plain([2, 3]), constant(span=(1.0, 2.0))),
        outputs=(output(3, 7),),
        reference=dilate,
        options=("DilateOptions", {}),
    )


_MAXIMUM = 4  # ReduceWindowFunction of the schema
REDUCED = ("float32", "float64", "int8", "uint8", "int16", "int32", "int64")


@maker("REDUCE_WINDOW", types=(), plain=REDUCED)
def _reduce_window(type_name: str) -> Form:
    def reduce(x: Array, first: Array, *_window: Array) -> Array:
        views = np.lib.stride_tricks.sliding_window_view(x, (2, 2))[::2, ::2]
        result: Array = np.maximum(views.max(axis=(2, 3)), first)
        return result

    return Form(
        inputs=(
            data(4, 6),
            plain(0, type_name),
            plain([2, 2], "int64"),
            plain([2, 2], "int64"),
            plain([1, 1], "int64"),
        ),
        outputs=(output(2, 3),),
        reference=reduce,
        options=("ReduceWindowOptions", {"reduceFunction": _MAXIMUM}),
    )


@maker("SKIP_GRAM", types=(), plain=("string",))
def _skip_gram(_: str) -> Form:
    """Pairs of words with at most one word between them."""
    pairs = [b"one two", b"one three", b"two three"]
    return Form(
        inputs=(text("one two three"),),
        outputs=(output(3, type_name="string"),),
        reference=lambda _words: np.array(pairs, dtype=object),
        options=("SkipGramOptions", {"ngramSize": 2, "maxSkipSize": 1}),
    )


@maker("DENSIFY", types=(), plain=("float32", "float16", "int8"))
def _densify(type_name: str) -> Form:
    """A sparse constant made dense."""
    table = np.array([[0, 1, 0, 2], [0, 0, 0, 0], [3, 0, 0, 4]], dtype=type_name)
    sparse = TensorSpec(name="sparse", type=type_name, shape=(3, 4), data=table, sparse=True)
    return Form(
        inputs=(),
        outputs=(output(3, 4),),
        reference=lambda: table,
        operators=(
            OperatorSpec(
                name="DENSIFY", inputs=["sparse"], outputs=["o0"], options=("DensifyOptions", {})
            ),
        ),
        inner=(sparse,),
    )
