"""Random quantized graphs as converters leave them: each tensor with the range it was seen with.

A graph grows operator by operator on real values, so that every range is what some samples gave;
tensors that kernels want alike are therefore seldom alike, outputs of fixed range and biases are
now and then off. No part of the package is used.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tflite_align.record import Record

from .grower import SAMPLES, Grower, Options, float32
from .models import GraphSpec, OperatorSpec, Quant, TensorSpec, model_bytes
from .numpy_models import LIMITS

__all__ = ["GrownGraph", "grown"]


class GrownGraph(Record, frozen=True, kw_only=True):
    """A file, and the names of its operators."""

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


def _called(g: Grower, name: str, source: str, quant: Quant, factor: str) -> GraphSpec:
    """A subgraph that multiplies its input by a constant; WHILE's counts its rounds as well."""
    shape = g.values[source][0].shape
    outer = g.tensors[source].quant
    tensors = [
        TensorSpec(name="a", type=g.type, shape=shape, quant=outer),
        TensorSpec(name="d", type=g.type, shape=shape, quant=quant),
        g.tensors[factor],
    ]
    inputs, outputs = ["a"], ["d"]
    operators = [
        OperatorSpec(name="MUL", inputs=["a", factor], outputs=["d"], options=("MulOptions", {}))
    ]
    if name == "body":
        tensors += [_counter("i"), _counter("next"), _counter("one", 1)]
        inputs, outputs = ["i", "a"], ["next", "d"]
        plus: Options = ("AddOptions", {})
        operators.append(
            OperatorSpec(name="ADD", inputs=["i", "one"], outputs=["next"], options=plus)
        )
    return GraphSpec(
        name=name, tensors=tensors, operators=operators, inputs=inputs, outputs=outputs
    )


def _counter(name: str, value: int | None = None) -> TensorSpec:
    data = None if value is None else np.asarray([value], dtype="int32")
    return TensorSpec(name=name, type="int32", shape=(1,), data=data)


def _factor(g: Grower) -> tuple[str, float]:
    """A quantized constant below 1, and its real value."""
    top = LIMITS[g.type][1]
    share = float(g.pick(0.3, 0.6, 0.9))
    quant = Quant(scale=(float32(1 / top),), zero_point=(0,))
    name = g.constant(np.full((1,), round(share * top)), g.type, quant)
    return name, round(share * top) * quant.scale[0]


def _branch(g: Grower) -> None:
    """IF: one of two constants is multiplied with, as a bool among the graph inputs says."""
    source = g.known(rank=4)
    assert source is not None
    if "choice" not in g.tensors:
        g.tensors["choice"] = TensorSpec(name="choice", type="bool", shape=(1,))
    number = 1 + len(g.others)
    for name in ("then", "else"):
        factor, share = _factor(g)
        values = [v * share for v in g.values[source]]
        g.others.append(_called(g, name, source, g.quant(values), factor))
    options = {"thenSubgraphIndex": number, "elseSubgraphIndex": number + 1}
    g.hand_on("IF", ["choice", source], values, ("IfOptions", options))


def _loop(g: Grower) -> None:
    """WHILE: three multiplications with a constant."""
    source = g.known(rank=4)
    assert source is not None
    number = 1 + len(g.others)
    factor, share = _factor(g)
    values = [v * share**3 for v in g.values[source]]
    more = TensorSpec(name="more", type="bool", shape=(1,))
    carried = TensorSpec(
        name="a", type=g.type, shape=values[0].shape, quant=g.tensors[source].quant
    )
    less = OperatorSpec(
        name="LESS", inputs=["i", "rounds"], outputs=["more"], options=("LessOptions", {})
    )
    condition = GraphSpec(
        name="condition",
        tensors=[_counter("i"), _counter("rounds", 3), carried, more],
        operators=[less],
        inputs=["i", "a"],
        outputs=["more"],
    )
    body = _called(g, "body", source, g.quant([v * share for v in g.values[source]]), factor)
    g.others += [condition, body]
    zero = g.constant([0], "int32")
    options = {"condSubgraphIndex": number, "bodySubgraphIndex": number + 1}
    rounds = f"rounds{number}"
    g.tensors[rounds] = TensorSpec(name=rounds, type="int32", shape=(1,))
    g.hand_on("WHILE", [zero, source], values, ("WhileOptions", options), [rounds])


def _requantized(g: Grower) -> None:
    source = g.known()
    assert source is not None
    g.operator("QUANTIZE", [source])


_STEPS = (_conv, _conv, _conv, _arithmetic, _arithmetic, _unary, _pooled, _joined, _split, _moved)
_RARE = (_moved, _dense, _softmax, _stacked, _reduced, _product, _requantized)
_CALLS = (_branch, _loop)


def grown(seed: int, operators: int | None = None) -> GrownGraph:
    """The graph of this seed: 10 to 60 operators, or as many as are asked for."""
    grower = Grower(seed)
    wanted = operators or int(grower.rng.integers(10, 61))
    shape = (1, int(grower.pick(4, 6)), int(grower.pick(4, 6)), int(grower.pick(2, 3, 4)))
    inputs = []
    for _ in range(int(grower.pick(1, 1, 2))):
        samples = [grower.rng.uniform(-2, 3, shape) for _ in range(SAMPLES)]
        inputs.append(grower.activation(samples))
    calls = grower.chance(0.3)
    while len(grower.operators) < wanted:
        steps = _CALLS if calls and grower.chance(0.05) else (*_STEPS, *_RARE)
        step = grower.pick(*steps)
        with np.errstate(all="raise", under="ignore"):
            step(grower)
    outputs = [name for name in grower.values if name not in grower.read and name not in inputs]
    if "choice" in grower.tensors:
        inputs.append("choice")
    main = GraphSpec(
        tensors=list(grower.tensors.values()),
        operators=grower.operators,
        inputs=inputs,
        outputs=outputs,
    )
    names = tuple(operator.name for operator in grower.operators)
    return GrownGraph(data=model_bytes([main, *grower.others]), operators=names, type=grower.type)
