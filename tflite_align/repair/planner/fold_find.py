"""Search for QUANTIZE operators with one type of input and output that can be removed. Changes nothing.

Declared real values are preserved up to rounding: the only difference is one rounding less.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Literal

from ...checks.binder.bound import CUT, Bound
from ...checks.constraints import Fixed, Same
from ...format.model import Model, Operator, Slot, Subgraph, Tensor, TensorId
from ...format.wiring import Links, links_at
from ...numerics import Label, close_scale, covers, intersect, label_range
from ...record import Record
from ...solver.label_limits import Limits
from ...solver.ranges import Values, value_flow

__all__ = ["Fold", "Scope", "concerned", "steps"]

_TO_FLOAT = "DEQUANTIZE"


class Scope(Record, frozen=True):
    """Where folding is allowed.

    `decided`: whether a tensor's component is changed anyway. `fold`: whether producers may write
    other parameters.
    """

    decided: Callable[[TensorId], bool]
    fold: bool


class Fold(Record, frozen=True, kw_only=True):
    """One possible step: removing or bypassing a QUANTIZE. `before`, `after`: labels of its input
    and output.

    `result`: the tensor that it writes. `rewired`: (slot of the bound model, tensor that it is to
    use); `removed`: indices of operators. `through_float`: a QUANTIZE of floats is kept, and reads
    the integers from which a DEQUANTIZE computed the floats.
    """

    kind: Literal["identity", "composed", "folded", "through_float"]
    result: TensorId
    rewired: tuple[tuple[Slot, int], ...]
    removed: tuple[int, ...]  # operators
    before: Label
    after: Label
    tensors: frozenset[TensorId]


class _Quantize(Record, frozen=True):
    """A QUANTIZE within one type, between per-tensor quantized activations `source` and `result`.

    `floats`: the DEQUANTIZE of `source` whose output it reads, if any.
    """

    operator: Operator
    source: TensorId
    result: TensorId
    floats: Operator | None = None

    @property
    def reads(self) -> Slot:
        """The input slot of the QUANTIZE."""
        return Slot(self.source[0], self.operator.index, "inputs", 0)


class _Conditions:
    """Data for the conditions of steps: labels, wiring, and the QUANTIZE operators by their output."""

    def __init__(self, bound: Bound, scope: Scope) -> None:
        self.bound = bound
        self.scope = scope
        self.values: Values = value_flow(bound)
        self.limit = Limits(bound)
        self.held = {*bound.rigid, *(slot for slots in bound.variables for slot in slots)}
        self.held |= _ruled(bound)
        quantizes = [
            self._quantize(graph, operator)
            for graph in bound.model.subgraphs
            for operator in graph.operators
            if _single(operator, CUT)
        ]
        self.quantizes = {
            quantize.result: quantize for quantize in quantizes if self._within_one_type(quantize)
        }

    def _quantize(self, graph: Subgraph, operator: Operator) -> _Quantize:
        """The record of a QUANTIZE operator."""
        floats = _dequantize(graph, self.values.wiring[graph.index], operator)
        source = (floats or operator).inputs[0]
        ids = TensorId(graph.index, source), TensorId(graph.index, operator.outputs[0])
        return _Quantize(operator, *ids, floats)

    def _within_one_type(self, quantize: _Quantize) -> bool:
        """Whether input and output have labels and equal type and shape, so that they differ in
        parameters only, and an operator computes the input.
        """
        tensors = self.bound.model.subgraphs[quantize.source[0]].tensors
        if quantize.source not in self.values.labels or quantize.result not in self.values.labels:
            return False
        first, last = tensors[quantize.source[1]], tensors[quantize.result[1]]
        produced = quantize.source[1] in self.links(quantize.source).producer
        return _alike(first, last) and (produced or quantize.floats is not None)

    def links(self, key: TensorId) -> Links:
        """Producers and readers in the tensor's subgraph."""
        return self.values.wiring[key[0]]

    def readers(self, key: TensorId) -> list[Slot]:
        """The slots that read a tensor."""
        return self.links(key).readers.get(key[1], [])

    def label(self, key: TensorId) -> Label:
        """The declared label of a tensor."""
        return self.values.labels[key]

    def at_boundary(self, key: TensorId) -> bool:
        """Whether the tensor is a graph output, so that it has to be kept with its producer."""
        return any(slot.operator < 0 for slot in self.readers(key))

    def near(self, quantize: _Quantize) -> bool:
        """Whether folding is allowed at this QUANTIZE: the component of its input or output is
        changed anyway.
        """
        return self.scope.decided(quantize.source) or self.scope.decided(quantize.result)


def _ruled(bound: Bound) -> set[Slot]:
    """The slots whose parameters a rule ties to others or fixes."""
    held = {constraint.slot for constraint in bound.of(Fixed)}
    for tie in bound.of(Same):
        held.update(tie.slots)
    return held


def _single(operator: Operator, name: str) -> bool:
    """Whether the operator has this name, one input and one output."""
    return operator.name == name and len(operator.inputs) == len(operator.outputs) == 1


def _dequantize(graph: Subgraph, wiring: Links, operator: Operator) -> Operator | None:
    """The DEQUANTIZE whose output a QUANTIZE reads, if there is one."""
    producer = wiring.producer.get(operator.inputs[0])
    if producer is None or producer.operator < 0:
        return None
    writer = graph.operators[producer.operator]
    return writer if _single(writer, _TO_FLOAT) else None


def _alike(first: Tensor, last: Tensor) -> bool:
    """Whether two tensors differ only in their parameters.

    Some tools write no shape signature: a missing one equals any.
    """
    signatures = {tensor.shape_signature for tensor in (first, last) if tensor.shape_signature}
    return (
        (first.type, first.shape) == (last.type, last.shape)
        and len(signatures) < 2
        and not (first.is_variable or last.is_variable)
    )


def concerned(model: Model, scope: Scope, before: Bound) -> bool:
    """Whether a fold may be possible somewhere in the model: a quick test by wiring, and by the
    rules of the model `before` the plan, without labels.
    """
    return any(_concerned(graph, scope, before) for graph in model.subgraphs)


def _concerned(graph: Subgraph, scope: Scope, before: Bound) -> bool:
    """Whether the subgraph has a QUANTIZE in `scope` that may be folded."""
    steps = [operator for operator in graph.operators if _single(operator, CUT)]
    near = [
        step
        for step in steps
        if any(scope.decided(TensorId(graph.index, t)) for t in (*step.inputs, *step.outputs))
        or graph.tensors[step.inputs[0]].type == "float32"
    ]
    if not near:
        return False
    wiring = links_at(
        graph, [tensor for operator in near for tensor in (*operator.inputs, *operator.outputs)]
    )
    ruled = _ruled_outputs(graph, wiring.producer.values(), before) if scope.fold else set()
    return any(_concerns(graph, wiring, operator, scope, ruled) for operator in near)


def _ruled_outputs(graph: Subgraph, producers: Iterable[Slot], before: Bound) -> set[Slot]:
    """Those of the slots `producers` whose parameters a rule held already in the model `before` the
    plan. A plan changes neither types nor wiring of their operators, so that the rule still applies.
    """
    operators = before.model.subgraphs[graph.index].operators
    places = {operator.origin: operator.index for operator in operators}
    held = _ruled(before)
    ruled = set()
    for slot in producers:
        origin = graph.operators[slot.operator].origin if slot.operator >= 0 else None
        place = None if origin is None else places.get(origin)
        if place is not None and slot._replace(operator=place) in held:
            ruled.add(slot)
    return ruled


def _concerns(
    graph: Subgraph, wiring: Links, operator: Operator, scope: Scope, ruled: Collection[Slot]
) -> bool:
    """Whether this QUANTIZE is in `scope` and may be folded. `wiring`: producers and readers of
    tensors. `ruled`: outputs that cannot get other parameters.
    """
    floats = _dequantize(graph, wiring, operator)
    if floats is None:
        return _possible(graph, wiring, operator, scope, ruled)
    ends = (floats.inputs[0], operator.outputs[0])
    near = any(scope.decided(TensorId(graph.index, tensor)) for tensor in ends)
    return near and _alike(*(graph.tensors[tensor] for tensor in ends))


def _possible(
    graph: Subgraph, wiring: Links, operator: Operator, scope: Scope, ruled: Collection[Slot]
) -> bool:
    """Necessary conditions of `_identity`, `_composed` and `_folded`. `ruled`: outputs that cannot
    get other parameters.
    """
    source, result = operator.inputs[0], operator.outputs[0]
    producer = wiring.producer.get(source)
    if producer is None or not _alike(graph.tensors[source], graph.tensors[result]):
        return False
    if producer.operator >= 0 and graph.operators[producer.operator].name == CUT:
        return True
    readers = wiring.readers.get(result, [])
    if not readers or any(slot.operator < 0 for slot in readers):
        return False
    alone = producer.operator >= 0 and len(wiring.readers[source]) == 1
    if scope.fold and alone and producer not in ruled:
        return True
    before, after = graph.tensors[source].quant, graph.tensors[result].quant
    if before is None or after is None or not (before.per_tensor and after.per_tensor):
        return False
    noise = close_scale(before.scale[0], after.scale[0])
    return noise and before.label.zero_point == after.label.zero_point


def steps(bound: Bound, scope: Scope) -> list[Fold]:
    """The possible steps, in the order of the operators; some may exclude each other."""
    return list(_steps(_Conditions(bound, scope)))


def _steps(view: _Conditions) -> Iterator[Fold]:
    """For each QUANTIZE the first step that is possible."""
    for quantize in view.quantizes.values():
        for rule in (_identity, _through_float, _composed, _folded):
            step = rule(view, quantize)
            if step is not None:
                yield step
                break


def _identity(view: _Conditions, quantize: _Quantize) -> Fold | None:
    """The step for a QUANTIZE with equal parameters on both sides: its readers can read its input.
    None if not possible.
    """
    before, after = view.label(quantize.source), view.label(quantize.result)
    readers = view.readers(quantize.result)
    if not view.near(quantize) or not readers or view.at_boundary(quantize.result):
        return None
    noise = before.zero_point == after.zero_point and close_scale(before.scale, after.scale)
    # Kernels that compute multipliers tolerate float rounding of scales; others compare bits.
    if before != after and (not noise or any(slot in view.held for slot in readers)):
        return None
    return Fold(
        kind="identity",
        result=quantize.result,
        rewired=tuple((slot, quantize.source[1]) for slot in readers),
        removed=(*_unread(view, quantize), quantize.operator.index),
        before=before,
        after=after,
        tensors=frozenset({quantize.source, quantize.result}),
    )


def _unread(view: _Conditions, quantize: _Quantize) -> tuple[int, ...]:
    """The DEQUANTIZE that this QUANTIZE reads, as (index,), if nothing else reads its output; else
    ().
    """
    if quantize.floats is None:
        return ()
    floats = TensorId(quantize.source[0], quantize.floats.outputs[0])
    return (quantize.floats.index,) if view.readers(floats) == [quantize.reads] else ()


def _through_float(view: _Conditions, quantize: _Quantize) -> Fold | None:
    """The step for a QUANTIZE after a DEQUANTIZE: it can requantize the integers directly, if every
    target supports that. None if not possible.
    """
    if quantize.floats is None or not view.near(quantize):
        return None
    before, after = view.label(quantize.source), view.label(quantize.result)
    type_name = view.bound.model.subgraphs[quantize.source[0]].tensors[quantize.source[1]].type
    cut = view.bound.cuts.get(type_name)
    if cut is None or (cut.zero and (before.zero_point or after.zero_point)):
        return None
    if not cut.in_one(before.scale, after.scale):
        return None  # floats saturate, but integers would overflow
    return Fold(
        kind="through_float",
        result=quantize.result,
        rewired=((quantize.reads, quantize.source[1]),),
        removed=_unread(view, quantize),
        before=before,
        after=after,
        tensors=frozenset({quantize.source, quantize.result}),
    )


def _composed(view: _Conditions, quantize: _Quantize) -> Fold | None:
    """The step for a QUANTIZE after another one whose clipping has no effect: it can read the first
    one's input. None if not possible.
    """
    first = view.quantizes.get(quantize.source)
    if first is None or first.floats is not None or quantize.floats is not None:
        return None
    if not (view.near(first) and view.near(quantize)):
        return None
    between, after = view.label(quantize.source), view.label(quantize.result)
    type_name = view.bound.model.subgraphs[quantize.source[0]].tensors[quantize.source[1]].type
    passed = intersect(
        label_range(view.label(first.source), type_name), label_range(after, type_name)
    )
    if not covers(label_range(between, type_name), passed, after.scale):
        return None
    cut, source = view.bound.cuts.get(type_name), view.label(first.source)
    if cut is None or not cut.in_one(source.scale, after.scale):
        return None  # a single step would overflow
    alone = view.readers(quantize.source) == [quantize.reads]
    return Fold(
        kind="composed",
        result=first.result,
        rewired=((quantize.reads, first.source[1]),),
        removed=(first.operator.index,) if alone else (),
        before=source,
        after=between,
        tensors=frozenset({first.source, first.result, quantize.result}),
    )


def _folded(view: _Conditions, quantize: _Quantize) -> Fold | None:
    """The step for a QUANTIZE that alone reads the output of a free operator: that can write the
    QUANTIZE's parameters. None if not possible.
    """
    if quantize.floats is not None:
        return None
    producer = view.links(quantize.source).producer[quantize.source[1]]
    if (
        not view.scope.fold
        or not view.scope.decided(quantize.source)
        or quantize.source in view.quantizes
        or view.readers(quantize.source) != [quantize.reads]
        or view.at_boundary(quantize.result)
        or not view.readers(quantize.result)
        or producer.operator < 0
        or producer.kind != "outputs"
        or producer in view.held
    ):
        return None
    before, after = view.label(quantize.source), view.label(quantize.result)
    type_name = view.bound.model.subgraphs[quantize.source[0]].tensors[quantize.source[1]].type
    clamp = view.values.clamps.get(quantize.source)
    step = max(before.scale, after.scale)
    if clamp is not None and clamp.undone_by(label_range(after, type_name), step):
        return None
    if not view.limit(producer, after):
        return None
    return Fold(
        kind="folded",
        result=quantize.result,
        rewired=((producer, quantize.result[1]),),
        removed=(quantize.operator.index,),
        before=before,
        after=after,
        tensors=frozenset({quantize.source, quantize.result}),
    )
