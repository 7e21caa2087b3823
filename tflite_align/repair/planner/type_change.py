"""Quantization parameters of a tensor whose type changes."""

from __future__ import annotations

from ...numerics import Label, covering_label, label_range

__all__ = ["EIGHT_BITS", "label_in_type"]

# Type -> its smallest integer, for types between which a conversion only shifts integers.
EIGHT_BITS = {"int8": -128, "uint8": 0}


def label_in_type(label: Label, type_name: str, to_type: str) -> Label:
    """The parameters of a tensor of type `type_name`, converted to the type `to_type`.

    Between int8 and uint8 the grid is shifted; otherwise the finest parameters that cover the
    range.
    """
    if type_name in EIGHT_BITS and to_type in EIGHT_BITS:
        shift = EIGHT_BITS[to_type] - EIGHT_BITS[type_name]
        return Label(label.scale, label.zero_point + shift)
    return covering_label(label_range(label, type_name), to_type)
