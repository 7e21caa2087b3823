"""What a broken constraint yields, and the helpers that every kind of fault is computed with."""

from __future__ import annotations

from ..format.model import Model, QuantParams, Slot
from ..format.wiring import slot_tensor

__all__ = ["Fault", "quant_of"]

# Slot, what was expected, what was found, the sentence, the kind of fault ("": no repair is known).
Fault = tuple[Slot, str, str, str, str]


def quant_of(model: Model, slot: Slot) -> QuantParams:
    """The parameters of a slot that is known to hold a quantized tensor."""
    tensor = slot_tensor(model, slot)
    assert tensor is not None
    assert tensor.quant is not None
    return tensor.quant
