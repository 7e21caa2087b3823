"""Cached results of the limits of some targets that depend only on an operator's name, version and
operand types, and so hold for any model.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

from ...format.model import Operator, Subgraph
from ...record import Record, field
from ...rules.operand_types import ABSENT
from ...rules.support_rows import SupportRow
from ...rules.targets import Requirement, Target

__all__ = [
    "GradedRow",
    "KnownLimits",
    "OperatorSignature",
    "OperatorSignatures",
    "known_limits",
    "signatures_of",
]

_MOST = 10_000  # largest number of cached signatures, of some hundred bytes each

# Name, version and operand types of an operator.
OperatorSignature = tuple[Hashable, ...]
# A support row that names an operator, and its severity and behaviour for that operator.
GradedRow = tuple[SupportRow, Requirement]


class KnownLimits(Record):
    """Cached results for one target, from operators of earlier states and models.

    `support`, `kernels`: the target's rows and kernel sets, for which the results hold. `rows`: by
    operator name, its rows that are not off. `concerned`: by operator signature, those rows whose
    conditions on types hold. `fitting`: signatures that every kernel set computes right.
    """

    support: tuple[SupportRow, ...] = ()
    kernels: Mapping[str, str] = field(default_factory=dict)
    rows: dict[str, list[GradedRow]] = field(default_factory=dict)
    concerned: dict[OperatorSignature, list[GradedRow]] = field(default_factory=dict)
    fitting: set[OperatorSignature] = field(default_factory=set)

    def is_of(self, target: Target) -> bool:
        """Whether these results were computed for the target's rows and kernel sets."""
        return self.support is target.support and self.kernels is target.kernels

    @property
    def full(self) -> bool:
        """Whether no further results may be stored."""
        return len(self.concerned) + len(self.fitting) >= _MOST


def known_limits(found: dict[str, KnownLimits], target: Target) -> KnownLimits:
    """The target's record in `found` (by target name). If there is none, or one for other rows, an
    empty record is put there.
    """
    known = found.get(target.name)
    if known is None or not known.is_of(target):
        known = found[target.name] = KnownLimits(target.support, target.kernels)
    return known


class OperatorSignatures:
    """The signatures of a subgraph's operators, each computed when it is first needed."""

    def __init__(self, graph: Subgraph) -> None:
        types: list[Any] = [tensor.type for tensor in graph.tensors]
        # Index -1 leads to the last entry; of an absent output the last tensor's type is read too.
        self._inputs = [*types, ABSENT]
        self._outputs = [*types, (ABSENT, *types[-1:])]
        self._found: dict[int, OperatorSignature] = {}

    def __call__(self, operator: Operator) -> OperatorSignature:
        signature = self._found.get(operator.index)
        if signature is None:
            signature = self._found[operator.index] = (
                operator.name,
                operator.version,
                *[self._inputs[i] for i in operator.inputs],
                None,
                *[self._outputs[i] for i in operator.outputs],
            )
        return signature


def signatures_of(graph: Subgraph) -> OperatorSignatures:
    """The signatures of a subgraph's operators, cached with the subgraph."""
    cached: OperatorSignatures | None = graph.memo.get("operator signatures")
    if cached is None:
        cached = graph.memo["operator signatures"] = OperatorSignatures(graph)
    return cached
