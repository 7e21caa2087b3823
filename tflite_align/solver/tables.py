"""The solver's own language: variables with choices, cost tables, and shared operators."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Answer", "Floats", "Sharing", "Table", "expanded", "spread", "total_cost"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Table:
    """Costs over the joint choices of `scope`; axis i is variable scope[i], each there once."""

    scope: tuple[int, ...]
    costs: Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Sharing:
    """One operator of cost `cost` for each label that some reader takes and the source does not.

    `labels[v]` numbers the choices of each variable so that equal labels have equal numbers.
    """

    source: int
    readers: tuple[int, ...]
    labels: Mapping[int, tuple[int, ...]]
    cost: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A choice for each variable, what it costs, and a cost that no choice is below."""

    choice: tuple[int, ...]
    cost: float
    bound: float
    optimal: bool


def spread(block: Floats, axes: Sequence[int], rank: int) -> Floats:
    """A table over some axes (ascending), shaped to be broadcast over all of them."""
    shape = [1] * rank
    for axis, size in zip(axes, block.shape, strict=True):
        shape[axis] = size
    return block.reshape(shape)


def expanded(sharing: Sharing) -> Table:
    """The sharing as one joint table over its source and readers."""
    others = tuple(v for v in dict.fromkeys(sharing.readers) if v != sharing.source)
    scope = (sharing.source, *others)
    axes = [
        spread(np.array(sharing.labels[v], dtype=float), (axis,), len(scope))
        for axis, v in enumerate(scope)
    ]
    count: Floats = np.zeros([len(sharing.labels[v]) for v in scope])
    for position in range(1, len(scope)):
        new = axes[position] != axes[0]
        for earlier in range(1, position):
            new = new & (axes[position] != axes[earlier])
        count = count + new
    return Table(scope, sharing.cost * count)


def total_cost(
    choice: Sequence[int], tables: Sequence[Table], sharings: Sequence[Sharing]
) -> float:
    """What a full choice costs."""
    cost = float(sum(t.costs[tuple(choice[v] for v in t.scope)] for t in tables))
    for sharing in sharings:
        own = sharing.labels[sharing.source][choice[sharing.source]]
        seen = {sharing.labels[v][choice[v]] for v in sharing.readers}
        cost += sharing.cost * len(seen - {own})
    return cost
