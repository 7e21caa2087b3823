"""Constraints on slots: a rule bound to a place in a model. What checker and solver both read."""

from __future__ import annotations

from collections.abc import Collection
from typing import ClassVar, Literal

from ..format.model import Slot
from ..format.type_groups import BIAS_TYPES
from ..numerics import Label
from ..record import Record, replace
from ..rules.rows import BiasRule, FixedRule, Flow, WeightRule, WindowRule
from ..rules.targets import Requirement

__all__ = [
    "Anchored",
    "BiasOf",
    "BoundFlow",
    "Constraint",
    "Fixed",
    "OneSlot",
    "Power",
    "Same",
    "Supported",
    "Uncut",
    "Weight",
    "WellFormed",
    "Window",
    "ZeroPoint",
]


class Constraint(Record, frozen=True, kw_only=True):
    """`requirements` grades it for each target that requires it: (target name, level). The kind
    of each constraint that a row states holds that row's rule, if it states more than slots, as
    `source`.
    """

    # Whether one that is broken and stays so binds nothing. Weight and bias constraints are never
    # dropped: they are needed when a neighbouring tensor's scale changes.
    droppable: ClassVar[bool] = False

    rule: str
    type: str
    requirements: tuple[tuple[str, Requirement], ...]

    @property
    def severity(self) -> Literal["error", "warning"]:
        return "error" if any(lv.severity == "error" for _, lv in self.requirements) else "warning"

    @property
    def slots(self) -> tuple[Slot, ...]:
        """The slots at which it can be broken."""
        raise NotImplementedError(type(self).__name__)

    @property
    def label_slots(self) -> tuple[Slot, ...]:
        """The slots whose labels it limits; empty for a kind that limits none."""
        return ()

    def without(self, broken: Collection[Slot]) -> Constraint | None:
        """The constraint that remains when it is not enforced at these of its slots; None if
        nothing remains.
        """
        return None if broken and self.droppable else self


class OneSlot(Constraint, frozen=True, kw_only=True):
    """A constraint on one slot alone."""

    slot: Slot

    @property
    def slots(self) -> tuple[Slot, ...]:
        return (self.slot,)


class Same(Constraint, frozen=True, kw_only=True):
    """All slots share (scale, zero_point); they are compared with `reference`."""

    slots: tuple[Slot, ...]
    reference: Slot

    @property
    def label_slots(self) -> tuple[Slot, ...]:
        return self.slots

    def without(self, broken: Collection[Slot]) -> Constraint | None:
        if not broken:
            return self
        slots = tuple(slot for slot in self.slots if slot not in broken)
        return replace(self, slots=slots) if len(slots) > 1 else None


class Fixed(OneSlot, frozen=True, kw_only=True):
    """The slot has one of the rule's labels for its type, or the part of one that the rule holds;
    a repair writes the first.
    """

    droppable: ClassVar[bool] = True

    source: FixedRule

    @property
    def labels(self) -> tuple[Label, ...]:
        return self.source.labels[self.type]

    def keeps(self, label: Label) -> bool:
        return self.source.keeps(label, self.type)

    def legal(self, label: Label | None) -> tuple[Label, ...]:
        """The labels that the slot may have; its own first where that is one."""
        current = (label,) if label is not None and self.keeps(label) else ()
        return current + tuple(legal for legal in self.labels if legal not in current)

    @property
    def label_slots(self) -> tuple[Slot, ...]:
        return (self.slot,)


class ZeroPoint(OneSlot, frozen=True, kw_only=True):
    """The slot's zero point is 0."""

    droppable: ClassVar[bool] = True

    @property
    def label_slots(self) -> tuple[Slot, ...]:
        return (self.slot,)


class Weight(OneSlot, frozen=True, kw_only=True):
    """The slot holds constant weights as the rule describes them."""

    source: WeightRule


class BiasOf(OneSlot, frozen=True, kw_only=True):
    """scale = the rule's multiplier x scales of the factors (the last may be per-axis), zero point
    0, and one of the legal types.
    """

    factors: tuple[Slot, ...]
    source: BiasRule
    stated: str = ""  # the type that the operator's option states; empty where it states none

    @property
    def legal_types(self) -> tuple[str, ...]:
        """The bias types that the kernel supports; a repair writes the first."""
        legal = self.source.bias_types[self.type]
        if self.source.heeded and self.stated in BIAS_TYPES and self.stated not in legal:
            return (*legal, self.stated)
        return legal

    @property
    def label_slots(self) -> tuple[Slot, ...]:
        return self.factors[:1]


class Window(Constraint, frozen=True, kw_only=True):
    """The ratio of the two sides' scales is inside the rule's window."""

    droppable: ClassVar[bool] = True

    numerator: tuple[Slot, ...]
    denominator: tuple[Slot, ...]
    source: WindowRule

    @property
    def slots(self) -> tuple[Slot, ...]:
        return (*self.numerator, *self.denominator)

    @property
    def label_slots(self) -> tuple[Slot, ...]:
        return self.slots


class Power(OneSlot, frozen=True, kw_only=True):
    """The slot's scale is a power of two."""

    droppable: ClassVar[bool] = True


class WellFormed(OneSlot, frozen=True, kw_only=True):
    """A tensor's parameters can be read at all: `rule` names the part that cannot. `like`: a slot whose parameters
    the tensor shares, where it has none of its own.
    """

    expected: str
    actual: str
    fixable: bool = False
    like: Slot | None = None


class Supported(OneSlot, frozen=True, kw_only=True):
    """A limit of a target that the operator of this slot violates. `repair`: kind of fault for the
    table of repairs; "" if no repair exists.
    """

    expected: str
    actual: str
    sentence: str
    repair: str = ""


class Anchored(Constraint, frozen=True, kw_only=True):
    """An override: the groups of these slots get this label. Never violated by a file."""

    slots: tuple[Slot, ...]
    label: Label
    by: str  # the override, in words

    @property
    def label_slots(self) -> tuple[Slot, ...]:
        return self.slots


class Uncut(OneSlot, frozen=True, kw_only=True):
    """A user's: no QUANTIZE is inserted before this slot. No state of a file breaks it."""

    by: str

    @property
    def label_slots(self) -> tuple[Slot, ...]:
        return (self.slot,)


class BoundFlow(Record, frozen=True, kw_only=True):
    """Real values pass from these slots to those."""

    kind: Literal["copy", "average"]
    inputs: tuple[Slot, ...]
    outputs: tuple[Slot, ...]
    source: Flow
