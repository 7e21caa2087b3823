"""Small TFLite models through the generated object API: for tests only, never for output."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as fb
from numpy.typing import NDArray

from tflite_align.numerics import int4_pack
from tflite_align.record import Record, field

Array = NDArray[Any]


class Quant(Record, frozen=True, kw_only=True):
    """Affine parameters: one scale, or one for each index along `axis`."""

    scale: tuple[float, ...]
    zero_point: tuple[int, ...]
    axis: int = 0


class TensorSpec(Record, frozen=True, kw_only=True):
    """One tensor; constant when `data` is given, absent (an operand of -1) when `type` is empty."""

    name: str
    type: str
    shape: tuple[int, ...] = ()
    quant: Quant | None = None
    data: Array | None = None
    variable: bool = False


class OperatorSpec(Record, frozen=True, kw_only=True):
    """One operator; operands are tensor names. `options` names the schema's options table."""

    name: str
    inputs: Sequence[str]
    outputs: Sequence[str]
    options: tuple[str, Mapping[str, Any]] | None = None
    version: int = 1
    custom_code: str = ""


class GraphSpec(Record, frozen=True, kw_only=True):
    tensors: Sequence[TensorSpec]
    operators: Sequence[OperatorSpec]
    inputs: Sequence[str]
    outputs: Sequence[str]
    name: str = field(default="main")


def model_bytes(graphs: Sequence[GraphSpec]) -> bytes:
    """The model of these subgraphs as a FlatBuffer."""
    model = fb.ModelT()
    model.version = 3
    model.description = "conformance case"
    model.buffers = [fb.BufferT()]
    model.operatorCodes = []
    model.subgraphs = [_subgraph(model, graph) for graph in graphs]
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _subgraph(model: Any, graph: GraphSpec) -> Any:
    present = [spec for spec in graph.tensors if spec.type]
    index = {spec.name: i for i, spec in enumerate(present)}
    index.update({spec.name: -1 for spec in graph.tensors if not spec.type})
    made = fb.SubGraphT()
    made.name = graph.name
    made.tensors = [_tensor(model, spec) for spec in present]
    made.inputs = [index[name] for name in graph.inputs]
    made.outputs = [index[name] for name in graph.outputs]
    made.operators = [_operator(model, spec, index) for spec in graph.operators]
    return made


def _tensor(model: Any, spec: TensorSpec) -> Any:
    made = fb.TensorT()
    made.name = spec.name
    made.type = getattr(fb.TensorType, spec.type.upper())
    made.shape = list(spec.shape)
    made.isVariable = spec.variable
    made.buffer = 0
    if spec.data is not None:
        buffer = fb.BufferT()
        buffer.data = np.frombuffer(_bytes(spec), dtype=np.uint8)
        made.buffer = len(model.buffers)
        model.buffers.append(buffer)
    if spec.quant is not None:
        made.quantization = fb.QuantizationParametersT()
        made.quantization.scale = list(spec.quant.scale)
        made.quantization.zeroPoint = list(spec.quant.zero_point)
        made.quantization.quantizedDimension = spec.quant.axis
    return made


def _bytes(spec: TensorSpec) -> bytes:
    assert spec.data is not None
    if spec.type == "int4":
        return int4_pack(np.asarray(spec.data, dtype=np.int8).reshape(-1))
    data: bytes = np.ascontiguousarray(spec.data, dtype=spec.type).tobytes()
    return data


def _operator(model: Any, spec: OperatorSpec, index: Mapping[str, int]) -> Any:
    made = fb.OperatorT()
    made.opcodeIndex = _opcode(model, spec)
    made.inputs = [index[name] for name in spec.inputs]
    made.outputs = [index[name] for name in spec.outputs]
    if spec.options is not None:
        table, values = spec.options
        made.builtinOptionsType = getattr(fb.BuiltinOptions, table)
        made.builtinOptions = getattr(fb, table + "T")()
        for name, value in values.items():
            # A misspelt field would silently be no field at all.
            assert hasattr(made.builtinOptions, name), f"{table} has no {name}"
            setattr(made.builtinOptions, name, value)
    return made


def _opcode(model: Any, spec: OperatorSpec) -> int:
    code = getattr(fb.BuiltinOperator, spec.name)
    for i, known in enumerate(model.operatorCodes):
        if known.builtinCode == code and (known.customCode or "") == spec.custom_code:
            return i
    made = fb.OperatorCodeT()
    made.builtinCode = code
    # Codes above 126 do not fit the old field; 127 there says so.
    made.deprecatedBuiltinCode = min(code, 127)
    made.version = spec.version
    made.customCode = spec.custom_code or None
    model.operatorCodes.append(made)
    return len(model.operatorCodes) - 1
