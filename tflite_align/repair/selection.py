"""Selection of the findings to repair, and the repairs that run before the solver."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

from ..checks.binder.bound import Bound
from ..checks.checker import Finding, check_bound
from ..format.model import Model
from ..format.wiring import own_state
from ..record import replace
from ..rules.fixes import BIAS_FIXES, WEIGHT_FIXES
from ..rules.targets import Target
from .planner.changes import Change, ModelState
from .planner.metadata_fixes import as_run, mend

__all__ = ["changeable", "enforced", "mended", "wanted"]

_EITHER = frozenset({"weight-axis", "weight-zero-point"})  # one requantization repairs both

# Ids of repairs that change only the tensor in the finding's slot.
_ON_THE_SPOT = (
    BIAS_FIXES
    | WEIGHT_FIXES
    | {"missing-parameters", "parameter-axis", "state", "zero-points", "zero-scale"}
)


def wanted(
    findings: Sequence[Finding], fixes: frozenset[str], only: Literal["all", "errors"]
) -> tuple[Finding, ...]:
    """The findings to repair: their repair is enabled (`fixes`: ids) and their severity is high
    enough (`only`).

    One requantization of weights repairs both their axis and their zero point. If a tensor has both
    findings and one of the repairs is not enabled, neither is made.
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
    """The findings whose repair changes no tensor that an override keeps."""

    def kept(finding: Finding) -> bool:
        """Whether the repair would change a tensor that an override keeps."""
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
    """The bound model with the constraints that the solver has to satisfy. Left out are violated
    constraints that are not to be repaired, by their severity (`only`) or by their repair (`fixes`:
    ids of the enabled ones). `findings`: all violated constraints.
    """
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
    *,
    bind: Callable[[Model], Bound],
    targets: Sequence[Target],
    checked: tuple[Bound, Sequence[Finding]] | None = None,
) -> ModelState:
    """Repeat the repairs that need no solver until a round changes nothing: parameters can pass
    from one operator to the next in each round. They are those of `mend` and, with `bias` "as-run",
    the scales of biases.

    `bind`: binds a model; `checked`: the constraints and findings of the state's model, if already
    known; `fixes`: ids of the enabled repairs; `only`: "errors" leaves warnings unrepaired.
    """
    earlier: set[tuple[Change, ...]] = set()  # repairs without effect are not tried again
    while True:
        if checked is None:
            bound = bind(state.model)
            checked = bound, check_bound(bound)
        bound, findings = checked
        checked, model = None, bound.model
        repairable = changeable(bound, wanted(findings, fixes, only))
        plan = mend(bound, repairable, targets)
        if plan.model is model and bias == "as-run":
            plan = as_run(bound, repairable)
        if plan.model is model or plan.changes in earlier:
            return state
        earlier.add(plan.changes)
        state = state.after(plan)
