"""The abstract problem that the solver minimises: variables with choices, cost tables over them,
and QUANTIZE operators that readers share.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from ..record import Record

__all__ = ["FORBIDDEN", "Answer", "Floats", "Sharing", "Table", "expanded", "total_cost"]

Floats = NDArray[np.float64]

# Cost of what is impossible: larger than any sum of costs, small enough to keep float64 exact to 1e-6.
FORBIDDEN = 1e7


class Table(Record, frozen=True):
    """Costs of the joint choices of the variables in `scope`; axis i of `costs` is variable scope[i]."""

    scope: tuple[int, ...]
    costs: Floats


class Sharing(Record, frozen=True, kw_only=True):
    """The QUANTIZE operators behind one tensor: one, of cost `cost`, for each label (scale and zero
    point) that a reader has and the source does not. `source` and `readers` are variables.

    `labels[v]`: for each choice of variable v, a number of its label; equal labels have equal
    numbers.
    """

    source: int
    readers: tuple[int, ...]
    labels: Mapping[int, tuple[int, ...]]
    cost: float


class Answer(Record, frozen=True, kw_only=True):
    """A choice for each variable, its cost, and a lower bound of the cost of any choice. `optimal`:
    cost and lower bound agree.
    """

    choice: tuple[int, ...]
    cost: float
    lower_bound: float
    optimal: bool


def expanded(sharings: Sequence[Sharing]) -> Table:
    """Sharings with the same variables and numbers of choices as one table over source and readers,
    with a first axis that counts the sharings.
    """
    first = sharings[0]
    scope = (first.source, *[v for v in dict.fromkeys(first.readers) if v != first.source])
    rank = len(scope) + 1
    axes = []
    for axis, variable in enumerate(scope, start=1):
        shape = [len(sharings)] + [1] * (rank - 1)
        shape[axis] = len(first.labels[variable])
        axes.append(np.array([sharing.labels[variable] for sharing in sharings]).reshape(shape))
    sizes = [len(first.labels[variable]) for variable in scope]
    count: Floats = np.zeros([len(sharings), *sizes])
    for position in range(1, len(scope)):
        new = axes[position] != axes[0]
        for earlier in range(1, position):
            new = new & (axes[position] != axes[earlier])
        count += new
    costs = np.array([sharing.cost for sharing in sharings]).reshape([-1] + [1] * len(scope))
    return Table(scope, costs * count)


def total_cost(
    choice: Sequence[int], tables: Sequence[Table], sharings: Sequence[Sharing]
) -> float:
    """The cost of a complete choice. `choice`: by variable; `tables`: cost tables. `sharings`:
    readers that share a QUANTIZE.
    """
    cost = float(sum(t.costs[tuple(choice[v] for v in t.scope)] for t in tables))
    for sharing in sharings:
        written = sharing.labels[sharing.source][choice[sharing.source]]
        labels = {sharing.labels[v][choice[v]] for v in sharing.readers}
        cost += sharing.cost * len(labels - {written})
    return cost
