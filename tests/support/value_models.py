"""Small models with values that no kernel computes correctly: dead activations, masks, zero states."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.support.models import SHAPE, Array, Graph, Quant, TensorSpec
from tflite_align.record import replace

RELU6 = 3
FLAT = (1, 8)


def dead_relu6(*, reader: str = "ADD", step: float = 0.02) -> bytes:
    """A convolution with fused RELU6 whose output was always 0 in calibration, so that its scale is
    1e-9.

    `reader`: ADD, with another convolution, or CONV_2D. `step`: scale of the tensors behind it.
    """
    graph = Graph()
    graph.activation("x", 0.0078)
    graph.conv("x", "dead", 1e-9, -128, fused=RELU6)
    below = np.full(3, -60_000, np.int32)  # so that no input gives a sum above 0
    graph.tensors["dead.b"] = replace(graph.tensors["dead.b"], data=below)
    if reader == "CONV_2D":
        graph.conv("dead", "y", step)
        return graph.bytes(["x"], ["y"])
    graph.conv("x", "live", step)
    graph.activation("y", step)
    graph.add("ADD", ["live", "dead"], ["y"], ("AddOptions", {}))
    return graph.bytes(["x"], ["y"])


def _quantized(name: str, shape: tuple[int, ...], scale: float, zero_point: int = 0) -> TensorSpec:
    quant = Quant(scale=(float(np.float32(scale)),), zero_point=(zero_point,))
    return TensorSpec(name=name, type="int8", shape=shape, quant=quant)


def masked(
    values: Array | None = None,
    *,
    operator: str = "ADD",
    scale: float = 7812500.0,
    twice: bool = False,
) -> bytes:
    """An attention mask of 0 and -1e9, added before a SOFTMAX.

    `values`: the mask's integers; None: the mask is a graph input. `operator` SUB: a mask of +1e9
    is subtracted. `scale`: of the mask. `twice`: two sums read it.
    """
    graph = Graph()
    for name in ("x", "sum"):
        graph.tensors[name] = _quantized(name, FLAT, 0.05)
    graph.tensors["y"] = _quantized("y", FLAT, 1 / 256, -128)
    graph.tensors["mask"] = replace(_quantized("mask", FLAT, scale), data=values)
    options: tuple[str, dict[str, Any]] = ("SubOptions" if operator == "SUB" else "AddOptions", {})
    graph.add(operator, ["x", "mask"], ["sum"], options)
    graph.add("SOFTMAX", ["sum"], ["y"], ("SoftmaxOptions", {"beta": 1.0}))
    outputs = ["y"]
    if twice:
        graph.tensors["other"] = _quantized("other", FLAT, 0.1)
        graph.add(operator, ["x", "mask"], ["other"], options)
        outputs.append("other")
    return graph.bytes(["x"] if values is not None else ["x", "mask"], outputs)


def computed_zeros() -> bytes:
    """The initial state of a recurrent network as the converter writes it in 16x8 models: FILL of 0
    with scale 0, read by FULLY_CONNECTED and MUL.
    """
    graph, flat = Graph("int16"), (1, 3)
    graph.activation("x", 0.001, shape=flat)
    graph.constant("zero", np.zeros((), np.int16), "int16", 0.0)
    graph.constant("size", np.asarray(flat), "int32")
    graph.activation("state", 0.0, shape=flat)
    graph.add("FILL", ["size", "zero"], ["state"])
    graph.constant("w", np.full((3, 3), 7), "int8", 0.01)
    graph.tensors[""] = TensorSpec(name="", type="")
    graph.activation("gate", 3.6e-43, shape=flat)
    graph.add("FULLY_CONNECTED", ["state", "w", ""], ["gate"], ("FullyConnectedOptions", {}))
    graph.activation("sum", 0.002, shape=flat)
    graph.add("ADD", ["x", "gate"], ["sum"], ("AddOptions", {"potScaleInt16": False}))
    graph.activation("kept", 3.6e-43, shape=flat)
    graph.add("MUL", ["sum", "state"], ["kept"], ("MulOptions", {}))
    graph.activation("y", 0.002, shape=flat)
    graph.add("ADD", ["sum", "kept"], ["y"], ("AddOptions", {"potScaleInt16": False}))
    graph.operators = [replace(one, version=4) for one in graph.operators]
    return graph.bytes(["x"], ["y"])


def below_zero() -> bytes:
    """ABS whose output range ends at 0."""
    graph = Graph()
    graph.activation("x", 1 / 255, 127)
    graph.activation("y", 1 / 255, 127)
    graph.add("ABS", ["x"], ["y"])
    return graph.bytes(["x"], ["y"])


def off_centre(operator: str = "ADD") -> bytes:
    """int16 activations with zero point 500, as graph inputs and outputs; kernels support only 0."""
    graph = Graph("int16")
    graph.activation("a", 0.0005, 500)
    if operator == "TANH":
        graph.activation("y", 2.0**-15)
        graph.add("TANH", ["a"], ["y"])
        inputs = ["a"]
    else:
        graph.activation("b", 0.0005, 500)
        graph.activation("y", 0.0005, 500)
        graph.add("ADD", ["a", "b"], ["y"], ("AddOptions", {"potScaleInt16": False}))
        inputs = ["a", "b"]
    graph.operators = [replace(one, version=3) for one in graph.operators]
    return graph.bytes(inputs, ["y"])


def scattered(zero_point: int = 131) -> bytes:
    """SCATTER_ND of uint8 values on both sides of 0. `zero_point`: of the values."""
    graph = Graph("uint8")
    graph.constant("places", [[0], [2]], "int32")
    graph.activation("x", 0.05, zero_point, shape=(2, 4))
    graph.constant("shape", [4, 4], "int32")
    graph.activation("y", 0.05, zero_point, shape=(4, 4))
    graph.add("SCATTER_ND", ["places", "x", "shape"], ["y"], ("ScatterNdOptions", {}))
    return graph.bytes(["x"], ["y"])


def detection_head(
    *, scale: float = 0.27, between: bool = False, operator: str = "CONCATENATION"
) -> bytes:
    """A join (`operator`) of boxes and scores in the boxes' scale; the scores, from a LOGISTIC,
    pass a QUANTIZE.

    `between`: a RESHAPE precedes the join.
    """
    graph = Graph()
    graph.activation("boxes", scale, -100)
    graph.activation("logits", 0.05)
    graph.activation("scores", 1 / 256, -128)
    graph.add("LOGISTIC", ["logits"], ["scores"])
    graph.activation("coarse", scale, -100)
    graph.add("QUANTIZE", ["scores"], ["coarse"], ("QuantizeOptions", {}))
    last = "coarse"
    if between:
        graph.activation("shaped", scale, -100)
        graph.add("RESHAPE", ["coarse"], ["shaped"], ("ReshapeOptions", {"newShape": SHAPE}))
        last = "shaped"
    if operator == "PACK":
        graph.activation("y", scale, -100, shape=(2, *SHAPE))
        graph.add("PACK", ["boxes", last], ["y"], ("PackOptions", {"valuesCount": 2}))
    else:
        graph.activation("y", scale, -100, shape=(1, 4, 4, 6))
        graph.add("CONCATENATION", ["boxes", last], ["y"], ("ConcatenationOptions", {"axis": 3}))
    return graph.bytes(["boxes", "logits"], ["y"])


def remembering(*, assigned: bool = False) -> bytes:
    """A variable that is read, added to and assigned; `assigned`: it is also assigned before it is
    read.
    """
    graph = Graph()
    for name in ("x", "last", "y"):
        graph.activation(name, 0.05, 5)
    graph.tensors["handle"] = TensorSpec(name="handle", type="resource")
    graph.add("VAR_HANDLE", [], ["handle"], ("VarHandleOptions", {"sharedName": "state"}))
    if assigned:
        graph.add("ASSIGN_VARIABLE", ["handle", "x"], [], ("AssignVariableOptions", {}))
    graph.add("READ_VARIABLE", ["handle"], ["last"], ("ReadVariableOptions", {}))
    graph.add("ADD", ["x", "last"], ["y"], ("AddOptions", {}))
    graph.add("ASSIGN_VARIABLE", ["handle", "y"], [], ("AssignVariableOptions", {}))
    return graph.bytes(["x"], ["y"])
