"""What the limits of some targets say of operator names and operand types, whatever the model."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

from ...format.model import Operator, Subgraph
from ...record import Record, field
from ...rules.operand_types import ABSENT
from ...rules.support_rows import SupportRow
from ...rules.targets import Requirement, Target

__all__ = ["GradedRow", "KnownLimits", "Look", "Looks", "known_limits", "looks"]

_MOST = 10_000  # looks that are remembered, of which each takes some hundred bytes

# Name, version and operand types of an operator.
Look = tuple[Hashable, ...]
# A row for an operator's name, with its level there.
GradedRow = tuple[SupportRow, Requirement]


class KnownLimits(Record):
    """Found at operators of earlier states and models, for one target with the same grades.

    `support`, `kernels`: the target's rows and kernel sets. `rows`: by operator name, the rows that
    are not off. `concerned`: by look, those whose conditions on types hold. `fitting`: looks that
    every kernel computes rightly.
    """

    support: tuple[SupportRow, ...] = ()
    kernels: Mapping[str, str] = field(default_factory=dict)
    rows: dict[str, list[GradedRow]] = field(default_factory=dict)
    concerned: dict[Look, list[GradedRow]] = field(default_factory=dict)
    fitting: set[Look] = field(default_factory=set)

    def is_of(self, target: Target) -> bool:
        """Whether these results were computed for the target's rows and kernel sets."""
        return self.support is target.support and self.kernels is target.kernels

    @property
    def full(self) -> bool:
        """Whether no further results may be stored."""
        return len(self.concerned) + len(self.fitting) >= _MOST


def known_limits(found: dict[str, KnownLimits], target: Target) -> KnownLimits:
    """What was found for the target, by name, or an empty record that is kept there."""
    known = found.get(target.name)
    if known is None or not known.is_of(target):
        known = found[target.name] = KnownLimits(target.support, target.kernels)
    return known


class Looks:
    """The look of each operator of a subgraph, found when it is first asked for."""

    def __init__(self, graph: Subgraph) -> None:
        types: list[Any] = [tensor.type for tensor in graph.tensors]
        # Index -1 leads to the last entry; of an absent output the last tensor's type is read too.
        self._inputs = [*types, ABSENT]
        self._outputs = [*types, (ABSENT, *types[-1:])]
        self._found: dict[int, Look] = {}

    def __call__(self, operator: Operator) -> Look:
        look = self._found.get(operator.index)
        if look is None:
            look = self._found[operator.index] = (
                operator.name,
                operator.version,
                *[self._inputs[i] for i in operator.inputs],
                None,
                *[self._outputs[i] for i in operator.outputs],
            )
        return look


def looks(graph: Subgraph) -> Looks:
    """The looks of a subgraph's operators, kept with the subgraph."""
    cached: Looks | None = graph.memo.get("looks")
    if cached is None:
        cached = graph.memo["looks"] = Looks(graph)
    return cached
