"""Producers and readers of each tensor of a subgraph."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from ..record import Record, field
from .model import Model, Operator, Slot, Subgraph, Tensor, new_slot
from .type_groups import QUANTIZED_TYPES

__all__ = ["Links", "links", "links_at", "own_state", "producers", "quantized", "slot_tensor"]

_QUANTIZED = frozenset(QUANTIZED_TYPES)


def quantized(tensor: Tensor) -> bool:
    """Whether a tensor's integers stand for real values with an affine scale."""
    return tensor.type in _QUANTIZED and tensor.quant is not None and bool(tensor.quant.scale)


def slot_tensor(model: Model, slot: Slot) -> Tensor | None:
    """The tensor in a slot; None for a left-out operand."""
    index = slot.tensor(model)
    return model.subgraphs[slot.subgraph].tensors[index] if index >= 0 else None


class Links(Record, frozen=True):
    """Producer and readers of each tensor of one subgraph.

    Slots with operator -1 are the subgraph's inputs and outputs. A constant has no producer.
    """

    producer: dict[int, Slot] = field(default_factory=dict)
    readers: dict[int, list[Slot]] = field(default_factory=dict)


def links(model: Model, subgraph: int) -> Links:
    """Cached producer and reader index of one subgraph. Do not mutate."""
    graph = model.subgraphs[subgraph]
    cached: Links | None = graph.memo.get("links")
    if cached is None:
        cached = graph.memo["links"] = _links(graph, subgraph, graph.operators)
    return cached


def producers(graph: Subgraph) -> dict[int, Operator]:
    """The operator that writes each tensor of a subgraph, which is all that some need of `links`."""
    written: dict[int, Operator] = {}
    for operator in graph.operators:
        for tensor in operator.intermediates:
            written.setdefault(tensor, operator)
    written.update({index: o for o in graph.operators for index in o.outputs})
    return written


def links_at(graph: Subgraph, tensors: Collection[int]) -> Links:
    """As `links`, but only for operators that use one of these tensors, and the subgraph's inputs
    and outputs.

    Complete for these tensors, incomplete for all others.
    """
    selected = set(tensors)
    near = [
        operator
        for operator in graph.operators
        if not (
            selected.isdisjoint(operator.inputs)
            and selected.isdisjoint(operator.outputs)
            and selected.isdisjoint(operator.intermediates)
        )
    ]
    return _links(graph, graph.index, near)


def _links(graph: Subgraph, subgraph: int, operators: Sequence[Operator]) -> Links:
    """The producers and readers among these operators, and the subgraph's inputs and outputs."""
    result = Links()
    for index, tensor in enumerate(graph.inputs):
        result.producer[tensor] = Slot(subgraph, -1, "inputs", index)
    for operator in operators:
        for index, tensor in enumerate(operator.inputs):
            if tensor >= 0:
                slot = new_slot((subgraph, operator.index, "inputs", index))
                result.readers.setdefault(tensor, []).append(slot)
        for index, tensor in enumerate(operator.outputs):
            if tensor >= 0:
                result.producer[tensor] = new_slot((subgraph, operator.index, "outputs", index))
        for index, tensor in enumerate(operator.intermediates):
            if tensor >= 0:
                slot = Slot(subgraph, operator.index, "intermediates", index)
                result.producer.setdefault(tensor, slot)
    for index, tensor in enumerate(graph.outputs):
        result.readers.setdefault(tensor, []).append(Slot(subgraph, -1, "outputs", index))
    return result


def own_state(model: Model, slot: Slot) -> bool:
    """Whether the slot holds a state tensor that no other operand reads or writes."""
    tensor = slot_tensor(model, slot)
    if tensor is None or not tensor.is_variable:
        return False
    wiring = links(model, slot.subgraph)
    return tensor.index not in wiring.producer and len(wiring.readers.get(tensor.index, ())) == 1
