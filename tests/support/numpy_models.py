"""Runs a model file in float64 NumPy as it declares itself, independently of the package.

`Reading` selects the processing of each quantized activation: none, clipping to the declared range,
or rounding to the declared integers.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as fb

from .numpy_operators import FUNCTIONS, Reals, clamp, operator_name

__all__ = ["LIMITS", "NumpyModel", "Reading", "affine", "integers", "reals", "type_name"]

_TYPES = {value: name.lower() for name, value in vars(fb.TensorType).items() if name[0] != "_"}
LIMITS = {"int8": (-128, 127), "uint8": (0, 255), "int16": (-32768, 32767)}


class Reading(enum.Enum):
    FLOATS = "floats"
    CLIPPED = "clipped to the declared ranges"
    ROUNDED = "rounded to the declared integers"


def type_name(tensor: Any) -> str:
    """A tensor's type as a NumPy type name."""
    name: str = _TYPES[tensor.type]
    return name


def affine(tensor: Any) -> tuple[Any, Any] | None:
    """Scale and zero point of a tensor, shaped to broadcast along its axis; None without them."""
    quant = tensor.quantization
    if quant is None or quant.scale is None or len(quant.scale) == 0:
        return None
    scale = np.asarray(quant.scale, dtype=np.float32).astype(np.float64)
    zero = np.zeros_like(scale) if quant.zeroPoint is None else np.asarray(quant.zeroPoint)
    if len(scale) == 1:
        return float(scale[0]), int(zero[0])
    shape = [1] * len(tensor.shape)
    shape[quant.quantizedDimension] = len(scale)
    return scale.reshape(shape), zero.reshape(shape)


def reals(tensor: Any, values: Any) -> Any:
    """Real values of a tensor's integers; other values unchanged."""
    found = affine(tensor)
    if found is None:
        return values
    return (np.asarray(values, dtype=np.float64) - found[1]) * found[0]


def integers(tensor: Any, values: Reals) -> Reals:
    """The unrounded integers, as float64, for real values."""
    found = affine(tensor)
    assert found is not None
    steps: Reals = values / found[0] + found[1]
    return steps


class NumpyModel:
    """A model file computed by NumPy; variables keep their values between runs."""

    def __init__(self, data: bytes, reading: Reading) -> None:
        self.model = fb.ModelT.InitFromPackedBuf(data, 0)
        self.reading = reading
        self.variables: dict[str, Any] = {}

    def run(self, feeds: Sequence[Any]) -> list[Any]:
        """Real values of the graph outputs for real values of the graph inputs. `feeds`: one array
        for each input.
        """
        return self._call(0, feeds)

    def _call(self, number: int, feeds: Sequence[Any]) -> list[Any]:
        graph = self.model.subgraphs[number]
        values: dict[int, Any] = {-1: None}
        for index, tensor in enumerate(graph.tensors):
            raw = self.model.buffers[tensor.buffer].data
            if raw is not None and len(raw):
                values[index] = self._constant(tensor, raw)
        for index, given in zip(graph.inputs, feeds, strict=True):
            values[index] = self._kept(graph.tensors[index], given)
        for operator in graph.operators:
            made = self._operator(operator, [values[index] for index in operator.inputs], graph)
            for index, value in zip(operator.outputs, made, strict=True):
                values[index] = self._kept(graph.tensors[index], value)
        return [values[index] for index in graph.outputs]

    def _constant(self, tensor: Any, raw: Any) -> Any:
        shape = [] if tensor.shape is None else list(tensor.shape)
        values = np.frombuffer(bytes(raw), dtype=type_name(tensor)).reshape(shape)
        return reals(tensor, values)

    def _kept(self, tensor: Any, values: Any) -> Any:
        """Computed values after the processing of this reading."""
        limits = LIMITS.get(type_name(tensor))
        found = affine(tensor)
        if limits is None or found is None or self.reading is Reading.FLOATS:
            return values
        steps = np.clip(integers(tensor, values), *limits)
        if self.reading is Reading.ROUNDED:
            steps = np.rint(steps)
        return (steps - found[1]) * found[0]

    def _operator(self, operator: Any, operands: list[Any], graph: Any) -> list[Any]:
        name, options = operator_name(self.model, operator), operator.builtinOptions
        if name == "IF":
            taken = bool(np.ravel(operands[0])[0])
            branch = options.thenSubgraphIndex if taken else options.elseSubgraphIndex
            return self._call(branch, operands[1:])
        if name == "WHILE":
            while bool(np.ravel(self._call(options.condSubgraphIndex, operands)[0])[0]):
                operands = self._call(options.bodySubgraphIndex, operands)
            return operands
        if name == "VAR_HANDLE":
            return [options.sharedName]
        if name == "READ_VARIABLE":
            return [self.variables[operands[0]]]
        if name == "ASSIGN_VARIABLE":
            self.variables[operands[0]] = operands[1]
            return []
        if name == "CALL_ONCE":
            if not self.variables:
                self._call(options.initSubgraphIndex, [])
            return []
        if name == "LESS":
            return [np.less(*operands)]
        if name == "ADD" and affine(graph.tensors[operator.outputs[0]]) is None:
            return [clamp(operands[0] + operands[1], options)]
        return FUNCTIONS[name](operands, options)
