"""The minimum of a sum of small cost tables, by eliminating one variable after the other.

Components that differ only in their costs are eliminated together.

Knows only variables and tables. Exact while joint tables have at most `_TABLE_LIMIT` entries;
beyond that an integer program, and then coordinate descent; the answer says whether it is proven.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..record import replace
from .cost_tables import Answer, Floats, Sharing, Table, expanded, total_cost
from .integer import solve_integer

__all__ = ["minimise", "minimise_each"]

_TABLE_LIMIT = 2_000_000
# Largest number of entries of all tables of sharings, and of all joint tables of an elimination: the
# first, and the second for each variable.
_ALL_TABLES, _ALL_TABLES_A_VARIABLE = 10_000_000, 10_000
_TOGETHER = 256  # largest number of components of equal structure that are solved at once
_MOST_AXES = 32  # largest number of axes of a table; NumPy allows 64
_ENDLESS = 10**300  # largest size of a table that is computed as a float
_TOLERANCE = 1e-6  # costs are sums of a few thousand terms of about 1


# Sizes of the variables' domains, cost tables, and the groups of readers that share a QUANTIZE.
Posed = tuple[Sequence[int], Sequence[Table], Sequence[Sharing]]


def minimise(
    sizes: Sequence[int], tables: Sequence[Table], sharings: Sequence[Sharing] = ()
) -> Answer:
    """The choice for each variable with the least sum of all tables (over one or two variables
    each) and sharings (one QUANTIZE for each label that a reader needs and the source does not
    have). `sizes`: number of choices of each variable. The answer says whether the least sum is
    proven.

    Deterministic: among equal sums the lowest choices win; the variable with the smallest joint
    table is eliminated first, then the lowest index.
    """
    (answer,) = minimise_each([(sizes, tables, sharings)])
    return answer


def minimise_each(posed: Sequence[Posed]) -> list[Answer]:
    """minimise() for each problem, (sizes, tables, sharings); those that differ only in their costs
    are solved together. `posed`: the problems.
    """
    groups: dict[Any, list[int]] = {}
    for position, (sizes, tables, sharings) in enumerate(posed):
        shape = (
            tuple(sizes),
            tuple([table.scope for table in tables]),
            tuple([(sharing.source, sharing.readers) for sharing in sharings]),
        )
        groups.setdefault(shape, []).append(position)
    answers: list[Any] = [None] * len(posed)
    for places in groups.values():
        for start in range(0, len(places), _TOGETHER):
            some = places[start : start + _TOGETHER]
            for position, answer in zip(some, _answers([posed[p] for p in some]), strict=True):
                answers[position] = answer
    return answers


def _answers(posed: Sequence[Posed]) -> list[Answer]:
    """The answers of problems that differ only in their costs. `posed`: the problems."""
    sizes, tables, _ = posed[0]
    try:
        stacks = [
            Table(table.scope, np.array([member[1][table_index].costs for member in posed]))
            for table_index, table in enumerate(tables)
        ]
        stacks += _expanded([member[2] for member in posed], len(posed), len(sizes))
        choices = _eliminate(sizes, stacks, len(posed))
    except _TooWideError:
        if len(posed) > 1:
            return [answer for member in posed for answer in _answers([member])]
        return [_residue(*posed[0])]
    costs = _total(choices, stacks)
    return [
        Answer(choice=tuple(choice), cost=cost, lower_bound=cost, optimal=True)
        for choice, cost in zip(choices.tolist(), costs.tolist(), strict=True)
    ]


def _total(choices: NDArray[np.intp], stacks: Sequence[Table]) -> Floats:
    """The cost of each component's choice. `choices`: shape [components, variables]; `stacks`:
    tables with a first axis for the components.
    """
    total: Floats = np.zeros(len(choices))
    every = np.arange(len(choices))
    for table in stacks:
        total = total + table.costs[(every, *[choices[:, v] for v in table.scope])]
    return total


def _entries_allowed(variables: int) -> int:
    """The largest number of entries of all tables together, for this number of variables."""
    return _ALL_TABLES + _ALL_TABLES_A_VARIABLE * variables


def _expanded(sharings: Sequence[Sequence[Sharing]], count: int, variables: int) -> list[Table]:
    """The sharings of `count` components that differ only in costs, each as a table with a first
    axis for the components. Raises _TooWideError if one is too large, or all together.
    """
    stacks = []
    left_entries = _entries_allowed(variables)
    for matching in zip(*sharings, strict=True):
        around = {matching[0].source, *matching[0].readers}
        entries = count * math.prod(len(matching[0].labels[v]) for v in around)
        left_entries -= entries
        if entries > _TABLE_LIMIT or left_entries < 0 or len(around) >= _MOST_AXES:
            raise _TooWideError
        stacks.append(expanded(matching))
    return stacks


def _residue(sizes: Sequence[int], tables: Sequence[Table], sharings: Sequence[Sharing]) -> Answer:
    """The answer to a problem whose joint tables are too large for elimination: by an integer
    program, or if that fails by coordinate descent. `sizes`: number of choices of each variable.
    `sharings`: readers that share a QUANTIZE.
    """
    answer = solve_integer(sizes, tables, sharings)
    pairs = [
        Table(pair.scope, pair.costs[0])
        for sharing in sharings
        for reader in sharing.readers
        for pair in [expanded([replace(sharing, readers=(reader,))])]
    ]
    choice, bound = (answer[0], answer[1]) if answer else (_descend(sizes, [*tables, *pairs]), 0.0)
    cost = total_cost(choice, tables, sharings)
    return Answer(
        choice=tuple(choice), cost=cost, lower_bound=bound, optimal=cost <= bound + _TOLERANCE
    )


class _TooWideError(Exception):
    """The joint table of a variable's neighbours would have more than `_TABLE_LIMIT` entries, or all
    joint tables together would have too many.
    """


def _joint(stacks: Sequence[Table], sizes: Sequence[int], count: int, variable: int) -> Table:
    """The sum of all tables that contain `variable`, as one table with a first axis for the `count`
    components. Neighbours with a single choice get no axis, since a table with very many (inputs of
    a wide CONCATENATION) would have too many axes. `sizes`: number of choices of each variable.
    """
    scope = tuple(sorted({v for table in stacks for v in table.scope}))
    if len(scope) >= _MOST_AXES:
        scope = tuple([v for v in scope if sizes[v] > 1 or v == variable])
    if count * math.prod([sizes[v] for v in scope]) > _TABLE_LIMIT:
        raise _TooWideError
    total: Floats = np.zeros([count, *[sizes[v] for v in scope]])
    for table in stacks:
        costs = table.costs
        if len(table.scope) > 1 and list(table.scope) != sorted(table.scope):
            costs = np.transpose(costs, [0, *(np.argsort(table.scope) + 1)])
        shape = [count, *[sizes[v] if v in table.scope else 1 for v in scope]]
        total += costs.reshape(shape)
    return Table(scope, total)


def _eliminate(sizes: Sequence[int], stacks: Sequence[Table], count: int) -> NDArray[np.intp]:
    """The best choice of each of `count` components that differ only in costs; shape [components,
    variables]. `stacks`: tables with a first axis for the components. `sizes`: number of choices of
    each variable. Raises _TooWideError for tables that would take too much memory.
    """
    tables: list[Any] = list(stacks)
    left_entries = _entries_allowed(len(sizes))
    least: Any = np.min_scalar_type(max(sizes, default=1))
    of: list[set[int]] = [set() for _ in sizes]
    for table_index, table in enumerate(tables):
        for variable in table.scope:
            of[variable].add(table_index)
    left = set(range(len(sizes)))
    trail: list[tuple[int, tuple[int, ...], NDArray[Any]]] = []

    def width(variable: int) -> float:
        """The number of entries of the joint table around a variable."""
        around = {v for n in of[variable] for v in tables[n].scope}
        return float(min(math.prod([sizes[v] for v in around]), _ENDLESS))

    widths = {variable: width(variable) for variable in left}
    queue = [(entries, variable) for variable, entries in widths.items()]
    heapq.heapify(queue)
    while left:
        entries, variable = heapq.heappop(queue)
        if variable not in left or entries != widths[variable]:
            continue  # stale: its neighbours changed since
        joint = _joint([tables[n] for n in sorted(of[variable])], sizes, count, variable)
        if variable not in joint.scope:
            joint = Table((variable,), np.zeros((count, sizes[variable])))
        axis = joint.scope.index(variable)
        rest = joint.scope[:axis] + joint.scope[axis + 1 :]
        left_entries -= joint.costs.size
        if left_entries < 0:
            raise _TooWideError
        trail.append((variable, rest, joint.costs.argmin(axis=axis + 1).astype(least)))
        for table_index in of[variable]:
            for neighbour in tables[table_index].scope:
                if neighbour != variable:
                    of[neighbour].discard(table_index)
            tables[table_index] = None  # it is in the joint table now
        tables.append(Table(rest, joint.costs.min(axis=axis + 1)))
        for neighbour in rest:
            of[neighbour].add(len(tables) - 1)
        left.discard(variable)
        for neighbour in rest:
            widths[neighbour] = width(neighbour)
            heapq.heappush(queue, (widths[neighbour], neighbour))
    choices = np.zeros((count, len(sizes)), np.intp)
    every = np.arange(count)
    for variable, rest, best in reversed(trail):
        choices[:, variable] = best[(every, *[choices[:, v] for v in rest])]
    return choices


def _descend(sizes: Sequence[int], tables: Sequence[Table]) -> list[int]:
    """The best choice that coordinate descent finds, by variable: not necessarily the optimum. A
    descent starts from each uniform choice. `sizes`: number of choices of each variable.
    """
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
    """Set each variable once to its cheapest choice given the others; whether a choice changed.
    `of`: the tables of each variable. `sizes`: number of choices of each variable.
    """
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
