"""Repair of operand types that no kernel supports together: the operator gets types that every
target supports.

A computed input of a wrong type gets a QUANTIZE before the operator, an output one after it; a
constant is requantized, and a DEQUANTIZE of a constant is folded. Declared real values are kept as
precisely as the types allow.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence

from ...checks.binder.bound import Bound
from ...checks.checker import Finding, check_bound
from ...checks.support.taken_types import distance, taken_types, types_of
from ...format.model import Model, Operator, Slot, TensorId
from ...format.type_groups import BIAS_TYPES, FLOATS
from ...rules.kernels import load_kernels
from ...rules.operand_types import ABSENT, OperandTypes
from ...rules.operator_rows import load_operators
from ...rules.rows import BiasRule
from ...rules.targets import Target
from ..planner.changes import ModelState
from ..planner.draft import Draft
from .fit_operator import fit
from .other_type import fold_dequantize

__all__ = ["fitting_types", "retype"]

_TYPES = "types"


# identity of an operator, also after others were inserted
_Place = tuple[int, int | None, tuple[int, ...]]


def retype(
    state: ModelState,
    targets: Sequence[Target],
    bind: Callable[[Model], Bound],
    selected: Callable[[Bound, Sequence[Finding]], Sequence[Finding]],
    *,
    checked: tuple[Bound, Sequence[Finding]],
) -> ModelState:
    """Repair the operand types of each operator with a finding `types/...`.

    `checked`: constraints and findings of the state's model. `selected`: picks the findings to
    repair. A repair may change types at neighbours, which wait for the next pass; passes repeat
    until none changes anything. `bind`: binds a model to the rules.
    """
    attempted: set[_Place] = set()
    while True:
        draft = Draft(state.model)
        touched: set[TensorId] = set()
        for finding in selected(*checked):
            if finding.fix == _TYPES:
                neighbours = _beside(draft, finding.slot)
                if touched.isdisjoint(neighbours) and _repair(draft, finding, targets, attempted):
                    touched |= neighbours
        plan = draft.plan()
        if plan.model is state.model:
            return state
        state = state.after(plan)
        bound = bind(state.model)
        checked = bound, check_bound(bound)


def _beside(draft: Draft, slot: Slot) -> set[TensorId]:
    """The computed tensors that the slot's operator uses, and those of operators that read its
    outputs: repairs that share one are not made in the same pass.
    """
    graph, subgraph = draft.model.subgraphs[slot.subgraph], slot.subgraph
    readers = draft.links(subgraph).readers
    outputs = graph.operators[slot.operator].outputs
    near = {read.operator for tensor in outputs for read in readers.get(tensor, ())}
    tensors = {
        tensor
        for operator_index in {slot.operator, *near}
        if operator_index >= 0
        for tensor in (
            *graph.operators[operator_index].inputs,
            *graph.operators[operator_index].outputs,
        )
    }
    return {
        TensorId(subgraph, tensor)
        for tensor in tensors
        if tensor >= 0 and draft.model.constant(subgraph, tensor) is None
    }


def _repair(
    draft: Draft,
    finding: Finding,
    targets: Sequence[Target],
    attempted: set[_Place],
) -> bool:
    """Repair one operator, unless it was tried before (`attempted`); False if no repair is
    possible. `targets`: runtimes for which the result must be legal.
    """
    slot = finding.slot
    operator = draft.model.subgraphs[slot.subgraph].operators[slot.operator]
    operand_types = types_of(draft.model.subgraphs[slot.subgraph], operator)
    identity = (slot.subgraph, operator.origin, operator.outputs if operator.origin is None else ())
    if identity in attempted:
        return False
    attempted.add(identity)
    if fold_dequantize(draft, slot.subgraph, operator):
        return True
    return any(
        fit(draft, slot.subgraph, operator, types, targets)
        for variant_types in (operand_types, *_other_biases(operator, operand_types))
        for types in fitting_types(operator, variant_types, targets)
    )


def _other_biases(operator: Operator, given: OperandTypes) -> Iterator[OperandTypes]:
    """The operand types `given`, once with each other bias type that the operator's bias rule
    allows: that rule's own repair changes the bias.
    """
    row = load_operators().get(operator.name)
    for rule in row.rules if row is not None else ():
        if not isinstance(rule, BiasRule):
            continue
        for place in rule.slot.select(len(given.inputs)):
            for kind in (k for k in BIAS_TYPES if k != given.inputs[place] != ABSENT):
                inputs = (*given.inputs[:place], kind, *given.inputs[place + 1 :])
                yield OperandTypes(inputs, given.outputs)


def fitting_types(
    operator: Operator, operand_types: OperandTypes, targets: Collection[Target]
) -> list[OperandTypes]:
    """Combinations of operand types that every target computes right, those with the fewest
    differences from `operand_types` first. Only the combinations with the least number of
    differences and those without floats are returned; none if a target's tables lack the operator.
    """
    rows = [
        [load_kernels(name)[operator.name] for name in target.kernels]
        for target in targets
        if target.kernels
    ]
    if any(operator.name not in load_kernels(name) for t in targets for name in t.kernels):
        return []
    signatures = taken_types((row for group in rows for row in group), operand_types)
    possible = [
        types
        for types in signatures
        if all(
            any(row.outcome(types) == "right" for row in group)
            and not any(row.outcome(types) == "wrong" for row in group)
            for group in rows
        )
    ]
    least = min((distance(operand_types, types) for types in possible), default=0)
    near = [
        types
        for types in possible
        if distance(operand_types, types) == least
        or {*FLOATS}.isdisjoint((*types.inputs, *types.outputs))
    ]
    return sorted(near, key=lambda types: distance(operand_types, types))
