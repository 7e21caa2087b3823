"""The float twin of a model, and its declared reading.

The twin is the same graph with constants dequantized by their declared parameters and every
quantized activation float32; operator order is kept, operators are only added. The declared
reading is the twin with a QUANTIZE / DEQUANTIZE pair at each quantized activation, so it is what
the file *says*, free of any integer kernel. Both are run by float kernels and are never written
out as a result.
"""

from __future__ import annotations

import copy
from typing import Any

import numpy as np

from ..errors import UnsupportedError
from ..format.type_groups import ACTIVATION_TYPES
from ..numerics import INTEGER_LIMITS
from ..record import Record, field
from .constants import can_stay_integer, real_values
from .frontier import Frontier, cut_copy
from .fused_activations import ACTIVATIONS, take_activation
from .object_api import pack, parse, schema, type_name
from .unpacked import (
    BIAS_SLOT,
    is_constant,
    operator_name,
    params,
    quantized_tensors,
    tensor_name,
)

__all__ = [
    "FloatGraph",
    "declared",
    "declared_model",
    "float_graph",
    "implied_clamp",
    "opcode",
    "open_twin",
    "twin",
]

# Operators with an accumulator, whose output range often contains a folded ReLU.
_COMPUTES = frozenset(
    [
        "CONV_2D",
        "DEPTHWISE_CONV_2D",
        "FULLY_CONNECTED",
        "TRANSPOSE_CONV",
        "ADD",
        "SUB",
        "MUL",
        "DIV",
        "BATCH_MATMUL",
        "MEAN",
        "SUM",
        "SQUARED_DIFFERENCE",
    ]
)
# Operators whose float kernels need constant operands where their integer kernels have them.
_WANTS_CONSTANTS = ("LSTM", "SVDF", "RNN", "EMBEDDING", "HASHTABLE", "CUSTOM:")
_VERSIONS = {"QUANTIZE": 2, "DEQUANTIZE": 5, "CAST": 1, "ADD": 1}
_VERSIONS |= dict.fromkeys(ACTIVATIONS.values(), 1)


def twin(data: bytes | memoryview, frontier: Frontier) -> bytes:
    """The float twin, with the tensors to compare (`frontier`) as its outputs. A ReLU that only the
    output range implies becomes an operator. Raises UnsupportedError if some part has no float
    form.
    """
    model = cut_copy(parse(data), frontier)
    _as_floats(model)
    return pack(model)


def open_twin(data: bytes | memoryview, frontier: Frontier) -> tuple[bytes, tuple[int, ...]]:
    """(the float twin with quantized activations as outputs, their indices in subgraph 0)."""
    model = cut_copy(parse(data), frontier)
    graph = model.subgraphs[0]
    written = dict.fromkeys(t for operator in graph.operators for t in operator.outputs)
    real_tensors = _as_floats(model)
    graph.outputs = [tensor for tensor in written if tensor in real_tensors]
    return pack(model), tuple(graph.outputs)


def _as_floats(model: Any) -> set[int]:
    """Turn a fresh parse into floats, in place; the quantized activations of subgraph 0."""
    real_tensors: list[set[int]] = []
    for graph in model.subgraphs:
        floats = float_graph(model, graph)
        real_tensors.append(set(floats.declared))
        for operator in floats.take_operators():
            floats.add(operator)
            clamp = implied_clamp(model, operator, floats.declared)
            if clamp is not None:
                raw = floats.rename_output(operator, operator.outputs[0])
                floats.insert(clamp, [raw[1]], [raw[0]])
        _copy_outputs(floats)
    return real_tensors[0]


def declared(data: bytes | memoryview, frontier: Frontier) -> bytes:
    """The declared reading, with the tensors to compare (`frontier`) as its outputs."""
    return pack(declared_model(data, frontier))


def declared_model(data: bytes | memoryview, frontier: Frontier) -> Any:
    """The declared reading, unpacked. Raises UnsupportedError if some part has no float form."""
    model = cut_copy(parse(data), frontier)
    for graph in model.subgraphs:
        floats = float_graph(model, graph)
        operators = floats.take_operators()
        _pairs_at_inputs(floats, operators)
        for operator in operators:
            written = dict.fromkeys(operator.outputs)
            floats.add(operator)
            for tensor in written:
                if tensor in floats.declared:
                    old, new = floats.rename_output(operator, tensor)
                    floats.pair(new, old)
        _copy_outputs(floats)
    return model


def _pairs_at_inputs(floats: FloatGraph, operators: list[Any]) -> None:
    """Add to `operators` a QUANTIZE / DEQUANTIZE pair after each quantized input."""
    graph = floats.graph
    for tensor in dict.fromkeys(graph.inputs):
        if tensor not in floats.declared:
            continue
        snapped = floats.like(tensor, "input")
        floats.pair(tensor, snapped)
        for operator in operators:
            operator.inputs = [snapped if t == tensor else t for t in operator.inputs]


def _copy_outputs(floats: FloatGraph) -> None:
    """Give a called subgraph outputs that are neither its inputs nor listed twice: LiteRT's IF and
    WHILE return such outputs wrongly, whatever their type; the twin has to be right.
    """
    graph = floats.graph
    if graph is floats.model.subgraphs[0]:
        return
    used = set(graph.inputs)
    for position, tensor in enumerate(graph.outputs):
        if tensor in used and type_name(graph.tensors[tensor].type) == "float32":
            graph.outputs[position] = floats.like(tensor, f"output{position}")
            floats.insert("CAST", [tensor], [graph.outputs[position]])
        used.add(tensor)


def opcode(model: Any, name: str) -> int:
    """The index of a builtin's operator code, which is added if the model has none of that version."""
    code, version = getattr(schema().BuiltinOperator, name), _VERSIONS[name]
    for index, entry in enumerate(model.operatorCodes):
        mine = max(entry.builtinCode, entry.deprecatedBuiltinCode) == code
        if mine and entry.version == version:
            return index
    entry = schema().OperatorCodeT()
    entry.builtinCode, entry.deprecatedBuiltinCode = code, min(code, 127)
    entry.version = version
    model.operatorCodes.append(entry)
    return len(model.operatorCodes) - 1


class FloatGraph(Record, kw_only=True):
    """A subgraph under conversion. `declared`: (type, parameters) of quantized activations."""

    model: Any
    graph: Any
    declared: dict[int, tuple[int, Any]]  # tensor -> (type, quantization)
    prologue: list[Any] = field(default_factory=list)
    unfused: dict[int, Any] = field(default_factory=dict)  # id(operator) -> its fused activation

    def label(self, tensor: int) -> tuple[str, float, int]:
        """(type, scale, zero_point) that the file declares for a quantized activation."""
        tensor_type, quant = self.declared[tensor]
        quant_params = params(_with(quant))
        if quant_params is None or not quant_params.per_tensor:
            name = tensor_name(self.graph.tensors[tensor])
            raise UnsupportedError(f"{name}: an activation with several scales")
        return type_name(tensor_type), *quant_params.label

    def take_operators(self) -> list[Any]:
        """Return the operators so far, leaving only the dequantization of constants in the graph."""
        operators, self.graph.operators = self.graph.operators, list(self.prologue)
        return list(operators)

    def add(self, operator: Any) -> None:
        """Append an operator, and its fused activation as another if its float kernel ignores it."""
        self.graph.operators.append(operator)
        name = take_activation(operator, operator_name(self.model, operator))
        if name is not None:
            written = operator.outputs[0]
            operator.outputs = [self.like(written, "unfused")]
            self.insert(name, operator.outputs, [written])
            self.unfused[id(operator)] = self.graph.operators[-1]

    def insert(self, name: str, inputs: list[int], outputs: list[int]) -> None:
        """Append a new operator. `inputs`, `outputs`: tensor indices."""
        self.graph.operators.append(_operator(self.model, name, inputs, outputs))

    def like(self, tensor: int, suffix: str) -> int:
        """A new float tensor in the shape of another. `suffix`: end of the new tensor's name."""
        return _copy_tensor(self.graph, tensor, suffix)

    def rename_output(self, operator: Any, tensor: int) -> tuple[int, int]:
        """Let the operator write a new tensor instead: (old, new) index."""
        new = self.like(tensor, "raw")
        operator = self.unfused.get(id(operator), operator)
        operator.outputs = [new if t == tensor else t for t in operator.outputs]
        return tensor, new

    def pair(self, source: int, target: int) -> None:
        """Insert source -> QUANTIZE -> DEQUANTIZE -> target, by what source or target declares."""
        declarer = target if target in self.declared else source
        tensor_type, scale, zero_point = self.label(declarer)
        if tensor_type not in ACTIVATION_TYPES:
            self.insert("CAST", [source], [target])  # no kernel quantizes float to this type
            return
        middle = self.like(source, "integer")
        tensor = self.graph.tensors[middle]
        tensor.type, tensor.quantization = self.declared[declarer]
        if tensor_type != "int16" or zero_point == 0:
            self.insert("QUANTIZE", [source], [middle])
            self.insert("DEQUANTIZE", [middle], [target])
            return
        # The kernel needs zero point 0: shift the values to such a grid and back.
        tensor.quantization = copy.copy(tensor.quantization)
        tensor.quantization.zeroPoint = [0]
        moved, back = self.like(source, "moved"), self.like(source, "back")
        self._shift(source, moved, scale * zero_point)
        self.insert("QUANTIZE", [moved], [middle])
        self.insert("DEQUANTIZE", [middle], [back])
        self._shift(back, target, -scale * zero_point)

    def _shift(self, source: int, target: int, by: float) -> None:
        """Add an operator that computes target = source + by."""
        buffer = schema().BufferT()
        buffer.data = np.frombuffer(np.float32(by).tobytes(), np.uint8)
        buffer.offset = buffer.size = 0
        self.model.buffers.append(buffer)
        amount = self.like(source, "shift")
        constant = self.graph.tensors[amount]
        constant.shape, constant.shapeSignature = np.array([], np.int32), None
        constant.buffer = len(self.model.buffers) - 1
        self.insert("ADD", [source, amount], [target])


def _with(quant: Any) -> Any:
    """A tensor object with these parameters. `quant`: the parameters, unpacked."""
    tensor = schema().TensorT()
    tensor.quantization = quant
    return tensor


def float_graph(model: Any, graph: Any) -> FloatGraph:
    """Turn one subgraph of a fresh parse into floats, in place; operators keep their order."""
    floats = FloatGraph(model=model, graph=graph, declared={})
    quantized = quantized_tensors(model, graph)
    fallback = _bias_fallbacks(model, graph)
    inside = _constants_for_float_kernels(model, graph)
    for index in sorted(quantized):
        tensor = graph.tensors[index]
        if is_constant(model, tensor):
            _float_constant(floats, index, fallback.get(index), inside=index in inside)
            continue
        if params(tensor) is None:
            raise UnsupportedError(f"{tensor_name(tensor)}: integers without parameters")
        floats.declared[index] = (tensor.type, tensor.quantization)
        _make_float(tensor)
    for operator in graph.operators:
        _float_operator(model, graph, operator)
    return floats


def _make_float(tensor: Any) -> None:
    """Make a tensor float32 without parameters."""
    tensor.type, tensor.quantization = schema().TensorType.FLOAT32, None


def _float_operator(model: Any, graph: Any, operator: Any) -> None:
    """Change an operator's options to those of its float kernel, in place."""
    name = operator_name(model, operator)
    operator.intermediates = []
    options: Any = operator.builtinOptions
    if name == "FULLY_CONNECTED" and options is not None and options.weightsFormat != 0:
        raise UnsupportedError("FULLY_CONNECTED: shuffled weights have no float form")
    if name in ("QUANTIZE", "DEQUANTIZE"):
        source, target = operator.inputs[0], operator.outputs[0]
        kinds = {type_name(graph.tensors[t].type) for t in (source, target)}
        if kinds == {"float32"}:
            replacement = _operator(model, "CAST", [source], [target])
            operator.opcodeIndex = replacement.opcodeIndex
            operator.builtinOptions = replacement.builtinOptions
            operator.builtinOptionsType = replacement.builtinOptionsType


def _operator(model: Any, name: str, inputs: list[int], outputs: list[int]) -> Any:
    """A new operator object. `inputs`, `outputs`: tensor indices."""
    operator = schema().OperatorT()
    operator.opcodeIndex = opcode(model, name)
    operator.inputs, operator.outputs, operator.intermediates = inputs, outputs, []
    if name == "CAST":
        options = schema().CastOptionsT()
        options.inDataType = options.outDataType = schema().TensorType.FLOAT32
        operator.builtinOptions = options
        operator.builtinOptionsType = schema().BuiltinOptions.CastOptions
    if name == "ADD":
        operator.builtinOptions = schema().AddOptionsT()
        operator.builtinOptionsType = schema().BuiltinOptions.AddOptions
    return operator


def _copy_tensor(graph: Any, index: int, suffix: str) -> int:
    """Add a float tensor of the same shape; its index. `suffix`: end of the new tensor's name."""
    old, new = graph.tensors[index], schema().TensorT()
    new.shape, new.shapeSignature, new.hasRank = old.shape, old.shapeSignature, old.hasRank
    new.name = (old.name or b"") + b"/" + suffix.encode()
    new.type, new.buffer = schema().TensorType.FLOAT32, 0
    graph.tensors.append(new)
    return len(graph.tensors) - 1


# --- constants -----------------------------------------------------------------------------------


def _float_constant(floats: FloatGraph, index: int, fallback: Any, *, inside: bool) -> None:
    """Dequantize constant `index`: by an operator where that saves memory, else here. `fallback`:
    scales of a bias without declared ones; `inside`: a float kernel needs it as a constant.
    """
    model, graph = floats.model, floats.graph
    tensor = graph.tensors[index]
    if not inside and can_stay_integer(model, tensor):
        if tensor.sparsity is not None:
            raise UnsupportedError(f"{tensor_name(tensor)}: sparse constant")
        integer = floats.like(index, "integer")
        stored = graph.tensors[integer]
        stored.type, stored.buffer = tensor.type, tensor.buffer
        stored.quantization, tensor.buffer = tensor.quantization, 0
        _make_float(tensor)
        floats.prologue.append(_operator(model, "DEQUANTIZE", [integer], [index]))
        return
    values = real_values(model, tensor, fallback)
    buffer = schema().BufferT()
    buffer.data = np.frombuffer(values.tobytes(), np.uint8)
    buffer.offset = buffer.size = 0
    model.buffers.append(buffer)
    tensor.buffer = len(model.buffers) - 1
    _make_float(tensor)


def _bias_fallbacks(model: Any, graph: Any) -> dict[int, Any]:
    """Scales for biases without any, by tensor: input scale x weight scales, as kernels compute."""
    constants: dict[int, Any] = {}
    for operator in graph.operators:
        slots = BIAS_SLOT.get(operator_name(model, operator))
        if slots is None or len(operator.inputs) <= slots[0] or operator.inputs[slots[0]] < 0:
            continue
        bias, value, weights = (graph.tensors[operator.inputs[s]] for s in slots)
        scales = [p.scale for p in (params(value), params(weights)) if p is not None]
        if params(bias) is None and len(scales) == 2:
            constants[operator.inputs[slots[0]]] = scales[0] * scales[1]
    return constants


def _constants_for_float_kernels(model: Any, graph: Any) -> set[int]:
    """The tensors that float kernels need as float constants."""
    return {
        tensor
        for operator in graph.operators
        if any(word in operator_name(model, operator) for word in _WANTS_CONSTANTS)
        for tensor in operator.inputs
    }


# --- clamps --------------------------------------------------------------------------------------


def implied_clamp(model: Any, operator: Any, quantized: dict[int, tuple[int, Any]]) -> str | None:
    """RELU or RELU6 if only the range of the output clamps like it, not an activation; else None."""
    if operator_name(model, operator) not in _COMPUTES or len(operator.outputs) != 1:
        return None
    if getattr(operator.builtinOptions, "fusedActivationFunction", 0):
        return None
    tensor_type, quant = quantized.get(operator.outputs[0], (None, None))
    if tensor_type is None or type_name(tensor_type) not in ("int8", "uint8"):
        return None
    quant_params = params(_with(quant))
    lowest, highest = INTEGER_LIMITS[type_name(tensor_type)]
    if (
        quant_params is None
        or not quant_params.per_tensor
        or quant_params.label.zero_point != lowest
    ):
        return None
    top = (highest - lowest) * quant_params.label.scale
    return "RELU6" if abs(top - 6.0) <= 6.0 * 1e-5 else "RELU"
