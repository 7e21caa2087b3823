"""Values that cross subgraphs: calls of a subgraph, and variables that several subgraphs share."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from ..format.model import Model, Operator, Slot, Subgraph, TensorId
from ..record import Record
from ..rules.rows import CallRow, OperatorRow

__all__ = ["Call", "called_subgraphs", "resource_names"]


def resource_names(model: Model, rows: Mapping[str, OperatorRow]) -> dict[Slot, str | None]:
    """For each slot that reads or writes a variable's value: the variable's name, or None if the
    handle comes from an operator that cannot be followed. `rows`: rules by operator name.
    """
    handles = _handles(model, rows)
    result: dict[Slot, str | None] = {}
    for graph in model.subgraphs:
        for operator, row in _operators(graph, rows, lambda row: row.resource in {"read", "write"}):
            if not operator.inputs:
                continue
            slot = Slot(graph.index, operator.index, "outputs", 0)
            if row.resource == "write":
                slot = Slot(graph.index, operator.index, "inputs", 1)
            result[slot] = handles.get(TensorId(graph.index, operator.inputs[0]))
    return result


def _handles(model: Model, rows: Mapping[str, OperatorRow]) -> dict[TensorId, str | None]:
    """The variable that each handle stands for, by (subgraph, tensor), followed into called
    subgraphs; None if callers pass different ones. `rows`: rules by operator name.
    """
    handles: dict[TensorId, str | None] = {}
    for graph in model.subgraphs:
        for operator, _ in _operators(graph, rows, lambda row: row.resource == "handle"):
            name = _variable_name(operator)
            handles.update({TensorId(graph.index, tensor): name for tensor in operator.outputs})
    if not handles:
        return handles
    pairs = [pair for call in called_subgraphs(model, rows) for pair in call.pairs]
    passed = [(a, b) for a, b in pairs if b.operator < 0 and b.kind == "inputs"]
    for _ in model.subgraphs:
        for here, there in passed:
            given = here.tensor_id(model)
            taken = there.tensor_id(model)
            if given in handles:
                same = handles.get(taken, handles[given]) == handles[given]
                handles[taken] = handles[given] if same else None
    return handles


def _operators(
    graph: Subgraph, rows: Mapping[str, OperatorRow], meant: Callable[[OperatorRow], bool]
) -> Iterator[tuple[Operator, OperatorRow]]:
    """(operator, row) of the subgraph's operators whose row satisfies the condition `meant`."""
    names = {operator.name for operator in graph.operators}
    named = {name: row for name in names if (row := rows.get(name)) is not None and meant(row)}
    if named:
        yield from ((one, named[one.name]) for one in graph.operators if one.name in named)


def _variable_name(operator: Operator) -> str:
    """The container and name that identify a variable, joined by a NUL character."""
    options = operator.options
    return f"{options.get('container', '')}\0{options.get('shared_name', '')}"


class Call(Record, frozen=True, kw_only=True):
    """One call of a subgraph by an operator. `pairs`: (operator's slot, slot of the called
    subgraph's input or output), and for values carried through a loop (operator's input slot, its
    output slot).
    """

    operator_name: str
    subgraph: int
    pairs: tuple[tuple[Slot, Slot], ...]


def called_subgraphs(model: Model, rows: Mapping[str, OperatorRow]) -> list[Call]:
    """All calls that the rows describe, in the order of the file."""
    found = []
    for graph in model.subgraphs:
        for operator, row in _operators(graph, rows, lambda row: bool(row.calls)):
            carried = _carried_pairs(graph.index, operator) if row.carried else []
            for entry in row.calls:
                for callee in operator.called(entry.option):
                    pairs = (*_boundary_pairs(graph.index, operator, entry, callee), *carried)
                    found.append(Call(operator_name=operator.name, subgraph=callee, pairs=pairs))
                    carried = []  # listed once per operator, also if it calls several subgraphs
    return found


def _boundary_pairs(
    subgraph: int, operator: Operator, entry: CallRow, callee: int
) -> Iterator[tuple[Slot, Slot]]:
    """(operator's slot, slot of the subgraph `callee`) of each operand that a call passes in or
    out.
    """
    if entry.inputs is not None:
        for position, index in enumerate(entry.inputs.select(len(operator.inputs))):
            here = Slot(subgraph, operator.index, "inputs", index)
            yield here, Slot(callee, -1, "inputs", position)
    if entry.outputs is not None:
        for position, index in enumerate(entry.outputs.select(len(operator.outputs))):
            here = Slot(subgraph, operator.index, "outputs", index)
            yield here, Slot(callee, -1, "outputs", position)


def _carried_pairs(subgraph: int, operator: Operator) -> list[tuple[Slot, Slot]]:
    """(input slot, output slot) of each value that a loop carries. `subgraph`: its index."""
    count = min(len(operator.inputs), len(operator.outputs))
    return [
        (
            Slot(subgraph, operator.index, "inputs", i),
            Slot(subgraph, operator.index, "outputs", i),
        )
        for i in range(count)
    ]
