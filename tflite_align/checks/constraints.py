"""Constraints on slots: a rule bound to a place in a model. What checker and solver both read."""

from __future__ import annotations

from typing import Literal

from ..format.model import Slot
from ..numerics import Label
from ..record import Record
from ..rules.rows import Flow, WindowRule
from ..rules.targets import Requirement

__all__ = [
    "Anchored",
    "BiasOf",
    "BoundFlow",
    "Constraint",
    "Fixed",
    "Power",
    "Same",
    "Supported",
    "Uncut",
    "Weight",
    "WellFormed",
    "Window",
    "ZeroPoint",
    "constrained",
]


class Constraint(Record, frozen=True, kw_only=True):
    """`levels` grades it for each target that requires it: (target name, level)."""

    rule: str
    type: str
    requirements: tuple[tuple[str, Requirement], ...]

    @property
    def severity(self) -> Literal["error", "warning"]:
        return "error" if any(lv.severity == "error" for _, lv in self.requirements) else "warning"


class Same(Constraint, frozen=True, kw_only=True):
    """All slots share (scale, zero_point). `reference` is the one the others are measured by."""

    slots: tuple[Slot, ...]
    reference: Slot


class Fixed(Constraint, frozen=True, kw_only=True):
    """The slot has one of these labels; a repair writes the first."""

    slot: Slot
    labels: tuple[Label, ...]


class ZeroPoint(Constraint, frozen=True, kw_only=True):
    """The slot's zero point is 0."""

    slot: Slot


class Weight(Constraint, frozen=True, kw_only=True):
    slot: Slot
    axis: int | None
    symmetric: bool
    minimum: int | None


class BiasOf(Constraint, frozen=True, kw_only=True):
    """scale = multiplier x scales of the factors (the last may be per-axis), zero point 0, and
    one of the legal types, the first of which a repair writes.
    """

    slot: Slot
    factors: tuple[Slot, ...]
    multiplier: float
    legal_types: tuple[str, ...]
    option: str = ""  # the operator's option that states the bias's type
    stated: str = ""  # the type it states; empty where it states none


class Window(Constraint, frozen=True, kw_only=True):
    form: Literal["product", "maximum", "square", "each"]
    numerator: tuple[Slot, ...]
    denominator: tuple[Slot, ...]
    window: WindowRule


class Power(Constraint, frozen=True, kw_only=True):
    slot: Slot


class WellFormed(Constraint, frozen=True, kw_only=True):
    """A tensor's parameters can be read at all: `rule` names the part that cannot. `like`: a slot whose parameters
    the tensor shares, where it has none of its own.
    """

    slot: Slot
    expected: str
    actual: str
    fixable: bool = False
    like: Slot | None = None


class Supported(Constraint, frozen=True, kw_only=True):
    """A limit of what a target takes, which the operator of this slot does not keep. Nothing
    that alignment does could repair it.
    """

    slot: Slot
    expected: str
    actual: str
    sentence: str


class Anchored(Constraint, frozen=True, kw_only=True):
    """A user's: the groups of these slots take this label. No state of a file breaks it."""

    slots: tuple[Slot, ...]
    label: Label
    by: str  # the override, in words


class Uncut(Constraint, frozen=True, kw_only=True):
    """A user's: no QUANTIZE is inserted before this slot. No state of a file breaks it."""

    slot: Slot
    by: str


def constrained(entry: Constraint) -> tuple[Slot, ...]:
    """The slots at which a constraint can be found broken."""
    match entry:
        case Same(slots=slots) | Anchored(slots=slots):
            return slots
        case Window(numerator=over, denominator=under):
            return (*over, *under)
        case (
            Fixed(slot=slot)
            | ZeroPoint(slot=slot)
            | Weight(slot=slot)
            | BiasOf(slot=slot)
            | Power(slot=slot)
            | WellFormed(slot=slot)
            | Supported(slot=slot)
            | Uncut(slot=slot)
        ):
            return (slot,)
    raise TypeError(f"no slots are known of a {type(entry).__name__}")


class BoundFlow(Record, frozen=True, kw_only=True):
    """Real values pass from these slots to those."""

    kind: Literal["copy", "average"]
    inputs: tuple[Slot, ...]
    outputs: tuple[Slot, ...]
    source: Flow
