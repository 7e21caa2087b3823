"""Labels a slot cannot take: a multiplier outside a kernel's window, a bias past its integers."""

from __future__ import annotations

import numpy as np

from ..binder import Bound
from ..checker import window_ratios
from ..constraints import BiasOf, Window
from ..model import Model, Slot
from ..numerics import DTYPES, Label, close_scale, to_float32, type_limits, usable_label
from ..wiring import slot_tensor
from .costs import Limit

__all__ = ["make_limit", "window_labels"]


# The scales of a window's numerator and of its denominator, one entry a slot.
_Sides = tuple[list[tuple[float, ...]], list[tuple[float, ...]]]


def make_limit(bound: Bound) -> Limit:
    """A function that says whether a slot may see a label, all other slots left as they are."""
    windows: dict[Slot, list[tuple[Window, _Sides]]] = {}
    largest: dict[Slot, list[float]] = {}
    frozen: dict[Slot, Label] = {}
    for constraint in bound.constraints:
        if isinstance(constraint, Window):
            sides = (
                [_scales(bound.model, entry) for entry in constraint.numerator],
                [_scales(bound.model, entry) for entry in constraint.denominator],
            )
            for slot in (*constraint.numerator, *constraint.denominator):
                windows.setdefault(slot, []).append((constraint, sides))
        elif isinstance(constraint, BiasOf):
            least = _least_scale(bound.model, constraint)
            source = slot_tensor(bound.model, constraint.factors[0])
            if least is not None:
                largest.setdefault(constraint.factors[0], []).append(least)
            elif source is not None and source.quant is not None:
                frozen[constraint.factors[0]] = Label(*source.quant.label)

    def allowed(slot: Slot, label: Label) -> bool:
        if slot in frozen and not _same(label, frozen[slot]):
            return False
        if any(label.scale < least for least in largest.get(slot, ())):
            return False
        return all(_inside(*entry, slot, label) for entry in windows.get(slot, ()))

    return allowed


def window_labels(bound: Bound) -> dict[Slot, Label]:
    """For each written slot past a window's upper end: the least widening of its label that
    brings the ratio back. The products behind it are as coarse as that, so little is lost.
    """
    found: dict[Slot, Label] = {}
    for constraint in bound.constraints:
        if not isinstance(constraint, Window) or len(constraint.denominator) != 1:
            continue
        slot = constraint.denominator[0]
        tensor = slot_tensor(bound.model, slot)
        sides = [
            [_scales(bound.model, entry) for entry in side]
            for side in (constraint.numerator, constraint.denominator)
        ]
        if tensor is None or tensor.quant is None or not tensor.quant.per_tensor:
            continue
        if min(min(scales) for side in sides for scales in side) <= 0:
            continue
        _, high = window_ratios(constraint, sides[0], sides[1])
        if high >= constraint.window.high:
            scale, zero_point = tensor.quant.label
            # A thousandth past the edge, so that float32 rounding cannot fall back over it.
            wider = scale * high / constraint.window.high * 1.001
            if usable_label(Label(wider, zero_point), tensor.type):
                found[slot] = Label(to_float32(wider), zero_point)
    return found


def _same(first: Label, second: Label) -> bool:
    return first.zero_point == second.zero_point and close_scale(first.scale, second.scale)


def _scales(model: Model, slot: Slot) -> tuple[float, ...]:
    tensor = slot_tensor(model, slot)
    return tensor.quant.scale if tensor is not None and tensor.quant is not None else (1.0,)


def _inside(constraint: Window, declared: _Sides, moved: Slot, label: Label) -> bool:
    new = (label.scale,)
    sides = [
        [new if slot == moved else scales for slot, scales in zip(slots, side, strict=True)]
        for slots, side in zip(
            (constraint.numerator, constraint.denominator), declared, strict=True
        )
    ]
    if min(min(scales) for side in sides for scales in side) <= 0:
        return True  # a finding of its own
    low, high = window_ratios(constraint, sides[0], sides[1])
    return low >= constraint.window.low and high < constraint.window.high


def _least_scale(model: Model, constraint: BiasOf) -> float | None:
    """The least input scale at which every bias value still fits its type.

    None where the bias cannot be re-expressed at all: then its input cannot move.
    """
    bias = slot_tensor(model, constraint.slot)
    limits = type_limits(constraint.legal_types[0])
    if bias is None or bias.type not in DTYPES or limits is None:
        return None
    data = model.constant(constraint.slot.subgraph, bias.index)
    if data is None:
        return None
    weights = constraint.multiplier * np.asarray(
        _scales(model, constraint.factors[-1]) if len(constraint.factors) > 1 else (1.0,)
    )
    for middle in constraint.factors[1:-1]:
        weights = weights * _scales(model, middle)[0]
    declared = bias.quant.scale if bias.quant is not None else ()
    zero = bias.quant.zero_point if bias.quant is not None else ()
    # Without parameters a bias is in units of the product as it is declared now.
    scales = np.asarray(declared or weights * _scales(model, constraint.factors[0])[0])
    values = np.frombuffer(data, dtype=DTYPES[bias.type]).astype(np.float64)
    if not values.size or np.any(weights <= 0):
        return None
    if {scales.size, weights.size, max(len(zero), 1)} - {1, values.size}:
        return None
    real = np.abs(values - np.asarray(zero or (0,))) * scales
    return float(np.max(real / weights)) / limits[1]
