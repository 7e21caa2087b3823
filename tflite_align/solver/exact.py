"""Minimum of a sum of small cost tables, by eliminating one variable after the other.

Knows variables and tables only. Exact while the joint tables stay within `_TABLE_LIMIT` entries;
past that an integer program, and past that coordinate descent, and the caller is told.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from .integer import solve_integer
from .tables import Answer, Floats, Sharing, Table, expanded, total_cost

__all__ = ["minimise"]

_TABLE_LIMIT = 2_000_000
_ENDLESS = 10**300  # still a float
_TOLERANCE = 1e-6  # costs are sums of a few thousand terms of about 1


def minimise(
    sizes: Sequence[int], tables: Sequence[Table], sharings: Sequence[Sharing] = ()
) -> Answer:
    """The least sum of all tables and sharings; tables are over one or two variables.

    Deterministic: ties go to the lowest choice, the order of elimination to the fewest joint
    entries and then the lowest variable.
    """
    try:
        choice = _eliminate(sizes, [*tables, *_expanded(sharings)])
    except _TooWideError:
        return _residue(sizes, tables, sharings)
    cost = total_cost(choice, tables, sharings)
    return Answer(choice=tuple(choice), cost=cost, bound=cost, optimal=True)


def _expanded(sharings: Sequence[Sharing]) -> list[Table]:
    for sharing in sharings:
        around = {sharing.source, *sharing.readers}
        if math.prod(len(sharing.labels[v]) for v in around) > _TABLE_LIMIT:
            raise _TooWideError
    return [expanded(sharing) for sharing in sharings]


def _residue(sizes: Sequence[int], tables: Sequence[Table], sharings: Sequence[Sharing]) -> Answer:
    """Too entangled for elimination: an integer program, and descent where that fails."""
    found = solve_integer(sizes, tables, sharings)
    pairs = [
        expanded(
            Sharing(
                source=sharing.source,
                readers=(reader,),
                labels=sharing.labels,
                cost=sharing.cost,
            )
        )
        for sharing in sharings
        for reader in sharing.readers
    ]
    choice, bound = (found[0], found[1]) if found else (_descend(sizes, [*tables, *pairs]), 0.0)
    cost = total_cost(choice, tables, sharings)
    return Answer(choice=tuple(choice), cost=cost, bound=bound, optimal=cost <= bound + _TOLERANCE)


class _TooWideError(Exception):
    """The joint table of a variable's neighbours would not fit."""


def _joint(tables: Sequence[Table], sizes: Sequence[int]) -> Table:
    scope = tuple(sorted({variable for table in tables for variable in table.scope}))
    if math.prod(sizes[v] for v in scope) > _TABLE_LIMIT:
        raise _TooWideError
    total: Floats = np.zeros([sizes[v] for v in scope])
    for table in tables:
        costs = table.costs
        if len(table.scope) > 1 and list(table.scope) != sorted(table.scope):
            costs = np.transpose(costs, np.argsort(table.scope))
        shape = [sizes[v] if v in table.scope else 1 for v in scope]
        total = total + costs.reshape(shape)
    return Table(scope, total)


def _eliminate(sizes: Sequence[int], tables: list[Table]) -> list[int]:
    of: list[set[int]] = [set() for _ in sizes]
    for number, table in enumerate(tables):
        for variable in table.scope:
            of[variable].add(number)
    left = set(range(len(sizes)))
    trail: list[tuple[int, tuple[int, ...], NDArray[np.intp]]] = []

    def width(variable: int) -> float:
        around = {v for n in of[variable] for v in tables[n].scope}
        return float(min(math.prod(sizes[v] for v in around), _ENDLESS))

    widths = {variable: width(variable) for variable in left}
    queue = [(entries, variable) for variable, entries in widths.items()]
    heapq.heapify(queue)
    while left:
        entries, variable = heapq.heappop(queue)
        if variable not in left or entries != widths[variable]:
            continue  # stale: its neighbours changed since
        joint = _joint([tables[n] for n in sorted(of[variable])], sizes)
        if variable not in joint.scope:
            joint = Table((variable,), np.zeros(sizes[variable]))
        axis = joint.scope.index(variable)
        rest = joint.scope[:axis] + joint.scope[axis + 1 :]
        trail.append((variable, rest, np.argmin(joint.costs, axis=axis)))
        for number in sorted(of[variable]):
            for other in tables[number].scope:
                if other != variable:
                    of[other].discard(number)
        tables.append(Table(rest, np.min(joint.costs, axis=axis)))
        for other in rest:
            of[other].add(len(tables) - 1)
        left.discard(variable)
        for other in rest:
            widths[other] = width(other)
            heapq.heappush(queue, (widths[other], other))
    choice = [0] * len(sizes)
    for variable, rest, best in reversed(trail):
        choice[variable] = int(best[tuple(choice[v] for v in rest)])
    return choice


def _descend(sizes: Sequence[int], tables: Sequence[Table]) -> list[int]:
    """Coordinate descent from every uniform start; the best local minimum found."""
    of: list[list[Table]] = [[] for _ in sizes]
    for table in tables:
        for variable in table.scope:
            of[variable].append(table)
    best: list[int] = [0] * len(sizes)
    best_cost = float("inf")
    for start in range(max(sizes, default=1)):
        choice = [min(start, size - 1) for size in sizes]
        for _ in range(len(sizes) + 2):
            if not _sweep(choice, sizes, of):
                break
        cost = total_cost(choice, tables, ())
        if cost < best_cost:
            best, best_cost = choice, cost
    return best


def _sweep(choice: list[int], sizes: Sequence[int], of: Sequence[Sequence[Table]]) -> bool:
    moved = False
    for variable in range(len(sizes)):
        costs: Floats = np.zeros(sizes[variable])
        for table in of[variable]:
            at = tuple(slice(None) if v == variable else choice[v] for v in table.scope)
            costs = costs + table.costs[at]
        pick = int(np.argmin(costs))
        if costs[pick] < costs[choice[variable]]:
            choice[variable], moved = pick, True
    return moved
