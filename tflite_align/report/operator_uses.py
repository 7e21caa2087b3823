"""Which operators a file holds, and how often: what an application links or registers."""

from __future__ import annotations

from collections import Counter

from ..format.model import Model
from ..record import Record

__all__ = ["OperatorUse", "operator_uses"]


class OperatorUse(Record, frozen=True, kw_only=True):
    """`name`: as `CONV_2D`; of a custom operator its custom code."""

    name: str
    count: int
    custom: bool


def operator_uses(model: Model) -> tuple[OperatorUse, ...]:
    """Of all subgraphs, sorted by name."""
    found = Counter(
        (operator.custom_code or operator.name, operator.custom_code is not None)
        for graph in model.subgraphs
        for operator in graph.operators
    )
    return tuple(
        OperatorUse(name=name, count=count, custom=custom)
        for (name, custom), count in sorted(found.items())
    )
