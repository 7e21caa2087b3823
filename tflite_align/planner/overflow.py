"""Weights of channels whose bias would not fit its type: a coarser scale makes room for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from ..binder import Bound
from ..constraints import BiasOf
from ..enums import constant_size
from ..model import SetData, Slot
from ..numerics import DTYPES, integers_of, packed_as, to_float32, type_limits
from ..wiring import slot_tensor
from .biases import bias_type, product_of
from .draft import Draft

__all__ = ["plan_overflows"]

Scales = Mapping[Slot, tuple[float, ...]]

# Half of the type's range, as TensorFlow's own quantizer leaves: the kernel adds to the bias in
# the same type (quantization_utils.cc, AdjustWeightsForBiasScale).
_ROOM = 0.5


def plan_overflows(
    draft: Draft, bound: Bound, seen: Scales, broken: frozenset[Slot]
) -> dict[Slot, tuple[float, ...]]:
    """Raise the weight scales of channels whose bias will not fit; returns the scales that the
    weight slots see from now on. Expected noise of a channel grows with the square of its scale,
    so only the channels that need it are touched, and those by the least.
    """
    raised: dict[Slot, tuple[float, ...]] = {}
    done: set[Slot] = set()
    for constraint in bound.constraints:
        if not isinstance(constraint, BiasOf) or constraint.slot in done:
            continue
        done.add(constraint.slot)
        moved = any(factor in seen for factor in constraint.factors)
        if (moved or constraint.slot in broken) and len(constraint.factors) > 1:
            weights = constraint.factors[-1]
            scales = _needed(draft, bound, constraint, seen)
            if scales is not None and weights not in seen and _raise(draft, weights, scales):
                raised[weights] = scales
    return raised


def _needed(
    draft: Draft, bound: Bound, constraint: BiasOf, seen: Scales
) -> tuple[float, ...] | None:
    """The least weight scales that make the bias fit; None where it fits, or cannot be made to."""
    bias = slot_tensor(bound.model, constraint.slot)
    weights = slot_tensor(bound.model, constraint.factors[-1])
    if bias is None or weights is None or weights.quant is None or weights.quant.details:
        return None
    data = draft.model.constant(constraint.slot.subgraph, bias.index)
    limits = type_limits(bias_type([constraint], bias))
    if data is None or limits is None or bias.type not in DTYPES or bias.quant is None:
        return None
    own = np.asarray(bias.quant.scale or product_of(bound, constraint, {}), dtype=np.float64)
    wanted = np.asarray(product_of(bound, constraint, seen), dtype=np.float64)
    integers = np.frombuffer(data, dtype=DTYPES[bias.type]).astype(np.float64)
    if bias.quant.zero_point:
        integers = integers - np.asarray(bias.quant.zero_point, dtype=np.float64)
    fits = all(len(scales) in (1, integers.size) for scales in (own, wanted))
    if not fits or not np.all(np.isfinite(wanted) & (wanted > 0)) or not np.all(np.isfinite(own)):
        return None
    real = np.abs(integers * own)
    if not np.any(real / wanted > limits[1]):
        return None
    factor = real / (wanted * limits[1] * _ROOM)
    over = np.where(real / wanted > limits[1], factor, 1.0)
    factors = over if len(wanted) > 1 else np.max(over, keepdims=True)
    return tuple(
        to_float32(scale * float(factor))
        for scale, factor in zip(weights.quant.scale, factors, strict=True)
    )


def _raise(draft: Draft, slot: Slot, scales: tuple[float, ...]) -> bool:
    """Requantize the weights; a copy of their own where others read them too."""
    subgraph, index = slot.subgraph, slot.tensor(draft.model)
    tensor = draft.tensor(subgraph, index)
    data = draft.model.constant(subgraph, index)
    quant = tensor.quant
    if quant is None or data is None or any(quant.zero_point) or tensor.type == "int32":
        return False
    if len(data) != constant_size(tensor.shape, tensor.type) or not all(map(np.isfinite, scales)):
        return False
    along = [1] * len(tensor.shape)
    if len(scales) > 1:
        along[quant.quantized_dimension] = len(scales)
    ratio = (np.asarray(quant.scale) / np.asarray(scales)).reshape(along)
    values = integers_of(data, tensor.type, tensor.elements).reshape(tensor.shape)
    new = packed_as(np.rint(values * ratio), tensor.type)
    raised = replace(quant, scale=scales, minimum=(), maximum=())
    if len(draft.links(subgraph).readers.get(index, [])) > 1:
        copy = draft.add_tensor(subgraph, index, "_raised", raised, data=new)
        draft.rewire(slot, copy)
    else:
        draft.set_quant(subgraph, index, raised)
        draft.edits.append(SetData(subgraph=subgraph, tensor=index, data=new))
    worst = max(range(len(scales)), key=lambda c: scales[c] / quant.scale[c])
    before, after = f"scale {quant.scale[worst]:.7g}", f"scale {scales[worst]:.7g}"
    why = "so that the bias fits its type"
    draft.note("constant", (subgraph, index), before, after, why=why, readers=(slot,))
    return True
