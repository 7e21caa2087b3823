"""Finds the places that users name: a tensor by name or index, or a slot by address."""

from __future__ import annotations

import re

from ..errors import UsageError, nearest
from ..format.model import Model, Slot, SlotKind, Subgraph, TensorId

__all__ = ["resolved"]

_INDEX = re.compile(
    r"(?:subgraph\[(?P<graph>\d{1,9})\]/)?(?:tensor\[(?P<inner>\d{1,9})\]|(?P<bare>\d{1,9}))"
)
_OPERATOR = re.compile(r"(?:subgraph\[\d{1,9}\]/)?operator\[\d{1,9}\](?: [^/]+)?")
_SLOT = re.compile(
    r"(?:subgraph\[(?P<graph>\d{1,9})\]/)?(?:operator\[(?P<operator>\d{1,9})\](?: (?P<name>[^/]+))?/)?"
    r"(?P<kind>inputs|outputs|intermediates)\[(?P<index>\d{1,9})\]"
)


def resolved(model: Model, address: str) -> tuple[TensorId, Slot | None]:
    """((subgraph, tensor), slot) that `address` names; the slot is None if it names a tensor.
    Raises UsageError for an unknown or ambiguous place.
    """
    named = [
        TensorId(graph.index, tensor.index)
        for graph in model.subgraphs
        for tensor in graph.tensors
        if tensor.name == address
    ]
    by_index = _INDEX.fullmatch(address)
    if by_index is not None:
        key = _indexed(model, by_index, address)
        if key is not None and key not in named:
            named.append(key)
        if not named:
            graph = _subgraph(model, by_index["graph"], address)
            raise UsageError(f"{address}: no such tensor: {_range(len(graph.tensors), 'tensor')}")
    if len(named) > 1:
        places = ", ".join(f"subgraph[{graph}]/tensor[{tensor}]" for graph, tensor in named)
        raise UsageError(f"{address}: several tensors have this name; give one of {places}")
    if named:
        return named[0], None
    by_slot = _SLOT.fullmatch(address)
    if by_slot is not None:
        return _slot(model, by_slot, address)
    if _OPERATOR.fullmatch(address):
        raise UsageError(f"{address}: expected one of its operands: {address}/inputs[0]")
    raise UsageError(f"no tensor is called {address!r}{_nearest(model, address)}")


def _indexed(model: Model, match: re.Match[str], address: str) -> TensorId | None:
    """The tensor with this index; None if there is none, as a bare number may also be a name.
    `match`: the parsed address.
    """
    graph = _subgraph(model, match["graph"], address)
    index = int(match["inner"] or match["bare"])
    return TensorId(graph.index, index) if index < len(graph.tensors) else None


def _slot(model: Model, match: re.Match[str], address: str) -> tuple[TensorId, Slot]:
    """The slot at an address, and its tensor. Raises UsageError if the model does not have it.
    `match`: the parsed address.
    """
    graph = _subgraph(model, match["graph"], address)
    kinds: dict[str, SlotKind] = {
        "inputs": "inputs",
        "outputs": "outputs",
        "intermediates": "intermediates",
    }
    operator = -1
    if match["operator"] is not None:
        operator = int(match["operator"])
        if operator >= len(graph.operators):
            count = len(graph.operators)
            raise UsageError(f"{address}: no such operator: {_range(count, 'operator')}")
        right = graph.operators[operator].name
        if match["name"] not in (None, right):
            raise UsageError(f"{address}: operator[{operator}] is {right}, not {match['name']}")
    elif match["kind"] == "intermediates":
        raise UsageError(f"{address}: only operators have intermediates")
    slot = Slot(graph.index, operator, kinds[match["kind"]], int(match["index"]))
    tensor = slot.tensor(model)
    if tensor < 0:
        raise UsageError(f"{address}: no such operand, or it is left out (-1)")
    return TensorId(graph.index, tensor), slot


def _subgraph(model: Model, written: str | None, address: str) -> Subgraph:
    """The subgraph with the index that is `written` in an address, 0 by default. Raises UsageError
    if the model does not have it.
    """
    index = int(written or 0)
    if index >= len(model.subgraphs):
        count = len(model.subgraphs)
        raise UsageError(f"{address}: no such subgraph: {_range(count, 'subgraph')}")
    return model.subgraphs[index]


def _range(count: int, noun: str) -> str:
    """The valid addresses, as text: `operator[0] to operator[11] exist`. `count`: how many there
    are; `noun`: what they are.
    """
    if count == 0:
        return f"there is no {noun}"
    return f"only {noun}[0] exists" if count == 1 else f"{noun}[0] to {noun}[{count - 1}] exist"


def _nearest(model: Model, address: str) -> str:
    """`; did you mean 'x'?` with the most similar tensor names; "" without any."""
    names = {tensor.name for graph in model.subgraphs for tensor in graph.tensors}
    inside = sorted((name for name in names if address and address in name), key=len)[:3]
    near = list(dict.fromkeys([*nearest(address, sorted(names), 3), *inside]))
    return f"; did you mean {' or '.join(repr(name) for name in near[:3])}?" if near else ""
