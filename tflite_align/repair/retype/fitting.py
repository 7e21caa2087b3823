"""Operand types that no kernel takes together: fitted to types that every target takes.

A computed operand of an odd type gets a QUANTIZE in front of it, an output a QUANTIZE behind it, a
constant is re-expressed, and a DEQUANTIZE of a constant is done here. Real values stay what the
file declares, as near as the types can hold them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from ...checks.binder.bound import Bound
from ...checks.checker import Finding, check_bound
from ...checks.support.kernel_breaches import distance, taken_types, types_of
from ...format.model import Model, Operator, OperatorId
from ...record import Record
from ...rules.kernels import load_kernels
from ...rules.operand_types import OperandTypes
from ...rules.targets import Target
from ..planner.changes import Change
from ..planner.draft import Draft
from .fit_operator import fit
from .other_type import fold_dequantize

__all__ = ["Retyped", "fitting_types", "retype"]

_TYPES = "types"
_VERSION = "registered-version"


_Place = tuple[int, int | None, tuple[int, ...]]  # an operator, wherever it stands


class Retyped(Record, frozen=True, kw_only=True):
    """The model with operand types that fit: the given one where nothing was done. `edited`:
    operators by their index in the file that was read.
    """

    model: Model
    changes: tuple[Change, ...] = ()
    edited: frozenset[OperatorId] = frozenset()


def retype(
    model: Model,
    targets: Sequence[Target],
    bind: Callable[[Model], Bound],
    wanted: Callable[[Bound, Sequence[Finding]], Sequence[Finding]],
    *,
    checked: tuple[Bound, Sequence[Finding]],
    edited: frozenset[OperatorId] = frozenset(),
) -> Retyped:
    """Fit the operand types of each operator that a finding of rule `types/...` names, and lower
    versions that are not registered.

    `checked`: what `model` is bound to, and its findings; `wanted` picks those to be repaired. What
    one operator gets may change what the next one reads: it is done until nothing more can be.
    """
    state = Retyped(model=model, edited=edited)
    tried: set[_Place] = set()
    while True:
        draft = Draft(state.model)
        for finding in wanted(*checked):
            if finding.fix == _VERSION:
                _lower(draft, finding, targets)
            elif finding.fix == _TYPES and not draft.changed:
                _repair(draft, finding, targets, tried)
        plan = draft.plan()
        if plan.model is state.model:
            return state
        state = Retyped(
            model=plan.model,
            changes=(*state.changes, *plan.changes),
            edited=state.edited | plan.edited_origins(state.model),
        )
        bound = bind(state.model)
        checked = bound, check_bound(bound)


def _lower(draft: Draft, finding: Finding, targets: Sequence[Target]) -> None:
    """The last version that every set of kernels registers."""
    slot = finding.slot
    operator = draft.model.subgraphs[slot.subgraph].operators[slot.operator]
    rows = [load_kernels(name)[operator.name] for t in targets for name in t.kernels]
    version = min(row.versions[1] for row in rows if row.versions)
    draft.graph(slot.subgraph).set_operator(slot.operator, version=version)
    draft.touched.add(slot.operator_id)
    why = "the last version that the runtimes register"
    key = finding.tensor_id
    draft.note("parameters", key, finding.actual, f"version {version}", why=why, readers=(slot,))


def _repair(
    draft: Draft,
    finding: Finding,
    targets: Sequence[Target],
    tried: set[_Place],
) -> None:
    """Fit one operator, unless that was tried before; nothing where no way is open."""
    slot = finding.slot
    operator = draft.model.subgraphs[slot.subgraph].operators[slot.operator]
    given = types_of(draft.model.subgraphs[slot.subgraph], operator)
    place = (slot.subgraph, operator.origin, operator.outputs if operator.origin is None else ())
    if place in tried:
        return
    tried.add(place)
    if fold_dequantize(draft, slot.subgraph, operator):
        return
    for types in fitting_types(operator, given, targets):
        if fit(draft, slot.subgraph, operator, types, targets):
            return


def fitting_types(
    operator: Operator, given: OperandTypes, targets: Collection[Target]
) -> list[OperandTypes]:
    """Types that every target takes: those that differ least, all of them as near."""
    rows = [
        [load_kernels(name)[operator.name] for name in target.kernels]
        for target in targets
        if target.kernels
    ]
    if any(operator.name not in load_kernels(name) for t in targets for name in t.kernels):
        return []
    found = taken_types((row for group in rows for row in group), given)
    taken = [
        types
        for types in found
        if all(
            any(row.outcome(types) == "right" for row in group)
            and not any(row.outcome(types) == "wrong" for row in group)
            for group in rows
        )
    ]
    least = min((distance(given, types) for types in taken), default=0)
    return [types for types in taken if distance(given, types) == least]
