"""Ties that cross operators: variables, calls, and the graph's own inputs and outputs."""

from __future__ import annotations

from collections.abc import Mapping

from ...format.model import Slot, SlotKind
from ...format.wiring import quantized
from ...rules.rows import OperatorRow
from ..constraints import Same
from ..subgraph_calls import called_subgraphs, resource_names
from .bound import Collector, per_tensor

__all__ = ["bind_boundaries", "bind_variables"]


def bind_variables(collector: Collector, rows: Mapping[str, OperatorRow]) -> None:
    """Tie the slots that write or read one variable, across subgraphs. `rows`: rules by operator
    name.
    """
    names = resource_names(collector.model, rows)
    _check_types(collector, names)
    by_resource: dict[str, list[Slot]] = {}
    # A computed handle may belong to any variable: then no variable's parameters may change.
    unnamed = None in names.values()
    for slot, name in names.items():
        tensor = collector.tensor(slot)
        if tensor is None or not quantized(tensor):
            continue
        if unnamed or not per_tensor(tensor):
            collector.rigid.add(slot)
        if name is not None and per_tensor(tensor):
            by_resource.setdefault(name, []).append(slot)
    for slots in by_resource.values():
        collector.variables.append(tuple(slots))
        operator = collector.model.subgraphs[slots[0].subgraph].operators[slots[0].operator]
        _tie(collector, f"resource/{operator.name}", sorted(slots))


def _check_types(collector: Collector, names: Mapping[Slot, str | None]) -> None:
    """Add a violated constraint for each operand whose type is not that of its variable's first
    writer or reader. `names`: variable by slot, None if unknown.
    """
    first: dict[str, Slot] = {}
    for slot, name in names.items():
        tensor = collector.tensor(slot)
        if tensor is None or name is None:
            continue
        expected = collector.operand(first.setdefault(name, slot)).type
        if tensor.type == expected:
            continue
        wanted = f"{expected}, as at {first[name].address(collector.model)}"
        collector.constraints += collector.faults(
            "variable/type", slot, tensor.type, expected=wanted, actual=tensor.type
        )


def _tie(collector: Collector, rule_id: str, slots: list[Slot]) -> None:
    """Add the constraint that the slots share one label; of different types they are rigid instead.
    `rule_id`: id of the rule that ties them.
    """
    types = {tensor.type for slot in slots if (tensor := collector.tensor(slot)) is not None}
    if len(slots) < 2:
        return
    if len(types) != 1:
        collector.rigid.update(slots)
        return
    type_name = types.pop()
    levels = collector.requirements(rule_id, type_name)
    if levels:
        collector.constraints.append(
            Same(
                rule=rule_id,
                type=type_name,
                requirements=levels,
                slots=tuple(slots),
                reference=slots[0],
            )
        )


def bind_boundaries(
    collector: Collector, rows: Mapping[str, OperatorRow], *, free_io: bool
) -> None:
    """Tie the operands of an operator that calls a subgraph (WHILE, CALL) to that subgraph's inputs
    and outputs. Other subgraph inputs and outputs are rigid, unless `free_io` lets those of the
    model change. `rows`: rules by operator name.
    """
    model = collector.model
    calls = called_subgraphs(model, rows)
    for call in calls:
        for pair in call.pairs:
            tensors = [collector.tensor(slot) for slot in pair]
            if all(t is not None and quantized(t) and per_tensor(t) for t in tensors):
                _tie(collector, f"boundary/{call.operator_name}", list(pair))
            else:
                collector.rigid.update(pair)
    named = model.named_subgraphs
    called = {call.subgraph for call in calls}
    for graph in model.subgraphs:
        fixed = graph.index in named and not free_io
        if fixed or graph.index not in called | named:
            sides: tuple[tuple[SlotKind, int], ...] = (
                ("inputs", len(graph.inputs)),
                ("outputs", len(graph.outputs)),
            )
            for slot_kind, count in sides:
                collector.rigid.update(Slot(graph.index, -1, slot_kind, i) for i in range(count))
