"""Bind one operator's row to one operator: a constraint for each rule that applies to it."""

from __future__ import annotations

import math

import numpy as np

from ...format.enums import Activation, type_name
from ...format.model import Operator, OperatorId, Slot
from ...format.type_groups import READABLE_BIAS_TYPES
from ...format.wiring import quantized
from ...numerics import Label
from ...record import replace
from ...rules.families import Family
from ...rules.rows import (
    BiasRule,
    FixedRule,
    OperatorRow,
    PowerRule,
    PresentRule,
    Rule,
    SameRule,
    WeightRule,
    WindowRule,
    ZeroPointRule,
)
from ..constraints import (
    BiasOf,
    BoundFlow,
    Fixed,
    Power,
    Same,
    Weight,
    Window,
    ZeroPoint,
)
from ..several_scales import read_by_one
from .bound import FUSED, Collector, per_tensor
from .missing_parameters import add_missing, bind_unknown, select
from .written_values import clamp_of, reach_of

__all__ = ["bind_operator", "family_of", "mirrored_slots"]


def family_of(collector: Collector, subgraph: int, operator: Operator, row: OperatorRow) -> Family:
    """The operator's family: its row's, unless that is for other axes (a constant inputs[1]).
    `subgraph`: its index.
    """
    if not row.family_axes:
        return row.family
    source, axes = (collector.tensor(Slot(subgraph, operator.index, "inputs", i)) for i in (0, 1))
    data = None if axes is None else collector.model.constant(subgraph, axes.index)
    if source is None or axes is None or data is None or axes.type != "int32":
        return "other"
    rank = len(source.shape)
    held = sorted(int(axis) % rank if rank else 0 for axis in np.frombuffer(data, "<i4"))
    return row.family if tuple(held) == row.family_axes else "other"


def bind_operator(
    collector: Collector, subgraph: int, operator: Operator, row: OperatorRow
) -> None:
    """Add everything that the row says of this operator to the collector: family, rigid slots, one
    constraint for each rule that applies, flows and ranges. `subgraph`: its index.
    """
    collector.families[OperatorId(subgraph, operator.index)] = family_of(
        collector, subgraph, operator, row
    )
    collector.rigid.update(select(subgraph, operator, row.rigid))
    mirrored = mirrored_slots(collector, subgraph, operator, row)
    collector.rigid.update(mirrored)
    for rule in row.rules:
        if not mirrored and _concerned(collector, subgraph, operator, rule):
            _bind_rule(collector, subgraph, operator, rule)
    if not row.calls and row.resource is None:
        bind_unknown(collector, subgraph, operator, row)
    if row.flow is not None:
        inputs = select(subgraph, operator, row.flow.inputs)
        outputs = select(subgraph, operator, row.flow.outputs)
        collector.flows.append(
            BoundFlow(
                kind=row.flow.kind, inputs=tuple(inputs), outputs=tuple(outputs), source=row.flow
            )
        )
    activation = operator.options.get(FUSED)
    if row.fuses and activation == Activation.NONE and operator.outputs:
        collector.silent.add(Slot(subgraph, operator.index, "outputs", 0))
    if several := read_by_one(collector.model.subgraphs[subgraph], operator, row):
        collector.several.append(tuple(several))
    reach = reach_of(operator, row)
    for index in range(len(operator.outputs)):
        collector.ranges[Slot(subgraph, operator.index, "outputs", index)] = reach


def mirrored_slots(
    collector: Collector, subgraph: int, operator: Operator, row: OperatorRow
) -> list[Slot]:
    """The two operands that a kernel copies by negating integers (NEG), if they have opposite zero
    points other than 0 and equal scales: then the kernel is correct, and they keep their
    parameters. Otherwise empty: rules on the zero point apply. `subgraph`: its index.
    """
    slots = select(subgraph, operator, row.mirror)
    labels = [collector.operand(slot).label for slot in slots]
    match labels:
        case [Label() as first, Label() as second]:
            opposite = first.zero_point == -second.zero_point != 0
            return slots if opposite and first.scale == second.scale else []
    return []


def _concerned(collector: Collector, subgraph: int, operator: Operator, rule: Rule) -> bool:
    """Whether a rule applies to the operator: operands in `when` are present, those in `unless` are
    absent, and those in `where` have the given types. `subgraph`: its index.
    """
    if rule.when is not None and not select(subgraph, operator, (rule.when,)):
        return False
    if rule.unless is not None and select(subgraph, operator, (rule.unless,)):
        return False
    for pattern, types in rule.where:
        slots = select(subgraph, operator, (pattern,))
        if not slots or any(collector.operand(slot).type not in types for slot in slots):
            return False
    neighbours = (collector.operand(slot) for slot in select(subgraph, operator, rule.beside))
    return all(tensor.type in rule.types for tensor in neighbours)


def _bind_rule(collector: Collector, subgraph: int, operator: Operator, rule: Rule) -> None:
    """Add the constraint of one rule at this operator. `subgraph`: its index."""
    match rule:
        case SameRule():
            _bind_same(collector, rule, select(subgraph, operator, rule.slots))
        case FixedRule():
            for slot in select(subgraph, operator, (rule.slot,)):
                _add_fixed(collector, rule, slot)
        case ZeroPointRule():
            for slot in select(subgraph, operator, rule.slots):
                _add_simple(collector, rule, slot, ZeroPoint)
        case PowerRule():
            for slot in select(subgraph, operator, rule.slots):
                _add_simple(collector, rule, slot, Power)
        case WeightRule():
            for slot in select(subgraph, operator, (rule.slot,)):
                _add_weight(collector, rule, slot)
        case BiasRule():
            for slot in select(subgraph, operator, (rule.slot,)):
                _add_bias(collector, operator, rule, slot)
        case WindowRule():
            _add_window(collector, subgraph, operator, rule)
        case PresentRule():
            _add_absent(collector, subgraph, operator, rule)


def _bind_same(collector: Collector, rule: SameRule, slots: list[Slot]) -> None:
    """Tie the slots that hold quantized tensors of one type; the other slots are rigid."""
    if not any(collector.requirements(rule.id, name) for name in rule.types):
        return  # no target has this rule
    operands = [(slot, collector.operand(slot)) for slot in slots]
    affine = [(s, t) for s, t in operands if quantized(t)]
    types = {tensor.type for _, tensor in affine}
    matching = len(types) == 1 and all(per_tensor(t) for _, t in affine)
    if len(affine) < 2 or not matching:
        collector.rigid.update(slot for slot, _ in affine)
    if not matching:
        return
    type_name = types.pop()
    levels = collector.requirements(rule.id, type_name)
    if type_name not in rule.types or not levels:
        return
    tied = tuple(slot for slot, _ in affine)
    outputs = [slot for slot in tied if slot.kind == "outputs"]
    for slot, tensor in operands:
        if tensor.type == type_name and not quantized(tensor):
            add_missing(collector, slot, tensor, outputs[0] if outputs else tied[0])
    if len(tied) < 2:
        return
    collector.constraints.append(
        Same(
            rule=rule.id,
            type=type_name,
            requirements=levels,
            slots=tied,
            reference=outputs[0] if outputs else tied[0],
        )
    )


def _add_fixed(collector: Collector, rule: FixedRule, slot: Slot) -> None:
    """Add the constraint that the slot has one of the rule's labels, if its tensor has a type of
    the rule.
    """
    tensor = collector.operand(slot)
    if not quantized(tensor) or tensor.type not in rule.types:
        return
    levels = collector.requirements(rule.id, tensor.type)
    if not levels:
        return
    collector.constraints.append(
        Fixed(rule=rule.id, type=tensor.type, requirements=levels, slot=slot, source=rule)
    )


def _add_simple(
    collector: Collector, rule: Rule, slot: Slot, constraint_type: type[ZeroPoint | Power]
) -> None:
    """Add a ZeroPoint or Power constraint at the slot, if its tensor has a type of the rule."""
    tensor = collector.operand(slot)
    if not quantized(tensor) or tensor.type not in rule.types:
        return
    levels = collector.requirements(rule.id, tensor.type)
    if levels:
        collector.constraints.append(
            constraint_type(rule=rule.id, type=tensor.type, requirements=levels, slot=slot)
        )


def _add_weight(collector: Collector, rule: WeightRule, slot: Slot) -> None:
    """Add the constraint on constant weights at the slot, if their type and number of scales are
    the rule's.
    """
    tensor = collector.operand(slot)
    if not quantized(tensor) or tensor.type not in rule.types:
        return
    count = len(tensor.quant.scale) if tensor.quant is not None else 0
    if rule.scales != "any" and (rule.scales == "one") is not (count == 1):
        return
    levels = collector.requirements(rule.id, tensor.type)
    if levels and collector.model.is_constant(slot.subgraph, tensor.index):
        collector.constraints.append(
            Weight(
                rule=rule.id,
                type=tensor.type,
                requirements=levels,
                slot=slot,
                source=rule,
            )
        )


def _add_bias(collector: Collector, operator: Operator, rule: BiasRule, slot: Slot) -> None:
    """Add the constraint between the scale of the bias at this slot and those of its factors."""
    factors = select(slot.subgraph, operator, rule.factors)
    if len(factors) != len(rule.factors):
        return
    operands = [(factor, collector.operand(factor)) for factor in factors]
    for factor, tensor in operands:
        if tensor.type in rule.bias_types and not quantized(tensor):
            add_missing(collector, factor, tensor, rule="params/unknown")
    if not all(quantized(tensor) for _, tensor in operands):
        return
    activation, bias = operands[0][1].type, collector.operand(slot)
    levels = collector.requirements(rule.id, activation)
    if activation not in rule.bias_types or not levels or bias.type not in READABLE_BIAS_TYPES:
        return
    code = operator.options.get(rule.type_option)
    stated = type_name(int(code)) if code else ""
    collector.constraints.append(
        BiasOf(
            rule=rule.id,
            type=activation,
            requirements=levels,
            slot=slot,
            factors=tuple(factors),
            source=rule,
            stated=stated,
        )
    )


def _add_absent(collector: Collector, subgraph: int, operator: Operator, rule: PresentRule) -> None:
    """Add a constraint that is already violated if the operator lacks the bias that the rule
    requires (left out, or index -1) and its first factor has a type of the rule. `subgraph`: its
    index.
    """
    index = rule.slot.start
    slot = Slot(subgraph, operator.index, rule.slot.kind, index)
    left_out = index >= len(operator.operands(rule.slot.kind))
    absence = "left_out" if left_out else "minus_one"
    factors = [collector.tensor(factor) for factor in select(subgraph, operator, rule.factors)]
    if collector.tensor(slot) is not None or rule.absence not in ("either", absence):
        return
    if len(factors) != len(rule.factors) or factors[0] is None:
        return
    if factors[0].type in rule.types:
        collector.constraints += collector.faults(
            rule.id,
            slot,
            factors[0].type,
            expected="a bias",
            actual="no operand" if left_out else "-1",
            fixable=True,
        )


def _add_window(collector: Collector, subgraph: int, operator: Operator, rule: WindowRule) -> None:
    """Add the constraint on the ratio of scales between the rule's two lists of slots. `subgraph`:
    its index.
    """
    numerator = select(subgraph, operator, rule.numerator)
    denominator = select(subgraph, operator, rule.denominator)
    tensors = [collector.operand(slot) for slot in (*numerator, *denominator)]
    if len(numerator) < len(rule.numerator) or not all(quantized(tensor) for tensor in tensors):
        return
    if not tensors:
        return  # an operator without its operands
    if rule.fused:
        bound = clamp_of(operator).high
        if math.isinf(bound):
            return
        rule = replace(rule, multiplier=bound)
    type_name = tensors[-1].type
    levels = collector.requirements(rule.id, type_name)
    if type_name in rule.types and levels:
        collector.constraints.append(
            Window(
                rule=rule.id,
                type=type_name,
                requirements=levels,
                numerator=tuple(numerator),
                denominator=tuple(denominator),
                source=rule,
            )
        )
