"""StableHLO operators that LiteRT has kernels for."""

from __future__ import annotations

from typing import Any

import numpy as np
from flatbuffers import flexbuffers

from tests.rules.operators.graphs import of_two
from tests.rules.operators.operands import Array, Form, data, maker, output, plain

INTEGERS = ("int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64")
NUMBERS = ("float32", "float16", "float64", *INTEGERS)

_TWO: dict[str, tuple[Any, tuple[str, ...]]] = {
    "STABLEHLO_ADD": (np.add, NUMBERS),
    "STABLEHLO_AND": (np.bitwise_and, ("bool", *INTEGERS)),
    "STABLEHLO_MAXIMUM": (np.maximum, NUMBERS),
    "STABLEHLO_MINIMUM": (np.minimum, NUMBERS),
    "STABLEHLO_MULTIPLY": (np.multiply, NUMBERS),
}


def _two(_: str, name: str) -> Form:
    return Form(inputs=(data(4, 6), data(4, 6)), outputs=(output(4, 6),), reference=_TWO[name][0])


for _name in _TWO:
    maker(_name, types=(), plain=_TWO[_name][-1])(
        lambda type_name, name=_name: _two(type_name, name)
    )


@maker("STABLEHLO_SHIFT_LEFT", types=(), plain=("int8", "int16", "int32"))
def _shift_left(_: str) -> Form:
    return Form(
        inputs=(data(4, 6, span=(0.0, 7.0)), data(4, 6, span=(0.0, 3.0))),
        outputs=(output(4, 6),),
        reference=np.left_shift,
        options=("StablehloShiftLeftOptions", {}),
    )


@maker("STABLEHLO_PAD", types=(), plain=NUMBERS)
def _pad(type_name: str) -> Form:
    def pad(x: Array, fill: Array) -> Array:
        result = np.full((4, 8), fill.reshape(()))
        result[1:4:2, 2:5] = x
        return result

    options = {"edgePaddingLow": [1, 2], "edgePaddingHigh": [0, 3], "interiorPadding": [1, 0]}
    return Form(
        inputs=(data(2, 3), plain(1, type_name)),
        outputs=(output(4, 8),),
        reference=pad,
        options=("StablehloPadOptions", options),
    )


@maker("STABLEHLO_GATHER", types=(), plain=("bool", *NUMBERS))
def _gather(_: str) -> Form:
    """Rows selected by index."""
    options = {
        "offsetDims": [1],
        "collapsedSliceDims": [0],
        "startIndexMap": [0],
        "indexVectorDim": 1,
        "sliceSizes": [1, 4],
    }
    return Form(
        inputs=(data(6, 4), plain([[5], [0], [3]])),
        outputs=(output(3, 4),),
        reference=lambda x, i: x[i[:, 0]],
        options=("StablehloGatherOptions", options),
    )


@maker("STABLEHLO_SCATTER", types=(), plain=NUMBERS)
def _scatter(type_name: str) -> Form:
    """Values added to the rows with the given indices."""

    def scatter(x: Array, places: Array, rows: Array) -> Array:
        result = x.copy()
        np.add.at(result, places[:, 0], rows)
        return result

    options = {
        "updateWindowDims": [1],
        "insertedWindowDims": [0],
        "scatterDimsToOperandDims": [0],
        "indexVectorDim": 1,
        "updateComputationSubgraphIndex": 1,
    }
    return Form(
        inputs=(data(6, 4), plain([[5], [0], [5]]), data(3, 4)),
        outputs=(output(6, 4),),
        reference=scatter,
        options=("StablehloScatterOptions", options),
        subgraphs=(of_two("STABLEHLO_ADD", "", type_name),),
    )


REDUCED = ("float32", "float64", "int8", "uint8", "int16", "int32", "int64")


@maker("STABLEHLO_REDUCE_WINDOW", types=(), plain=REDUCED)
def _reduce_window(type_name: str) -> Form:
    def reduce(x: Array, first: Array) -> Array:
        views = np.lib.stride_tricks.sliding_window_view(x, (2, 2))[::2, ::2]
        result: Array = views.sum(axis=(2, 3)) + first
        return result

    options = {
        "windowDimensions": [2, 2],
        "windowStrides": [2, 2],
        "baseDilations": [1, 1],
        "windowDilations": [1, 1],
        "padding": [0, 0, 0, 0],
        "bodySubgraphIndex": 1,
    }
    return Form(
        inputs=(data(4, 6), plain(3, type_name)),
        outputs=(output(2, 3),),
        reference=reduce,
        options=("StablehloReduceWindowOptions", options),
        subgraphs=(of_two("STABLEHLO_ADD", "", type_name),),
    )


@maker("STABLEHLO_RNG_BIT_GENERATOR", types=(), plain=("int32", "int64", "uint32", "uint64"))
def _rng_bit_generator(_: str) -> Form:
    return Form(
        inputs=(plain([1, 2], "uint64"),),
        outputs=(output(2, type_name="uint64"), output(3, 4)),
        options=("StablehloRngBitGeneratorOptions", {"algorithm": 2}),
        runs_only=True,
    )


@maker("STABLEHLO_COMPOSITE", types=(), plain=("float32", "int32"))
def _composite(type_name: str) -> Form:
    options = {
        "name": "sum",
        "decompositionSubgraphIndex": 1,
        "compositeAttributes": list(flexbuffers.Dumps({})),
    }
    return Form(
        inputs=(data(4, 6), data(4, 6)),
        outputs=(output(4, 6),),
        reference=np.add,
        options=("StableHLOCompositeOptions", options),
        subgraphs=(of_two("ADD", "AddOptions", type_name, 4, 6),),
    )


@maker("STABLEHLO_CASE", types=(), plain=("float32", "int32"))
def _case(type_name: str) -> Form:
    """CASE that selects the second of two branches."""
    return Form(
        inputs=(plain([1]), data(4, 6), data(4, 6)),
        outputs=(output(4, 6),),
        reference=lambda _branch, a, b: a * b,
        options=("StablehloCaseOptions", {"branchSubgraphIndices": [1, 2]}),
        subgraphs=(
            of_two("ADD", "AddOptions", type_name, 4, 6),
            of_two("MUL", "MulOptions", type_name, 4, 6),
        ),
    )
