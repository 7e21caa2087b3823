"""Operators of a quantized model that compute in float, and why, in sentences."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from ..format.model import Model, Operator, Subgraph
from ..format.type_groups import FLOATS, QUANTIZED_TYPES
from ..record import Record
from ..rules.kernels import load_kernels
from ..rules.operand_types import OperandTypes
from .support.subject import hybrid
from .support.taken_types import types_of

__all__ = ["float_parts"]

_BORDER = ("QUANTIZE", "DEQUANTIZE", "CAST")  # operators that convert between float and integers
_CUSTOM = "CUSTOM"
_MOST = 4  # largest number of operator names in a message

_HYBRID = (
    "because only their weights are quantized, and the activations are float"
    " (dynamic range quantization)"
)
_STORED = "because DEQUANTIZE converts constants stored as integers to float there"
_CUSTOM_CODE = "because the types that a custom operator computes with are unknown"
_BEFORE = "because no earlier operator quantizes the float values there"


class _Part(Record, frozen=True):
    """One operator that computes in float, and the reason as a clause."""

    name: str
    why: str


def float_parts(model: Model) -> tuple[str, ...]:
    """A sentence for each reason why operators of a quantized model compute in float; empty if none
    does.
    """
    parts = [part for graph in model.subgraphs if _floats(graph) for part in _parts(model, graph)]
    if not parts:
        return ()
    every = sum(
        operator.name not in _BORDER for graph in model.subgraphs for operator in graph.operators
    )
    if not any(_quantizes(graph) for graph in model.subgraphs):
        return (f"nothing is quantized: {_counted(len(parts), every)} in float",)
    sentences = []
    for why in dict.fromkeys(part.why for part in parts):
        names = Counter(part.name for part in parts if part.why == why)
        count = _counted(sum(names.values()), every)
        sentences.append(f"not fully quantized: {count} in float ({_named(names)}), {why}")
    return tuple(sentences)


def _floats(graph: Subgraph) -> bool:
    """Whether the subgraph has a tensor of a float type."""
    return any(tensor.type in FLOATS for tensor in graph.tensors)


def _quantizes(graph: Subgraph) -> bool:
    """Whether an operator of the subgraph reads or writes a tensor of a quantized type."""
    named = {index for operator in graph.operators for index in operator.named if index >= 0}
    return any(graph.tensors[index].type in QUANTIZED_TYPES for index in named)


def _counted(count: int, every: int) -> str:
    """The beginning of a sentence: `2 of 10 operators compute`. `count` of `every`: numbers of
    operators.
    """
    noun, verb = "operator" if every == 1 else "operators", "computes" if count == 1 else "compute"
    return f"{count} of {every} {noun} {verb}"


def _named(names: Counter[str]) -> str:
    """Operator names with their counts, the most frequent first, as text."""
    sentences = [
        name if count == 1 else f"{name} {count} times" for name, count in names.most_common(_MOST)
    ]
    more = len(names) - len(sentences)
    return ", ".join(sentences) + (f" and {more} more" if more else "")


def _parts(model: Model, graph: Subgraph) -> Iterator[_Part]:
    """The operators that compute in float, in the order of the file."""
    type_name = _integer_type(graph)
    integers: set[int] = set()  # float tensors that are converted from integers in this subgraph
    stored: set[int] = set()  # float tensors that a DEQUANTIZE computes from a constant
    for operator in graph.operators:
        inputs = [index for index in operator.inputs if index >= 0]
        if operator.name in _BORDER:
            constant = all(model.is_constant(graph.index, index) for index in inputs)
            (stored if constant else integers).update(operator.outputs)
            continue
        if not integers.isdisjoint(inputs):
            integers.update(operator.outputs)
        if not _in_float(model, graph, operator):
            continue
        name = operator.custom_code or operator.name
        if operator.name == _CUSTOM:
            why = _CUSTOM_CODE
        elif hybrid(model, graph, operator):
            why = _HYBRID
        elif not stored.isdisjoint(inputs):
            why = _STORED
        elif integers.isdisjoint(inputs):
            why = _BEFORE
        else:
            why = _island(types_of(graph, operator), operator.name, type_name)
        yield _Part(name, why)


def _in_float(model: Model, graph: Subgraph, operator: Operator) -> bool:
    """Whether the operator computes in float. One that reads computed integers too is left to the
    rules on operand types.
    """
    kinds = [
        graph.tensors[index].type
        for index in operator.inputs
        if index >= 0 and not model.is_constant(graph.index, index)
    ]
    kinds = [type_name for type_name in kinds if type_name in (*QUANTIZED_TYPES, *FLOATS)]
    written = [graph.tensors[index].type for index in operator.outputs if index >= 0]
    return all(type_name in FLOATS for type_name in kinds) and any(
        type_name in FLOATS for type_name in (*kinds, *written)
    )


def _integer_type(graph: Subgraph) -> str:
    """The most frequent integer type among the operands of the subgraph's QUANTIZE and DEQUANTIZE."""
    counter = Counter(
        graph.tensors[index].type
        for operator in graph.operators
        if operator.name in _BORDER
        for index in (*operator.inputs, *operator.outputs)
        if index >= 0 and graph.tensors[index].type in QUANTIZED_TYPES
    )
    return counter.most_common(1)[0][0] if counter else "int8"


def _island(operand_types: OperandTypes, name: str, type_name: str) -> str:
    """The reason why an operator computes on floats that were dequantized from integers, as a
    clause. `operand_types`: the kernels' types; `name`: the operator's; `type_name`: of the
    integers.
    """
    if _has_kernel(operand_types, name, type_name):
        return (
            "because the converter left float kernels behind a DEQUANTIZE although LiteRT has"
            f" {type_name} ones"
        )
    return f"because LiteRT has no {type_name} kernel for this"


def _has_kernel(operand_types: OperandTypes, name: str, type_name: str) -> bool:
    """Whether LiteRT's builtin kernels take the operator with `type_name` in place of float types."""
    row = load_kernels("litert").get(name)
    if row is None:
        return False
    integer_types = OperandTypes(
        tuple(type_name if one in FLOATS else one for one in operand_types.inputs),
        tuple(type_name if output in FLOATS else output for output in operand_types.outputs),
    )
    return any(
        nearest.inputs[:1] == integer_types.inputs[:1] and nearest.outputs == integer_types.outputs
        for pattern in row.takes
        for nearest in pattern.nearest(integer_types)
    )
