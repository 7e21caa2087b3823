"""Random quantized graphs like a converter's: each tensor has the range of its observed values.

A graph grows operator by operator, on real values. Tensors that should have equal parameters for a
kernel therefore seldom do; fixed outputs and biases are sometimes wrong. The package is not used.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import numpy as np

from tflite_align.record import Record

from .grower import SAMPLES, DeadError, Grower, Options
from .grown_calls import branch, delayed, first_values, loop, remembered
from .models import GraphSpec, model_bytes

__all__ = ["GrownGraph", "grown"]


class GrownGraph(Record, frozen=True, kw_only=True):
    """A file and the names of its operators."""

    data: bytes
    operators: tuple[str, ...]
    type: str


def _strides(grower: Grower, extent: int) -> dict[str, int]:
    step = int(grower.pick(1, 1, 2)) if extent > 2 else 1
    return {"strideH": step, "strideW": step, "padding": int(grower.pick(0, 1))}


_FUSE = (0, 0, 1, 1, 3)


def _conv(g: Grower) -> None:
    source = g.known(rank=4)
    assert source is not None
    _, height, width, depth = g.values[source][0].shape
    size = int(g.pick(1, 1, 3)) if min(height, width) >= 3 else 1
    channels = int(g.pick(2, 4, 5))
    extra: dict[str, Any] = {"dilationHFactor": 1, "dilationWFactor": 1}
    options = {**_strides(g, height), **extra, "fusedActivationFunction": int(g.pick(*_FUSE))}
    if g.chance(0.35):
        weights, scales = g.weights((1, size, size, depth), 3)
        bias = g.bias(source, scales, depth)
        table = ("DepthwiseConv2DOptions", {**options, "depthMultiplier": 1})
        g.operator("DEPTHWISE_CONV_2D", [source, weights, bias], table)
        return
    weights, scales = g.weights((channels, size, size, depth), 0)
    bias = g.bias(source, scales, channels)
    g.operator("CONV_2D", [source, weights, bias], ("Conv2DOptions", options))


def _dense(g: Grower) -> None:
    source = g.known(rank=2)
    if source is None:
        image = g.known(rank=4)
        assert image is not None
        size = g.values[image][0].size
        shape = g.constant([1, size], "int32")
        (source,) = g.operator(
            "RESHAPE", [image, shape], ("ReshapeOptions", {"newShape": [1, size]})
        )
    width, units = g.values[source][0].shape[1], int(g.pick(3, 6, 10))
    channels = (units, width)
    weights, scales = g.weights(channels, 0)
    if len(scales) > 1 and g.type == "int16":
        return
    bias = g.bias(source, scales, units)
    table = ("FullyConnectedOptions", {"fusedActivationFunction": int(g.pick(*_FUSE))})
    g.operator("FULLY_CONNECTED", [source, weights, bias], table)


def _arithmetic(g: Grower) -> None:
    first = g.known()
    assert first is not None
    names = ["ADD", "SUB", "MUL", "MAXIMUM", "MINIMUM"]
    name = str(g.pick(*names, *(["SQUARED_DIFFERENCE"] if g.type == "int8" else [])))
    table: Options = (f"{name.title()}Options", {"fusedActivationFunction": int(g.pick(*_FUSE))})
    if name in ("MAXIMUM", "MINIMUM"):
        table = ("MaximumMinimumOptions", {})
    if name == "SQUARED_DIFFERENCE":
        table = ("SquaredDifferenceOptions", {})
    if name in ("ADD", "SUB") and g.type == "int16":
        assert table is not None
        table = (table[0], {**table[1], "potScaleInt16": False})
    g.operator(name, [first, g.alike(first)], table)


def _unary(g: Grower) -> None:
    source = g.known()
    assert source is not None
    names = ["RELU", "RELU6", "LOGISTIC", "TANH", "LEAKY_RELU"]
    names += ["HARD_SWISH", "RELU_N1_TO_1"] if g.type != "int16" else []
    name = str(g.pick(*names))
    table = ("LeakyReluOptions", {"alpha": 0.1}) if name == "LEAKY_RELU" else None
    g.operator(name, [source], table)


def _softmax(g: Grower) -> None:
    source = g.known(rank=2)
    if source is not None:
        g.operator("SOFTMAX", [source], ("SoftmaxOptions", {"beta": 1.0}))


def _pooled(g: Grower) -> None:
    source = g.known(rank=4)
    assert source is not None
    height, width = g.values[source][0].shape[1:3]
    size = 2 if min(height, width) >= 2 else 1
    options = {
        **_strides(g, height),
        "filterHeight": size,
        "filterWidth": size,
        "fusedActivationFunction": int(g.pick(0, 0, 1)),
    }
    name = str(g.pick("MAX_POOL_2D", "AVERAGE_POOL_2D"))
    g.operator(name, [source], ("Pool2DOptions", options))


def _reduced(g: Grower) -> None:
    source = g.known(rank=4)
    assert source is not None
    names = ["MEAN", "REDUCE_MAX", *(["SUM"] if g.type == "int8" else [])]
    axes = g.constant([1, 2], "int32")
    g.operator(str(g.pick(*names)), [source, axes], ("ReducerOptions", {"keepDims": g.chance(0.5)}))


def _joined(g: Grower) -> None:
    first = g.known(rank=4, largest=1024)
    assert first is not None
    operands = [first, *(g.alike(first) for _ in range(int(g.pick(1, 1, 2))))]
    g.operator("CONCATENATION", operands, ("ConcatenationOptions", {"axis": 3}))


def _split(g: Grower) -> None:
    source = g.known(rank=4)
    assert source is not None
    if g.values[source][0].shape[3] % 2:
        return
    axis = g.constant(np.asarray(3), "int32")
    g.operator("SPLIT", [axis, source], ("SplitOptions", {"numSplits": 2}))


def _stacked(g: Grower) -> None:
    first = g.known(rank=2)
    if first is None:
        return
    options = {"valuesCount": 2, "axis": 1}
    (made,) = g.operator("PACK", [first, g.alike(first)], ("PackOptions", options))
    if g.chance(0.5):
        g.operator("UNPACK", [made], ("UnpackOptions", {"num": 2, "axis": 1}))


def _moved(g: Grower) -> None:
    source = g.known(rank=4, largest=1024)
    assert source is not None
    _, height, width, depth = g.values[source][0].shape
    choices: dict[str, Callable[[], tuple[list[str], Options]]] = {
        "PAD": lambda: (
            [g.constant([[0, 0], [1, 1], [1, 0], [0, 0]], "int32")],
            ("PadOptions", {}),
        ),
        "TRANSPOSE": lambda: ([g.constant([0, 2, 1, 3], "int32")], ("TransposeOptions", {})),
        "TILE": lambda: ([g.constant([1, 1, 2, 1], "int32")], ("TileOptions", {})),
        "SLICE": lambda: (
            [
                g.constant([0, 0, 0, 0], "int32"),
                g.constant([1, height, width, max(1, depth - 1)], "int32"),
            ],
            ("SliceOptions", {}),
        ),
        "STRIDED_SLICE": lambda: (
            [
                g.constant([0, 0, 0, 0], "int32"),
                g.constant([1, height, width, depth], "int32"),
                g.constant([1, 2, 1, 1], "int32"),
            ],
            ("StridedSliceOptions", {}),
        ),
        "GATHER": lambda: ([g.constant([depth - 1, 0], "int32")], ("GatherOptions", {"axis": 3})),
    }
    if g.type != "int16":
        choices["RESIZE_BILINEAR"] = lambda: (
            [g.constant([height + 1, width * 2], "int32")],
            ("ResizeBilinearOptions", {"halfPixelCenters": True}),
        )
    else:
        del choices["TILE"]
    if height > 1 and g.type == "int8":
        choices["MIRROR_PAD"] = lambda: (
            [g.constant([[0, 0], [1, 1], [0, 0], [0, 0]], "int32")],
            ("MirrorPadOptions", {"mode": 0}),
        )
    if height % 2 == width % 2 == 0 and g.type != "int16":
        choices["SPACE_TO_DEPTH"] = lambda: ([], ("SpaceToDepthOptions", {"blockSize": 2}))
    name = str(g.pick(*choices))
    operands, table = choices[name]()
    g.operator(name, [source, *operands], table)


def _product(g: Grower) -> None:
    source = g.known(rank=4)
    if source is None or g.type == "uint8":
        return
    g.operator("BATCH_MATMUL", [source, g.alike(source)], ("BatchMatMulOptions", {"adjY": True}))


def _requantized(g: Grower) -> None:
    source = g.known()
    assert source is not None
    g.operator("QUANTIZE", [source])


_STEPS = (_conv, _conv, _conv, _arithmetic, _arithmetic, _unary, _pooled, _joined, _split, _moved)
_RARE = (_moved, _dense, _softmax, _stacked, _reduced, _product, _requantized)
_CALLS = ((), (), (branch, loop), (remembered, delayed))  # operators of one graph


def grown(seed: int, operators: int | None = None) -> GrownGraph:
    """The graph for this seed, with 10 to 60 operators or the given number."""
    grower = Grower(seed)
    wanted = operators or int(grower.rng.integers(10, 61))
    shape = (1, int(grower.pick(4, 6)), int(grower.pick(4, 6)), int(grower.pick(2, 3, 4)))
    inputs = []
    for _ in range(int(grower.pick(1, 1, 2))):
        samples = [grower.rng.uniform(-2, 3, shape) for _ in range(SAMPLES)]
        inputs.append(grower.activation(samples))
    calls = grower.pick(*_CALLS)
    while len(grower.operators) < wanted:
        steps = calls if calls and grower.chance(0.08) else (*_STEPS, *_RARE)
        step = grower.pick(*steps)
        with np.errstate(all="raise", under="ignore"), suppress(DeadError):
            step(grower)
    first_values(grower)
    outputs = [name for name in grower.values if name not in grower.read and name not in inputs]
    if "choice" in grower.tensors:
        inputs.append("choice")
    named = {name for one in grower.operators for name in (*one.inputs, *one.outputs)}
    main = GraphSpec(
        tensors=[one for one in grower.tensors.values() if one.name in named.union(inputs)],
        operators=grower.operators,
        inputs=inputs,
        outputs=outputs,
    )
    names = tuple(operator.name for operator in grower.operators)
    return GrownGraph(data=model_bytes([main, *grower.others]), operators=names, type=grower.type)
