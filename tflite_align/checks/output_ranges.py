"""Outputs whose declared range contains no value that their operator can write.

ABS writes no negative values, so that into [-1, 0] it writes 0 for every input. Kernels compute
that as declared, but the model's author hardly intended it.
"""

from __future__ import annotations

from collections.abc import Iterator

from ..format.type_groups import ACTIVATION_TYPES
from ..numerics import label_range, usable_label
from .binder.bound import Collector
from .binder.written_values import EVERYTHING
from .constraints import Fixed, WellFormed

__all__ = ["empty_ranges"]

_RULE = "params/range"


def empty_ranges(collector: Collector) -> Iterator[WellFormed]:
    """A violated constraint for each output whose declared range the operator's values reach only
    at one end, so that every input gives the same value.
    """
    empty = []
    for slot, reach in collector.ranges.items():
        if reach is EVERYTHING:
            continue
        tensor = collector.tensor(slot)
        label = None if tensor is None else tensor.label
        if tensor is None or label is None or tensor.type not in ACTIVATION_TYPES:
            continue
        if not usable_label(label, tensor.type):
            continue
        span = label_range(label, tensor.type)
        if min(span.high, reach.high) - max(span.low, reach.low) < 0.5 * label.scale:
            empty.append((slot, tensor.type, span, reach))
    if not empty:
        return
    fixed = {
        constraint.slot for constraint in collector.constraints if isinstance(constraint, Fixed)
    }
    for slot, type_name, span, reach in empty:
        if slot not in fixed:
            yield from collector.faults(
                _RULE,
                slot,
                type_name,
                expected=f"a range that overlaps the operator's values, {reach.low:g}..{reach.high:g}",
                actual=f"a range of {span.low:.6g}..{span.high:.6g}",
            )
