"""Operands with a scale for each channel where kernels read one scale.

LiteRT gives a kernel one scale and zero point for a tensor, and 0 where the file has several: it
refuses such a model, ends the process, or computes other values. TFLM takes the first of them.
Only weights, biases and the operands that a row names (`channels`) have scales by channel.
"""

from __future__ import annotations

from collections.abc import Container, Iterator

from ..format.model import Operator, Slot, Tensor
from ..format.type_groups import ACTIVATION_TYPES
from ..rules.operator_rows import load_operators
from ..rules.rows import BiasRule, OperatorRow, SameRule, WeightRule
from .binder.bound import Collector
from .binder.missing_parameters import all_slots, select
from .constraints import WellFormed

__all__ = ["several_scales"]

_RULE = "params/channels"


def several_scales(collector: Collector) -> Iterator[WellFormed]:
    """A violated constraint for each operand of an operator with a row that has several scales and
    is read by one.
    """
    rows = load_operators()
    for graph in collector.model.subgraphs:
        held = {tensor.index for tensor in graph.tensors if _several(tensor)}
        for operator in graph.operators if held else ():
            row = rows.get(operator.name)
            if row is None or row.calls or row.resource is not None:
                continue
            if held.isdisjoint(operator.inputs) and held.isdisjoint(operator.outputs):
                continue
            passed = _by_channel(collector, graph.index, operator, row)
            for slot in all_slots(graph.index, operator):
                tensor = collector.operand(slot)
                named = slot.kind == "intermediates" or slot in passed
                if tensor.index in held and not named:
                    yield from _told(collector, slot, operator, tensor)


def _several(tensor: Tensor) -> bool:
    """Whether a tensor of an activation's type has several scales and no other scheme."""
    quant = tensor.quant
    several = quant is not None and len(quant.scale) > 1 and not quant.details
    return several and tensor.type in ACTIVATION_TYPES


def _by_channel(
    collector: Collector, subgraph: int, operator: Operator, row: OperatorRow
) -> set[Slot]:
    """The operator's slots that may have several scales: weights, biases, those that the row names
    or ignores, and operands copied into one another that have the same scales.
    """
    passed = {*select(subgraph, operator, (*row.channels, *row.ignored))}
    for rule in row.rules:
        if isinstance(rule, (BiasRule, WeightRule)):
            slots = select(subgraph, operator, (rule.slot,))
            passed.update(slot for slot in slots if collector.operand(slot).type in _held_by(rule))
    for rule in row.rules:
        if isinstance(rule, SameRule):
            slots = select(subgraph, operator, rule.slots)
            quants = [collector.operand(slot).quant for slot in slots]
            scales = {None if q is None else (q.scale, q.zero_point) for q in quants}
            if len(scales) == 1:
                passed.update(slots)
    return passed


def _held_by(rule: BiasRule | WeightRule) -> Container[str]:
    """The types whose scales by channel the rule is about."""
    return rule.types if isinstance(rule, WeightRule) else ACTIVATION_TYPES


def _told(
    collector: Collector, slot: Slot, operator: Operator, tensor: Tensor
) -> Iterator[WellFormed]:
    """The violated constraint at this operand, on the targets that have the rule."""
    levels = collector.requirements(_RULE, tensor.type, operator.name)
    if levels and tensor.quant is not None:
        yield WellFormed(
            rule=_RULE,
            type=tensor.type,
            requirements=levels,
            slot=slot,
            expected="one scale",
            actual=f"{len(tensor.quant.scale)} scales",
            fixable=False,
        )
