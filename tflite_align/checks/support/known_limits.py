"""What the limits of some targets say of operator names and operand types, whatever the model."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from typing import Any

from ...format.model import Subgraph
from ...record import Record, field
from ...rules.operand_types import ABSENT
from ...rules.support_rows import SupportRow
from ...rules.targets import Requirement, Target

__all__ = ["GradedRow", "KnownLimits", "Look", "known_limits", "looks"]

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
        return self.support is target.support and self.kernels is target.kernels

    @property
    def full(self) -> bool:
        return len(self.concerned) + len(self.fitting) >= _MOST


def known_limits(found: dict[str, KnownLimits], target: Target) -> KnownLimits:
    """What was found for the target, by name, or an empty record that is kept there."""
    known = found.get(target.name)
    if known is None or not known.is_of(target):
        known = found[target.name] = KnownLimits(target.support, target.kernels)
    return known


def looks(graph: Subgraph) -> Iterator[Look]:
    """The look of each operator of a subgraph, in order."""
    types: list[Any] = [tensor.type for tensor in graph.tensors]
    # Index -1 leads to the last entry; of an absent output the last tensor's type is read as well.
    inputs, outputs = [*types, ABSENT], [*types, (ABSENT, *types[-1:])]
    for operator in graph.operators:
        yield (
            operator.name,
            operator.version,
            *[inputs[i] for i in operator.inputs],
            None,
            *[outputs[i] for i in operator.outputs],
        )
