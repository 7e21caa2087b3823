"""Constraints that an integer operand violates by having no scale, where kernels copy it or compute
with it.
"""

from __future__ import annotations

from collections.abc import Iterable

from ...format.model import Operator, Slot, SlotKind, Tensor
from ...format.type_groups import ACTIVATION_TYPES, QUANTIZED_TYPES
from ...format.wiring import quantized
from ...rules.rows import OperatorRow, SameRule, SlotPattern
from ..constraints import WellFormed
from .bound import Collector

__all__ = ["add_missing", "all_slots", "bind_unknown", "select"]

_KINDS: tuple[SlotKind, ...] = ("inputs", "intermediates", "outputs")


def all_slots(subgraph: int, operator: Operator) -> Iterable[Slot]:
    """The operator's slots that hold a tensor: inputs, then outputs. `subgraph`: its index."""
    for slot_kind in _KINDS:
        for index, tensor in enumerate(operator.operands(slot_kind)):
            if tensor >= 0:
                yield Slot(subgraph, operator.index, slot_kind, index)


def select(subgraph: int, operator: Operator, patterns: Iterable[SlotPattern]) -> list[Slot]:
    """Slots that the patterns name and that hold a tensor, each once, in order. `subgraph`: its
    index.
    """
    chosen: dict[Slot, None] = {}
    operator_index = operator.index
    for pattern in patterns:
        slot_kind, start, stop = pattern.kind, pattern.start, pattern.stop
        operands = operator.operands(slot_kind)
        count = len(operands)
        last = count if stop is None or stop > count else stop
        for index in range(start, last):
            if operands[index] >= 0:
                chosen[Slot(subgraph, operator_index, slot_kind, index)] = None
    return list(chosen)


def add_missing(
    collector: Collector,
    slot: Slot,
    tensor: Tensor,
    like: Slot | None = None,
    rule: str = "params/missing",
) -> None:
    """Add the violated constraint of an integer operand without a scale among operands that have
    one. `like`: a slot whose parameters a repair may copy. Several rules may report one operand.
    """
    operator = collector.model.subgraphs[slot.subgraph].operators[slot.operator]
    named_already = any(
        isinstance(c, WellFormed) and (c.rule, c.slot) == (rule, slot)
        for c in collector.constraints
    )
    if not named_already:
        collector.constraints += collector.faults(
            rule,
            slot,
            tensor.type,
            operator=operator.name,
            expected="a scale and a zero_point",
            actual="none",
            fixable=like is not None and (tensor.quant is None or not tensor.quant.details),
            like=like,
        )


def bind_unknown(collector: Collector, subgraph: int, operator: Operator, row: OperatorRow) -> None:
    """Add a violated constraint for each integer operand without parameters that the kernel
    combines with quantized ones. Copied operands, and operands that a rule covers, are left out.
    `subgraph`: its index.
    """
    passed = {*select(subgraph, operator, (*row.ignored, *row.rigid))}
    passed |= {c.slot for c in collector.constraints if isinstance(c, WellFormed)}
    operands = [(slot, collector.tensor(slot)) for slot in all_slots(subgraph, operator)]
    if not any(t is not None and quantized(t) for slot, t in operands if slot not in passed):
        _bind_unscaled(collector, select(subgraph, operator, (*row.scaled, *row.positive)))
        return
    for rule in row.rules:
        if isinstance(rule, SameRule):
            passed.update(_tied(collector, rule, select(subgraph, operator, rule.slots)))
    for slot, tensor in operands:
        if (
            tensor is None
            or slot in passed
            or quantized(tensor)
            or tensor.type not in ACTIVATION_TYPES
        ):
            continue
        if slot.kind != "intermediates":
            add_missing(collector, slot, tensor, rule="params/unknown")


def _bind_unscaled(collector: Collector, scaled: list[Slot]) -> None:
    """Add one violated constraint for an operator whose kernel rescales operands, none of which has
    parameters. `scaled`: the slots that it rescales.
    """
    for slot in scaled:
        if collector.operand(slot).type in QUANTIZED_TYPES:
            add_missing(collector, slot, collector.operand(slot), rule="params/none")
            return


def _tied(collector: Collector, rule: SameRule, slots: Iterable[Slot]) -> Iterable[Slot]:
    """The slots that the rule ties on some target, given the types of their tensors; also if the
    user switched the rule off.
    """
    for slot in slots:
        kind = collector.operand(slot).type
        if kind not in rule.types:
            continue
        # Severities are cached by rule and type; without user grades they are looked up in the targets.
        levels = (target.level(rule.id, kind) for target in collector.targets)
        if collector.requirements(rule.id, kind) or any(one.severity != "off" for one in levels):
            yield slot
