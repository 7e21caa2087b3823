"""Operands with a scale for each channel where kernels read one scale.

LiteRT gives a kernel one scale and zero point for a tensor, and 0 where the file has several: it
refuses such a model, ends the process, or computes other values. TFLM takes the first of them.
Only weights, biases and the operands that a row names (`channels`) have scales by channel.
"""

from __future__ import annotations

from collections.abc import Collection, Container, Iterable, Iterator, Mapping, Sequence

from ..format.model import Operator, Slot, SlotKind, Subgraph, Tensor
from ..format.type_groups import ACTIVATION_TYPES
from ..rules.operator_rows import load_operators
from ..rules.rows import BiasRule, OperatorRow, SameRule, SlotPattern, WeightRule
from .binder.bound import Collector, Sound
from .binder.missing_parameters import select
from .constraints import WellFormed

__all__ = ["several_scales"]

_NOTHING = Sound()
_RULE = "params/channels"
_KINDS: tuple[SlotKind, ...] = ("inputs", "outputs")

# (kind, place) of an operand -> types of which it may have a scale for each channel.
_ByChannel = Mapping[tuple[SlotKind, int], Collection[str]]


def several_scales(collector: Collector, sound: Sound = _NOTHING) -> Iterator[WellFormed]:
    """A violated constraint for each operand of an operator with a row that has several scales and
    is read by one. `sound`: operators known to have none.
    """
    rows = load_operators()
    by_channel: dict[tuple[str, int, int], _ByChannel] = {}
    for graph in collector.model.subgraphs:
        held = {tensor.index for tensor in graph.tensors if _several(tensor)}
        for operator in graph.operators if held else ():
            if (graph.index, operator.index) in sound.operators:
                continue
            row = rows.get(operator.name)
            if row is None or row.calls or row.resource is not None:
                continue
            key = (operator.name, len(operator.inputs), len(operator.outputs))
            if key not in by_channel:
                by_channel[key] = _by_channel(row, operator)
            slots = _others(graph, operator, held, by_channel[key])
            passed = _alike(collector, operator, row, slots) if slots else ()
            for slot in slots:
                if slot not in passed:
                    yield from _told(collector, slot, operator, collector.operand(slot))


def _others(
    graph: Subgraph, operator: Operator, held: Container[int], by_channel: _ByChannel
) -> list[Slot]:
    """The slots of an operator that hold a tensor of several scales (`held`: tensor indices)
    although kernels do not read that operand by channel.
    """
    return [
        Slot(graph.index, operator.index, kind, place)
        for kind in _KINDS
        for place, tensor in enumerate(operator.operands(kind))
        if tensor in held and graph.tensors[tensor].type not in by_channel.get((kind, place), ())
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


def _told(
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
