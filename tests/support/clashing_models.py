"""One-operator models with contradicting operand shapes, which no kernel can run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tests.support.models import CONV, Graph

__all__ = ["CLASHING"]

_Shape = tuple[int, ...]
_Options = tuple[str, dict[str, Any]]
_VALID: _Options = (CONV[0], {**CONV[1], "padding": 1})


def _one(
    operator: str,
    given: _Shape,
    made: _Shape,
    constants: Sequence[Any] = (),
    options: _Options | None = None,
    *,
    other: _Shape | None = None,
) -> bytes:
    """A model of `operator` on one or two activations and int32 constants. `given`, `made`: shapes
    of input and output; `other`: shape of the second input.
    """
    graph = Graph()
    names = [graph.activation("x", 0.05, shape=given)]
    if other is not None:
        names.append(graph.activation("w", 0.05, shape=other))
    activations = list(names)
    for number, values in enumerate(constants):
        names.append(graph.constant(f"c{number}", np.array(values), "int32"))
    graph.activation("y", 0.05, shape=made)
    graph.add(operator, names, ["y"], options)
    return graph.bytes(activations, ["y"])


def _weighted(operator: str, weights: _Shape, bias: int, options: _Options) -> bytes:
    """An operator on [1, 4, 4, 3] with weights and a bias of these sizes."""
    graph = Graph()
    graph.activation("x", 0.05)
    graph.activation("y", 0.1)
    graph.constant("w", np.ones(weights), "int8", 0.02)
    graph.constant("b", np.zeros(bias), "int32", float(np.float32(0.05) * np.float32(0.02)))
    inputs = ["x", "w", "b"]
    if operator == "TRANSPOSE_CONV":
        inputs = [graph.constant("sizes", [1, 4, 4, 3], "int32"), "w", "x", "b"]
    graph.add(operator, inputs, ["y"], options)
    return graph.bytes(["x"], ["y"])


def _split() -> bytes:
    graph = Graph()
    graph.activation("x", 0.05, shape=(1, 5))
    graph.constant("axis", 1, "int32")
    halves = [graph.activation(name, 0.05, shape=(1, 2)) for name in ("y", "z")]
    graph.add("SPLIT", ["axis", "x"], halves, ("SplitOptions", {"numSplits": 2}))
    return graph.bytes(["x"], halves)


_TURNED: _Options = ("TransposeConvOptions", {"strideH": 1, "strideW": 1})
_DEEP: _Options = ("DepthwiseConv2DOptions", {**CONV[1], "depthMultiplier": 1})
_JOINED: _Options = ("ConcatenationOptions", {"axis": 1})
_SLICED: _Options = ("StridedSliceOptions", {})

_IMAGE = (1, 4, 4, 3)
_PARTS = (4, 2, 2, 3)
_FLAT = [[0, 0], [0, 0]]


def _moved(operator: str, given: _Shape, blocks: Any, border: Any) -> bytes:
    """SPACE_TO_BATCH_ND or BATCH_TO_SPACE_ND with these blocks, and paddings or crops."""
    return _one(operator, given, given, [blocks, border])


def _joined_scalars() -> bytes:
    """A CONCATENATION of a constant without dimensions and a vector."""
    graph = Graph()
    graph.activation("x", 0.05, shape=(2,))
    graph.constant("c", 3, "int8", 0.05)
    graph.activation("y", 0.05, shape=(3,))
    graph.add("CONCATENATION", ["c", "x"], ["y"], ("ConcatenationOptions", {"axis": 0}))
    return graph.bytes(["x"], ["y"])


def _filled(sizes: Any, value: _Shape) -> bytes:
    graph = Graph()
    graph.constant("sizes", sizes, "int32")
    graph.activation("x", 0.05, shape=value)
    graph.activation("y", 0.05, shape=(1, 2))
    graph.add("FILL", ["sizes", "x"], ["y"], ("FillOptions", {}))
    return graph.bytes(["x"], ["y"])


_REVERSED: _Options = ("ReverseV2Options", {})
# As CLASHING: options, axes and sizes that contradict the operand, or themselves.
_MORE: Mapping[str, tuple[bytes, str]] = {
    "BATCH_TO_SPACE_ND blocks": (
        _moved("BATCH_TO_SPACE_ND", _PARTS, [0, 2], _FLAT),
        "found [0, 2], expected blocks of 1 or more",
    ),
    "BATCH_TO_SPACE_ND crops": (
        _moved("BATCH_TO_SPACE_ND", _PARTS, [2, 2], [[-1, 0], [0, 0]]),
        "found -1, expected crops of 0 or more",
    ),
    "BATCH_TO_SPACE_ND wide crops": (
        _moved("BATCH_TO_SPACE_ND", _PARTS, [2, 2], [[3, 2], [0, 0]]),
        "found [3, 2, 0, 0], expected crops within sizes of [4, 4]",
    ),
    "CONCATENATION scalars": (
        _joined_scalars(),
        "found a scalar, expected an operand with an axis",
    ),
    "FILL": (_filled([-1, 2], ()), "found [-1, 2], expected sizes of 0 or more"),
    "FILL matrix": (_filled([[1, 2]], ()), "found [1, 2], expected a vector at inputs[0]"),
    "FILL value": (_filled([1, 2], (1,)), "found [1], expected a scalar at inputs[1]"),
    "MIRROR_PAD below 0": (
        _one("MIRROR_PAD", (1, 4), (1, 3), [[[0, 0], [-1, 0]]], ("MirrorPadOptions", {})),
        "found -1, expected paddings of 0 or more",
    ),
    "PAD below 0": (
        _one("PAD", (1, 4), (1, 3), [[[0, 0], [-1, 0]]], ("PadOptions", {})),
        "found -1, expected paddings of 0 or more",
    ),
    "RESHAPE scalar": (
        _one("RESHAPE", (1, 12), (12,), [12]),
        "found [1, 12], expected 1 elements for []",
    ),
    "REVERSE_V2 apart": (
        _one("REVERSE_V2", _IMAGE, _IMAGE, [[1, 3]], _REVERSED),
        "found axes [1, 3], expected neighbouring axes, each named once",
    ),
    "REVERSE_V2 axis": (
        _one("REVERSE_V2", _IMAGE, _IMAGE, [[4]], _REVERSED),
        "found axis 4, expected an axis of 4 dimensions",
    ),
    "REVERSE_V2 none": (
        _one("REVERSE_V2", _IMAGE, _IMAGE, [np.zeros(0, np.int32)], _REVERSED),
        "found none, expected one axis or more",
    ),
    "REVERSE_V2 scalar": (
        _one("REVERSE_V2", _IMAGE, _IMAGE, [1], _REVERSED),
        "found [], expected a vector at inputs[1]",
    ),
    "SLICE size": (
        _one("SLICE", (1, 4), (1, 4), [[0, 0], [1, -2]], ("SliceOptions", {})),
        "found [1, -2], expected sizes of 0 or more, or -1",
    ),
    "SLICE begin": (
        _one("SLICE", (1, 4), (1, 4), [[0, 6], [1, -1]], ("SliceOptions", {})),
        "found [1, 4], expected sizes [1, -2] with begin [0, 6]",
    ),
    "SPACE_TO_BATCH_ND block": (
        _moved("SPACE_TO_BATCH_ND", _IMAGE, [-2, -2], _FLAT),
        "found [-2, -2], expected blocks of 1 or more",
    ),
    "SPACE_TO_BATCH_ND blocks": (
        _moved("SPACE_TO_BATCH_ND", _IMAGE, [2], [[0, 0]]),
        "found 1, expected 2 blocks, one per inner axis",
    ),
    "SPACE_TO_BATCH_ND paddings": (
        _moved("SPACE_TO_BATCH_ND", _IMAGE, [2, 2], [[0, 0]]),
        "found [1, 2], expected inputs[2] of [blocks = 2, 2]",
    ),
    "STRIDED_SLICE counts": (
        _one("STRIDED_SLICE", (1, 4), (1, 4), [[0], [1, 4], [1, 1]], _SLICED),
        "found 1, 2 and 2, expected as many begins as ends and strides",
    ),
    "TILE below 0": (
        _one("TILE", (1, 4), (1, 4), [[1, -1]], ("TileOptions", {})),
        "found [1, -1], expected multiples of 0 or more",
    ),
}

# Name -> (the model, a part of the expected message).
CLASHING: Mapping[str, tuple[bytes, str]] = {
    "ADD": (
        _one("ADD", (1, 4, 4, 3), (1, 4, 4, 3), other=(1, 4, 5, 3)),
        "found [1, 4, 4, 3] and [1, 4, 5, 3], expected shapes that broadcast",
    ),
    "BATCH_MATMUL": (
        _one("BATCH_MATMUL", (2, 3), (2, 5), (), ("BatchMatMulOptions", {}), other=(4, 5)),
        "found [2, 3] and [4, 5], expected inner sizes that agree",
    ),
    "BROADCAST_TO": (
        _one("BROADCAST_TO", (1, 4), (1, 5), [[1, 5]]),
        "found [1, 4] and [1, 5], expected shapes that broadcast",
    ),
    "CONCATENATION": (
        _one("CONCATENATION", (1, 4), (1, 8), (), _JOINED, other=(1, 4, 1)),
        "expected shapes that differ only along axis 1",
    ),
    "CONCATENATION axis": (
        _one("CONCATENATION", (1, 4), (1, 8), (), (_JOINED[0], {"axis": 5}), other=(1, 4)),
        "found axis 5, expected an axis of 2 dimensions",
    ),
    "CONV_2D": (_weighted("CONV_2D", (3, 1, 1, 4), 3, CONV), "expected a multiple of 4 channels"),
    "CONV_2D bias": (_weighted("CONV_2D", (3, 1, 1, 3), 5, CONV), "found 5, expected a bias of 3"),
    "CONV_2D window": (
        _weighted("CONV_2D", (3, 6, 6, 3), 3, _VALID),
        "found [1, 4, 4, 3], expected an image of at least the window's size [6, 6]",
    ),
    "DEPTH_TO_SPACE": (
        _one(
            "DEPTH_TO_SPACE",
            (1, 4, 4, 3),
            (1, 8, 8, 1),
            (),
            ("DepthToSpaceOptions", {"blockSize": 2}),
        ),
        "expected a multiple of 4 channels",
    ),
    "DEPTHWISE_CONV_2D bias": (
        _weighted("DEPTHWISE_CONV_2D", (1, 1, 1, 3), 4, _DEEP),
        "found 4, expected a bias of 3 values",
    ),
    "EXPAND_DIMS": (
        _one("EXPAND_DIMS", (1, 4), (1, 4, 1), [4], ("ExpandDimsOptions", {})),
        "found axis 4, expected an axis of 3 dimensions",
    ),
    "GATHER": (
        _one("GATHER", (1, 4), (1, 2), [[0, 9]], ("GatherOptions", {"axis": 1})),
        "found index 9, expected indices from 0 to 3",
    ),
    "MEAN": (_one("MEAN", (1, 4), (1,), [[3]], ("ReducerOptions", {})), "found axis 3"),
    "MIRROR_PAD": (
        _one("MIRROR_PAD", (1, 4), (1, 14), [[[0, 0], [5, 5]]], ("MirrorPadOptions", {})),
        "found 5, expected paddings of 3 or less",
    ),
    "PAD": (
        _one("PAD", (1, 4), (1, 6), [[[0, 0], [1, 1], [0, 0]]], ("PadOptions", {})),
        "found [3, 2], expected inputs[1] of [rank = 2, 2]",
    ),
    "RESHAPE": (
        _one("RESHAPE", (1, 12), (1, 5), [[1, 5]], ("ReshapeOptions", {"newShape": [1, 5]})),
        "found [1, 12], expected 5 elements for [1, 5]",
    ),
    "RESHAPE open": (
        _one("RESHAPE", (1, 12), (1, 5), [[-1, -1]], ("ReshapeOptions", {"newShape": [-1, -1]})),
        "found [-1, -1], expected at most one size of -1",
    ),
    "RESIZE_NEAREST_NEIGHBOR": (
        _one(
            "RESIZE_NEAREST_NEIGHBOR",
            (1, 4, 4, 3),
            (1, 4, 4, 3),
            [[0, 4]],
            ("ResizeNearestNeighborOptions", {}),
        ),
        "found [0, 4], expected a height and a width of 1 or more",
    ),
    "SLICE": (
        _one("SLICE", (1, 4), (1, 3), [[0, 2], [1, 3]], ("SliceOptions", {})),
        "found [1, 4], expected sizes [1, 3] with begin [0, 2]",
    ),
    "SPACE_TO_DEPTH": (
        _one(
            "SPACE_TO_DEPTH",
            (1, 5, 4, 3),
            (1, 2, 2, 12),
            (),
            ("SpaceToDepthOptions", {"blockSize": 2}),
        ),
        "expected a height and a width that are multiples of 2",
    ),
    "SPLIT": (_split(), "found [1, 5], expected a multiple of 2 along axis 1"),
    "STRIDED_SLICE": (
        _one("STRIDED_SLICE", (1, 4), (1, 4), [[0, 0], [1, 4], [1, 0]], _SLICED),
        "found stride 0 along axis 1, expected strides that are not 0",
    ),
    "TILE": (_one("TILE", (1, 4), (1, 8), [[2]], ("TileOptions", {})), "one for each multiple"),
    "TRANSPOSE": (
        _one("TRANSPOSE", (1, 4, 3), (1, 3, 4), [[0, 1]], ("TransposeOptions", {})),
        "found [1, 4, 3], expected 2 axes",
    ),
    "TRANSPOSE_CONV": (
        _weighted("TRANSPOSE_CONV", (3, 1, 1, 4), 3, _TURNED),
        "found [1, 4, 4, 3], expected inputs[2] of [batch = 1, height = 4, width = 4, channels = 4]",
    ),
    "TRANSPOSE_CONV bias": (
        _weighted("TRANSPOSE_CONV", (3, 1, 1, 3), 5, _TURNED),
        "found 5, expected a bias of 3 values",
    ),
    **_MORE,
}
