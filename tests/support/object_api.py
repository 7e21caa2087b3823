"""The generated object API as an independent reference: reading, small models, and the effect of
edits.

`expected(data, edits)` applies edits to the generated objects, independently of the writer;
`meaning(data)` is the same view of a written file.
"""

from __future__ import annotations

import inspect
import re
import struct
from collections.abc import Iterator, Sequence
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

from tflite_align.format.flatbuffer import BufferReader
from tflite_align.format.model import QuantParams
from tflite_align.format.schema import OPTIONS, table_layout
from tflite_align.format.writer.edits import (
    AddOperator,
    AddTensor,
    Edit,
    RemoveOperator,
    SetData,
    SetGraphIO,
    SetName,
    SetOperand,
    SetOption,
    SetQuant,
    SetShape,
    SetType,
    SetVersion,
)


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
    """Positions, in tables with known layouts, that a FlatBuffers verifier would refuse as
    misaligned.
    """
    view = BufferReader(data)
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


def quantized_tensors(data: bytes) -> Iterator[tuple[Any, Any]]:
    """(tensor, its quantization) of every quantized tensor, as plain objects."""
    model = schema.ModelT.InitFromPackedBuf(data, 0)
    for graph in model.subgraphs:
        for tensor in graph.tensors:
            if tensor.quantization is not None and tensor.quantization.scale is not None:
                yield tensor, tensor.quantization


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
    """The object model x -RESHAPE-> h; h + constant -ADD-> y; y -RESHAPE-> z, with a signature that
    names x and z.

    Tensors: 0 x, 1 h, 2 constant (buffer 1: 4 bytes), 3 y, 4 z. ADD has an options table in which
    all fields are default.
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


# --- edits applied to generated objects ---------------------------------------------------------

_TYPES = {name.lower(): number for number, name in enum_names(schema.TensorType).items()}
_CODES = {name: number for number, name in enum_names(schema.BuiltinOperator).items()}


def meaning(data: bytes) -> Any:
    """The file as a tree with contents in place of buffer and operator code indices."""
    made = load(data)
    found = tree(made)
    contents = [_content(data, entry) for entry in made.buffers or []]
    return _without_indices(found, contents)


def expected(data: bytes, edits: Sequence[Edit]) -> Any:
    """The expected `meaning` of the file after the edits."""
    made = load(data)
    found = tree(made)
    contents: list[Any] = [_content(data, entry) for entry in made.buffers or []]
    result = _without_indices(found, contents)
    before = [list(graph["operators"] or []) for graph in result["subgraphs"]]
    added: dict[tuple[int, int], list[Any]] = {}
    removed = {(e.subgraph, e.operator) for e in edits if isinstance(e, RemoveOperator)}
    for edit in edits:
        graph = result["subgraphs"][edit.subgraph]
        if isinstance(edit, AddTensor):
            graph["tensors"].append(_new_tensor(graph["tensors"][edit.like], edit))
        elif isinstance(edit, AddOperator):
            added.setdefault((edit.subgraph, edit.before), []).append(_new_operator(edit))
        elif isinstance(edit, RemoveOperator):
            continue
        elif isinstance(edit, SetGraphIO):
            old, graph[edit.kind][edit.index] = graph[edit.kind][edit.index], edit.tensor
            for signature in result["signatureDefs"] or []:
                if signature["subgraphIndex"] == edit.subgraph:
                    for entry in signature[edit.kind] or []:
                        entry["tensorIndex"] = (
                            edit.tensor if entry["tensorIndex"] == old else entry["tensorIndex"]
                        )
        else:
            _change(graph, before[edit.subgraph], edit)
    for index, graph in enumerate(result["subgraphs"]):
        operators: list[Any] = []
        for place, old in enumerate(before[index]):
            operators += added.get((index, place), [])
            operators += [] if (index, place) in removed else [old]
        graph["operators"] = operators + added.get((index, len(before[index])), [])
    return result


def _change(
    graph: Any,
    operators: list[Any],
    edit: SetQuant | SetData | SetName | SetOperand | SetOption | SetShape | SetType | SetVersion,
) -> None:
    if isinstance(edit, SetType):
        graph["tensors"][edit.tensor]["type"] = _TYPES[edit.type]
    elif isinstance(edit, SetShape):
        graph["tensors"][edit.tensor]["shape"] = list(edit.shape)
        graph["tensors"][edit.tensor]["shapeSignature"] = list(edit.signature) or None
    elif isinstance(edit, SetName):
        graph["tensors"][edit.tensor]["name"] = edit.name.encode()
    elif isinstance(edit, SetVersion):
        # The operator gets a new code; other operators keep the old one.
        operator = operators[edit.operator]
        operator["opcodeIndex"] = {**operator["opcodeIndex"], "version": edit.version}
    elif isinstance(edit, SetQuant):
        tensor = graph["tensors"][edit.tensor]
        tensor["quantization"] = _new_quant(tensor["quantization"], edit.quant)
    elif isinstance(edit, SetData):
        tensor = graph["tensors"][edit.tensor]
        tensor["buffer"] = edit.data
        if edit.type is not None:
            tensor["type"] = _TYPES[edit.type]
    elif isinstance(edit, SetOperand):
        operators[edit.operator][edit.kind][edit.index] = edit.tensor
    else:
        name = re.sub(r"_([a-z0-9])", lambda m: m[1].upper(), edit.field)
        operators[edit.operator]["builtinOptions"][name] = edit.value


def _content(data: bytes, entry: Any) -> Any:
    if entry.data is not None and len(entry.data):
        return bytes(bytearray(entry.data))
    return data[entry.offset : entry.offset + entry.size] if entry.offset > 1 else None


def _without_indices(found: Any, contents: Sequence[Any]) -> Any:
    codes = found.pop("operatorCodes")
    found.pop("buffers")
    for graph in found["subgraphs"]:
        for tensor in graph["tensors"] or []:
            tensor["buffer"] = contents[tensor["buffer"]]
        for operator in graph["operators"] or []:
            operator["opcodeIndex"] = codes[operator["opcodeIndex"]]
            # A position in the file changes; the content at the position is compared.
            operator.pop("largeCustomOptionsOffset")
    for entry in found["metadata"] or []:
        entry["buffer"] = contents[entry["buffer"]]
    return found


def _new_quant(old: Any, quant: QuantParams) -> Any:
    made = dict(old) if old else tree(schema.QuantizationParametersT())
    made["scale"] = [float(np.float32(value)) for value in quant.scale]
    made["zeroPoint"] = list(quant.zero_point)
    made["quantizedDimension"] = quant.quantized_dimension
    for name, values in (("min", quant.minimum), ("max", quant.maximum)):
        if values and (old is None or old[name] is not None):
            made[name] = list(values)
    return made


def _new_tensor(like: Any, edit: AddTensor) -> Any:
    made = tree(schema.TensorT())
    made |= {name: like[name] for name in ("shape", "shapeSignature", "hasRank")}
    made |= {"name": edit.name.encode(), "type": _TYPES[edit.type], "buffer": edit.data}
    if edit.quant is not None:
        made["quantization"] = _new_quant(None, edit.quant)
    return made


def _new_operator(edit: AddOperator) -> Any:
    code = tree(schema.OperatorCodeT())
    number = _CODES[edit.name]
    code |= {"deprecatedBuiltinCode": min(number, 127), "builtinCode": number}
    code["version"] = edit.version
    made = tree(schema.OperatorT())
    made |= {"opcodeIndex": code, "inputs": list(edit.inputs), "outputs": list(edit.outputs)}
    made.pop("largeCustomOptionsOffset")
    return made
