"""The generated object API as an outside opinion: what it reads, and small models made with it."""

from __future__ import annotations

import inspect
import struct
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

from tflite_align.layout import OPTIONS, table_layout
from tflite_align.tables import View


def load(data: bytes) -> Any:
    """The whole file as the generated objects."""
    return schema.ModelT.InitFromObj(schema.Model.GetRootAs(data, 0))


def tree(thing: Any) -> Any:
    """Generated objects as plain dicts, lists and bytes, to be compared with `==`."""
    if isinstance(thing, np.ndarray):
        return thing.tobytes() if thing.dtype == np.uint8 else thing.tolist()
    if isinstance(thing, list):
        return [tree(item) for item in thing]
    if type(thing).__module__ == schema.__name__:
        return {name: tree(value) for name, value in vars(thing).items()}
    return thing


def pack(model: Any) -> bytes:
    """The bytes of a model made of generated objects."""
    builder = flatbuffers.Builder(4096)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def misaligned(data: bytes) -> list[str]:
    """Places a FlatBuffers verifier would refuse, in what the known layouts reach."""
    view = View(data)
    found: list[str] = []
    todo = [("Model", view.root())]
    while todo:
        name, pos = todo.pop()
        layout = table_layout(name)
        plan, values = view.table(layout, pos)
        if pos % 4:
            found.append(f"{name} table at {pos}")
        for field in layout.fields:
            at = pos + plan.at[field.id]
            if at == pos:
                continue
            if at % field.width:
                found.append(f"{name}.{field.name} at {at}")
            if field.kind == "scalar":
                continue
            target = view.target(plan, pos, values, field.id)
            width = struct.calcsize(field.item) if field.kind == "scalars" else 4
            if field.kind not in {"table", "union"} and (target % 4 or (target + 4) % width):
                found.append(f"{name}.{field.name} vector at {target}")
            if field.kind == "table":
                todo.append((field.target, target))
            elif field.kind == "tables":
                todo += [(field.target, item) for item in view.references(target)]
            elif field.name == "builtin_options":
                todo.append((OPTIONS[values[field.id - 1]], target))
    return found


def enum_names(enum: type) -> dict[int, str]:
    members = inspect.getmembers(enum, lambda value: isinstance(value, int))
    return {value: name for name, value in members}


def quant(scale: float, zero_point: int = 0) -> Any:
    made = schema.QuantizationParametersT()
    made.scale = [scale]
    made.zeroPoint = [zero_point]
    return made


def tensor(name: str, buffer: int = 0, kind: int = schema.TensorType.INT8) -> Any:
    made = schema.TensorT()
    made.name = name
    made.shape = [1, 4]
    made.type = kind
    made.buffer = buffer
    made.quantization = quant(0.5, 3)
    return made


def operator(code: int, inputs: list[int], outputs: list[int]) -> Any:
    made = schema.OperatorT()
    made.opcodeIndex = code
    made.inputs = inputs
    made.outputs = outputs
    return made


def code(number: int, version: int = 1) -> Any:
    made = schema.OperatorCodeT()
    made.deprecatedBuiltinCode = min(number, 127)
    made.builtinCode = number
    made.version = version
    return made


def buffer(data: bytes | None = None) -> Any:
    made = schema.BufferT()
    made.data = None if data is None else np.frombuffer(data, np.uint8)
    return made


def add_options(activation: int = 0) -> Any:
    made = schema.AddOptionsT()
    made.fusedActivationFunction = activation
    return made


def entry(name: str, index: int) -> Any:
    made = schema.TensorMapT()
    made.name = name
    made.tensorIndex = index
    return made


def chain() -> Any:
    """X -RESHAPE-> h; h + constant -ADD-> y; y -RESHAPE-> z; a signature names x and z.

    Tensors: 0 x, 1 h, 2 constant (buffer 1: 4 bytes), 3 y, 4 z. ADD has options, all default.
    """
    model = schema.ModelT()
    model.version = 3
    model.description = "a chain"
    model.operatorCodes = [
        code(schema.BuiltinOperator.RESHAPE),
        code(schema.BuiltinOperator.ADD, version=2),
    ]
    model.buffers = [buffer(), buffer(bytes([1, 2, 3, 4])), buffer(b"1.5.0")]
    graph = schema.SubGraphT()
    graph.name = "main"
    graph.tensors = [tensor(n, buffer=1 if n == "constant" else 0) for n in _NAMES]
    graph.inputs = [0]
    graph.outputs = [4]
    graph.operators = [
        operator(0, [0], [1]),
        operator(1, [1, 2], [3]),
        operator(0, [3], [4]),
    ]
    graph.operators[1].builtinOptionsType = schema.BuiltinOptions.AddOptions
    graph.operators[1].builtinOptions = add_options()
    model.subgraphs = [graph]
    signature = schema.SignatureDefT()
    signature.signatureKey = "serve"
    signature.inputs = [entry("x", 0)]
    signature.outputs = [entry("z", 4)]
    model.signatureDefs = [signature]
    metadata = schema.MetadataT()
    metadata.name = "min_runtime_version"
    metadata.buffer = 2
    model.metadata = [metadata]
    return model


_NAMES = ("x", "h", "constant", "y", "z")
