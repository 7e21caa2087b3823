"""What users say of single places, as constraints among the rules'."""

from __future__ import annotations

from collections.abc import Sequence

from ...format.model import Slot, TensorId
from ...format.wiring import links
from ...record import replace
from ..constraints import Anchored, BiasOf, Constraint, Uncut
from ..overrides import Grading, ResolvedOverrides
from .bound import Collector

__all__ = ["impose"]


def impose(found: Collector, said: ResolvedOverrides) -> dict[Slot, str]:
    """Add what the overrides ask for to what the rules do.

    Returns the slots that are rigid for an override's sake, with the override in words.
    """
    if said.gradings:
        graded = (_graded(entry, said.gradings) for entry in found.constraints)
        found.constraints = [entry for entry in graded if entry is not None]
    held_by: dict[Slot, str] = {}
    for key, words in said.kept.items():
        for slot in _holders(found, key):
            if slot not in found.rigid:
                held_by[slot] = words
    found.rigid.update(held_by)
    found.constraints += [
        Anchored(
            rule="override/anchor",
            type="",
            requirements=(),
            slots=anchor.slots,
            label=anchor.label,
            by=anchor.by,
        )
        for anchor in said.anchors
    ]
    found.constraints += [
        Uncut(rule="override/cut", type="", requirements=(), slot=slot, by=words)
        for slot, words in said.uncut.items()
    ]
    return held_by


def _graded(entry: Constraint, gradings: Sequence[Grading]) -> Constraint | None:
    """The constraint as grave as users say, the last one's word; None where it is off."""
    for grading in reversed(gradings):
        if grading.concerns(entry.rule) and not grading.slots.isdisjoint(entry.slots):
            if grading.severity == "off":
                return None
            levels = (
                (name, replace(level, severity=grading.severity))
                for name, level in entry.requirements
            )
            return replace(entry, requirements=tuple(levels))
    return entry


def _holders(found: Collector, key: TensorId) -> list[Slot]:
    """The slots that must see what they see now for a tensor to keep its parameters: the one
    that writes it, the readers of a constant, and what a bias is in units of.
    """
    wiring = links(found.model, key[0])
    if key[1] in wiring.producer:
        return [wiring.producer[key[1]]]
    biased = [
        entry.factors[0]
        for entry in found.constraints
        if isinstance(entry, BiasOf) and entry.slot.tensor_id(found.model) == key
    ]
    return biased or wiring.readers[key[1]]
