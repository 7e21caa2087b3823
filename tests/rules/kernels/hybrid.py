"""Recurrent operators with float activations and integer weights, as a converter's dynamic range
quantization writes them.

Kernels require one type of all weights, so that the weights' types are varied together.
"""

from __future__ import annotations

from collections.abc import Iterator

from tests.rules.kernels.typed import TypedCase, TypedSlot, filled
from tflite_align.record import replace

__all__ = ["HYBRID", "hybrids", "weight_places"]

HYBRID = (
    "BIDIRECTIONAL_SEQUENCE_LSTM",
    "BIDIRECTIONAL_SEQUENCE_RNN",
    "LSTM",
    "RNN",
    "SVDF",
    "UNIDIRECTIONAL_SEQUENCE_LSTM",
    "UNIDIRECTIONAL_SEQUENCE_RNN",
)
_TYPES = ("int8", "uint8")


def hybrids(base: TypedCase) -> Iterator[TypedCase]:
    """The float32 case with all weights in each integer type, symmetric, with one scale each."""
    if base.name not in {f"{name}-float32" for name in HYBRID}:
        return
    places = weight_places(base)
    for kind in _TYPES:
        inputs = tuple(
            _in_integers(slot, kind) if place in places else slot
            for place, slot in enumerate(base.inputs)
        )
        yield replace(base, name=f"{base.name}-with-{kind}", inputs=inputs)


def weight_places(base: TypedCase) -> tuple[int, ...]:
    """Operand positions of the weight matrices: constants of two dimensions (biases have one,
    states are no constants).
    """
    return tuple(
        place
        for place, slot in enumerate(base.inputs)
        if slot.role in ("constant", "weight") and len(slot.shape) == 2
    )


def _in_integers(slot: TypedSlot, kind: str) -> TypedSlot:
    return filled(replace(slot, type=kind, role="weight", quant=None), slot.real())
