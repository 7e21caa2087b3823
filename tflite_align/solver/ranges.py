"""Range analysis: the range of real values that each tensor needs, which is often smaller than its
declared range.

Declared ranges flow forward (values that can arrive) and backward (values that readers can
distinguish) through operators that commute with clipping. Noise is in real units squared: the
square of a step, without the common factor 1/12.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType

import numpy as np

from ..checks.binder.bound import Bound
from ..checks.constraints import BoundFlow, Weight
from ..format.model import Model, OperatorId, Slot, TensorId
from ..format.wiring import Links, links, quantized
from ..numerics import DTYPES, Label, Range, covers, hull, intersect, label_range, usable_label
from ..record import Record, field
from .averages import Averaged, averaged_slots, noise_left
from .clamps import Clamp, Saturation, clamp_of

__all__ = ["Values", "constant_range", "value_flow"]


_ANYTHING = Range(float("-inf"), float("inf"))

_AT_ZERO = 1e-6  # in steps: an observed edge this near to zero counts as zero

# Forward passes after which a variable whose range still grows is assumed to hold any value.
_ROUNDS = 8


class Values(Record, frozen=True, kw_only=True):
    """Range analysis of every per-tensor quantized activation; ranges are real values.

    `labels`: the declared ones; `arrive`: values that can arrive; `reach`: values that the operator
    could write if it did not clip; `tell`: values that readers distinguish, `slot_tell` the same
    for one reading slot; `noise`: declared noise, accumulated along copies. `clamps`: clamps that
    only a tensor's range implies; `silent`: tensors whose operator could have that clamp as fused
    activation. `observed`: ranges from calibration, which limit `arrive`. `averaged`: operands of
    averages. `joined`: for an operand that a kernel copies next to coarser ones, the noise of
    rounding the copy. `saturations`: for tensors that a multiplier's window may widen, the range
    that was let through before. `crowded`: tensors whose values are assumed to be distributed
    uniformly.
    """

    labels: Mapping[TensorId, Label]
    arrive: Mapping[TensorId, Range]
    reach: Mapping[TensorId, Range]
    tell: Mapping[TensorId, Range]
    noise: Mapping[TensorId, float]
    wiring: Mapping[int, Links]
    slot_tell: Mapping[Slot, Range]
    silent: frozenset[TensorId]
    clamps: Mapping[TensorId, Clamp]
    observed: Mapping[TensorId, Range]
    averaged: Mapping[Slot, Averaged]
    joined: Mapping[Slot, float]
    saturations: Mapping[TensorId, Saturation] = field(default_factory=dict)
    crowded: frozenset[TensorId] = frozenset()

    def need(self, slot: Slot, key: TensorId) -> Range:
        """The range of real values of tensor `key` that this slot has to read unclipped."""
        return intersect(self.arrive[key], self.slot_tell.get(slot, self.tell[key]))


def constant_range(model: Model, key: TensorId, label: Label) -> Range | None:
    """(least, greatest) real value of a constant; None if its bytes are external or damaged."""
    tensor = model.subgraphs[key[0]].tensors[key[1]]
    data = model.constant(*key)
    if data is None or tensor.type not in DTYPES:
        return None
    dtype = np.dtype(DTYPES[tensor.type])
    if len(data) % dtype.itemsize:
        return None  # the byte count does not match the type: the range is unknown
    integers = np.frombuffer(data, dtype=dtype)
    if not integers.size:
        return Range(0.0, 0.0)
    low, high = int(integers.min()), int(integers.max())
    return Range((low - label.zero_point) * label.scale, (high - label.zero_point) * label.scale)


_UNSEEN: Mapping[TensorId, Range] = MappingProxyType({})


def value_flow(
    bound: Bound,
    observed: Mapping[TensorId, Range] = _UNSEEN,
    within: Iterable[TensorId] | None = None,
) -> Values:
    """Analyse ranges: a forward and a backward pass over every subgraph, in the order of its
    operators.

    `observed` limits only the arriving values: the range that an operator could write, and whether
    its declared range is a clamp, do not depend on calibration inputs. `within`: the tensors to
    analyse, in file order; no value may flow between them and others.
    """
    flow = _Pass(bound, within)
    flow.settle_variables()
    flow.backward_all()
    flow.finish()
    if flow.opened:  # tensors that receive values beyond their declared range
        flow.settle_variables()
    return Values(
        labels=flow.labels,
        arrive={key: flow.seen(key, observed.get(key)) for key in flow.labels},
        reach=flow.reach,
        tell=flow.tell,
        noise=flow.noise,
        wiring=flow.wiring,
        slot_tell=flow.slot_tell,
        silent=frozenset(s.tensor_id(bound.model) for s in bound.silent),
        clamps=flow.clamps(),
        observed={key: span for key, span in observed.items() if key in flow.labels},
        averaged=averaged_slots(bound.model, bound.flows, flow.labels),
        joined=flow.joined,
        crowded=frozenset(flow.crowded),
    )


def _all_tensors(model: Model) -> Iterator[TensorId]:
    """(subgraph, tensor) of every tensor, in file order."""
    for graph in model.subgraphs:
        for tensor in graph.tensors:
            yield TensorId(graph.index, tensor.index)


class _Pass:
    """The state of the analysis: results so far by tensor, see Values."""

    def __init__(self, bound: Bound, within: Iterable[TensorId] | None) -> None:
        self.model = bound.model
        self.ranges = bound.ranges
        self.flows: dict[OperatorId, list[BoundFlow]] = {}
        for flow in bound.flows:
            for slot in (*flow.inputs, *flow.outputs)[:1]:
                self.flows.setdefault(slot.operator_id, []).append(flow)
        self.labels: dict[TensorId, Label] = {}
        self.declared: dict[TensorId, Range] = {}
        self.reach: dict[TensorId, Range] = {}
        self.arrive: dict[TensorId, Range] = {}
        self.tell: dict[TensorId, Range] = {}
        self.noise: dict[TensorId, float] = {}
        self.slot_tell: dict[Slot, Range] = {}
        self.joined: dict[Slot, float] = {}
        self.crowded: set[TensorId] = set()
        self.variables = bound.variables
        self.held = {
            slot: Range(0.0, 0.0)
            for slots in bound.variables
            if any(slot.kind == "inputs" for slot in slots)
            for slot in slots
            if slot.kind == "outputs"
        }
        self.wiring = {g.index: links(self.model, g.index) for g in self.model.subgraphs}
        self.weights = {constraint.slot for constraint in bound.of(Weight)}
        for key in _all_tensors(self.model) if within is None else within:
            self._start(key)
        self.places = list(self._writers())
        self.open = self._foldless()
        self.opened: set[TensorId] = set()

    def _foldless(self) -> dict[TensorId, Range]:
        """Tensors whose declared range ends at zero although their operator cannot have folded a
        clamp into it: it copies values, or its function has a range on both sides of zero (TANH).
        Each with the declared range, unlimited at that end.
        """
        slots = [
            s for flows in self.flows.values() for f in flows if f.kind == "copy" for s in f.outputs
        ]
        slots += [s for s, reach in self.ranges.items() if reach.low < 0 < reach.high < math.inf]
        spans = {}
        for slot in slots:
            key = slot.tensor_id(self.model)
            declared = self.declared.get(key)
            if declared is not None and declared.low == 0:
                spans[key] = Range(-math.inf, declared.high)
            elif declared is not None and declared.high == 0:
                spans[key] = Range(declared.low, math.inf)
        return spans

    def _passing(self, key: TensorId) -> Range:
        """The range of real values to which a tensor clips: the declared one, unlimited at an end
        at zero that does not count as a clamp (`opened`).
        """
        return self.open[key] if key in self.opened else self.declared[key]

    def _start(self, key: TensorId) -> None:
        """Set the initial ranges and noise of a tensor from its declared label."""
        tensor = self.model.subgraphs[key.subgraph].tensors[key.tensor]
        if not quantized(tensor) or tensor.type == "int4" or tensor.quant is None:
            return
        if not tensor.quant.per_tensor or tensor.quant.details:
            return
        label = tensor.quant.label
        if not usable_label(label, tensor.type):
            return
        declared = label_range(label, tensor.type)
        self.labels[key] = label
        self.declared[key] = self.arrive[key] = self.tell[key] = declared
        self.reach[key] = _ANYTHING
        self.noise[key] = label.scale**2
        readers = self.wiring[key.subgraph].readers.get(key.tensor, ())
        if all(slot in self.weights for slot in readers):
            return  # no activation: its values are not needed
        constant = constant_range(self.model, key, label)
        if constant is not None:
            self.arrive[key] = constant

    def _writers(self) -> Iterator[OperatorId]:
        """The operators that write a tensor with a label, in file order."""
        labelled: dict[int, set[int]] = {}
        for subgraph, tensor in self.labels:
            labelled.setdefault(subgraph, set()).add(tensor)
        for subgraph, tensors in sorted(labelled.items()):
            for operator in self.model.subgraphs[subgraph].operators:
                if not tensors.isdisjoint(operator.outputs):
                    yield OperatorId(subgraph, operator.index)

    def settle_variables(self) -> None:
        """Repeat forward passes until the ranges of variables stop growing.

        A variable holds zero, or the value that an initialising subgraph assigned, and then any
        value that is written to it. If the passes do not converge, its range is unlimited.
        """
        for _ in range(_ROUNDS):
            self._forward_all()
            if not self._grow_variables():
                return
        self.held = {}
        self._forward_all()

    def _forward_all(self) -> None:
        """One forward pass over all operators."""
        for operator_id in self.places:
            self.forward(operator_id)

    def backward_all(self) -> None:
        """One backward pass over all operators."""
        for operator_id in reversed(self.places):
            self.backward(operator_id)

    def _grow_variables(self) -> bool:
        """Extend the range of each resource variable to the values that are assigned to it; whether one
        grew, so that another pass is needed.
        """
        grown = False
        for slots in self.variables:
            total = Range(0.0, 0.0)
            for slot in slots:
                key = slot.tensor_id(self.model)
                if slot.kind == "inputs" and key in self.arrive:
                    total = hull(total, self.arrive[key])
            for slot in slots:
                if slot in self.held and not covers(self.held[slot], total):
                    self.held[slot] = hull(self.held[slot], total)
                    grown = True
        return grown

    def _keys(self, slots: tuple[Slot, ...]) -> list[TensorId] | None:
        """(subgraph, tensor) of the slots; None if one of them has no label."""
        keys = [slot.tensor_id(self.model) for slot in slots]
        return keys if keys and all(key in self.labels for key in keys) else None

    def forward(self, operator_id: OperatorId) -> None:
        """Compute `arrive`, `reach` and `noise` of the operator's outputs from its inputs."""
        operator = self.model.subgraphs[operator_id[0]].operators[operator_id[1]]
        for index, tensor in enumerate(operator.outputs):
            key = (operator_id[0], tensor)
            if key in self.labels:
                slot = Slot(*operator_id, "outputs", index)
                reach = self.held.get(slot, self.ranges.get(slot, _ANYTHING))
                self.reach[key] = reach
                self.arrive[key] = intersect(self._passing(key), reach)
        for flow in self.flows.get(operator_id, ()):
            inputs, outputs = self._keys(flow.inputs), self._keys(flow.outputs)
            if inputs is None or outputs is None:
                continue
            coming = self.arrive[inputs[0]]
            for key in inputs[1:]:
                coming = hull(coming, self.arrive[key])
            left = noise_left(self.model, flow)
            noise = left * max(self.noise[key] for key in inputs)
            for key in outputs:
                self.reach[key] = intersect(coming, self.reach[key])
                if not covers(self.declared[key], self.reach[key], slack=self.labels[key].scale):
                    self.crowded.add(key)
                self.arrive[key] = intersect(self._passing(key), self.reach[key])
                same = all(self.labels[source] == self.labels[key] for source in inputs)
                rounded = self.labels[key].scale ** 2 if left < 1.0 or not same else 0.0
                self.noise[key] = noise + rounded
            if left == 1.0 and len(inputs) > 1:
                rounded = min(self.labels[key].scale for key in outputs) ** 2
                for slot, key in zip(flow.inputs, inputs, strict=True):
                    if self.noise[key] < noise:
                        self.joined[slot] = rounded

    def backward(self, operator_id: OperatorId) -> None:
        """Compute what the operator distinguishes of its inputs from what is distinguished of its
        outputs.
        """
        operator = self.model.subgraphs[operator_id[0]].operators[operator_id[1]]
        for tensor in operator.outputs:
            self._close(TensorId(operator_id.subgraph, tensor))
        for flow in self.flows.get(operator_id, ()):
            outputs = self._keys(flow.outputs)
            if flow.kind != "copy" or outputs is None:
                continue
            needed = self.tell[outputs[0]]
            for key in outputs[1:]:
                needed = hull(needed, self.tell[key])
            for slot in flow.outputs:
                needed = intersect(needed, self.ranges.get(slot, _ANYTHING))
            for slot in flow.inputs:
                self.slot_tell[slot] = needed

    def _close(self, key: TensorId) -> None:
        """Compute `tell` of a tensor whose readers are all processed: the range of values that any
        of them distinguishes.

        If the declared range ends at zero without being a folded clamp (`_foldless`) and a reader
        distinguishes values beyond that end, the end does not count as a clamp: the tensor is added
        to `opened`.
        """
        readers = self.wiring[key[0]].readers.get(key[1], [])
        if key not in self.labels or not readers:
            return
        declared = self.declared[key]
        passing = self.open.get(key, declared)
        needs = [intersect(passing, self.slot_tell.get(slot, declared)) for slot in readers]
        total = needs[0]
        for need in needs[1:]:
            total = hull(total, need)
        self.tell[key] = total
        if not covers(declared, total, slack=self.labels[key].scale):
            self.opened.add(key)

    def seen(self, key: TensorId, observed: Range | None) -> Range:
        """The range of values that arrive, limited to the range `observed` in calibration (None:
        not observed). It contains zero.

        Never narrower than a step of the declared label: no scale can be derived from values that
        stay below one step (a dead channel is always 0).
        """
        arrived = self.arrive[key]
        if observed is None:
            return arrived
        step = self.labels[key].scale
        # Float sums may be slightly below zero where the exact value is zero.
        low = observed.low if observed.low < -_AT_ZERO * step else 0.0
        high = observed.high if observed.high > _AT_ZERO * step else 0.0
        # The float twin does not clip: its values beyond the declared ranges are clipped here.
        low, high = (min(max(edge, arrived.low), arrived.high) for edge in (low, high))
        if high - low < step:
            high = min(low + step, arrived.high)
            low = max(high - step, arrived.low)
        return Range(low, high)

    def clamps(self) -> dict[TensorId, Clamp]:
        """The clamps that declared ranges imply, by tensor."""
        joined = {}
        for key, label in self.labels.items():
            if key in self.opened:
                continue
            type_name = self.model.subgraphs[key[0]].tensors[key[1]].type
            clamp = clamp_of(label, type_name, self.reach[key])
            if clamp is not None:
                joined[key] = clamp
        return joined

    def finish(self) -> None:
        """Compute `tell` of the graph inputs, after the backward pass."""
        for subgraph, wiring in self.wiring.items():
            for tensor, producer in wiring.producer.items():
                if producer.operator < 0:
                    self._close(TensorId(subgraph, tensor))
