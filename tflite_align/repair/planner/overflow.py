"""Biases that would overflow their type: coarser weight scales or a coarser input scale avoid that.

Both cost precision. The growth of a channel's output noise is estimated in real units: a scale k
times as coarse adds (k^2 - 1) scale^2 / 12 to each weight, times the mean square of the inputs
(assumed uniform over their range); a QUANTIZE to an input scale k times as coarse adds k^2 scale^2
/ 12 to each input, times the sum of the squared weights, and to every channel. The smaller of the
two is chosen. Neither is applied if a step of the products would exceed a step of the output: such
a bias is millions of times the output's range, which no converter intends.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...checks.binder.bound import Bound
from ...checks.constraints import BiasOf
from ...format.enums import constant_size
from ...format.model import QuantParams, Slot, Tensor, TensorId
from ...format.wiring import slot_tensor
from ...numerics import (
    DTYPES,
    Range,
    covering_label,
    integers_of,
    label_range,
    packed_as,
    to_float32,
    type_limits,
)
from ...record import Record, field, replace
from .biases import bias_type, product_of
from .draft import Draft

__all__ = ["Room", "plan_overflows"]

Scales = Mapping[Slot, tuple[float, ...]]

# Half of the type's range, as TensorFlow's own quantizer leaves: the kernel adds to the bias in
# the same type (quantization_utils.cc, AdjustWeightsForBiasScale).
_ROOM = 0.5


class Room(Record):
    """What was changed so that biases fit their types. `seen`: slot -> new scales, of weights and
    of inputs behind an inserted QUANTIZE; `refused`: slot of each bias that is left to overflow ->
    reason.
    """

    seen: dict[Slot, tuple[float, ...]] = field(default_factory=dict)
    refused: dict[Slot, str] = field(default_factory=dict)


def plan_overflows(
    draft: Draft, bound: Bound, scales_seen: Scales, broken: frozenset[Slot]
) -> Room:
    """Raise the weight scales of channels whose bias overflows, or the input scale.

    A channel's noise grows with the square of its scale, so only the channels that need it are
    changed, by the smallest factor. `broken`: slots of violated constraints.
    """
    room = Room()
    done: set[Slot] = set()
    for constraint in bound.of(BiasOf):
        if constraint.slot in done:
            continue
        done.add(constraint.slot)
        moved = not scales_seen.keys().isdisjoint(constraint.factors)
        if (moved or constraint.slot in broken) and len(constraint.factors) > 1:
            weights = constraint.factors[-1]
            scales = _needed(draft, bound, constraint, scales_seen)
            if scales is None:
                continue
            raised = product_of(bound, constraint, {**scales_seen, weights: scales})
            products = zip(raised, product_of(bound, constraint, scales_seen), strict=True)
            coarsest = max((new for new, old in products if new > old), default=0.0)
            reason = _beyond(draft, constraint.slot, coarsest)
            if reason is not None:
                room.refused[constraint.slot] = reason
                continue
            cut = _cut(draft, bound, constraint, scales, scales_seen)
            if cut is not None:
                room.seen[constraint.factors[0]] = (cut,)
            elif _raise(draft, weights, scales):
                room.seen[weights] = scales
    return room


def _beyond(draft: Draft, bias: Slot, products: float) -> str | None:
    """The reason to leave a bias unchanged: one step of the products (real value `products`) would
    exceed one step of the output. None otherwise.
    """
    output = draft.standing(bias._replace(kind="outputs", index=0))
    if output is None or output.quant is None or not output.quant.scale:
        return None
    step = min(output.quant.scale)
    if products <= step:
        return None
    return (
        f"bias: room for its values would take products in steps of {products:.6g}, beside an"
        f" output in steps of {step:.6g}; values so large are taken for an error of the file and not changed"
    )


def _cut(
    draft: Draft, bound: Bound, constraint: BiasOf, scales: tuple[float, ...], scales_seen: Scales
) -> float | None:
    """Insert a QUANTIZE to a coarser input and return its scale; None, without changes, if coarser
    weights lose less, the input cannot be requantized, or a step of its products would be coarser
    than the output's.
    """
    slot, weights = constraint.factors[0], draft.standing(constraint.factors[-1])
    source = slot_tensor(draft.model, slot)
    if slot in scales_seen or slot in bound.rigid or source is None or weights is None:
        return None
    if source.quant is None or not source.quant.per_tensor or weights.quant is None:
        return None
    factor = _factor(weights.quant, scales)
    label = source.quant.label
    noise = _noises(draft, slot.subgraph, (source, weights), scales)
    able = bound.cuts.get(source.type)
    if able is None or able.zero or noise is None or noise[1] >= noise[0]:
        return None
    span = label_range(label, source.type)
    wide = Range(span.low * factor, span.high * factor)
    coarse = covering_label(wide, source.type)
    products = product_of(bound, constraint, {**scales_seen, slot: (coarse.scale,)})
    if _beyond(draft, constraint.slot, max(products)) is not None:
        return None  # other channels would lose all their precision
    quant = QuantParams(scale=(coarse.scale,), zero_point=(coarse.zero_point,))
    key = TensorId(slot.subgraph, source.index)
    target = draft.add_tensor(*key, "_requantized", quant)
    draft.rewire(slot, target)
    draft.add_quantize(slot.subgraph, source.index, target, source.type, slot.operator)
    why = "so that the bias fits its type: coarser weights would lose more"
    draft.note("cut", key, str(label), str(coarse), why=why, readers=(slot,))
    return coarse.scale


def _factor(quant: QuantParams, scales: tuple[float, ...]) -> float:
    """The factor by which the worst channel becomes coarser. `quant`: present parameters; `scales`:
    new ones by channel.
    """
    return max(new / old for new, old in zip(scales, quant.scale, strict=True))


def _noises(
    draft: Draft, subgraph: int, operands: tuple[Tensor, Tensor], scales: tuple[float, ...]
) -> tuple[float, float] | None:
    """(noise power that coarser weights add over all channels, noise power that a coarser input
    adds); None if unknown. `operands`: input and weights; `scales`: new weight scales by channel.
    `subgraph`: its index.
    """
    source, weights = operands
    data = draft.content(subgraph, weights)
    quant = weights.quant
    if data is None or quant is None or source.quant is None or weights.elements == 0:
        return None
    if len(data) != constant_size(weights.shape, weights.type):
        return None
    span = label_range(source.quant.label, source.type)
    power = (span.low**2 + span.low * span.high + span.high**2) / 3
    old, new = np.asarray(quant.scale), np.asarray(scales)
    each = weights.elements / len(old)
    coarser = float(np.sum(new**2 - old**2)) / 12 * each * power
    along = [1] * len(weights.shape)
    if len(old) > 1:
        along[quant.quantized_dimension] = len(old)
    real = integers_of(data, weights.type, weights.elements).reshape(weights.shape)
    squares = float(np.sum((real.astype(np.float64) * old.reshape(along)) ** 2))
    return coarser, (_factor(quant, scales) * source.quant.scale[0]) ** 2 / 12 * squares


def _needed(
    draft: Draft, bound: Bound, constraint: BiasOf, scales_seen: Scales
) -> tuple[float, ...] | None:
    """The smallest weight scales with which the bias fits; None if it fits already or never does."""
    bias = slot_tensor(bound.model, constraint.slot)
    weights = draft.standing(constraint.factors[-1])
    if bias is None or weights is None or weights.quant is None or weights.quant.details:
        return None
    if weights.quant.scale != scales_seen.get(constraint.factors[-1], weights.quant.scale):
        return None  # weights whose parameters a later step sets
    data = draft.model.constant(constraint.slot.subgraph, bias.index)
    limits = type_limits(bias_type([constraint], bias))
    if data is None or limits is None or bias.type not in DTYPES or bias.quant is None:
        return None
    current = np.asarray(bias.quant.scale or product_of(bound, constraint, {}), dtype=np.float64)
    product = np.asarray(product_of(bound, constraint, scales_seen), dtype=np.float64)
    stored = np.frombuffer(data, dtype=DTYPES[bias.type])
    if _fit_at_a_glance(stored, current, product, limits[1]) and not bias.quant.zero_point:
        return None
    integers = stored.astype(np.float64)
    if len(bias.quant.zero_point) not in (0, 1, integers.size):
        return None
    if bias.quant.zero_point:
        integers = integers - np.asarray(bias.quant.zero_point, dtype=np.float64)
    fits = all(len(scales) in (1, integers.size) for scales in (current, product))
    if (
        not fits
        or not np.all(np.isfinite(product) & (product > 0))
        or not np.all(np.isfinite(current))
    ):
        return None
    real = np.abs(integers * current)
    if not np.any(real / product > limits[1]):
        return None
    factor = real / (product * limits[1] * _ROOM)
    over = np.where(real / product > limits[1], factor, 1.0)
    factors = over if len(product) > 1 else np.max(over, keepdims=True)
    return tuple(
        to_float32(scale * float(factor))
        for scale, factor in zip(weights.quant.scale, factors, strict=True)
    )


def _fit_at_a_glance(
    integers: NDArray[Any], current: NDArray[np.float64], product: NDArray[np.float64], limit: int
) -> bool:
    """Whether the largest bias integer certainly fits: a quick test by the smallest required scale,
    with a factor of 2 to spare; False may mean unknown. `current`, `product`: present and required
    bias scales (NaN gives False); `limit`: the largest integer of the bias type.
    """
    greatest = max(int(integers.max(initial=0)), -int(integers.min(initial=0)))
    largest, least = float(current.max(initial=0.0)), float(product.min(initial=np.inf))
    return least > 0 and 0 <= greatest * (largest / least) <= limit / 2


def _raise(draft: Draft, slot: Slot, scales: tuple[float, ...]) -> bool:
    """Requantize the weights, as changed so far, to these scales; as a copy if other operators read
    them too. Whether that was possible.
    """
    subgraph, tensor = slot.subgraph, draft.standing(slot)
    if tensor is None:
        return False
    data, quant, index = draft.content(subgraph, tensor), tensor.quant, slot.tensor(draft.model)
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
    others = _others(draft, slot, tensor.index)
    if others == 0 and tensor.index != index:  # a copy made earlier
        draft.graph(subgraph).set_tensor(tensor.index, quant=raised)
        draft.graph(subgraph).set_data(tensor.index, new)
    elif others:
        copy = draft.add_tensor(subgraph, index, "_raised", raised, data=new)
        draft.rewire(slot, copy)
    else:
        draft.set_quant(subgraph, index, raised)
        draft.graph(subgraph).set_data(index, new)
    worst = max(range(len(scales)), key=lambda c: scales[c] / quant.scale[c])
    before, after = f"scale {quant.scale[worst]:.7g}", f"scale {scales[worst]:.7g}"
    why = "so that the bias fits its type"
    draft.note("constant", TensorId(subgraph, index), before, after, why=why, readers=(slot,))
    return True


def _others(draft: Draft, slot: Slot, index: int) -> int:
    """The number of other slots that read tensor `index`, which `slot` reads, too."""
    if index == slot.tensor(draft.model):
        return len(draft.links(slot.subgraph).readers.get(index, [])) - 1
    operators = draft.graph(slot.subgraph).operators
    return sum(operator.inputs.count(index) for operator in operators) - 1
