"""Narrowing of operands of a sum, such as an attention mask of -1e9, to the range that the sum's
output can show.
"""

from __future__ import annotations

from collections.abc import Iterable

from ...checks.binder.bound import Bound
from ...checks.checker import Finding
from ...checks.masks import clipped
from ...format.model import Slot
from ...numerics import Label, requantize
from .draft import Draft, relabelled

__all__ = ["clip_masks"]


def clip_masks(draft: Draft, bound: Bound, findings: Iterable[Finding]) -> None:
    """Narrow the operands of sums that have a finding: a constant is requantized and clipped (a
    copy, if other operators read it too); a computed tensor gets a QUANTIZE, which saturates.
    """
    places = dict.fromkeys(f.slot.operator_id for f in findings if f.fix == "mask")
    for operator_id in places:
        for slot, label in clipped(draft.model, operator_id).items():
            if slot not in bound.rigid:
                _clip(draft, bound, slot, label)


def _clip(draft: Draft, bound: Bound, slot: Slot, label: Label) -> None:
    """Requantize one operand to the narrower label: a constant directly, a computed tensor by a
    QUANTIZE.
    """
    key = slot.tensor_id(draft.model)
    tensor, data = draft.tensor(*key), draft.model.constant(*key)
    if tensor.label is None:
        return
    before, quant = tensor.label, relabelled(tensor, label)
    why = "clipped without effect: the sum saturates for all values beyond the new range"
    if data is None:
        copy = draft.add_tensor(*key, "_clipped", quant)
        draft.add_quantize(slot.subgraph, tensor.index, copy, tensor.type, slot.operator)
        draft.rewire(slot, copy)
        draft.note("cut", key, str(before), str(label), why=why, readers=(slot,))
        return
    new = requantize(data, tensor.type, before, label)
    if len(draft.links(slot.subgraph).readers.get(tensor.index, ())) > 1 or key in bound.kept:
        copy = draft.add_tensor(*key, "_clipped", quant, data=new)
        draft.rewire(slot, copy)
    else:
        draft.set_quant(*key, quant)
        draft.graph(slot.subgraph).set_data(tensor.index, new)
    draft.note("constant", key, str(before), str(label), why=why, readers=(slot,))
