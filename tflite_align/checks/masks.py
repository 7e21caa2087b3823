"""Operands of a sum that are far wider than the sum can distinguish, mostly masks of -1e9.

If x + m is written in [low, high] and x is in [a, b], every m below low - b gives low and every m
above high - a gives high: m can be clipped to that range without changing the sum for any x.
"""

from __future__ import annotations

import numpy as np

from ..format.model import Model, OperatorId, Slot
from ..format.wiring import quantized, slot_tensor
from ..numerics import Label, Range, covering_label, integers_of, label_range, usable_label
from ..rules.operator_rows import load_operators

__all__ = ["clipped"]

# Largest ratio of scales for which a QUANTIZE of 8-bit (255 steps) and int16 values fits int32.
_QUANTIZED = {"int8": 2.0**22, "uint8": 2.0**22, "int16": 2.0**14}


def clipped(model: Model, operator_id: OperatorId) -> dict[Slot, Label]:
    """Narrower labels for operands of an ADD or SUB, by slot, which leave its output unchanged;
    each is valid if the other operands keep theirs. Empty for other operators, or if nothing can be
    narrower.
    """
    operator = model.subgraphs[operator_id.subgraph].operators[operator_id.operator]
    row = load_operators().get(operator.name)
    if row is None or not row.adds or len(operator.outputs) != 1:
        return {}
    signs = {Slot(*operator_id, pattern.kind, pattern.start): 1 for pattern in row.adds}
    signs |= {Slot(*operator_id, pattern.kind, pattern.start): -1 for pattern in row.subtracts}
    written = _held(model, Slot(*operator_id, "outputs", 0))
    ranges = {slot: _held(model, slot) for slot in signs}
    if written is None or any(span is None for span in ranges.values()):
        return {}
    labels = {}
    for slot, sign in signs.items():
        addends = [
            (signs[addend], span) for addend, span in ranges.items() if addend != slot and span
        ]
        low = sum(span.low if sign > 0 else -span.high for sign, span in addends)
        high = sum(span.high if sign > 0 else -span.low for sign, span in addends)
        distinguishable = Range(written.low - high, written.high - low)
        distinguishable = (
            distinguishable if sign > 0 else Range(-distinguishable.high, -distinguishable.low)
        )
        label = _finer(model, slot, ranges[slot], distinguishable)
        if label is not None:
            labels[slot] = label
    return labels


def _held(model: Model, slot: Slot) -> Range | None:
    """The range of real values of a slot's tensor: for a constant that of its values, else the
    declared one. None if it has no usable parameters.
    """
    tensor = slot_tensor(model, slot)
    if tensor is None or tensor.quant is None or not quantized(tensor):
        return None
    label = tensor.label
    if label is None or tensor.type not in _QUANTIZED or not usable_label(label, tensor.type):
        return None
    data = model.constant(slot.subgraph, tensor.index)
    if data is None:
        return label_range(label, tensor.type)
    values = integers_of(data, tensor.type, tensor.elements)
    if not values.size:
        return None
    low, high = float(np.min(values)), float(np.max(values))
    return Range((low - label.zero_point) * label.scale, (high - label.zero_point) * label.scale)


def _finer(model: Model, slot: Slot, span: Range | None, distinguishable: Range) -> Label | None:
    """The finest label that covers the operand's range (`span`) inside the range that the sum can
    distinguish; None if it is no finer than the present one.
    """
    tensor = slot_tensor(model, slot)
    if tensor is None or tensor.label is None or span is None:
        return None
    low, high = (
        max(span.low, min(distinguishable.low, 0.0)),
        min(span.high, max(distinguishable.high, 0.0)),
    )
    if (low, high) == (span.low, span.high):
        return None
    label = covering_label(Range(low, high), tensor.type)
    ratio = tensor.label.scale / label.scale
    constant = model.is_constant(slot.subgraph, tensor.index)
    return label if ratio > 1 and (constant or ratio < _QUANTIZED[tensor.type]) else None
