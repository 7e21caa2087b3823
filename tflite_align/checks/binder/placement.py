"""Severity that depends on where an operator runs (NPU or CPU): requirements with `only` or
`honours`.

In: the constraints of the rules, and the targets. Out: the same constraints, with the severity at
their operator's place, without those that no target requires there.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ...format.model import Model, OperatorId, Slot
from ...format.wiring import slot_tensor
from ...numerics import Label, close_scale
from ...record import replace
from ...rules.targets import Requirement, Target
from ..constraints import Constraint, Fixed, Same
from ..support.supported import on_cpu

__all__ = ["placed"]


def placed(
    model: Model, constraints: Iterable[Constraint], targets: Sequence[Target]
) -> list[Constraint]:
    """The constraints that some target requires where their operators run, with the severity that
    applies there.
    """
    placed_targets = [t for t in targets if any(lv.only or lv.honours for lv in t.requirements)]
    if not placed_targets:
        return list(constraints)
    left = {target.name: on_cpu(model, target) for target in placed_targets}
    graded = (_graded(model, constraint, left) for constraint in constraints)
    return [constraint for constraint in graded if constraint is not None]


def _graded(
    model: Model, constraint: Constraint, left: dict[str, frozenset[OperatorId]]
) -> Constraint | None:
    """The constraint with the requirements that apply where its operator runs; None if none does.
    `left`: by target, the operators that stay on the CPU.
    """
    if not any(level.only or level.honours for _, level in constraint.requirements):
        return constraint
    operator_id = OperatorId(constraint.slots[0].subgraph, constraint.slots[0].operator)
    levels = []
    for name, level in constraint.requirements:
        if operator_id in left.get(name, ()):
            levels.append((name, level))
        elif not level.only:
            levels.append((name, _honoured(model, constraint, level)))
    return replace(constraint, requirements=tuple(levels)) if levels else None


def _honoured(model: Model, constraint: Constraint, level: Requirement) -> Requirement:
    """The requirement, as a warning instead of an error if the constraint is violated only in the
    part of the parameters (scale or zero point) that the target's NPU takes into account.
    """
    if not level.honours or level.severity != "error" or not _agrees(model, constraint, level):
        return level
    part = level.honours.replace("_", " ")
    behaviour = f"the NPU honours the {part}s, the only part that differs; a CPU kernel does not"
    return replace(level, severity="warning", behaviour=behaviour)


def _agrees(model: Model, constraint: Constraint, level: Requirement) -> bool:
    """Whether the constraint is violated only in the part of the parameters that the target's NPU
    takes into account (`honours`: scale or zero point); the other part agrees.
    """
    labels = [label for slot in constraint.slots if (label := _label(model, slot)) is not None]
    if isinstance(constraint, Fixed) and labels:
        legal = constraint.labels
    elif isinstance(constraint, Same) and len(labels) > 1:
        legal, labels = (labels[0],), labels[1:]
    else:
        return False
    matching = [
        any(_alike(label, legal_label, level.honours) for legal_label in legal) for label in labels
    ]
    same = [any(_alike(label, legal_label, "") for legal_label in legal) for label in labels]
    return all(matching) and not all(same)


def _label(model: Model, slot: Slot) -> Label | None:
    """The label of a slot's tensor; None without exactly one scale."""
    tensor = slot_tensor(model, slot)
    return None if tensor is None else tensor.label


def _alike(label: Label, reference: Label, apart_from: str) -> bool:
    """Whether two labels have equal scale and zero point, not comparing the part that `apart_from`
    names.
    """
    scales = apart_from == "scale" or close_scale(label.scale, reference.scale)
    return scales and (apart_from == "zero_point" or label.zero_point == reference.zero_point)
