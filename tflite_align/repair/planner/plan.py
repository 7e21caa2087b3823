"""Applies a solution to the model. No file is written here."""

from __future__ import annotations

import math
from collections.abc import Iterable

from ...checks.binder.bound import FUSED, Bound
from ...checks.checker import Finding
from ...checks.constraints import Power
from ...format.model import Slot, TensorId
from ...numerics import Label
from ...rules.fixes import BIAS_FIXES, enabled_fixes
from ...solver.problem_records import Conflict, Solution
from .activations import plan_activations
from .biases import plan_biases
from .changes import Plan
from .draft import Draft, relabelled
from .overflow import Room, plan_overflows
from .weights import plan_weights

__all__ = ["plan"]


def plan(
    bound: Bound,
    solution: Solution,
    findings: Iterable[Finding],
    fixes: frozenset[str] | None = None,
) -> tuple[Plan, list[Conflict]]:
    """Apply the solution and repair the findings that need no solver.

    `fixes`: ids of the enabled repairs; None for the default ones. Returns (plan, conflicts of
    repairs that are impossible).
    """
    draft = Draft(bound.model)
    findings = list(findings)
    fixes = enabled_fixes() if fixes is None else fixes
    plan_activations(draft, solution, bound)
    _plan_clamps(draft, solution)
    moved: dict[Slot, tuple[float, ...]] = {}
    for slot, label in solution.seen.items():
        tensor = draft.tensor(slot.subgraph, slot.tensor(bound.model))
        if tensor.quant is not None and tensor.quant.label != label:
            moved[slot] = (label.scale,)
    moved.update(plan_weights(draft, bound, findings))
    broken = frozenset(f.slot for f in findings if f.fix in BIAS_FIXES)
    room = plan_overflows(draft, bound, moved, broken) if "bias-overflow" in fixes else Room()
    moved.update(room.seen)
    conflicts = plan_biases(draft, bound, moved, broken, fixes, refused=room.refused)
    _plan_states(draft, bound, findings)
    return (
        draft.plan(),
        conflicts,
    )


def _plan_clamps(draft: Draft, solution: Solution) -> None:
    """Set the fused activation of operators whose new output range no longer implies the clamp
    (folded ReLU) of the declared one.
    """
    for slot, activation in solution.activations.items():
        draft.graph(slot.subgraph).set_option(slot.operator, FUSED, activation)
        draft.touched.add(slot.operator_id)
        key = slot.tensor_id(draft.model)
        why = "the clamp of its former range, which is wider now"
        draft.note(
            "activation", key, "none (the range clamps)", activation.name, why=why, readers=(slot,)
        )


def _plan_states(draft: Draft, bound: Bound, findings: list[Finding]) -> None:
    """Change the parameters of a state tensor that only one operator uses.

    A scale that must be a power of two becomes the next larger one, which clips nothing; a zero
    point that the kernel treats as 0 becomes 0. `findings`: those to repair.
    """
    new: dict[TensorId, tuple[Label, Finding]] = {}
    powers = {(c.rule, c.slot) for c in bound.of(Power)}
    for finding in findings:
        if finding.fix != "state":
            continue
        key = finding.tensor_id
        quant = draft.tensor(*key).quant
        if quant is None:
            continue
        label = new[key][0] if key in new else quant.label
        if (finding.rule, finding.slot) in powers:
            label = Label(2.0 ** math.ceil(math.log2(label.scale)), label.zero_point)
        else:
            label = Label(label.scale, 0)
        new[key] = (label, finding)
    for key, (label, finding) in new.items():
        tensor = draft.tensor(*key)
        before = str(tensor.quant.label) if tensor.quant is not None else ""
        draft.set_quant(*key, relabelled(tensor, label))
        slots = (finding.slot,)
        draft.note("parameters", key, before, str(label), why=finding.behaviour, readers=slots)
