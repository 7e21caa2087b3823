"""Turn user overrides (keep, anchor, no-cut, severity) into constraints."""

from __future__ import annotations

from collections.abc import Sequence

from ...format.model import Slot, TensorId
from ...format.wiring import links
from ...record import replace
from ..constraints import Anchored, BiasOf, Constraint, Uncut
from ..overrides import Grading, ResolvedOverrides
from .bound import Collector

__all__ = ["impose"]


def impose(collector: Collector, overrides: ResolvedOverrides) -> dict[Slot, str]:
    """Add the constraints of the overrides to the collector.

    Returns the slots that an override makes rigid, each with the override in words.
    """
    if overrides.gradings:
        graded = (_graded(constraint, overrides.gradings) for constraint in collector.constraints)
        collector.constraints = [constraint for constraint in graded if constraint is not None]
    held_by: dict[Slot, str] = {}
    for key, words in overrides.kept.items():
        for slot in _holders(collector, key):
            if slot not in collector.rigid:
                held_by[slot] = words
    collector.rigid.update(held_by)
    collector.constraints += [
        Anchored(
            rule="override/anchor",
            type="",
            requirements=(),
            slots=anchor.slots,
            label=anchor.label,
            by=anchor.by,
        )
        for anchor in overrides.anchors
    ]
    collector.constraints += [
        Uncut(rule="override/cut", type="", requirements=(), slot=slot, by=words)
        for slot, words in overrides.uncut.items()
    ]
    return held_by


def _graded(constraint: Constraint, gradings: Sequence[Grading]) -> Constraint | None:
    """The constraint with the severity that the user gave it, the last override winning; None if it
    is switched off. `gradings`: severities given by the user, by rule and place.
    """
    for grading in reversed(gradings):
        if grading.concerns(constraint.rule) and not grading.slots.isdisjoint(constraint.slots):
            if grading.severity == "off":
                return None
            levels = (
                (name, replace(level, severity=grading.severity))
                for name, level in constraint.requirements
            )
            return replace(constraint, requirements=tuple(levels))
    return constraint


def _holders(collector: Collector, key: TensorId) -> list[Slot]:
    """The slots that must be rigid so that a tensor keeps its parameters: the slot that writes it;
    for a bias the first factor of its scale; for another constant its readers. `key`: (subgraph,
    tensor).
    """
    wiring = links(collector.model, key[0])
    if key[1] in wiring.producer:
        return [wiring.producer[key[1]]]
    biased = [
        constraint.factors[0]
        for constraint in collector.constraints
        if isinstance(constraint, BiasOf) and constraint.slot.tensor_id(collector.model) == key
    ]
    return biased or wiring.readers[key[1]]
