"""The fault record of a violated constraint, and helpers for all kinds of faults."""

from __future__ import annotations

from ..format.model import Model, QuantParams, Slot

__all__ = ["Fault", "quant_of"]

# (slot, expected value, found value, sentence, fix id; "" if no repair is known).
Fault = tuple[Slot, str, str, str, str]


def quant_of(model: Model, slot: Slot) -> QuantParams:
    """The parameters of a slot's tensor; AssertionError if it has none."""
    quant = model.subgraphs[slot.subgraph].tensors[slot.tensor(model)].quant
    assert quant is not None
    return quant
