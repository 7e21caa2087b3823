"""The results of binding: the bound model, and the collector that builds it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, TypeVar

from ...format.model import Model, Operator, OperatorId, Slot, Subgraph, Tensor, TensorId
from ...format.wiring import slot_tensor
from ...numerics import Range
from ...record import PartlyCompared, Record, field
from ...rules.families import Policy
from ...rules.targets import Requirement, Target
from ..constraints import BoundFlow, Constraint, WellFormed
from ..shapes.inference import EarlierState

__all__ = [
    "CUT",
    "FUSED",
    "Bound",
    "Collector",
    "Requantizing",
    "Requirements",
    "Sound",
    "per_tensor",
]

_Kind = TypeVar("_Kind", bound=Constraint)

# (target name, severity and behaviour) pairs of a rule.
Requirements = tuple[tuple[str, Requirement], ...]

# The operator inserted between a tensor and its reader.
CUT = "QUANTIZE"
# The option with the fused activation.
FUSED = "fused_activation_function"


class Requantizing(Record, frozen=True):
    """Limits of a QUANTIZE from one scale to another within one tensor type, common to all targets.

    `zero`: only zero points of 0; `ratio`: upper limit of input scale / output scale, above which
    results overflow.
    """

    zero: bool = False
    ratio: float = math.inf

    @property
    def farthest(self) -> float:
        """The ratio of scales that two QUANTIZE in a row can bridge, with a margin of 1 % for
        rounding.
        """
        return 0.99 * self.ratio**2

    def in_one(self, source: float, result: float) -> bool:
        """Whether one QUANTIZE can convert from scale `source` to scale `result`."""
        return source < self.ratio * result

    def between(self, source: float) -> float:
        """The scale between two QUANTIZE in a row, the smallest that the first can write: 0.1 %
        above the limit, so that float32 rounding cannot fall below it. `source`: scale of the first
        one's input.
        """
        return 1.001 * source / self.ratio


class Bound(PartlyCompared, frozen=True, kw_only=True, eq=False):
    """A model with its constraints.

    `rigid`: slots whose parameters must not change. `flows`: how real values pass through
    operators. `ranges`: real values that an output's operator can produce. `families`: family of
    each operator with a row, by (subgraph, operator); `policies`: the policy that an override sets
    for an operator. `cuts`: types within which every target has a QUANTIZE, with its limits.
    `silent`: outputs whose operator could have a fused activation and has none. `variables`: for
    each variable, the slots that write it (inputs) and read it (outputs). `kept`: tensors whose
    parameters an override keeps, and `held_by`: their rigid slots with the override's text; `idle`:
    messages about overrides without effect. `resized`: whether on some target an application may
    resize inputs. `kinds`: a cache of `of`.
    """

    model: Model
    constraints: tuple[Constraint, ...]
    rigid: frozenset[Slot]
    flows: tuple[BoundFlow, ...]
    ranges: Mapping[Slot, Range]
    families: Mapping[OperatorId, str]
    cuts: Mapping[str, Requantizing]
    silent: frozenset[Slot]
    variables: tuple[tuple[Slot, ...], ...]
    kept: Mapping[TensorId, str] = field(default_factory=dict)
    held_by: Mapping[Slot, str] = field(default_factory=dict)
    idle: tuple[str, ...] = ()
    policies: Mapping[OperatorId, Policy] = field(default_factory=dict)
    resized: bool = False
    kinds: dict[type[Constraint], list[Any]] = field(default_factory=dict)

    uncompared: ClassVar[frozenset[str]] = frozenset({"kinds"})
    caches: ClassVar[Mapping[str, Any]] = {"kinds": dict}

    def of(self, kind: type[_Kind]) -> Sequence[_Kind]:
        """The constraints of one kind, in order."""
        if not self.kinds:
            for constraint in self.constraints:
                self.kinds.setdefault(type(constraint), []).append(constraint)
        return self.kinds.get(kind, ())


class Sound(Record, frozen=True):
    """What is known of a model from an `earlier` state, where it was checked.

    `operators`, `tensors`: by subgraph, those that have to be checked; all others are known to be
    without findings. Nothing is known without them.
    """

    operators: Sequence[Sequence[Operator]] = ()
    tensors: Sequence[Sequence[Tensor]] = ()
    earlier: EarlierState | None = None

    def operators_left(self, graph: Subgraph) -> Sequence[Operator]:
        """The operators of a subgraph that have to be checked."""
        return self.operators[graph.index] if self.operators else graph.operators

    def tensors_left(self, graph: Subgraph) -> Sequence[Tensor]:
        """The tensors of a subgraph that have to be checked."""
        return self.tensors[graph.index] if self.tensors else graph.tensors


class Collector(Record):
    """Collects what binding finds in a model: constraints, rigid slots, flows, ranges, families, and
    `several`: by operator, the slots with several scales where its kernel reads one.
    """

    model: Model
    targets: Sequence[Target]
    constraints: list[Constraint] = field(default_factory=list)
    rigid: set[Slot] = field(default_factory=set)
    flows: list[BoundFlow] = field(default_factory=list)
    ranges: dict[Slot, Range] = field(default_factory=dict)
    families: dict[OperatorId, str] = field(default_factory=dict)
    variables: list[tuple[Slot, ...]] = field(default_factory=list)
    silent: set[Slot] = field(default_factory=set)
    several: list[tuple[Slot, ...]] = field(default_factory=list)
    graded: dict[tuple[str, str, str], Requirements] = field(default_factory=dict)

    def requirements(self, rule_id: str, type_name: str, operator: str = "") -> Requirements:
        """(target name, requirement) of each target that requires the rule for this tensor type and
        operator.
        """
        known = self.graded.get((rule_id, type_name, operator))
        if known is None:
            graded = ((t.name, t.requirement(rule_id, type_name, operator)) for t in self.targets)
            known = tuple((name, level) for name, level in graded if level.severity != "off")
            self.graded[rule_id, type_name, operator] = known
        return known

    def faults(
        self,
        rule: str,
        slot: Slot,
        type_name: str,
        *,
        expected: str,
        actual: str,
        operator: str = "",
        fixable: bool = False,
        like: Slot | None = None,
    ) -> list[WellFormed]:
        """The constraint that the rule is violated at this slot; empty if no target requires the
        rule for this tensor type and operator.
        """
        levels = self.requirements(rule, type_name, operator)
        if not levels:
            return []
        return [
            WellFormed(
                rule=rule,
                type=type_name,
                requirements=levels,
                slot=slot,
                expected=expected,
                actual=actual,
                fixable=fixable,
                like=like,
            )
        ]

    def tensor(self, slot: Slot) -> Tensor | None:
        """The tensor of a slot; None for a left-out operand."""
        return slot_tensor(self.model, slot)

    def operand(self, slot: Slot) -> Tensor:
        """The tensor of a slot that is known to hold one."""
        tensor = self.tensor(slot)
        assert tensor is not None
        return tensor


def per_tensor(tensor: Tensor) -> bool:
    """Whether the tensor has exactly one scale and no other quantization scheme."""
    return tensor.quant is not None and tensor.quant.per_tensor and not tensor.quant.details
