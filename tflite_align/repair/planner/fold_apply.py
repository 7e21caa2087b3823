"""QUANTIZE operators that a plan makes needless: removed, passed by, folded into what they read.

Works on what the plan leaves behind, until nothing is left to do. A step after which the checker
finds more than before is not taken.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

from ...checks.binder.bound import CUT, Bound
from ...checks.checker import check_bound
from ...format.edits import (
    AddOperator,
    AddTensor,
    Edit,
    RemoveOperator,
    SetGraphIO,
    SetOperand,
    SetOption,
)
from ...format.model import Model, OperatorId, Slot, TensorId
from ...format.writer.metadata import unknown_metadata
from ...record import Record, replace
from .after import After, applied
from .changes import Change, ChangeKind, Plan
from .fold_find import Fold, Scope, concerned, steps

__all__ = ["fold_quantizes"]

_WHY = {
    "identity": "the parameters on both sides are the same",
    "composed": "another QUANTIZE follows: one step does for both",
    "folded": "its only source writes these parameters itself",
}
_PASSED = "read past another QUANTIZE, whose range clips nothing here"


def fold_quantizes(
    drawn: Plan,
    model: Model,
    rebind: Callable[[Model], Bound],
    decided: Collection[TensorId],
    *,
    everywhere: bool = False,
    fold: bool = True,
) -> Plan:
    """The plan with every QUANTIZE taken out that its own edits, or `everywhere` the model, make
    needless.

    `model` is the original; `rebind` binds what becomes of it. `decided`: tensors of components
    that the plan touches. `fold` False: producers go on writing the parameters they write.
    """
    if unknown_metadata(model):
        return drawn  # it may count operators
    sizes = [len(graph.tensors) for graph in model.subgraphs]
    scope = Scope(
        decided=lambda key: everywhere or key in decided or key[1] >= sizes[key[0]],
        fold=fold,
    )
    there = any(one.name == CUT for graph in model.subgraphs for one in graph.operators)
    if not there and not any(isinstance(edit, AddOperator) for edit in drawn.edits):
        return drawn
    if not concerned(applied(model, drawn.edits).model, scope):
        return drawn
    state = _State.of(model, drawn, rebind)
    barred: set[tuple[str, frozenset[TensorId]]] = set()
    careful = False
    faults: int | None = None  # of `state`, once it matters
    while True:
        found = [s for s in steps(state.bound, scope) if (s.kind, s.tensors) not in barred]
        chosen = _apart(found)[: 1 if careful else None]
        if not chosen:
            return state.plan
        plan = _pruned(_carried_out(state, model, chosen), model)
        tried = _State.of(model, plan, rebind)
        faults = len(check_bound(state.bound)) if faults is None else faults
        if (found_now := len(check_bound(tried.bound))) <= faults:
            state, faults = tried, found_now
        elif careful:
            barred.add((chosen[0].kind, chosen[0].tensors))
        else:
            careful = True


class _State(Record, frozen=True):
    """A plan and what it leaves behind."""

    plan: Plan
    after: After
    bound: Bound

    @classmethod
    def of(cls, model: Model, plan: Plan, rebind: Callable[[Model], Bound]) -> _State:
        after = applied(model, plan.edits)
        return cls(plan, after, rebind(after.model))


def _apart(found: list[Fold]) -> list[Fold]:
    """Steps that share no tensor, the first ones first."""
    taken: set[TensorId] = set()
    chosen = []
    for step in found:
        if taken.isdisjoint(step.tensors):
            chosen.append(step)
            taken |= step.tensors
    return chosen


def _carried_out(state: _State, model: Model, chosen: list[Fold]) -> Plan:
    plan = state.plan
    for step in chosen:
        edits, changes = list(plan.edits), list(plan.changes)
        touched = set(plan.edited)
        for slot, tensor in step.rewired:
            edits = _rewired(edits, state.after, slot, tensor)
            old = state.after.old_slot(slot)
            touched |= {old.operator_id} if old is not None else set()
        subgraph = step.result[0]
        source = None
        if step.removed is not None:
            source = state.after.origin[OperatorId(subgraph, step.removed)]
        if isinstance(source, AddOperator):
            edits.remove(source)
            changes = _unsaid(changes, edits, step)
        elif source is not None:
            edits = _removed(edits, subgraph, source)
            touched.discard(OperatorId(subgraph, source))
        if not isinstance(source, AddOperator) or step.kind == "folded":
            changes.append(_change(state.after, model, step, inserted=source))
        plan = Plan(edits=tuple(edits), changes=tuple(changes), edited=frozenset(touched))
    return plan


def _rewired(edits: list[Edit], after: After, slot: Slot, tensor: int) -> list[Edit]:
    """Edits that let the slot name the tensor; what an earlier edit said of it is replaced."""
    source = after.origin[slot.operator_id]
    if isinstance(source, AddOperator):
        operands = list(source.inputs if slot.kind == "inputs" else source.outputs)
        operands[slot.index] = tensor
        new = (
            replace(source, inputs=tuple(operands))
            if slot.kind == "inputs"
            else replace(source, outputs=tuple(operands))
        )
        return [new if edit is source else edit for edit in edits]
    place = (slot.subgraph, source, slot.kind, slot.index)
    kept = [
        edit
        for edit in edits
        if not isinstance(edit, SetOperand)
        or (edit.subgraph, edit.operator, edit.kind, edit.index) != place
    ]
    edit = SetOperand(
        subgraph=slot.subgraph,
        operator=source,
        kind=slot.kind,
        index=slot.index,
        tensor=tensor,
    )
    return [*kept, edit]


def _removed(edits: list[Edit], subgraph: int, operator: int) -> list[Edit]:
    """An old operator left out, and what was to be done to it forgotten."""
    place = OperatorId(subgraph, operator)
    kept = [
        edit
        for edit in edits
        if not isinstance(edit, SetOperand | SetOption)
        or OperatorId(edit.subgraph, edit.operator) != place
    ]
    return [*kept, RemoveOperator(subgraph=subgraph, operator=operator)]


def _unsaid(changes: list[Change], edits: list[Edit], step: Fold) -> list[Change]:
    """Without the note of an inserted QUANTIZE that is not inserted after all."""
    like = {
        TensorId(edit.subgraph, edit.index): edit.like
        for edit in edits
        if isinstance(edit, AddTensor)
    }
    cut = (step.result[0], like.get(step.result, step.result[1]), str(step.after))
    place = next(
        (
            number
            for number, change in enumerate(changes)
            if change.kind == "cut" and (change.subgraph, change.tensor, change.after) == cut
        ),
        None,
    )
    return [change for number, change in enumerate(changes) if number != place]


def _change(
    after: After, model: Model, step: Fold, *, inserted: int | AddOperator | None
) -> Change:
    """What is told of one step. A producer that takes over from a QUANTIZE which the plan itself
    had put behind it has merely moved.
    """
    kind: ChangeKind = "moved" if isinstance(inserted, AddOperator) else "removed"
    if inserted is None:
        kind = "composed"
    subgraph, tensor = step.result
    return Change(
        kind=kind,
        subgraph=subgraph,
        tensor=tensor,
        name=after.model.subgraphs[subgraph].tensors[tensor].name,
        before=str(step.before),
        after=str(step.after),
        why=_WHY[step.kind] if inserted is not None else _PASSED,
        readers=tuple(_address(after, model, slot) for slot, _ in step.rewired),
    )


def _address(after: After, model: Model, slot: Slot) -> str:
    """The slot's address in the original; an inserted operator has none there."""
    old = after.old_slot(slot)
    if old is not None:
        return old.address(model)
    name = after.model.subgraphs[slot.subgraph].operators[slot.operator].name
    return f"subgraph[{slot.subgraph}]/inserted {name}/{slot.kind}[{slot.index}]"


# --- tensors that nobody needs any more --------------------------------------------------------


def _pruned(plan: Plan, model: Model) -> Plan:
    """Without the added tensors that nothing names any more; the others are numbered anew."""
    named = set()
    for edit in plan.edits:
        if isinstance(edit, AddOperator):
            named |= {TensorId(edit.subgraph, tensor) for tensor in (*edit.inputs, *edit.outputs)}
        elif isinstance(edit, SetOperand | SetGraphIO):
            named.add(TensorId(edit.subgraph, edit.tensor))
    added = [edit for edit in plan.edits if isinstance(edit, AddTensor)]
    if all(TensorId(edit.subgraph, edit.index) in named for edit in added):
        return plan
    numbers: dict[TensorId, int] = {}
    following = {graph.index: len(graph.tensors) for graph in model.subgraphs}
    for edit in added:
        if TensorId(edit.subgraph, edit.index) in named:
            numbers[TensorId(edit.subgraph, edit.index)] = following[edit.subgraph]
            following[edit.subgraph] += 1
    gone = {TensorId(edit.subgraph, edit.index) for edit in added} - set(numbers)
    edits = [
        _renumbered(edit, numbers)
        for edit in plan.edits
        if not isinstance(edit, AddTensor) or TensorId(edit.subgraph, edit.index) not in gone
    ]
    return replace(plan, edits=tuple(edits))


def _renumbered(edit: Edit, numbers: dict[TensorId, int]) -> Edit:
    def new(tensor: int) -> int:
        return numbers.get(TensorId(edit.subgraph, tensor), tensor)

    if isinstance(edit, AddTensor):
        return replace(edit, index=new(edit.index))
    if isinstance(edit, AddOperator):
        inputs, outputs = tuple(map(new, edit.inputs)), tuple(map(new, edit.outputs))
        return replace(edit, inputs=inputs, outputs=outputs)
    if isinstance(edit, SetOperand | SetGraphIO):
        return replace(edit, tensor=new(edit.tensor))
    return edit
