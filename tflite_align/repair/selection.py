"""Which findings are repaired, and the repairs that come before everything else."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

from ..checks.binder.bound import Bound
from ..checks.checker import Finding, check_bound
from ..format.model import Model
from ..format.wiring import own_state
from ..record import replace
from ..rules.fixes import BIAS_FIXES, WEIGHT_FIXES
from .planner.changes import Change, ModelState
from .planner.metadata_fixes import as_run, mend

__all__ = ["changeable", "enforced", "mended", "wanted"]

_EITHER = frozenset({"weight-axis", "weight-zero-point"})  # one requantization does both

# What is repaired by changing the tensor in the slot and nothing else.
_ON_THE_SPOT = (
    BIAS_FIXES | WEIGHT_FIXES | {"missing-parameters", "parameter-axis", "state", "zero-scale"}
)


def wanted(
    findings: Sequence[Finding], fixes: frozenset[str], only: Literal["all", "errors"]
) -> tuple[Finding, ...]:
    """The findings that are to be repaired: those of a fix that is on, and grave enough.

    Of a weight with two faults neither is, where the repair of one would mend the other that is
    to stay.
    """
    switched_off = {f.slot for f in findings if f.fix in _EITHER and f.fix not in fixes}
    return tuple(
        finding
        for finding in findings
        if finding.fix in fixes
        and (only == "all" or finding.severity == "error")
        and not (finding.fix in _EITHER and finding.slot in switched_off)
    )


def changeable(bound: Bound, findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """The findings whose repair changes no tensor that a user keeps."""

    def kept(finding: Finding) -> bool:
        if finding.tensor_id not in bound.kept:
            return False
        return finding.fix in _ON_THE_SPOT or own_state(bound.model, finding.slot)

    return tuple(finding for finding in findings if not bound.kept or not kept(finding))


def enforced(
    bound: Bound,
    findings: Sequence[Finding],
    fixes: frozenset[str],
    only: Literal["all", "errors"],
) -> Bound:
    """The constraints to satisfy: all but those that are broken and are to stay so."""
    graded = {(f.rule, f.slot) for f in findings if only == "errors" and f.severity != "error"}
    switched_off = {(f.rule, f.slot) for f in findings if f.fix and f.fix not in fixes}
    if not graded and not switched_off:
        return bound
    remaining = []
    for constraint in bound.constraints:
        slots = constraint.slots
        if constraint.severity != "error" and any((constraint.rule, s) in graded for s in slots):
            continue
        rest = constraint.without(
            {slot for slot in slots if (constraint.rule, slot) in switched_off}
        )
        if rest is not None:
            remaining.append(rest)
    return replace(bound, constraints=tuple(remaining))


def mended(
    state: ModelState,
    fixes: frozenset[str],
    only: Literal["all", "errors"],
    bias: Literal["declared", "as-run"],
    bind: Callable[[Model], Bound],
    *,
    checked: tuple[Bound, Sequence[Finding]] | None = None,
) -> ModelState:
    """Missing parameters, names and ranges, and biases read as run: none changes an integer.

    Parameters may be handed on from operator to operator, one a round. `checked`: what the state's
    model is bound to and its findings, where that is known already.
    """
    earlier: set[tuple[Change, ...]] = set()  # repairs without effect are not tried again
    while True:
        if checked is None:
            bound = bind(state.model)
            checked = bound, check_bound(bound)
        bound, findings = checked
        checked, model = None, bound.model
        repairable = changeable(bound, wanted(findings, fixes, only))
        plan = mend(bound, repairable)
        if plan.model is model and bias == "as-run":
            plan = as_run(bound, repairable)
        if plan.model is model or plan.changes in earlier:
            return state
        earlier.add(plan.changes)
        state = state.after(plan)
