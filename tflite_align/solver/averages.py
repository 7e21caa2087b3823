"""Averages (MEAN, AVERAGE_POOL_2D, RESIZE_BILINEAR): how much of their input's rounding noise
remains, and the effect of clipping in front of them.

Noise is twelve times the noise power, in real units squared, so that rounding to a step s has noise
s^2. The mean of n values with independent errors has 1/n of their noise, and is then rounded
itself. Clipping errs to one side only and is assumed not to average out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from ..checks.constraints import BoundFlow
from ..format.model import Model, Slot, TensorId
from ..numerics import Label
from ..record import Record
from .cost_tables import Floats

__all__ = ["Averaged", "averaged_slots", "clip_noise", "noise_left"]

# Share of the power of independent noise that a bilinear resize keeps per axis: mean of w^2 + (1-w)^2.
_INTERPOLATED = 2 / 3
# The density of values is assumed to fall to e^-11 at the end of their range. With this number the
# noise of clipping is the median of that measured before the pools of seven networks, four of them
# trained.
_DECAYS = 11.0
_TWELVE = 12.0  # the square of a step divided by the power of its rounding error
_WINDOW = ((1, "filter_height"), (2, "filter_width"))


class Averaged(Record, frozen=True, kw_only=True):
    """An operand whose elements an operator averages. `left`: share of its noise that remains in a
    mean, 0 to 1; `step`: the declared scale of the operator's output.
    """

    left: float
    step: float


def noise_left(model: Model, flow: BoundFlow) -> float:
    """The factor, up to 1, by which an operator reduces the independent noise of its input; 1 for
    an operator that does not average.
    """
    if not flow.source.taps or not flow.inputs or not flow.outputs:
        return 1.0
    graph = model.subgraphs[flow.inputs[0].subgraph]
    source = graph.tensors[flow.inputs[0].tensor(model)]
    target = graph.tensors[flow.outputs[0].tensor(model)]
    if flow.source.taps == "axes":
        return min(1.0, target.elements / source.elements)
    if not 3 <= len(source.shape) == len(target.shape):
        return 1.0
    left = 1.0
    options = graph.operators[flow.inputs[0].operator].options
    for axis, option in _WINDOW:
        size = source.shape[axis]
        if flow.source.taps == "window":
            left /= max(min(int(options.get(option) or 1), size), 1)
        elif size != target.shape[axis]:
            left *= _INTERPOLATED
    return left


def averaged_slots(
    model: Model, flows: Iterable[BoundFlow], labels: Mapping[TensorId, Label]
) -> dict[Slot, Averaged]:
    """The operands that an operator averages, by slot. Left out if the output has no declared
    label.
    """
    averages = {}
    for flow in flows:
        left = noise_left(model, flow)
        label = labels.get(flow.outputs[0].tensor_id(model)) if left < 1.0 else None
        if label is not None:
            averages.update({slot: Averaged(left=left, step=label.scale) for slot in flow.inputs})
    return averages


def clip_noise(
    bottom: float, top: float, low: Floats, high: Floats, *, crowded: bool = False
) -> Floats:
    """The noise of clipping values in [bottom, top] to [low, high] (real values), for each pair of
    ends in the arrays `low` and `high`; real units squared. The values are assumed to become
    exponentially rarer away from zero, or with `crowded` to be distributed evenly.
    """
    middle = min(max(0.0, bottom), top)
    beyond = _evenly_beyond if crowded else _beyond
    return _TWELVE * (beyond(top - middle, high - middle) + beyond(middle - bottom, middle - low))


def _evenly_beyond(edge: float, inside: Floats) -> Floats:
    """Mean square of the part of a value above `inside`, for values distributed evenly from 0 to
    `edge`; real units squared.
    """
    if edge <= 0:
        return np.zeros_like(inside)
    power: Floats = (edge - np.clip(inside, 0.0, edge)) ** 3 / (3.0 * edge)
    return power


def _beyond(edge: float, inside: Floats) -> Floats:
    """Mean square of the part of a value above `inside`, for values from 0 to `edge` that become
    exponentially rarer; real units squared.
    """
    if edge <= 0:
        return np.zeros_like(inside)
    decay = edge / _DECAYS
    inside = np.clip(inside, 0.0, edge) / decay
    rest = _DECAYS - inside
    # The integral of (x - kept)^2 e^-x from kept to the edge.
    power = 2 * np.exp(-inside) - np.exp(-_DECAYS) * (2 + 2 * rest + rest**2)
    power_lost: Floats = decay**2 * np.maximum(power, 0.0)
    return power_lost
