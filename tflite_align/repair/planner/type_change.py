"""Quantization parameters of a tensor whose type changes."""

from __future__ import annotations

from ...numerics import Label, covering_label, label_range

__all__ = ["EIGHT_BITS", "label_in_type"]

# Types whose integers lie on one grid, by the least of them: values shift, and are exact.
EIGHT_BITS = {"int8": -128, "uint8": 0}


def label_in_type(label: Label, type_name: str, to_type: str) -> Label:
    """The parameters of a tensor of type `type_name` in the type `to_type`: the same grid, shifted,
    between int8 and uint8; else the finest that cover its range.
    """
    if type_name in EIGHT_BITS and to_type in EIGHT_BITS:
        shift = EIGHT_BITS[to_type] - EIGHT_BITS[type_name]
        return Label(label.scale, label.zero_point + shift)
    return covering_label(label_range(label, type_name), to_type)
