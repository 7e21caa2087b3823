"""Operators that move values: each output element is one of the inputs' elements."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.rules.operators.operands import (
    BYTES,
    PLAIN_ANY,
    PLAIN_MOVED,
    PLAIN_NUMBERS,
    Array,
    Form,
    constant,
    data,
    maker,
    output,
    plain,
)


@maker("RESHAPE", plain=PLAIN_ANY)
def _reshape(_: str) -> Form:
    return Form(
        inputs=(data(1, 4, 6), plain([3, 8])),
        outputs=(output(3, 8),),
        reference=lambda x, _shape: x.reshape(3, 8),
        options=("ReshapeOptions", {"newShape": [3, 8]}),
    )


@maker("SQUEEZE", plain=PLAIN_ANY)
def _squeeze(_: str) -> Form:
    return Form(
        inputs=(data(1, 4, 6),),
        outputs=(output(4, 6),),
        reference=lambda x: x[0],
        options=("SqueezeOptions", {"squeezeDims": [0]}),
    )


@maker("EXPAND_DIMS", plain=PLAIN_ANY)
def _expand_dims(_: str) -> Form:
    return Form(
        inputs=(data(4, 6), plain([1])),
        outputs=(output(4, 1, 6),),
        reference=lambda x, _axis: x[:, None],
        options=("ExpandDimsOptions", {}),
    )


@maker("TRANSPOSE", plain=PLAIN_ANY)
def _transpose(_: str) -> Form:
    return Form(
        inputs=(data(2, 3, 4), plain([2, 0, 1])),
        outputs=(output(4, 2, 3),),
        reference=lambda x, p: x.transpose(p),
        options=("TransposeOptions", {}),
    )


@maker("SLICE", plain=PLAIN_ANY)
def _slice(_: str) -> Form:
    return Form(
        inputs=(data(1, 4, 6), plain([0, 1, 2]), plain([1, 3, 4])),
        outputs=(output(1, 3, 4),),
        reference=lambda x, _b, _s: x[:, 1:4, 2:6],
        options=("SliceOptions", {}),
    )


@maker("STRIDED_SLICE", plain=PLAIN_ANY)
def _strided_slice(_: str) -> Form:
    return Form(
        inputs=(data(1, 4, 6), plain([0, 0, 1]), plain([1, 4, 6]), plain([1, 2, 2])),
        outputs=(output(1, 2, 3),),
        reference=lambda x, _b, _e, _s: x[:, 0:4:2, 1:6:2],
        options=("StridedSliceOptions", {}),
    )


@maker("SPLIT", plain=PLAIN_NUMBERS)
def _split(_: str) -> Form:
    return Form(
        inputs=(plain(2), data(1, 4, 6)),
        outputs=(output(1, 4, 3), output(1, 4, 3)),
        reference=lambda _axis, x: np.split(x, 2, axis=2),
        options=("SplitOptions", {"numSplits": 2}),
    )


@maker("SPLIT_V", plain=PLAIN_NUMBERS)
def _split_v(_: str) -> Form:
    return Form(
        inputs=(data(1, 4, 6), plain([2, 4]), plain(2)),
        outputs=(output(1, 4, 2), output(1, 4, 4)),
        reference=lambda x, _sizes, _axis: [x[..., :2], x[..., 2:]],
        options=("SplitVOptions", {"numSplits": 2}),
    )


@maker("UNPACK", plain=("float32", "float16", "bool", "int32"))
def _unpack(_: str) -> Form:
    return Form(
        inputs=(data(2, 12),),
        outputs=(output(12), output(12)),
        reference=lambda x: [x[0], x[1]],
        options=("UnpackOptions", {"num": 2, "axis": 0}),
    )


@maker("PACK", plain=PLAIN_NUMBERS)
def _pack(_: str) -> Form:
    return Form(
        inputs=(data(12), data(12, span=(-3.0, 5.0))),
        outputs=(output(2, 12),),
        reference=lambda a, b: np.stack([a, b]),
        options=("PackOptions", {"valuesCount": 2, "axis": 0}),
    )


@maker("CONCATENATION", plain=PLAIN_MOVED)
def _concatenation(_: str) -> Form:
    return Form(
        inputs=(data(1, 4, 4), data(1, 4, 4, span=(-3.0, 5.0))),
        outputs=(output(1, 8, 4),),
        reference=lambda a, b: np.concatenate([a, b], axis=1),
        options=("ConcatenationOptions", {"axis": 1}),
    )


@maker("GATHER", plain=PLAIN_MOVED)
def _gather(_: str) -> Form:
    return Form(
        inputs=(data(6, 4), plain([5, 0, 3, 3])),
        outputs=(output(4, 4),),
        reference=lambda x, i: x[i],
        options=("GatherOptions", {"axis": 0}),
    )


@maker("GATHER_ND", plain=PLAIN_MOVED)
def _gather_nd(_: str) -> Form:
    return Form(
        inputs=(data(6, 4), plain([[5], [0], [3]])),
        outputs=(output(3, 4),),
        reference=lambda x, i: x[i[:, 0]],
        options=("GatherNdOptions", {}),
    )


@maker("TILE", plain=PLAIN_ANY)
def _tile(_: str) -> Form:
    return Form(
        inputs=(data(3, 4), plain([2, 2])),
        outputs=(output(6, 8),),
        reference=np.tile,
        options=("TileOptions", {}),
    )


@maker("REVERSE_V2", plain=PLAIN_MOVED)
def _reverse_v2(_: str) -> Form:
    return Form(
        inputs=(data(3, 6), plain([1])),
        outputs=(output(3, 6),),
        reference=lambda x, _axis: x[:, ::-1],
        options=("ReverseV2Options", {}),
    )


@maker("REVERSE_SEQUENCE", types=("uint8", "int16"), plain=PLAIN_NUMBERS)
def _reverse_sequence(_: str) -> Form:
    def reverse(x: Array, lengths: Array) -> Array:
        result = x.copy()
        for row, length in enumerate(lengths):
            result[row, :length] = x[row, :length][::-1]
        return result

    return Form(
        inputs=(data(3, 6), plain([2, 6, 4])),
        outputs=(output(3, 6),),
        reference=reverse,
        options=("ReverseSequenceOptions", {"seqDim": 1, "batchDim": 0}),
    )


@maker("BROADCAST_TO", plain=PLAIN_ANY)
def _broadcast_to(_: str) -> Form:
    return Form(
        inputs=(data(1, 8), plain([3, 8])),
        outputs=(output(3, 8),),
        reference=np.broadcast_to,
        options=("BroadcastToOptions", {}),
        version=2,
    )


@maker("SELECT", "SELECT_V2", plain=PLAIN_ANY)
def _select(_: str, name: str) -> Form:
    table = "SelectOptions" if name == "SELECT" else "SelectV2Options"
    choice = np.arange(24).reshape(4, 6) % 3 == 0
    return Form(
        inputs=(plain(choice, "bool"), data(4, 6), data(4, 6, span=(-3.0, 5.0))),
        outputs=(output(4, 6),),
        reference=np.where,
        options=(table, {}),
    )


@maker("DYNAMIC_UPDATE_SLICE", plain=PLAIN_ANY)
def _dynamic_update_slice(_: str) -> Form:
    def update(x: Array, part: Array, _start: Array) -> Array:
        result = x.copy()
        result[1:3, 2:5] = part
        return result

    return Form(
        inputs=(data(4, 6), data(2, 3, span=(-3.0, 5.0)), plain([1, 2])),
        outputs=(output(4, 6),),
        reference=update,
        options=("DynamicUpdateSliceOptions", {}),
    )


@maker("SCATTER_ND", types=BYTES, plain=("float32", "bool", "int32", "int64"))
def _scatter_nd(_: str) -> Form:
    def scatter(places: Array, values: Array, shape: Array) -> Array:
        result = np.zeros(shape)
        result[places[:, 0]] = values
        return result

    return Form(
        inputs=(plain([[1], [4]]), data(2, 5), plain([6, 5])),
        outputs=(output(6, 5),),
        reference=scatter,
        options=("ScatterNdOptions", {}),
    )


@maker("TOPK_V2", plain=PLAIN_NUMBERS)
def _topk(_: str) -> Form:
    def top(x: Array, _k: Array) -> list[Any]:
        # The order of the indices of equal values is undefined.
        return [-np.sort(-x, axis=1)[:, :3], np.full((3, 3), np.nan)]

    return Form(
        inputs=(data(3, 8), plain(3)),
        outputs=(output(3, 3), output(3, 3, type_name="int32")),
        reference=top,
        options=("TopKV2Options", {}),
    )


@maker("FILL", plain=PLAIN_ANY)
def _fill(_: str) -> Form:
    return Form(
        inputs=(plain([3, 4]), data()),
        outputs=(output(3, 4),),
        reference=lambda shape, value: np.full(shape, float(value.reshape(()))),
        options=("FillOptions", {}),
    )


@maker("ONE_HOT", types=BYTES, plain=("float32", "bool", "int32", "int64"))
def _one_hot(_: str) -> Form:
    def place(i: Array, _depth: Array, on: Array, off: Array) -> Array:
        return np.where(i[:, None] == np.arange(4), on, off)

    return Form(
        inputs=(plain([1, 0, 3]), plain(4), data(span=(1.0, 2.0)), data(span=(-2.0, -1.0))),
        outputs=(output(3, 4),),
        reference=place,
        options=("OneHotOptions", {"axis": -1}),
    )


@maker("EMBEDDING_LOOKUP", plain=PLAIN_ANY)
def _embedding_lookup(_: str) -> Form:
    return Form(
        inputs=(plain([2, 0, 2]), constant(4, 6)),
        outputs=(output(3, 6),),
        reference=lambda i, table: table[i],
    )


@maker("MATRIX_DIAG", plain=PLAIN_NUMBERS)
def _matrix_diag(_: str) -> Form:
    return Form(
        inputs=(data(5),),
        outputs=(output(5, 5),),
        reference=np.diag,
        options=("MatrixDiagOptions", {}),
    )


@maker("MATRIX_SET_DIAG", plain=PLAIN_NUMBERS)
def _matrix_set_diag(_: str) -> Form:
    def place(x: Array, diagonal: Array) -> Array:
        return np.where(np.eye(5, dtype=bool), diagonal, x)

    return Form(
        inputs=(data(5, 5), data(5, span=(-3.0, 5.0))),
        outputs=(output(5, 5),),
        reference=place,
        options=("MatrixSetDiagOptions", {}),
    )


@maker("UNIQUE", plain=PLAIN_NUMBERS)
def _unique(_: str) -> Form:
    def first_seen(x: Array) -> list[Any]:
        _, places, back = np.unique(x, return_index=True, return_inverse=True)
        rank = np.argsort(np.argsort(places))
        return [x[np.sort(places)], rank[back]]

    return Form(
        inputs=(data(8),),
        outputs=(output(8), output(8, type_name="int32")),
        reference=first_seen,
        options=("UniqueOptions", {"idxOutType": 2}),
    )


@maker("SPARSE_TO_DENSE", types=BYTES, plain=PLAIN_NUMBERS)
def _sparse_to_dense(_: str) -> Form:
    def place(i: Array, shape: Array, values: Array, default: Array) -> Array:
        result = np.full(shape, float(default.reshape(())))
        result[i] = values
        return result

    return Form(
        inputs=(plain([1, 4, 6]), plain([8]), data(3), data(span=(-2.0, -1.0))),
        outputs=(output(8),),
        reference=place,
        options=("SparseToDenseOptions", {}),
    )


@maker("ZEROS_LIKE", types=("int8",), plain=PLAIN_NUMBERS)
def _zeros_like(_: str) -> Form:
    return Form(
        inputs=(data(3, 4),),
        outputs=(output(3, 4),),
        reference=np.zeros_like,
        options=("ZerosLikeOptions", {}),
    )
