"""Operators without a quantized kernel: elementwise, reductions, casts, segments, shapes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tests.rules.operators.operands import (
    Array,
    Form,
    Operand,
    constant,
    data,
    maker,
    output,
    plain,
)

FLOATS = ("float32", "float64")
NUMBERS = ("float32", "int32")
BITS = ("int8", "uint8", "int16", "uint16", "int32", "uint32")

Options = tuple[str, dict[str, Any]]

# Operator -> meaning, options, types.
_ONE: dict[str, tuple[Callable[..., Array], Options | None, tuple[str, ...]]] = {
    "CEIL": (np.ceil, None, ("float32",)),
    "COS": (np.cos, ("CosOptions", {}), ("float32", "float16")),
    "FLOOR": (np.floor, None, ("float32", "float16")),
    "LOGICAL_NOT": (np.logical_not, ("LogicalNotOptions", {}), ("bool",)),
    "ROUND": (np.round, None, ("float32", "float16")),
    "SIGN": (np.sign, ("SignOptions", {}), (*FLOATS, "int32")),
    "SIN": (np.sin, None, ("float32", "float16")),
    "SQUARE": (np.square, ("SquareOptions", {}), ("float32",)),
}


def _one(type_name: str, name: str) -> Form:
    reference, options, _ = _ONE[name]
    return Form(
        inputs=(data(4, 6),),
        outputs=(output(4, 6),),
        reference=reference,
        options=options,
        version=2 if (name, type_name) == ("SIGN", "int32") else 1,
    )


for _name in _ONE:
    maker(_name, types=(), plain=_ONE[_name][-1])(
        lambda type_name, name=_name: _one(type_name, name)
    )


# Operator -> meaning, options, span of the second operand, types.
_TWO: dict[str, tuple[Callable[..., Array], Options, tuple[float, float], tuple[str, ...]]] = {
    "ATAN2": (np.arctan2, ("ATan2Options", {}), (-4.0, 4.0), FLOATS),
    "BITWISE_XOR": (np.bitwise_xor, ("BitwiseXorOptions", {}), (-4.0, 4.0), BITS),
    "LOGICAL_AND": (np.logical_and, ("LogicalAndOptions", {}), (0.0, 1.0), ("bool",)),
    "LOGICAL_OR": (np.logical_or, ("LogicalOrOptions", {}), (0.0, 1.0), ("bool",)),
    "POW": (np.power, ("PowOptions", {}), (0.0, 3.0), NUMBERS),
    "RIGHT_SHIFT": (np.right_shift, ("RightShiftOptions", {}), (0.0, 5.0), BITS),
}


def _two(_: str, name: str) -> Form:
    reference, options, span, _types = _TWO[name]
    first = {"POW": (1.0, 4.0), "RIGHT_SHIFT": (-100.0, 100.0)}.get(name, (-4.0, 4.0))
    return Form(
        inputs=(data(4, 6, span=first), data(4, 6, span=span)),
        outputs=(output(4, 6),),
        reference=reference,
        options=options,
    )


for _name in _TWO:
    maker(_name, types=(), plain=_TWO[_name][-1])(
        lambda type_name, name=_name: _two(type_name, name)
    )


@maker("REDUCE_ALL", "REDUCE_ANY", types=(), plain=("bool",))
def _reduce(_: str, name: str) -> Form:
    reduce = np.all if name == "REDUCE_ALL" else np.any
    return Form(
        inputs=(data(2, 3, 6), plain([1])),
        outputs=(output(2, 6),),
        reference=lambda x, _axis: reduce(x, axis=1),
        options=("ReducerOptions", {"keepDims": False}),
    )


# The schema's codes of the types that CAST reads and writes here.
_NUMBER = {"float32": 0, "int32": 2, "uint8": 3, "int64": 4, "bool": 6, "int16": 7, "int8": 9}
_NUMBER |= {"uint32": 15, "uint16": 16}


@maker("CAST", types=(), plain=tuple(_NUMBER))
def _cast(type_name: str) -> Form:
    """To float32; float32 itself to int32, towards zero."""
    made = "int32" if type_name == "float32" else "float32"
    options = {"inDataType": _NUMBER[type_name], "outDataType": _NUMBER[made]}
    return Form(
        inputs=(data(4, 6),),
        outputs=(output(4, 6, type_name=made),),
        reference=lambda x: x.astype(made),
        options=("CastOptions", options),
        raw=True,
    )


@maker("BITCAST", types=(), plain=("float32", "int32", "uint32"))
def _bitcast(type_name: str) -> Form:
    made = "float32" if type_name != "float32" else "int32"
    return Form(
        inputs=(data(4, 6),),
        outputs=(output(4, 6, type_name=made),),
        reference=lambda x: x.view(made),
        options=("BitcastOptions", {}),
    )


_PARTS: dict[str, Callable[..., Array]] = {"COMPLEX_ABS": np.abs, "IMAG": np.imag, "REAL": np.real}


@maker(*_PARTS, types=(), plain=("complex64", "complex128"))
def _part(type_name: str, name: str) -> Form:
    made = "float32" if type_name == "complex64" else "float64"
    return Form(
        inputs=(data(4, 6),),
        outputs=(output(4, 6, type_name=made),),
        reference=_PARTS[name],
    )


@maker("RFFT2D", types=())
def _rfft2d(_: str) -> Form:
    return Form(
        inputs=(data(4, 8), plain([4, 8])),
        outputs=(output(4, 5, type_name="complex64"),),
        reference=lambda x, _length: np.fft.rfft2(x),
        options=("Rfft2dOptions", {}),
    )


@maker("FAKE_QUANT", types=())
def _fake_quant(_: str) -> Form:
    # Steps of 1/64 around zero.
    return Form(
        inputs=(data(4, 6),),
        outputs=(output(4, 6),),
        reference=lambda x: np.clip(np.floor(x * 64 + 0.5) / 64, -2.0, 1.984375),
        options=("FakeQuantOptions", {"min": -2.0, "max": 1.984375, "numBits": 8}),
    )


_EDGES = [-1.0, 0.5, 2.0]


@maker("BUCKETIZE", types=(), plain=("float32", "float64", "int32", "int64"))
def _bucketize(_: str) -> Form:
    return Form(
        inputs=(data(4, 6),),
        outputs=(output(4, 6, type_name="int32"),),
        reference=lambda x: np.digitize(x, _EDGES),
        options=("BucketizeOptions", {"boundaries": _EDGES}),
    )


@maker("BROADCAST_ARGS", types=(), plain=("int32", "int64"))
def _broadcast_args(type_name: str) -> Form:
    return Form(
        inputs=(plain([1, 4], type_name), plain([3, 2, 1], type_name)),
        outputs=(output(3),),
        reference=lambda a, b: np.array(np.broadcast_shapes(tuple(a), tuple(b)), dtype=a.dtype),
    )


@maker("RANGE", types=(), plain=("float32", "int32", "int64"))
def _range(type_name: str) -> Form:
    return Form(
        inputs=(plain(1, type_name), plain(9, type_name), plain(2, type_name)),
        outputs=(output(4),),
        reference=np.arange,
        options=("RangeOptions", {}),
    )


@maker("RANK", types=(), plain=("float32", "int32", "int64", "bool"))
def _rank(_: str) -> Form:
    return Form(
        inputs=(data(2, 3, 4),),
        outputs=(output(type_name="int32"),),
        reference=lambda x: np.array(x.ndim),
        options=("RankOptions", {}),
    )


_SEGMENTS = [0, 0, 1, 2]


def _segments(x: Array, identity: float, reduce: Any) -> Array:
    result = np.full((3, 5), identity)
    for row, segment in enumerate(_SEGMENTS):
        result[segment] = reduce(result[segment], x[row])
    return result


@maker("SEGMENT_SUM", types=(), plain=NUMBERS)
def _segment_sum(_: str) -> Form:
    return Form(
        inputs=(data(4, 5), plain(_SEGMENTS)),
        outputs=(output(3, 5),),
        reference=lambda x, _ids: _segments(x, 0.0, np.add),
        options=("SegmentSumOptions", {}),
    )


_UNSORTED = {
    "UNSORTED_SEGMENT_MAX": ("UnsortedSegmentMaxOptions", -np.inf, np.maximum),
    "UNSORTED_SEGMENT_MIN": ("UnsortedSegmentMinOptions", np.inf, np.minimum),
    "UNSORTED_SEGMENT_PROD": ("UnsortedSegmentProdOptions", 1.0, np.multiply),
    "UNSORTED_SEGMENT_SUM": ("UnsortedSegmentSumOptions", 0.0, np.add),
}


@maker(*_UNSORTED, types=(), plain=NUMBERS)
def _unsorted_segment(_: str, name: str) -> Form:
    table, identity, reduce = _UNSORTED[name]
    return Form(
        inputs=(data(4, 5), plain(_SEGMENTS), plain(3)),
        outputs=(output(3, 5),),
        reference=lambda x, _ids, _count: _segments(x, identity, reduce),
        options=(table, {}),
    )


@maker("RANDOM_STANDARD_NORMAL", "RANDOM_UNIFORM", types=())
def _random(_: str, _name: str) -> Form:
    return Form(
        inputs=(plain([3, 4]),),
        outputs=(output(3, 4),),
        options=("RandomOptions", {"seed": 1, "seed2": 2}),
        runs_only=True,
    )


@maker("MULTINOMIAL", types=())
def _multinomial(_: str) -> Form:
    return Form(
        inputs=(data(2, 4), plain(5)),
        outputs=(output(2, 5, type_name="int64"),),
        options=("RandomOptions", {"seed": 1, "seed2": 2}),
        runs_only=True,
    )


@maker("HASHTABLE_LOOKUP", types=(), plain=NUMBERS)
def _hashtable_lookup(_: str) -> Form:
    def look_up(wanted: Array, keys: Array, values: Array) -> list[Array]:
        hits = np.isin(wanted, keys)
        rows = values[np.searchsorted(keys, np.where(hits, wanted, keys[0]))]
        return [rows * hits[:, None], hits.astype(np.uint8)]

    return Form(
        inputs=(plain([7, 2, 9]), plain([2, 5, 7]), data(3, 4)),
        outputs=(output(3, 4), output(3, type_name="uint8")),
        reference=look_up,
    )


@maker("EMBEDDING_LOOKUP_SPARSE", types=())
def _embedding_lookup_sparse(_: str) -> Form:
    def mix(ids: Array, places: Array, _shape: Array, shares: Array, table: Array) -> Array:
        result = np.zeros((2, 3))
        for row, (place, share) in enumerate(zip(places[:, 0], shares, strict=True)):
            result[place] += share * table[ids[row]]
        return result

    return Form(
        inputs=(
            plain([1, 3, 0]),
            plain([[0, 0], [0, 1], [1, 0]]),
            plain([2, 2]),
            plain([1.0, 0.5, 2.0], "float32"),
            constant(4, 3),
        ),
        outputs=(output(2, 3),),
        reference=mix,
        options=("EmbeddingLookupSparseOptions", {"combiner": 0}),
    )


@maker("LSH_PROJECTION", types=())
def _lsh_projection(_: str) -> Form:
    hashes = np.linspace(-1.0, 1.0, 6).reshape(3, 2)
    return Form(
        inputs=(plain(hashes, "float32"), data(4, 2)),
        outputs=(output(3, type_name="int32"),),
        options=("LSHProjectionOptions", {"type": 1}),
        runs_only=True,
    )


_BOXES = [[0.0, 0.0, 1.0, 1.0], [0.0, 0.05, 1.0, 1.05], [0.0, 5.0, 1.0, 6.0], [0.0, 9.0, 1.0, 10.0]]
_SCORES = [0.9, 0.8, 0.7, 0.1]


def _limit(value: float) -> Operand:
    return plain(value, "float32")


@maker("NON_MAX_SUPPRESSION_V4", "NON_MAX_SUPPRESSION_V5", types=())
def _non_max_suppression(_: str, name: str) -> Form:
    """Of four boxes the second overlaps the first, and the last has a low score."""
    fifth = name.endswith("V5")
    chosen, scores = np.array([0, 2, 0]), np.array([0.9, 0.7, 0.0])
    limits = [plain(3), _limit(0.5), _limit(0.3), *([_limit(0.0)] if fifth else [])]
    count = np.array(2)
    return Form(
        inputs=(
            plain(_BOXES, "float32"),
            plain(_SCORES, "float32"),
            *limits,
        ),
        outputs=(
            output(3, type_name="int32"),
            *([output(3)] if fifth else []),
            output(type_name="int32"),
        ),
        reference=lambda *_: [chosen, scores, count] if fifth else [chosen, count],
        options=(f"NonMaxSuppression{name[-2:]}Options", {}),
    )
