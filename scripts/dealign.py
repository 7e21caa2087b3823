#!/usr/bin/env python3
"""Violate the quantization contract of a sound .tflite file on purpose.

`dealign` gives quantized activations their own parameters, like a converter that calibrates each
tensor alone, and requantizes the biases that depend on them. By its declared parameters the result
is the same real function as the original; runtimes may compute another. For tests and fixtures only.

Only numbers are overwritten, in place: the file keeps its length, its order, and any appended data.
"""

from __future__ import annotations

import argparse
import collections
import math
import pathlib
from dataclasses import dataclass, field
from typing import Any

import numpy as np

try:
    from ai_edge_litert import schema_py_generated as schema
except ImportError:  # on a machine that has only TensorFlow, which contains the same generated file
    from tensorflow.lite.python import schema_py_generated as schema

INTEGERS: dict[int, np.dtype[Any]] = {
    schema.TensorType.INT8: np.dtype("<i1"),
    schema.TensorType.UINT8: np.dtype("<u1"),
    schema.TensorType.INT16: np.dtype("<i2"),
    schema.TensorType.INT32: np.dtype("<i4"),
    schema.TensorType.INT64: np.dtype("<i8"),
}
ACTIVATIONS = {schema.TensorType.INT8, schema.TensorType.UINT8, schema.TensorType.INT16}
BIASES = {schema.TensorType.INT32, schema.TensorType.INT64}

# Operator name -> input indices of data, weights and bias.
BIASED = {
    "CONV_2D": (0, 1, 2),
    "DEPTHWISE_CONV_2D": (0, 1, 2),
    "FULLY_CONNECTED": (0, 1, 2),
    "TRANSPOSE_CONV": (2, 1, 3),
}

# Operators with a fixed output (scale, zero_point); `fixed=True` changes these too.
FIXED_OUTPUT = {"SOFTMAX", "LOG_SOFTMAX", "LOGISTIC", "TANH", "L2_NORMALIZATION"}

# Operators that read raw integers, or whose parameters follow from their operands: changing their
# operands' parameters would change the declared function.
RIGID = {
    "BIDIRECTIONAL_SEQUENCE_LSTM",
    "BIDIRECTIONAL_SEQUENCE_RNN",
    "BITCAST",
    "CAST",
    "CONV_3D",
    "CONV_3D_TRANSPOSE",
    "CUSTOM",
    "EMBEDDING_LOOKUP_SPARSE",
    "HASHTABLE_LOOKUP",
    "LSTM",
    "RNN",
    "STABLEHLO_COMPOSITE",
    "SVDF",
    "UNIDIRECTIONAL_SEQUENCE_LSTM",
    "UNIDIRECTIONAL_SEQUENCE_RNN",
}

_OPERATOR_NAMES = {v: k for k, v in vars(schema.BuiltinOperator).items() if isinstance(v, int)}
_LARGEST_PLACEHOLDER = 127  # the value of `deprecated_builtin_code` if the code does not fit 8 bits


def dealign(
    data: bytes, seed: int = 0, *, io: bool = False, fixed: bool = False, widest: float = 2.5
) -> bytes:
    """Give each quantized activation its own scale, larger by a random factor in 1..`widest`.

    The original range stays covered, and a range that starts or ends exactly at zero still does:
    its edge may be a folded ReLU, which is part of the function. int16 stays symmetric. Constants,
    variables and operands of rigid operators keep their parameters; graph inputs and outputs too
    unless `io`, outputs of fixed-output operators unless `fixed`. A bias keeps its real values up
    to rounding to the new scale. Deterministic in (data, seed, flags). Raises ValueError for files
    with buffers outside the FlatBuffer.
    """
    if not widest > 1:
        msg = f"widest must be above 1, not {widest}"
        raise ValueError(msg)
    buffer = bytearray(data)
    model = schema.Model.GetRootAs(buffer, 0)
    names = _operator_names(model)
    buffer_users = _buffer_users(model)
    random = np.random.default_rng(seed)
    for index in range(model.SubgraphsLength()):
        graph = _Graph(model, index, names, buffer_users)
        labels = {
            tensor: _wider(graph, tensor, random, widest)
            for tensor in graph.free(io=io, fixed=fixed)
        }
        graph.relabel({t: label for t, label in labels.items() if label is not None})
    return bytes(buffer)


@dataclass(frozen=True)
class _Operator:
    """Name and tensor indices of one operator; -1 for an absent operand."""

    name: str
    inputs: list[int]
    outputs: list[int]


@dataclass
class _Graph:
    """One subgraph with accessors into the shared bytes, which they may overwrite."""

    model: Any
    index: int
    names: list[str]
    buffer_users: collections.Counter[int]
    graph: Any = field(init=False)
    operators: list[_Operator] = field(init=False)

    def __post_init__(self) -> None:
        self.graph = self.model.Subgraphs(self.index)
        self.operators = [
            _Operator(self.names[op.OpcodeIndex()], _list(op, "Inputs"), _list(op, "Outputs"))
            for op in map(self.graph.Operators, range(self.graph.OperatorsLength()))
        ]

    def params(self, tensor: int) -> tuple[Any, Any] | None:
        """The tensor's vectors of scales and zero points, which may be written to; None unless it
        has both.
        """
        quant = self.graph.Tensors(tensor).Quantization()
        if quant is None or quant.ScaleLength() == 0:
            return None
        if quant.ZeroPointLength() != quant.ScaleLength():
            return None
        return quant.ScaleAsNumpy(), quant.ZeroPointAsNumpy()

    def pair(self, tensor: int) -> tuple[Any, Any]:
        """As `params`, for a tensor that has them."""
        params = self.params(tensor)
        assert params is not None
        return params

    def constant(self, tensor: int) -> Any | None:
        """The elements of a constant, which may be written to; None for a computed tensor."""
        record = self.graph.Tensors(tensor)
        stored = self.model.Buffers(record.Buffer())
        if stored.Offset() > 1 or getattr(record, "ExternalBuffer", int)():
            msg = f"subgraph[{self.index}]/tensor[{tensor}]: its data lies outside the flatbuffer"
            raise ValueError(msg)
        if stored.DataLength() == 0 or record.Type() not in INTEGERS:
            return None if stored.DataLength() == 0 else stored.DataAsNumpy()
        return stored.DataAsNumpy().view(INTEGERS[record.Type()])

    def free(self, *, io: bool, fixed: bool) -> list[int]:
        """The activations that get new parameters, by index."""
        kept = set() if io else {*_list(self.graph, "Inputs"), *_list(self.graph, "Outputs")}
        for operator in self.operators:
            if operator.name in RIGID or operator.name.startswith("STABLEHLO"):
                kept |= {*operator.inputs, *operator.outputs}
            if operator.name in FIXED_OUTPUT and not fixed:
                kept |= set(operator.outputs)
            if operator.name in BIASED and not self._bias_can_follow(operator):
                kept |= set(operator.inputs)
        return [t for t in self._own_activations() if t not in kept]

    def _own_activations(self) -> list[int]:
        """Indices of per-tensor quantized activations whose parameters no other tensor shares."""
        users = collections.Counter(
            int(vector.ctypes.data)
            for tensor in range(self.graph.TensorsLength())
            for vector in self.params(tensor) or ()
        )
        found = []
        for tensor in range(self.graph.TensorsLength()):
            record, params = self.graph.Tensors(tensor), self.params(tensor)
            if record.Type() not in ACTIVATIONS or record.IsVariable() or params is None:
                continue
            shared = any(users[int(vector.ctypes.data)] > 1 for vector in params)
            if len(params[0]) == 1 and not shared and self.constant(tensor) is None:
                found.append(tensor)
        return found

    def _biased_operands(self, operator: _Operator) -> tuple[int, int, int]:
        """Tensor indices of data, weights and bias; -1 for an absent bias."""
        source, weights, bias = BIASED[operator.name]
        operands = operator.inputs
        return operands[source], operands[weights], operands[bias] if bias < len(operands) else -1

    def _bias_can_follow(self, operator: _Operator) -> bool:
        """Whether the bias can be requantized: it is absent, or a constant that is used as a bias
        only.
        """
        source, weights, bias = self._biased_operands(operator)
        if bias < 0:
            return True
        if self.params(source) is None or self.params(weights) is None:
            return False
        data = self.constant(bias)
        if data is None or self.graph.Tensors(bias).Type() not in BIASES:
            return False
        if sum(bias in other.inputs for other in self.operators) > 1:
            return False
        shared = self.buffer_users[self.graph.Tensors(bias).Buffer()] > 1
        return not shared or not data.any()

    def relabel(self, labels: dict[int, tuple[float, int]]) -> None:
        """Write the labels (tensor index -> (scale, zero point)), then requantize every bias that
        depends on them to the new product of scales.
        """
        before = {t: self.pair(t)[0].astype(np.float64) for t in self._scaled()}
        for tensor, (scale, zero_point) in labels.items():
            scales, zero_points = self.pair(tensor)
            scales[0], zero_points[0] = scale, zero_point
        for operator in self.operators:
            if operator.name in BIASED:
                self._reexpress_bias(operator, labels, before)

    def _scaled(self) -> list[int]:
        """Indices of tensors with a scale and a zero point."""
        return [t for t in range(self.graph.TensorsLength()) if self.params(t) is not None]

    def _reexpress_bias(
        self,
        operator: _Operator,
        labels: dict[int, tuple[float, int]],
        before: dict[int, Any],
    ) -> None:
        """Requantize the operator's bias to the new input scale x weight scale. `before`: the old
        scales by tensor index.
        """
        source, weights, at = self._biased_operands(operator)
        if at < 0 or not ({source, weights} & set(labels)):
            return
        data, params = self.constant(at), self.params(at)
        assert data is not None  # a computed bias keeps its input's parameters
        # A bias without parameters has scale input x weights, before and after.
        old = before[source] * before[weights] if params is None else before[at]
        new = self.pair(source)[0].astype(np.float64) * self.pair(weights)[0]
        if params is not None and len(params[0]) != len(new):
            new = np.broadcast_to(new, params[0].shape) if len(new) == 1 else new[:1]
        new = new.astype(np.float32)
        if params is not None:
            params[0][:] = new
        data[:] = np.rint(data * (old / new.astype(np.float64))).astype(data.dtype)


def _wider(
    graph: _Graph, tensor: int, random: np.random.Generator, widest: float
) -> tuple[float, int] | None:
    """A random label (scale, zero point) whose range contains the tensor's present one, at most
    `widest` times as wide; None if there is none.
    """
    scales, zero_points = graph.pair(tensor)
    kind = INTEGERS[graph.graph.Tensors(tensor).Type()]
    least, most = int(np.iinfo(kind).min), int(np.iinfo(kind).max)
    scale, zero_point = float(scales[0]), int(zero_points[0])
    factor = float(random.uniform(1.0 + (widest - 1.0) / 8, widest))
    where = float(random.uniform())
    if not (scale > 0 and least <= zero_point <= most):
        return None
    wide = float(np.float32(scale * factor))
    if kind == INTEGERS[schema.TensorType.INT16]:
        return wide, zero_point
    if zero_point in (least, most):
        return wide, zero_point
    lowest = math.ceil(least + (zero_point - least) * scale / wide)
    highest = math.floor(most - (most - zero_point) * scale / wide)
    if lowest > highest:
        return None
    return wide, lowest + round(where * (highest - lowest))


def _operator_names(model: Any) -> list[str]:
    """The operator's name for each operator code; a code that the generated file does not know gets
    a name with its number.
    """
    names = []
    for code in map(model.OperatorCodes, range(model.OperatorCodesLength())):
        old, new = code.DeprecatedBuiltinCode(), code.BuiltinCode()
        value = max(old, new) if old < _LARGEST_PLACEHOLDER else new
        names.append(_OPERATOR_NAMES.get(value, f"STABLEHLO_OR_NEWER#{value}"))
    return names


def _buffer_users(model: Any) -> collections.Counter[int]:
    """Number of tensors that refer to each buffer index."""
    return collections.Counter(
        graph.Tensors(tensor).Buffer()
        for graph in map(model.Subgraphs, range(model.SubgraphsLength()))
        for tensor in range(graph.TensorsLength())
    )


def _list(table: Any, what: str) -> list[int]:
    """The vector `what` of a table as a list of integers."""
    count = getattr(table, f"{what}Length")()
    return [int(getattr(table, what)(i)) for i in range(count)]


def main() -> int:
    """Run the command line; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("source", type=pathlib.Path, help="a quantized .tflite file")
    parser.add_argument("target", type=pathlib.Path, help="the file to write")
    parser.add_argument("--seed", type=int, default=0, help="of the random scales; default 0")
    parser.add_argument("--io", action="store_true", help="also change graph inputs and outputs")
    parser.add_argument(
        "--fixed", action="store_true", help="also change fixed outputs, as of SOFTMAX"
    )
    given = parser.parse_args()
    data = dealign(given.source.read_bytes(), given.seed, io=given.io, fixed=given.fixed)
    given.target.write_bytes(data)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
