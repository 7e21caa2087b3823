"""Converts an int8 file to the form that TensorFlow 1 wrote: uint8 throughout, asymmetric weights.

Zero points and integers of activations shift by 128; weights get one scale and zero point per
tensor; biases are requantized; operators get version 1. For tests of `--to int8`.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tflite_align.format.model import Model
from tflite_align.format.reader import read
from tflite_align.format.writer.edits import Edit, SetData, SetQuant, SetType, SetVersion
from tflite_align.format.writer.splice import splice
from tflite_align.numerics import requantize_bias
from tflite_align.record import replace

__all__ = ["old_style"]

_WEIGHTED = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "TRANSPOSE_CONV")


def old_style(data: bytes) -> bytes:
    """The bytes of a uint8 file with the same function, up to the rounding of weights and
    biases.
    """
    model = read(data)
    return splice(data, model, list(_edits(model))).join()


def _edits(model: Model) -> Iterator[Edit]:
    """The edits that make the conversion."""
    graph = model.subgraphs[0]
    weighted = [operator for operator in graph.operators if operator.name in _WEIGHTED]
    places = {"TRANSPOSE_CONV": (2, 1, 3)}
    done: set[int] = set()
    for operator in weighted:
        source, weights, bias = places.get(operator.name, (0, 1, 2))
        done.add(operator.inputs[weights])
        yield from _weights(model, operator.inputs[weights])
        if bias < len(operator.inputs) and operator.inputs[bias] >= 0:
            scales = (operator.inputs[source], operator.inputs[weights])
            yield from _bias(model, operator.inputs[bias], scales)
    for tensor in graph.tensors:
        if tensor.type != "int8" or tensor.quant is None or tensor.index in done:
            continue
        zero_point = tuple(point + 128 for point in tensor.quant.zero_point)
        constant = model.constant(0, tensor.index)
        if constant is None:
            yield SetType(subgraph=0, tensor=tensor.index, type="uint8")
        else:
            shifted = (np.frombuffer(constant, np.int8).astype(int) + 128).astype(np.uint8)
            yield SetData(subgraph=0, tensor=tensor.index, data=shifted.tobytes(), type="uint8")
        quant = replace(tensor.quant, zero_point=zero_point)
        yield SetQuant(subgraph=0, tensor=tensor.index, quant=quant)
    for operator in graph.operators:
        if operator.version > 1:
            yield SetVersion(subgraph=0, operator=operator.index, version=1)


def _real(model: Model, index: int) -> np.ndarray:
    """The real values of constant int8 weights. `index`: of the tensor."""
    tensor = model.subgraphs[0].tensors[index]
    assert tensor.quant is not None
    integers = np.frombuffer(model.constant(0, index) or b"", np.int8).reshape(tensor.shape)
    along = [1] * len(tensor.shape)
    along[tensor.quant.quantized_dimension] = len(tensor.quant.scale)
    real: np.ndarray = integers * np.asarray(tensor.quant.scale).reshape(along)
    return real


def _range(model: Model, index: int) -> tuple[float, int]:
    """(scale, zero point) in uint8 that cover the weights and zero. `index`: of the tensor."""
    real = _real(model, index)
    low, high = min(float(real.min()), 0.0), max(float(real.max()), 0.0)
    scale = float(np.float32((high - low) / 255)) or 1.0
    return scale, round(-low / scale)


def _weights(model: Model, index: int) -> Iterator[Edit]:
    """The edits for one tensor of weights. `index`: of the tensor."""
    scale, zero_point = _range(model, index)
    steps = np.clip(np.rint(_real(model, index) / scale) + zero_point, 0, 255).astype(np.uint8)
    old = model.subgraphs[0].tensors[index].quant
    assert old is not None
    quant = replace(old, scale=(scale,), zero_point=(zero_point,), quantized_dimension=0)
    yield SetQuant(subgraph=0, tensor=index, quant=quant)
    yield SetData(subgraph=0, tensor=index, data=steps.tobytes(), type="uint8")


def _bias(model: Model, index: int, factors: tuple[int, int]) -> Iterator[Edit]:
    """The edits for one bias. `factors`: indices of input and weights. `index`: of the tensor."""
    tensors = model.subgraphs[0].tensors
    old, source = tensors[index].quant, tensors[factors[0]].quant
    assert old is not None
    assert source is not None
    scale = float(np.float32(source.scale[0] * _range(model, factors[1])[0]))
    data = model.constant(0, index)
    assert data is not None
    integers, _, _ = requantize_bias(data, "int32", list(old.scale), [scale], "int32")
    quant = replace(old, scale=(scale,), zero_point=(0,), quantized_dimension=0)
    yield SetQuant(subgraph=0, tensor=index, quant=quant)
    yield SetData(subgraph=0, tensor=index, data=integers)
