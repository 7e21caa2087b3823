"""Solution -> edits. The plan is values; nothing is written here."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace

from ..binder import Bound
from ..checker import Finding
from ..model import SetQuant, Slot
from ..numerics import Label
from ..solver import Conflict, Solution
from .activations import plan_activations
from .biases import plan_biases
from .draft import Draft, relabelled, show
from .records import Change, Plan
from .weights import plan_weights

__all__ = ["Change", "Plan", "plan"]

_AXIS_RULES = ("params/axis", "params/length")


def plan(
    bound: Bound, solution: Solution, findings: Iterable[Finding]
) -> tuple[Plan, list[Conflict]]:
    """Edits that carry out the solution and repair the findings that need no solver.

    Returns the plan and what it could not do.
    """
    draft = Draft(bound.model)
    findings = list(findings)
    plan_activations(draft, solution, bound.rigid)
    moved: dict[Slot, tuple[float, ...]] = {}
    for slot, label in solution.seen.items():
        tensor = draft.tensor(slot.subgraph, slot.tensor(bound.model))
        if tensor.quant is not None and Label(*tensor.quant.label) != label:
            moved[slot] = (label.scale,)
    moved.update(plan_weights(draft, bound, findings))
    broken = frozenset(f.slot for f in findings if f.rule.startswith("bias/"))
    conflicts = plan_biases(draft, bound, moved, broken)
    _plan_axes(draft, findings)
    _plan_powers(draft, findings)
    return (
        Plan(
            edits=tuple(draft.edits),
            changes=tuple(draft.changes),
            edited=frozenset(draft.touched),
        ),
        conflicts,
    )


def _plan_powers(draft: Draft, findings: list[Finding]) -> None:
    """A state whose scale has to be a power of two: the next one up, which clips nothing."""
    for finding in findings:
        key = (finding.slot.subgraph, finding.tensor)
        tensor = draft.tensor(*key)
        if not finding.rule.startswith("power/") or not finding.fixable or tensor.quant is None:
            continue
        scale, zero_point = tensor.quant.label
        new = Label(2.0 ** math.ceil(math.log2(scale)), zero_point)
        draft.set_quant(*key, relabelled(tensor, new))
        draft.note(
            "parameters",
            key,
            show((scale, zero_point)),
            show(new),
            why=finding.behaviour,
            readers=(finding.slot,),
        )


def _plan_axes(draft: Draft, findings: list[Finding]) -> None:
    """A quantized_dimension that cannot be meant, where only one axis is possible."""
    written = {(edit.subgraph, edit.tensor) for edit in draft.edits if isinstance(edit, SetQuant)}
    for finding in findings:
        key = (finding.slot.subgraph, finding.tensor)
        if finding.rule not in _AXIS_RULES or not finding.fixable or key in written:
            continue
        tensor = draft.tensor(*key)
        if tensor.quant is None:
            continue
        old, count = tensor.quant.quantized_dimension, len(tensor.quant.scale)
        if count > 1 and tensor.shape.count(count) != 1:
            continue
        axis = tensor.shape.index(count) if count > 1 else 0
        written.add(key)
        draft.set_quant(*key, replace(tensor.quant, quantized_dimension=axis))
        draft.note(
            "parameters",
            key,
            f"quantized_dimension {old}",
            f"quantized_dimension {axis}",
            why=finding.behaviour,
            readers=(finding.slot,),
        )
