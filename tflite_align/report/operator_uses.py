"""The operators of a file and their counts, which an application has to link or register."""

from __future__ import annotations

from collections import Counter

from ..format.model import Model
from ..record import Record

__all__ = ["OperatorUse", "operator_uses"]


class OperatorUse(Record, frozen=True, kw_only=True):
    """An operator and how often the file has it. `name`: such as `CONV_2D`, or the custom code of a
    custom operator.
    """

    name: str
    count: int
    custom: bool


def operator_uses(model: Model) -> tuple[OperatorUse, ...]:
    """The operators of all subgraphs, sorted by name."""
    found = Counter(
        (operator.custom_code or operator.name, operator.custom_code is not None)
        for graph in model.subgraphs
        for operator in graph.operators
    )
    return tuple(
        OperatorUse(name=name, count=count, custom=custom)
        for (name, custom), count in sorted(found.items())
    )
