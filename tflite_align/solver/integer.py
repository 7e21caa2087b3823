"""The integer program, solved by HiGHS, for components whose joint tables are too large for
elimination.

Deterministic: one thread, a fixed seed, ended by the number of branch-and-bound nodes and never by
the clock.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from .cost_tables import Sharing, Table

__all__ = ["solve_integer"]

_NODES = 2000  # branch-and-bound nodes; most components need none
# Largest number of pair variables; HiGHS takes 5 KB of memory for each. Larger programs are solved by
# descent.
_ENTRIES = 80_000


class _Program:
    """Columns (variables) and rows (linear constraints) of the program."""

    def __init__(self) -> None:
        self.cost: list[float] = []
        self.integer: list[bool] = []
        self.starts = [0]
        self.index: list[int] = []
        self.value: list[float] = []
        self.lower: list[float] = []
        self.upper: list[float] = []

    def column(self, cost: float, *, integer: bool = False) -> int:
        """Add a variable in 0..1 with this cost; returns its index. `integer`: whether it must be 0
        or 1.
        """
        self.cost.append(cost)
        self.integer.append(integer)
        return len(self.cost) - 1

    def row(self, terms: Sequence[tuple[int, float]], lower: float, upper: float) -> None:
        """Add the constraint lower <= sum of value x column <= upper; `terms`: (column, value)."""
        for column, value in terms:
            self.index.append(column)
            self.value.append(value)
        self.starts.append(len(self.index))
        self.lower.append(lower)
        self.upper.append(upper)


def solve_integer(
    sizes: Sequence[int], tables: Sequence[Table], sharings: Sequence[Sharing]
) -> tuple[list[int], float] | None:
    """(the choice of least total cost, a lower bound of the cost of every choice).

    `sizes`: the number of choices of each variable. `tables`: costs that depend on one or two
    variables. `sharings`: costs that are paid once if any of several variables makes a choice that
    needs it, such as one QUANTIZE for several readers. None if the program would be too large or
    HiGHS finds no solution within its limit of nodes.
    """
    pairs = _pairs(tables)
    entries = sum(sizes[a] * sizes[b] for a, b in pairs)
    if entries > _ENTRIES:
        return None
    program = _Program()
    columns = [[program.column(0.0, integer=True) for _ in range(size)] for size in sizes]
    for own in columns:
        program.row([(column, 1.0) for column in own], 1.0, 1.0)
    for table in tables:
        if len(table.scope) == 1:
            for column, cost in zip(columns[table.scope[0]], table.costs, strict=True):
                program.cost[column] += float(cost)
    for (first, second), costs in pairs.items():
        _add_pair(program, columns[first], columns[second], costs)
    for sharing in sharings:
        _add_sharing(program, columns, sharing)
    return _run(program, columns)


def _pairs(tables: Sequence[Table]) -> dict[tuple[int, int], Any]:
    """The tables over two variables, added up by pair (lower variable first)."""
    variables: dict[tuple[int, int], Any] = {}
    for table in tables:
        if len(table.scope) == 2:
            first, second = table.scope
            costs = table.costs if first < second else table.costs.T
            key = (min(first, second), max(first, second))
            variables[key] = variables[key] + costs if key in variables else costs
    return variables


def _add_pair(program: _Program, first: list[int], second: list[int], costs: Any) -> None:
    """Add a column for each pair of choices, with its cost. Rows make their sums equal the choices
    of either side. `first`, `second`: columns of the choices.
    """
    grid = [
        [program.column(float(costs[i, j])) for j in range(len(second))] for i in range(len(first))
    ]
    for i, column in enumerate(first):
        program.row([*((cell, 1.0) for cell in grid[i]), (column, -1.0)], 0.0, 0.0)
    for j, column in enumerate(second):
        program.row([*((row[j], 1.0) for row in grid), (column, -1.0)], 0.0, 0.0)


def _add_sharing(program: _Program, columns: list[list[int]], sharing: Sharing) -> None:
    """Add a column for each label, which is 1 if a reader has the label and the source does not.
    `columns`: by variable and choice.
    """
    written = dict(zip(sharing.labels[sharing.source], columns[sharing.source], strict=True))
    used: dict[int, int] = {}
    for reader in sharing.readers:
        for label, column in zip(sharing.labels[reader], columns[reader], strict=True):
            if label not in used:
                used[label] = program.column(sharing.cost)
            terms = [(used[label], 1.0), (column, -1.0)]
            if label in written and written[label] != column:
                terms.append((written[label], 1.0))
            elif label in written:
                continue  # the source reads itself: no operator between
            program.row(terms, 0.0, np.inf)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Suppress the banner that HiGHS prints to standard output when it is created; it has no option
    for that.
    """
    sys.stdout.flush()
    stdout = os.dup(1)
    unread, sink = os.pipe()  # the solver prints two lines, which fit in any pipe
    try:
        os.dup2(sink, 1)
        yield
    finally:
        os.dup2(stdout, 1)
        for descriptor in (stdout, unread, sink):
            os.close(descriptor)


def _run(program: _Program, columns: list[list[int]]) -> tuple[list[int], float] | None:
    """Solve the program: (choice by variable, lower bound); None without a solution. `columns`: by
    variable and choice.
    """
    import highspy  # noqa: PLC0415 - most models need no integer program

    count, rows = len(program.cost), len(program.lower)
    lp = highspy.HighsLp()
    lp.num_col_, lp.num_row_ = count, rows
    lp.col_cost_ = np.array(program.cost)
    lp.col_lower_, lp.col_upper_ = np.zeros(count), np.ones(count)
    lp.row_lower_, lp.row_upper_ = np.array(program.lower), np.array(program.upper)
    lp.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
    lp.a_matrix_.start_ = np.array(program.starts, dtype=np.int32)
    lp.a_matrix_.index_ = np.array(program.index, dtype=np.int32)
    lp.a_matrix_.value_ = np.array(program.value)
    kinds = (highspy.HighsVarType.kContinuous, highspy.HighsVarType.kInteger)
    lp.integrality_ = [kinds[flag] for flag in program.integer]
    with _quiet():
        solver: Any = highspy.Highs()  # type: ignore[no-untyped-call]
    settings: dict[str, Any] = {
        "output_flag": False,
        "threads": 1,
        "random_seed": 0,
        "mip_max_nodes": _NODES,
        "mip_rel_gap": 0.0,
        "mip_abs_gap": 1e-7,
    }
    for name, value in settings.items():
        solver.setOptionValue(name, value)
    solver.passModel(lp)
    solver.run()
    if solver.getModelStatus() == highspy.HighsModelStatus.kMemoryLimit:
        raise MemoryError("HiGHS ran out of memory")
    info = solver.getInfo()
    if info.primal_solution_status != highspy.SolutionStatus.kSolutionStatusFeasible:
        return None
    values = np.array(solver.getSolution().col_value)
    choice = [int(np.argmax(values[column])) for column in columns]
    return choice, float(info.mip_dual_bound)
