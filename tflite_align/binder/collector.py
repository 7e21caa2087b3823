"""What binding makes: the bound model, and the record it is collected in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from ..constraints import BoundFlow, Constraint
from ..model import Model, Slot, Tensor
from ..numerics import Range
from ..rules import Level, Target
from ..wiring import slot_tensor

__all__ = ["CUT", "Bound", "Collector", "per_tensor"]

# The operator that separates a reader from a tensor.
CUT = "QUANTIZE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """A model with its constraints.

    `rigid`: slots that must go on seeing the parameters they see now. `flows`: how real values
    pass through operators. `ranges`: real values an output slot's operator can produce at all.
    `families`: the family of each operator that has a row, by (subgraph, operator).
    `cuts`: the types within which a QUANTIZE can requantize on every target; "zero" where it
    takes zero points of 0 only. `variables`: of each variable, the slots that write its value
    (inputs) and those it is read into (outputs).
    """

    model: Model
    constraints: tuple[Constraint, ...]
    rigid: frozenset[Slot]
    flows: tuple[BoundFlow, ...]
    ranges: Mapping[Slot, Range]
    families: Mapping[tuple[int, int], str]
    cuts: Mapping[str, Literal["any", "zero"]]
    variables: tuple[tuple[Slot, ...], ...]


@dataclass(slots=True)
class Collector:
    """What binding has found so far."""

    model: Model
    targets: Sequence[Target]
    constraints: list[Constraint] = field(default_factory=list)
    rigid: set[Slot] = field(default_factory=set)
    flows: list[BoundFlow] = field(default_factory=list)
    ranges: dict[Slot, Range] = field(default_factory=dict)
    families: dict[tuple[int, int], str] = field(default_factory=dict)
    variables: list[tuple[Slot, ...]] = field(default_factory=list)

    def levels(self, rule_id: str, type_name: str) -> tuple[tuple[str, Level], ...]:
        graded = ((t.name, t.level(rule_id, type_name)) for t in self.targets)
        return tuple((name, level) for name, level in graded if level.severity != "off")

    def tensor(self, slot: Slot) -> Tensor | None:
        return slot_tensor(self.model, slot)


def per_tensor(tensor: Tensor) -> bool:
    return tensor.quant is not None and tensor.quant.per_tensor and not tensor.quant.details
