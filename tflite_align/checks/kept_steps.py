"""Operands of a CONCATENATION or PACK that keep only a few integer levels of their shared scale.

With boxes in pixels and scores in 0..1 at one scale, the scores have a handful of levels. No rule
is violated, and kernels compute what the file declares: this is a warning with figures.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence

from ..format.model import Operator, Slot, Subgraph, Tensor, new_slot
from ..format.type_groups import ACTIVATION_TYPES
from ..format.wiring import producers
from ..numerics import Label, Range, intersect, label_range, usable_label
from ..rules.operator_rows import load_operators
from ..rules.rows import OperatorRow, SlotPattern
from .binder.bound import CUT, Collector, Sound
from .binder.written_values import EVERYTHING, reach_of
from .constraints import WellFormed

__all__ = ["few_steps"]

_NOTHING = Sound()
_RULE = "params/steps"
_FEW = 16  # steps (4 bits); an operand with fewer is reported
_FAR = 16  # largest number of operators searched in front of an operand


def few_steps(collector: Collector, sound: Sound = _NOTHING) -> Iterator[WellFormed]:
    """A violated constraint for each operand whose values span only a few steps of the shared
    scale. `sound`: what had none in an earlier state and is unchanged since.
    """
    rows = load_operators()
    for graph in collector.model.subgraphs:
        joining = [
            o for o in graph.operators if (row := rows.get(o.name)) is not None and row.joins
        ]
        if not joining:
            continue
        makers: dict[int, Operator] = {}
        left = {operator.index for operator in sound.operators_left(graph)}
        changed = _changed(graph, left) if len(left) < len(graph.operators) else set()
        for operator in joining:
            # What can arrive at operands is searched behind them, at other operators.
            if operator.index not in left and changed.isdisjoint(operator.inputs):
                continue
            output = collector.tensor(Slot(graph.index, operator.index, "outputs", 0))
            shared = None if output is None else _usable(output)
            if shared is None or len(operator.inputs) < 2:
                continue
            for pattern in rows[operator.name].joins:
                for index in pattern.select(len(operator.inputs)):
                    slot = new_slot((graph.index, operator.index, pattern.kind, index))
                    tensor = collector.tensor(slot)
                    # Different scales are reported by the rule same/.
                    if tensor is not None and tensor.label == shared and _usable(tensor):
                        makers = makers or producers(graph)
                        yield from _violations(collector, makers, slot, tensor, shared)


def _changed(graph: Subgraph, left: set[int]) -> set[int]:
    """Indices of the tensors at which other values may arrive than in the earlier state: outputs of
    operators that are `left` to be checked, and of all copying operators and QUANTIZE, which hand
    on what arrives at them.
    """
    rows = load_operators()
    names = {operator.name for operator in graph.operators}
    open_ = {name for name in names if name == CUT or _copies(rows.get(name))}
    return {
        tensor
        for operator in graph.operators
        if operator.index in left or operator.name in open_
        for tensor in operator.outputs
    }


def _copies(row: OperatorRow | None) -> bool:
    """Whether operators of the row copy integers."""
    return row is not None and row.flow is not None and row.flow.kind == "copy"


def _violations(
    collector: Collector,
    makers: Mapping[int, Operator],
    slot: Slot,
    tensor: Tensor,
    shared: Label,
) -> Iterator[WellFormed]:
    """The violated constraint of one operand, if its values span few steps of the shared scale.
    `shared`: the label of the joined tensor; `makers`: the operator that writes each tensor, by
    index.
    """
    if collector.model.is_constant(slot.subgraph, tensor.index):
        return
    graph = collector.model.subgraphs[slot.subgraph]
    span, finer = _behind(graph.tensors, makers, tensor, label_range(shared, tensor.type))
    steps = (span.high - span.low) / shared.scale
    if not 0 < steps < _FEW:
        return
    levels = collector.requirements(_RULE, tensor.type)
    if not levels:
        return
    level = max(20 * math.log10(steps), 0.0)
    coarser = (
        f"; the QUANTIZE before it coarsens the step x{shared.scale / finer:.3g}" if finer else ""
    )
    yield WellFormed(
        rule=_RULE,
        type=tensor.type,
        requirements=levels,
        slot=slot,
        expected=f"{_FEW} or more",
        actual=f"{steps:.3g} steps of the shared scale {shared.scale:.6g} for values in"
        f" {span.low:.6g}..{span.high:.6g} (about {level:.0f} dB{coarser})",
    )


def _behind(
    tensors: Sequence[Tensor], makers: Mapping[int, Operator], tensor: Tensor, span: Range
) -> tuple[Range, float]:
    """(range of real values that can arrive at a tensor, scale in front of the QUANTIZE that made
    it coarser; 0 without one). Follows copying operators and QUANTIZE towards the inputs. `span`:
    the range of the tensor's own label; `makers`: writing operator by tensor index.
    """
    rows, finer = load_operators(), 0.0
    for _ in range(_FAR):
        operator = makers.get(tensor.index)
        if operator is None:
            return span, finer
        row = rows.get(operator.name)
        if row is not None:
            # Not read from the collector, which skips operators without faults.
            reach = reach_of(operator, row)
            span = span if reach is EVERYTHING else intersect(span, reach)
        if operator.name != CUT and not _copies(row):
            return span, finer
        sources = (0,) if row is None or row.flow is None else _places(row.flow.inputs, operator)
        place = operator.inputs[sources[0]] if len(sources) == 1 else -1
        source = tensors[place] if place >= 0 else None
        label = None if source is None else _usable(source)
        if source is None or label is None:
            return span, finer
        if operator.name == CUT and label.scale < _scale(tensor):
            finer = finer or label.scale
        span = intersect(label_range(label, source.type), span)
        tensor = source
    return span, finer


def _places(patterns: Iterable[SlotPattern], operator: Operator) -> tuple[int, ...]:
    """The operator's input positions that the patterns name."""
    count = len(operator.inputs)
    return tuple(index for pattern in patterns for index in pattern.select(count))


def _scale(tensor: Tensor) -> float:
    """The scale of a tensor; 0 without a usable one."""
    label = _usable(tensor)
    return 0.0 if label is None else label.scale


def _usable(tensor: Tensor) -> Label | None:
    """The tensor's label; None if it is no activation, or the label's values exceed float32."""
    label = tensor.label
    if label is None or tensor.type not in ACTIVATION_TYPES:
        return None
    return label if usable_label(label, tensor.type) else None
