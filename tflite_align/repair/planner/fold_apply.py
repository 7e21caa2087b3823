"""Removal of QUANTIZE operators that a plan makes redundant: removed, bypassed, or folded into the
operator before.

Repeats on the planned model until no step is possible. A step that would add findings is not
applied.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

from ...checks.binder.bound import CUT, Bound
from ...checks.checker import check_bound
from ...format.model import Model, Operator, OperatorId, Slot, Subgraph, Tensor, TensorId
from ...format.writer.metadata import unknown_metadata
from ...record import Record, replace
from .changes import Change, ChangeKind, Plan
from .draft import Draft
from .fold_find import Fold, Scope, concerned, steps

__all__ = ["fold_quantizes"]

_WHY = {
    "identity": "the parameters on both sides are the same",
    "composed": "another QUANTIZE follows: one conversion replaces both",
    "folded": "the operator in front writes these parameters itself",
    "through_float": "it reads the integers that a DEQUANTIZE converted to float",
}
_PASSED = "reads the input of another QUANTIZE, which does not clip these values"


def fold_quantizes(
    plan: Plan,
    before: Bound,
    rebind: Callable[[Model], Bound],
    decided: Collection[TensorId],
    *,
    everywhere: bool = False,
    fold: bool = True,
) -> Plan:
    """The plan without QUANTIZE operators that its changes, or with `everywhere` any part of the
    model, make redundant.

    `before`: the model that the plan started from, with its rules. `rebind`: binds a changed model.
    `decided`: tensors of components that the plan changes. With `fold` False, no operator's output
    gets other parameters.
    """
    base = before.model
    if unknown_metadata(base):
        return plan  # unknown metadata that may depend on operator indices
    sizes = [len(graph.tensors) for graph in base.subgraphs]
    scope = Scope(
        decided=lambda key: everywhere or key in decided or key[1] >= sizes[key[0]],
        fold=fold,
    )
    operators = (operator for graph in plan.model.subgraphs for operator in graph.operators)
    if not any(operator.name == CUT for operator in operators):
        return plan
    if not concerned(plan.model, scope, before):
        return plan
    return _folded(plan, base, rebind, scope)


def _folded(plan: Plan, base: Model, rebind: Callable[[Model], Bound], scope: Scope) -> Plan:
    """Apply possible folds repeatedly, as long as that adds no finding: first many at once and, if
    they add one, one by one. `rebind`: binds a model to the rules.
    """
    bound = rebind(plan.model)
    barred: set[tuple[str, frozenset[TensorId]]] = set()
    careful = False
    faults: int | None = None  # number of findings of the plan's model; None: not counted yet
    while True:
        possible = [s for s in steps(bound, scope) if (s.kind, s.tensors) not in barred]
        chosen = _apart(possible)[: 1 if careful else None]
        if not chosen:
            return plan
        folded_plan = _pruned(_Step(plan, base).take(chosen), base)
        rebound = rebind(folded_plan.model)
        faults = len(check_bound(bound)) if faults is None else faults
        if (remaining := len(check_bound(rebound))) <= faults:
            plan, bound, faults = folded_plan, rebound, remaining
        elif careful:
            barred.add((chosen[0].kind, chosen[0].tensors))
        else:
            careful = True


def _apart(possible: list[Fold]) -> list[Fold]:
    """The folds in order, without those that concern a tensor of an earlier one. `possible`: all
    folds found.
    """
    tensor_ids: set[TensorId] = set()
    chosen = []
    for step in possible:
        if tensor_ids.isdisjoint(step.tensors):
            chosen.append(step)
            tensor_ids |= step.tensors
    return chosen


class _Step(Record, frozen=True):
    """Applies folds to a plan's model. Changes name operators by their index in `base`."""

    plan: Plan
    base: Model

    def take(self, chosen: list[Fold]) -> Plan:
        """The plan with these folds applied. `chosen`: the folds."""
        draft = Draft(self.plan.model)
        changes, edited = list(self.plan.changes), set(self.plan.edited)
        for step in chosen:
            for slot, tensor in step.rewired:
                draft.rewire(slot, tensor)
                base_slot = self._base_place(slot)
                edited |= {OperatorId(slot.subgraph, base_slot)} if base_slot is not None else set()
            subgraph = step.result[0]
            inserted = False
            for operator in step.removed:
                draft.graph(subgraph).remove(operator)
                base_slot = self._base_place(Slot(subgraph, operator, "inputs", 0))
                inserted = base_slot is None
                if base_slot is not None:
                    edited.discard(OperatorId(subgraph, base_slot))
            if inserted:
                changes = _unsaid(changes, self.plan.model, self.base, step)
            if not inserted or step.kind == "folded":
                changes.append(self._change(step, inserted=inserted))
        return Plan(model=draft.plan().model, changes=tuple(changes), edited=frozenset(edited))

    def _base_place(self, slot: Slot) -> int | None:
        """The index in `base` of the slot's operator; -1 for a graph input or output; None for an
        inserted operator.
        """
        if slot.operator < 0:
            return slot.operator
        operator = self.plan.model.subgraphs[slot.subgraph].operators[slot.operator]
        return _place_in(self.base.subgraphs[slot.subgraph], operator)

    def _change(self, step: Fold, *, inserted: bool) -> Change:
        """The record of one step. `inserted`: the same plan inserted the QUANTIZE, so that the
        report shows no removal, but that the tensor takes the parameters of the QUANTIZE's output.
        """
        change_kind: ChangeKind = "moved" if inserted else "removed"
        if not step.removed or step.kind == "through_float":
            change_kind = "composed"
        subgraph, tensor = step.result
        return Change(
            kind=change_kind,
            subgraph=subgraph,
            tensor=tensor,
            name=self.plan.model.subgraphs[subgraph].tensors[tensor].name,
            before=str(step.before),
            after=str(step.after),
            why=_WHY[step.kind] if step.removed or step.kind != "composed" else _PASSED,
            readers=tuple(self._address(slot) for slot, _ in step.rewired),
        )

    def _address(self, slot: Slot) -> str:
        """The slot's address in `base`; for an inserted operator one that names it as inserted."""
        base_slot = self._base_place(slot)
        if base_slot is not None:
            return slot._replace(operator=base_slot).address(self.base)
        name = self.plan.model.subgraphs[slot.subgraph].operators[slot.operator].name
        return f"subgraph[{slot.subgraph}]/inserted {name}/{slot.kind}[{slot.index}]"


def _place_in(graph: Subgraph, operator: Operator) -> int | None:
    """Index of the operator in an earlier state of its subgraph; None if it is not there."""
    for one in graph.operators:
        if operator.origin is not None and one.origin == operator.origin:
            return one.index
        if operator.origin is None and one.origin is None and one.outputs == operator.outputs:
            return one.index
    return None


def _unsaid(changes: list[Change], model: Model, base: Model, step: Fold) -> list[Change]:
    """The changes without the one that recorded the insertion of the QUANTIZE that this fold
    removes again.
    """
    subgraph, tensor = step.result
    added = tensor >= len(base.subgraphs[subgraph].tensors)
    like = model.subgraphs[subgraph].tensors[tensor].like if added else tensor
    cut = (subgraph, like, str(step.after))
    position = next(
        (
            index
            for index, change in enumerate(changes)
            if change.kind == "cut" and (change.subgraph, change.tensor, change.after) == cut
        ),
        None,
    )
    return [change for index, change in enumerate(changes) if index != position]


# --- tensors that no operator reads any more --------------------------------------------------------


def _pruned(plan: Plan, base: Model) -> Plan:
    """Remove added tensors that no operator uses any more, and their changes.

    The remaining added tensors are renumbered, in the changes too.
    """
    numbers = {}
    for graph, old in zip(plan.model.subgraphs, base.subgraphs, strict=True):
        kept = _kept(graph, len(old.tensors))
        if len(kept) < len(graph.tensors):
            numbers[graph.index] = {tensor.index: index for index, tensor in enumerate(kept)}
    if not numbers:
        return plan
    subgraphs = tuple(
        _renumbered(graph, numbers[graph.index]) if graph.index in numbers else graph
        for graph in plan.model.subgraphs
    )
    changes = tuple(
        replace(change, tensor=numbers.get(change.subgraph, {}).get(change.tensor, change.tensor))
        for change in plan.changes
        if change.tensor in numbers.get(change.subgraph, (change.tensor,))
    )
    return replace(plan, model=replace(plan.model, subgraphs=subgraphs), changes=changes)


def _kept(graph: Subgraph, count: int) -> list[Tensor]:
    """The tensors to keep; `count`: number of tensors that the subgraph had before the plan."""
    named = {*graph.inputs, *graph.outputs}
    for operator in graph.operators:
        named.update(operator.inputs, operator.outputs)
    return [tensor for tensor in graph.tensors if tensor.index < count or tensor.index in named]


def _renumbered(graph: Subgraph, numbers: dict[int, int]) -> Subgraph:
    """The subgraph with only the tensors in `numbers`: old index -> new index."""
    kept = [tensor for tensor in graph.tensors if tensor.index in numbers]

    def like(tensor: Tensor) -> int | None:
        """The new index of the tensor whose shape an added tensor has; None if that was removed."""
        shaped = tensor.like
        while shaped is not None and shaped not in numbers:
            shaped = graph.tensors[shaped].like
        return None if shaped is None else numbers[shaped]

    def renumbered(tensors: tuple[int, ...]) -> tuple[int, ...]:
        """The new indices. `tensors`: the old ones."""
        return tuple(numbers.get(tensor, tensor) for tensor in tensors)

    return replace(
        graph,
        tensors=tuple(
            tensor
            if tensor.index == position
            else replace(tensor, index=position, like=like(tensor))
            for position, tensor in enumerate(kept)
        ),
        operators=tuple(
            replace(
                operator, inputs=renumbered(operator.inputs), outputs=renumbered(operator.outputs)
            )
            for operator in graph.operators
        ),
        inputs=renumbered(graph.inputs),
        outputs=renumbered(graph.outputs),
    )
