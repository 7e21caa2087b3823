"""Scales of 0 whose integers stand for zeros: any positive scale is correct.

The new scale is one that the readers' kernels support: for activations the output scale of a
reader, for weights that of another channel, or the one whose product with the input scale is the
existing bias scale.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from ...checks.binder.bound import Bound
from ...checks.checker import Finding
from ...checks.constraints import BiasOf, Same
from ...checks.disjoint import DisjointSets
from ...checks.zeros import zero_channels
from ...format.model import QuantParams, Slot, Tensor, TensorId
from ...format.wiring import quantized, slot_tensor
from ...numerics import SMALLEST_SCALE, integers_of, packed_as, product_scale, to_float32
from ...record import replace
from .draft import Draft

__all__ = ["plan_zero_scales"]

# Default without neighbours: the range of the type is about +-1.
_ALONE = {"int16": 2.0**-15}
_EIGHT_BITS = 2.0**-7


def plan_zero_scales(draft: Draft, bound: Bound, findings: Iterable[Finding]) -> None:
    """Give the tensors with a zero-scale finding positive scales; not those whose parameters may
    not change.
    """
    keys = list(dict.fromkeys(f.tensor_id for f in findings if f.fix == "zero-scale"))
    if not keys:
        return
    read = {
        constraint.factors[-1].tensor_id(bound.model): constraint
        for constraint in bound.of(BiasOf)
        if len(constraint.factors) > 1
    }
    rigid = {slot.tensor_id(bound.model) for slot in bound.rigid}
    activations = []
    for key in keys:
        quant = draft.tensor(*key).quant
        if key not in read and quant is not None and len(quant.scale) == 1:
            activations.append(key)
        elif key not in rigid:
            _channels(draft, bound, key, read.get(key))
    groups = [group for group in _tied(bound, activations) if rigid.isdisjoint(group)]
    _activations(draft, groups)


def _activations(draft: Draft, groups: list[list[TensorId]]) -> None:
    """Give the tensors of each group, which are tied, one scale: that of their neighbours."""
    scales: dict[TensorId, float] = {}
    waiting = list(groups)
    while waiting:
        candidates = {id(group): _beside(draft, group, scales) for group in waiting}
        ready = [group for group in waiting if candidates[id(group)]] or waiting[:1]
        for group in ready:
            type_name = draft.tensor(*group[0]).type
            scale = candidates[id(group)] or _ALONE.get(type_name, _EIGHT_BITS)
            scales.update(dict.fromkeys(group, scale))
        waiting = [group for group in waiting if group not in ready]
    for key, scale in scales.items():
        quant = draft.tensor(*key).quant
        assert quant is not None, "its finding is about its scale"
        _write(draft, key, replace(quant, scale=(scale,), minimum=(), maximum=()))


def _tied(bound: Bound, keys: list[TensorId]) -> list[list[TensorId]]:
    """The tensors in groups that constraints tie. `keys`: the tensors."""
    sets, selected = DisjointSets[TensorId](lambda key: key), set(keys)
    for constraint in bound.of(Same):
        inside = [k for slot in constraint.slots if (k := slot.tensor_id(bound.model)) in selected]
        for key in inside[1:]:
            sets.union(inside[0], key)
    groups: dict[TensorId, list[TensorId]] = {}
    for key in keys:
        groups.setdefault(sets.find(key), []).append(key)
    return list(groups.values())


def _beside(draft: Draft, group: list[TensorId], found: Mapping[TensorId, float]) -> float:
    """The largest output scale of the operators that read the group's tensors; 0 if none has one.
    `found`: scales decided so far.
    """
    scales = [0.0]
    for key in group:
        for slot in draft.links(key.subgraph).readers.get(key.tensor, ()):
            if slot.operator < 0:
                continue
            operator = draft.model.subgraphs[slot.subgraph].operators[slot.operator]
            for index in operator.outputs:
                neighbour = TensorId(slot.subgraph, index)
                tensor = draft.tensor(*neighbour)
                if neighbour not in group and quantized(tensor) and tensor.quant is not None:
                    scale = tensor.quant.scale[0] if tensor.quant.per_tensor else 0.0
                    scales.append(found.get(neighbour, scale if scale >= SMALLEST_SCALE else 0.0))
    return max(scales)


def _channels(draft: Draft, bound: Bound, key: TensorId, bias: BiasOf | None) -> None:
    """Set the scales of weight channels that have scale 0, and the zero scales of their bias."""
    quant = draft.tensor(*key).quant
    assert quant is not None, "its finding is about its scales"
    old = np.asarray(quant.scale)
    low = old < SMALLEST_SCALE
    scales = np.where(low, _usual(draft, key, old[~low]), old)
    source = None if bias is None else slot_tensor(bound.model, bias.factors[0])
    step = source.quant.scale[0] if source is not None and source.quant is not None else 0.0
    if bias is not None and step >= SMALLEST_SCALE:
        units = _units(draft, bias.slot, len(scales))
        fitting = np.where(units > 0, units / (step * bias.source.multiplier), 0.0)
        fits = low & (fitting >= SMALLEST_SCALE) & (fitting < np.finfo(np.float32).max)
        scales = np.where(fits, fitting, scales)
    new = tuple(to_float32(float(scale)) for scale in scales)
    _write(draft, key, replace(quant, scale=new, minimum=(), maximum=()))
    if bias is not None and step >= SMALLEST_SCALE:
        _bias(draft, bias.slot, product_scale(step, new, bias.source.multiplier))


def _usual(draft: Draft, key: TensorId, neighbours: NDArray[np.float64]) -> float:
    """The scale for a channel of zeros: the largest one in `neighbours`, those of the other
    channels; without neighbours, the scale whose product with the input scale is 1/128 of the
    output scale.
    """
    if neighbours.size:
        return float(neighbours.max())
    for slot in draft.links(key.subgraph).readers.get(key.tensor, ()):
        operator = draft.model.subgraphs[slot.subgraph].operators[slot.operator]
        ends = [draft.tensor(slot.subgraph, i) for i in (operator.inputs[0], operator.outputs[0])]
        if all(quantized(end) for end in ends):
            into, out = (end.quant.extent[0] for end in ends if end.quant is not None)
            if min(into, out) >= SMALLEST_SCALE:
                return min(max(out / into * _EIGHT_BITS, SMALLEST_SCALE), 1.0)
    return _EIGHT_BITS


def _units(draft: Draft, slot: Slot, count: int) -> NDArray[np.float64]:
    """The bias scale of each channel whose bias is not 0; 0 for the other channels. `count`: number
    of channels.
    """
    bias = slot_tensor(draft.model, slot)
    data = None if bias is None else draft.model.constant(slot.subgraph, bias.index)
    if bias is None or bias.quant is None or data is None or bias.elements != count:
        return np.zeros(count)
    if len(bias.quant.scale) not in (1, count):
        return np.zeros(count)
    values = integers_of(data, bias.type, count)
    scales = np.broadcast_to(np.asarray(bias.quant.scale), count)
    return np.where((values != 0) & (scales >= SMALLEST_SCALE), scales, 0.0)


def _bias(draft: Draft, slot: Slot, product: list[float]) -> None:
    """Replace bias scales of 0, whose integers are all zeros, by the product of input and weight
    scale.
    """
    bias = slot_tensor(draft.model, slot)
    if bias is None or bias.quant is None or len(bias.quant.scale) != len(product):
        return
    zeros = zero_channels(draft.model, slot.subgraph, bias)
    low = np.asarray(bias.quant.scale) < SMALLEST_SCALE
    if zeros is not None and low.any() and bool(zeros[low].all()):
        pairs = zip(low, product, bias.quant.scale, strict=True)
        scales = tuple(right if wrong else scale for wrong, right, scale in pairs)
        _write(draft, slot.tensor_id(draft.model), replace(bias.quant, scale=scales))


def _write(draft: Draft, key: TensorId, quant: QuantParams) -> None:
    """Set the parameters, and the integers of channels whose scale changed to the zero point."""
    tensor, model = draft.tensor(*key), draft.model
    before = tensor.quant
    assert before is not None, "it has scales"
    data = model.constant(*key)
    changed = [a != b for a, b in zip(before.scale, quant.scale, strict=True)]
    draft.set_quant(*key, quant)
    zeros = zero_channels(model, key.subgraph, tensor)
    if data is not None and zeros is not None and not bool(zeros[changed].all()):
        emptied = _emptied(integers_of(data, tensor.type, tensor.elements), tensor, changed)
        draft.graph(key.subgraph).set_data(key.tensor, packed_as(emptied, tensor.type))
    axis = changed.index(True)
    shown = (f"scale {before.scale[axis]:.7g}", f"scale {quant.scale[axis]:.7g}")
    readers = tuple(draft.links(key.subgraph).readers.get(key.tensor, ()))[:1]
    draft.note("parameters", key, *shown, why="zeros are zeros at any scale", readers=readers)


def _emptied(
    values: NDArray[np.float64], tensor: Tensor, changed: list[bool]
) -> NDArray[np.float64]:
    """The integers, with those of the changed channels set to the zero point, since they represent
    0.
    """
    quant = tensor.quant
    assert quant is not None, "it has scales"
    if len(quant.scale) == 1:
        return np.full_like(values, (quant.zero_point or (0,))[0])
    shaped = np.moveaxis(values.reshape(tensor.shape).copy(), quant.quantized_dimension, 0)
    points = quant.zero_point or (0,)
    for channel, new in enumerate(changed):
        if new:
            shaped[channel] = points[channel if len(points) > 1 else 0]
    return np.moveaxis(shaped, 0, quant.quantized_dimension)
