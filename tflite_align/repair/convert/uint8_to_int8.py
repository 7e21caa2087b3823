"""uint8 to int8, so that models trained with TF1 run on runtimes that only have int8 kernels.

Activations keep their scales and shift by 128, so that their values are exactly preserved. Weights
become symmetric, with one scale per channel if the operator supports it; biases follow. An operator
without an int8 kernel keeps its uint8 tensors, as do graph inputs and outputs that may not change;
a QUANTIZE is inserted between.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ...checks.binder.bind import bind
from ...checks.binder.bound import CUT
from ...format.model import (
    Model,
    Operator,
    OperatorId,
    QuantParams,
    Slot,
    SlotKind,
    Subgraph,
    Tensor,
    TensorId,
)
from ...format.wiring import quantized
from ...numerics import Label, requantize, symmetric_weights
from ...record import Record, replace
from ...rules.rows import OperatorRow, WeightRule
from ...rules.targets import Target
from ...rules.versions import VersionRow
from ..planner.biases import plan_biases
from ..planner.draft import Draft, relabelled
from .conversion import Conversion

__all__ = ["convert_to_int8"]

_SHIFT = 128
_FROM, _TO = "uint8", "int8"


def convert_to_int8(
    model: Model,
    rows: Mapping[str, OperatorRow],
    versions: Mapping[str, VersionRow],
    targets: Sequence[Target],
    *,
    free: frozenset[SlotKind] = frozenset(),
    fixes: frozenset[str] = frozenset(),
) -> Conversion:
    """Convert every quantized uint8 tensor to int8 if its operators support that.

    uint8 tensors without parameters are raw integers and are unchanged. `free`: whether graph
    inputs, outputs or both become int8 too; the others stay uint8, with a QUANTIZE inside. `fixes`:
    ids of enabled repairs. `rows`: rules by operator name. `versions`: operator versions by name.
    `targets`: runtimes for which the result must be legal.
    """
    work = _Signed(Draft(model), rows, versions, targets, free=free)
    for graph in model.subgraphs:
        for operator in graph.operators:
            work.operator(graph.index, operator)
        work.keep_steps(graph)
        for tensor in graph.tensors:
            if _uint8(tensor):
                work.tensor(TensorId(graph.index, tensor.index))
    refused = work.refused
    bound = bind(model, rows, targets, free_io=bool(free))
    for conflict in plan_biases(work.draft, bound, work.seen, frozenset(), fixes):
        refused.append(f"{conflict.slots[0].address(model)}: {conflict.message}")
    plan = work.draft.plan()
    nothing = "--to int8: the model has no uint8 tensor that can become int8"
    return Conversion(
        plan=plan,
        refused=tuple(dict.fromkeys(refused)),
        warnings=() if plan.model is not model or refused else (nothing,),
    )


def _uint8(tensor: Tensor) -> bool:
    """Whether the tensor is a quantized uint8 tensor that may be converted."""
    return (
        tensor.type == _FROM
        and quantized(tensor)
        and tensor.quant is not None
        and not tensor.quant.details
        and not tensor.is_variable
    )


class _Readers(Record, frozen=True):
    """The slots that read one tensor: those of operators that become int8, and the others."""

    moved: tuple[Slot, ...]
    kept: tuple[Slot, ...]


class _Signed:
    """Converts one model. `moved`: operators that become int8; `refused`: reasons against the
    conversion.
    """

    def __init__(
        self,
        draft: Draft,
        rows: Mapping[str, OperatorRow],
        versions: Mapping[str, VersionRow],
        targets: Sequence[Target],
        *,
        free: frozenset[SlotKind],
    ) -> None:
        self.draft = draft
        self.model = draft.model
        self.rows = rows
        self.versions = versions
        self.targets = targets
        self.free = free
        self.moved: set[OperatorId] = set()  # operators that become int8
        self.seen: dict[Slot, tuple[float, ...]] = {}
        self.refused: list[str] = []

    # --- operators -----------------------------------------------------------------------------

    def operator(self, subgraph: int, operator: Operator) -> None:
        """Decide whether an operator becomes int8, and if so raise its version to one with an int8
        kernel. `subgraph`: its index.
        """
        row = self.versions.get(operator.name)
        if row is None or not row.holds(operator) or operator.name not in self.rows:
            return
        operands = [t for t in (*operator.inputs, *operator.outputs) if t >= 0]
        tensors = [self.draft.tensor(subgraph, index) for index in operands]
        if not any(_uint8(tensor) for tensor in tensors):
            return
        if any(tensor.type == _FROM and tensor.is_variable for tensor in tensors):
            return  # a state starts as integer 0, which is another real value after the conversion
        self.moved.add(OperatorId(subgraph, operator.index))
        self.draft.touched.add(OperatorId(subgraph, operator.index))
        version = row.versions[_TO]
        decides = Slot(subgraph, operator.index, row.slot.kind, row.slot.start).tensor(self.model)
        typed = decides >= 0 and _uint8(self.draft.tensor(subgraph, decides))
        if typed and operator.version < version:
            self.draft.graph(subgraph).set_operator(operator.index, version=version)

    def keep_steps(self, graph: Subgraph) -> None:
        """Exclude a QUANTIZE between uint8 and int8 tensors from the conversion, unless another
        operator that uses its uint8 tensors becomes int8.
        """
        links = self.draft.links(graph.index)
        # operator -> other slots that use its uint8 tensors
        steps: dict[OperatorId, list[Slot]] = {}
        for operator in graph.operators:
            operator_id = OperatorId(graph.index, operator.index)
            ends = (*operator.inputs, *operator.outputs)
            types = {graph.tensors[end].type for end in ends if end >= 0}
            if operator.name != CUT or operator_id not in self.moved or not types <= {_FROM, _TO}:
                continue
            ends = tuple(end for end in ends if graph.tensors[end].type == _FROM)
            slots = [
                s for end in ends for s in (*links.readers.get(end, ()), links.producer.get(end))
            ]
            steps[operator_id] = [
                s for s in slots if s is not None and s.operator_id != operator_id
            ]
        self.moved.difference_update(steps)
        while joining := [step for step, slots in steps.items() if any(map(self._moves, slots))]:
            self.moved.update(joining)
            for operator_id in joining:
                del steps[operator_id]
        self.draft.touched.difference_update(steps)

    def _moves(self, slot: Slot) -> bool:
        """Whether the slot's operator, graph input or graph output becomes int8."""
        if slot.operator >= 0:
            return slot.operator_id in self.moved
        return slot.kind in self.free and slot.subgraph in self.model.named_subgraphs

    # --- tensors -------------------------------------------------------------------------------

    def tensor(self, key: TensorId) -> None:
        """Convert one tensor: constant, activation, or input."""
        links = self.draft.links(key[0])
        slots = links.readers.get(key[1], [])
        readers = _Readers(
            moved=tuple(slot for slot in slots if self._moves(slot)),
            kept=tuple(slot for slot in slots if not self._moves(slot)),
        )
        producer = links.producer.get(key[1])
        tensor = self.draft.tensor(*key)
        if producer is None:
            if self.model.constant(*key) is not None:
                self._constant(key, readers)
            elif tensor.label is not None and not self.model.is_constant(*key):
                self._unwritten(key, readers)
            return
        if tensor.quant is None or not tensor.quant.per_tensor:
            touched = [slot for slot in (producer, *slots) if self._moves(slot)]
            if touched:
                where = touched[0].address(self.model)
                self.refused.append(
                    f"{where}: an activation with one scale per channel cannot be converted"
                )
            return
        self._activation(key, producer, readers)

    def _unwritten(self, key: TensorId, readers: _Readers) -> None:
        """Convert a tensor that no operator writes, if all its readers become int8."""
        if readers.moved and not readers.kept:
            self._retype(key, readers.moved)

    def _activation(self, key: TensorId, producer: Slot, readers: _Readers) -> None:
        """Convert an activation, or add an int8 tensor with a QUANTIZE if only a part of its
        operators becomes int8.
        """
        if self._moves(producer) and not readers.kept:
            self._retype(key, (producer, *readers.moved))
        elif self._moves(producer):
            new = self._beside(key)
            self.draft.rewire(producer, new)
            for slot in readers.moved:
                self.draft.rewire(slot, new)
            after = producer.operator + 1
            self._quantize(key, (new, key[1]), _FROM, after, readers.kept)
        elif readers.moved:
            new = self._beside(key)
            for slot in readers.moved:
                self.draft.rewire(slot, new)
            end = len(self.model.subgraphs[key[0]].operators)
            places = (slot.operator for slot in readers.moved if slot.operator >= 0)
            self._quantize(key, (key[1], new), _TO, min(places, default=end), readers.moved)

    def _retype(self, key: TensorId, slots: tuple[Slot, ...]) -> None:
        """Make the tensor itself int8, shifted by 128. `slots`: the operands that the report lists
        with this change.
        """
        tensor = self.draft.tensor(*key)
        label = _shifted(tensor)
        self.draft.graph(key[0]).set_tensor(key[1], type=_TO)
        self.draft.set_quant(*key, relabelled(replace(tensor, type=_TO), label))
        self._note(key, label, "the same values, shifted by 128", slots)

    def _beside(self, key: TensorId) -> int:
        """Add an int8 tensor with the same real values as the tensor `key`; returns its index."""
        label = _shifted(self.draft.tensor(*key))
        quant = QuantParams(scale=(label.scale,), zero_point=(label.zero_point,))
        return self.draft.add_tensor(*key, "_int8", quant, type_name=_TO)

    def _quantize(
        self,
        key: TensorId,
        ends: tuple[int, int],
        result: str,
        before: int,
        slots: tuple[Slot, ...],
    ) -> None:
        """Insert a QUANTIZE to the type `result`. `ends`: (its input, its output); `before`: index
        of the operator that follows it; `slots`: its readers. Refuses if a target does not have it.
        """
        source = _TO if result == _FROM else _FROM
        unable = [t.name for t in self.targets if result not in t.quantize.get(source, ())]
        if unable:
            where = slots[0].address(self.model)
            why = f"needs a QUANTIZE from {source} to {result}, which {unable[0]} does not have"
            self.refused.append(f"{where}: {why}")
            return
        self.draft.add_step(key[0], *ends, ("QUANTIZE", result), before)
        self._note(key, _shifted(self.draft.tensor(*key)), "a QUANTIZE shifts by 128", slots)

    # --- constants -----------------------------------------------------------------------------

    def _constant(self, key: TensorId, readers: _Readers) -> None:
        """Convert a constant. If readers need different forms (weight, plain), each further form
        gets a copy.
        """
        ways: dict[tuple[bool, int | None], list[Slot]] = {}
        for slot in readers.moved:
            ways.setdefault(self._weight(slot), []).append(slot)
        in_place = not readers.kept
        for (weight, axis), slots in ways.items():
            quant, data, reason = self._integers(key, axis) if weight else self._exactly(key)
            if in_place:
                self.draft.graph(key[0]).set_data(key[1], data, _TO)
                self.draft.set_quant(*key, quant)
                in_place = False
            else:
                new = self.draft.add_tensor(*key, "_int8", quant, data=data, type_name=_TO)
                for slot in slots:
                    self.draft.rewire(slot, new)
            if weight:
                self.seen.update(dict.fromkeys(slots, quant.scale))
            self._note(key, Label(quant.scale[0], quant.zero_point[0]), reason, tuple(slots))

    def _weight(self, slot: Slot) -> tuple[bool, int | None]:
        """(whether the slot's rules require symmetric weights, the axis of their scales or None)."""
        name = self.model.subgraphs[slot.subgraph].operators[slot.operator].name
        axes = [
            rule.axis
            for rule in self.rows[name].rules
            if isinstance(rule, WeightRule) and _TO in rule.types
            if slot.kind == rule.slot.kind and slot.index == rule.slot.start
        ]
        if not axes:
            return False, None
        return True, None if None in axes else axes[0]

    def _exactly(self, key: TensorId) -> tuple[QuantParams, bytes, str]:
        """(parameters, bytes, reason for the report) of a constant in int8 with the same real
        values.
        """
        tensor, data = self.draft.tensor(*key), self.model.constant(*key)
        assert data is not None
        assert tensor.quant is not None
        label = _shifted(tensor)
        shifted = requantize(data, _FROM, tensor.quant.label, label, _TO)
        quant = relabelled(replace(tensor, type=_TO), label)
        return quant, shifted, "the same values, shifted by 128"

    def _integers(self, key: TensorId, axis: int | None) -> tuple[QuantParams, bytes, str]:
        """(parameters, bytes, reason for the report) of a constant as symmetric int8 weights, with
        one scale per channel along `axis`, or a single scale if that is None.
        """
        tensor, data = self.draft.tensor(*key), self.model.constant(*key)
        assert data is not None
        assert tensor.quant is not None
        integers = np.frombuffer(data, dtype=np.uint8).astype(np.float64).reshape(tensor.shape)
        points = np.asarray(tensor.quant.zero_point or (0,), dtype=np.float64)
        scales = np.asarray(tensor.quant.scale, dtype=np.float64)
        if len(scales) > 1 or len(points) > 1:
            shape = [1] * integers.ndim
            shape[tensor.quant.quantized_dimension] = -1
            points, scales = points.reshape(shape), scales.reshape(shape)
        fitted = symmetric_weights((integers - points) * scales, axis, float(np.min(scales)))
        quant = QuantParams(
            scale=fitted.scales,
            zero_point=(0,) * len(fitted.scales),
            quantized_dimension=axis or 0,
        )
        many = f"{len(fitted.scales)} scales" if len(fitted.scales) > 1 else "one scale"
        return quant, fitted.integers.tobytes(), f"symmetric, {many} ({fitted.noise:.3g} rms off)"

    def _note(self, key: TensorId, label: Label, why: str, slots: tuple[Slot, ...]) -> None:
        """Record the conversion of a tensor. `slots`: readers to report."""
        tensor = self.draft.tensor(*key)
        assert tensor.quant is not None
        before = f"{_FROM} {tensor.quant.label}"
        self.draft.note("converted", key, before, f"{_TO} {label}", why=why, readers=slots)


def _shifted(tensor: Tensor) -> Label:
    """The label of the tensor in int8: the same scale, the zero point less 128."""
    assert tensor.quant is not None
    scale, zero_point = tensor.quant.label
    return Label(scale, zero_point - _SHIFT)
