"""Operands with a scale for each channel where kernels read one scale.

LiteRT gives a kernel one scale and zero point for a tensor, and 0 where the file has several: it
refuses such a model, ends the process, or computes other values. TFLM takes the first of them.
Only weights, biases and the operands that a row names (`channels`) have scales by channel.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from ..format.model import Operator, Slot, SlotKind, Subgraph, Tensor
from ..format.type_groups import ACTIVATION_TYPES
from ..rules.operator_rows import load_operators
from ..rules.rows import BiasRule, OperatorRow, SameRule, SlotPattern, WeightRule
from .binder.bound import Collector
from .binder.missing_parameters import select
from .constraints import WellFormed

__all__ = ["read_by_one", "several_scales"]

_RULE = "params/channels"
_KINDS: tuple[SlotKind, ...] = ("inputs", "outputs")

# (kind, place) of an operand -> types of which it may have a scale for each channel.
_ByChannel = Mapping[tuple[SlotKind, int], Collection[str]]


def several_scales(collector: Collector) -> Iterator[WellFormed]:
    """A violated constraint for each operand that has several scales and is read by one."""
    rows = load_operators()
    for slots in collector.several:
        subgraph, index = slots[0].operator_id
        operator = collector.model.subgraphs[subgraph].operators[index]
        passed = _alike(collector, operator, rows[operator.name], slots)
        for slot in slots:
            if slot not in passed:
                yield from _violations(collector, slot, operator, collector.operand(slot))


def read_by_one(graph: Subgraph, operator: Operator, row: OperatorRow) -> list[Slot]:
    """The slots of an operator that hold a tensor of several scales although kernels do not read
    that operand by channel.
    """
    if row.calls or row.resource is not None:
        return []
    by_channel = _by_channel(row, operator)
    return [
        Slot(graph.index, operator.index, kind, place)
        for kind in _KINDS
        for place, index in enumerate(operator.operands(kind))
        if index >= 0
        and _several(graph.tensors[index])
        and graph.tensors[index].type not in by_channel.get((kind, place), ())
    ]


def _several(tensor: Tensor) -> bool:
    """Whether a tensor of an activation's type has several scales and no other scheme."""
    quant = tensor.quant
    several = quant is not None and len(quant.scale) > 1 and not quant.details
    return several and tensor.type in ACTIVATION_TYPES


def _by_channel(row: OperatorRow, operator: Operator) -> _ByChannel:
    """The operands that may have several scales: weights, biases, and those that the row names or
    ignores.
    """
    found: dict[tuple[SlotKind, int], set[str]] = {}

    def add(pattern: SlotPattern, types: Iterable[str]) -> None:
        """Note that the slots of the pattern may have several scales for these types."""
        for place in pattern.select(len(operator.operands(pattern.kind))):
            found.setdefault((pattern.kind, place), set()).update(types)

    for pattern in (*row.channels, *row.ignored):
        add(pattern, ACTIVATION_TYPES)
    for rule in row.rules:
        if isinstance(rule, (BiasRule, WeightRule)):
            add(rule.slot, _held_by(rule))
    return found


def _alike(
    collector: Collector, operator: Operator, row: OperatorRow, others: Sequence[Slot]
) -> set[Slot]:
    """The slots of `others` that the kernel copies into one another and that have equal scales:
    they are right.
    """
    passed: set[Slot] = set()
    for rule in row.rules:
        if isinstance(rule, SameRule):
            slots = select(others[0].subgraph, operator, rule.slots)
            quants = [collector.operand(slot).quant for slot in slots]
            scales = {None if q is None else (q.scale, q.zero_point) for q in quants}
            if len(scales) == 1:
                passed.update(slots)
    return passed


def _held_by(rule: BiasRule | WeightRule) -> Iterable[str]:
    """The types whose scales by channel the rule is about."""
    return rule.types if isinstance(rule, WeightRule) else ACTIVATION_TYPES


def _violations(
    collector: Collector, slot: Slot, operator: Operator, tensor: Tensor
) -> Iterator[WellFormed]:
    """The violated constraint at this operand, on the targets that have the rule."""
    if tensor.quant is not None:
        yield from collector.faults(
            _RULE,
            slot,
            tensor.type,
            operator=operator.name,
            expected="one scale",
            actual=f"{len(tensor.quant.scale)} scales",
        )
