"""What edits mean, said a second time on the generated objects: the writer's outside opinion."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from tests.oracle import enum_names, load, tree
from tflite_align.model import (
    AddOperator,
    AddTensor,
    Edit,
    QuantParams,
    RemoveOperator,
    SetData,
    SetGraphIO,
    SetOperand,
    SetOption,
    SetQuant,
    SetType,
    SetVersion,
)

_TYPES = {name.lower(): number for number, name in enum_names(schema.TensorType).items()}
_CODES = {name: number for number, name in enum_names(schema.BuiltinOperator).items()}


def meaning(data: bytes) -> Any:
    """The file as a tree in which content stands where indices of buffers and codes stood."""
    made = load(data)
    found = tree(made)
    contents = [_content(data, entry) for entry in made.buffers or []]
    return _without_indices(found, contents)


def expected(data: bytes, edits: Sequence[Edit]) -> Any:
    """What `meaning` has to say of the file after the edits."""
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
    edit: SetQuant | SetData | SetOperand | SetOption | SetType | SetVersion,
) -> None:
    if isinstance(edit, SetType):
        graph["tensors"][edit.tensor]["type"] = _TYPES[edit.type]
    elif isinstance(edit, SetVersion):
        # A code of its own: other operators keep theirs.
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
            # A position in the file; what stands there is what matters.
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
