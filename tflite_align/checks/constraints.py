"""Constraints on slots: rules bound to places in a model. Checker and solver both read them."""

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
    """A rule that must hold at slots of a model. `requirements`: (target name, requirement) of each
    target that requires it; `type`: the tensor type at which it applies. Kinds of constraints with
    further data hold the rule's row as `source`. `droppable`: the solver may leave it violated.
    """

    # Whether a broken constraint that is not repaired may be dropped. Weight and bias constraints are never
    # dropped: they are needed when a neighbouring tensor's scale changes.
    droppable: ClassVar[bool] = False

    rule: str
    type: str
    requirements: tuple[tuple[str, Requirement], ...]

    @property
    def severity(self) -> Literal["error", "warning"]:
        """The highest severity over the targets."""
        return "error" if any(lv.severity == "error" for _, lv in self.requirements) else "warning"

    @property
    def slots(self) -> tuple[Slot, ...]:
        """The slots at which the constraint can be violated; a subclass must define it."""
        raise NotImplementedError(type(self).__name__)

    @property
    def label_slots(self) -> tuple[Slot, ...]:
        """The slots whose labels (scale, zero point) it limits; empty if it limits none."""
        return ()

    def without(self, broken: Collection[Slot]) -> Constraint | None:
        """The constraint that remains if it is not enforced at the slots in `broken`; None if
        nothing remains.
        """
        return None if broken and self.droppable else self


class OneSlot(Constraint, frozen=True, kw_only=True):
    """A constraint that can be violated at one slot only."""

    slot: Slot

    @property
    def slots(self) -> tuple[Slot, ...]:
        """The slot at which the constraint can be violated, as a tuple."""
        return (self.slot,)


class Same(Constraint, frozen=True, kw_only=True):
    """All slots have one scale and zero point. The checker compares each with the slot `reference`."""

    slots: tuple[Slot, ...]
    reference: Slot

    @property
    def label_slots(self) -> tuple[Slot, ...]:
        """The slots whose scale and zero point the constraint restricts: all."""
        return self.slots

    def without(self, broken: Collection[Slot]) -> Constraint | None:
        """The constraint on the slots that are not in `broken`; None for fewer than two."""
        if not broken:
            return self
        slots = tuple(slot for slot in self.slots if slot not in broken)
        return replace(self, slots=slots) if len(slots) > 1 else None


class Fixed(OneSlot, frozen=True, kw_only=True):
    """The slot has one of the rule's labels for its type, or only the part (scale or zero point)
    that the rule prescribes. A repair writes the first label.
    """

    droppable: ClassVar[bool] = True

    source: FixedRule

    @property
    def labels(self) -> tuple[Label, ...]:
        """The rule's labels for the slot's type."""
        return self.source.labels[self.type]

    def keeps(self, label: Label) -> bool:
        """Whether a label satisfies the rule."""
        return self.source.keeps(label, self.type)

    def legal(self, label: Label | None) -> tuple[Label, ...]:
        """The labels that the slot may have: its present `label` first if that satisfies the rule,
        then the rule's.
        """
        current = (label,) if label is not None and self.keeps(label) else ()
        return current + tuple(legal for legal in self.labels if legal not in current)

    @property
    def label_slots(self) -> tuple[Slot, ...]:
        """The slots whose scale and zero point the constraint restricts."""
        return (self.slot,)


class ZeroPoint(OneSlot, frozen=True, kw_only=True):
    """Constraint: the slot's zero point is 0."""

    droppable: ClassVar[bool] = True

    @property
    def label_slots(self) -> tuple[Slot, ...]:
        """The slots whose scale and zero point the constraint restricts."""
        return (self.slot,)


class Weight(OneSlot, frozen=True, kw_only=True):
    """The slot holds constant weights with the properties that the rule prescribes."""

    source: WeightRule


class BiasOf(OneSlot, frozen=True, kw_only=True):
    """The bias at this slot has the scale multiplier x product of the factors' scales (the last
    factor may be per-axis), zero point 0, and a legal type. `stated`: the type that an option of
    the operator states.
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
        """The slots whose scale and zero point the constraint restricts."""
        return self.factors[:1]


class Window(Constraint, frozen=True, kw_only=True):
    """The ratio of scales, numerator over denominator, is inside the rule's window."""

    droppable: ClassVar[bool] = True

    numerator: tuple[Slot, ...]
    denominator: tuple[Slot, ...]
    source: WindowRule

    @property
    def slots(self) -> tuple[Slot, ...]:
        """The slots at which the constraint can be violated."""
        return (*self.numerator, *self.denominator)

    @property
    def label_slots(self) -> tuple[Slot, ...]:
        """The slots whose scale and zero point the constraint restricts."""
        return self.slots


class Power(OneSlot, frozen=True, kw_only=True):
    """Constraint: the slot's scale is a power of two."""

    droppable: ClassVar[bool] = True


class WellFormed(OneSlot, frozen=True, kw_only=True):
    """A fault in a tensor's own parameters, bound only where it is present; `rule` names the part
    concerned. `expected`, `actual`: text. `like`: a slot whose parameters a repair copies to a
    tensor without any.
    """

    expected: str
    actual: str
    fixable: bool = False
    like: Slot | None = None


class Supported(OneSlot, frozen=True, kw_only=True):
    """A limit of a target that the operator of this slot violates. `sentence`: for the message;
    `repair`: kind of fault for the table of repairs, "" if no repair exists.
    """

    expected: str
    actual: str
    sentence: str
    repair: str = ""


class Anchored(Constraint, frozen=True, kw_only=True):
    """An override: the groups of these slots get this label. `by`: the override in words. No file
    violates it.
    """

    slots: tuple[Slot, ...]
    label: Label
    by: str  # text of the override

    @property
    def label_slots(self) -> tuple[Slot, ...]:
        """The slots whose scale and zero point the constraint restricts."""
        return self.slots


class Uncut(OneSlot, frozen=True, kw_only=True):
    """An override: no QUANTIZE is inserted before this slot. `by`: the override in words. No file
    violates it.
    """

    by: str

    @property
    def label_slots(self) -> tuple[Slot, ...]:
        """The slots whose scale and zero point the constraint restricts."""
        return (self.slot,)


class BoundFlow(Record, frozen=True, kw_only=True):
    """Real values pass from the input slots to the output slots, copied or averaged. `source`: the
    row's flow.
    """

    kind: Literal["copy", "average"]
    inputs: tuple[Slot, ...]
    outputs: tuple[Slot, ...]
    source: Flow
