"""Operands of a CONCATENATION or PACK that keep only a few integer levels of their shared scale.

With boxes in pixels and scores in 0..1 at one scale, the scores have a handful of levels. No rule
is violated, and kernels compute what the file declares: this is a warning with figures.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

from ..format.model import Operator, Slot, Tensor, new_slot
from ..format.type_groups import ACTIVATION_TYPES
from ..format.wiring import links
from ..numerics import Label, Range, intersect, label_range, usable_label
from ..rules.operator_rows import load_operators
from ..rules.rows import SlotPattern
from .binder.bound import CUT, Collector
from .binder.written_values import EVERYTHING, reach_of
from .constraints import WellFormed

__all__ = ["few_steps"]

_RULE = "params/steps"
_FEW = 16  # steps: four bits
_FAR = 16  # operators before an operand that are searched


def few_steps(collector: Collector) -> Iterator[WellFormed]:
    """A violated constraint for each operand whose values span only a few steps of the shared
    scale.
    """
    rows = load_operators()
    for graph in collector.model.subgraphs:
        for operator in graph.operators:
            row = rows.get(operator.name)
            if row is None or not row.joins or len(operator.inputs) < 2:
                continue
            output = collector.tensor(Slot(graph.index, operator.index, "outputs", 0))
            shared = None if output is None else _usable(output)
            if shared is None:
                continue
            for pattern in row.joins:
                for index in pattern.select(len(operator.inputs)):
                    slot = new_slot((graph.index, operator.index, pattern.kind, index))
                    tensor = collector.tensor(slot)
                    # Another scale is another rule's fault.
                    if tensor is not None and tensor.label == shared and _usable(tensor):
                        yield from _told(collector, slot, tensor, shared)


def _told(collector: Collector, slot: Slot, tensor: Tensor, shared: Label) -> Iterator[WellFormed]:
    """The violated constraint of one operand, if its values span few steps. `shared`: the label of
    the joined tensor.
    """
    if collector.model.is_constant(slot.subgraph, tensor.index):
        return
    span, finer = _behind(collector, slot, label_range(shared, tensor.type))
    steps = (span.high - span.low) / shared.scale
    if not 0 < steps < _FEW:
        return
    levels = collector.requirements(_RULE, tensor.type)
    if not levels:
        return
    level = max(20 * math.log10(steps), 0.0)
    coarser = f"; the QUANTIZE before it is x{shared.scale / finer:.3g}" if finer else ""
    yield WellFormed(
        rule=_RULE,
        type=tensor.type,
        requirements=levels,
        slot=slot,
        expected=f"{_FEW} or more",
        actual=f"{steps:.3g} steps of the shared scale {shared.scale:.6g} for values in"
        f" {span.low:.6g}..{span.high:.6g} (about {level:.0f} dB{coarser})",
    )


def _behind(collector: Collector, slot: Slot, span: Range) -> tuple[Range, float]:
    """(range of real values that can arrive at an operand, scale before a QUANTIZE made it coarser
    or 0). `span`: the range that its own parameters can hold.
    """
    rows, finer = load_operators(), 0.0
    wiring = links(collector.model, slot.subgraph)
    for _ in range(_FAR):
        producer = wiring.producer.get(slot.tensor(collector.model))
        if producer is None or producer.operator < 0:
            return span, finer
        operator = collector.model.subgraphs[slot.subgraph].operators[producer.operator]
        row = rows.get(operator.name)
        if row is not None:
            # Not from the collector: operators known to be sound were not bound.
            reach = reach_of(operator, row)
            span = span if reach is EVERYTHING else intersect(span, reach)
        copied = row is not None and row.flow is not None and row.flow.kind == "copy"
        if operator.name != CUT and not copied:
            return span, finer
        sources = (0,) if row is None or row.flow is None else _places(row.flow.inputs, operator)
        if len(sources) != 1:
            return span, finer
        slot = Slot(slot.subgraph, producer.operator, "inputs", sources[0])
        source, label = collector.tensor(slot), _label(collector, slot)
        if source is None or label is None:
            return span, finer
        if operator.name == CUT and label.scale < _scale(collector, producer):
            finer = finer or label.scale
        span = intersect(label_range(label, source.type), span)
    return span, finer


def _places(patterns: Iterable[SlotPattern], operator: Operator) -> tuple[int, ...]:
    """The operator's input positions that the patterns name."""
    count = len(operator.inputs)
    return tuple(index for pattern in patterns for index in pattern.select(count))


def _scale(collector: Collector, slot: Slot) -> float:
    """The scale of a slot's tensor; 0 without a usable one."""
    label = _label(collector, slot)
    return 0.0 if label is None else label.scale


def _label(collector: Collector, slot: Slot) -> Label | None:
    """The label of a slot's tensor; None without a usable one."""
    tensor = collector.tensor(slot)
    return None if tensor is None else _usable(tensor)


def _usable(tensor: Tensor) -> Label | None:
    """The tensor's label; None if it is no activation, or the label's values exceed float32."""
    label = tensor.label
    if label is None or tensor.type not in ACTIVATION_TYPES:
        return None
    return label if usable_label(label, tensor.type) else None
