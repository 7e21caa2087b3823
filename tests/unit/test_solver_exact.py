from __future__ import annotations

import itertools

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tflite_align.solver import exact
from tflite_align.solver.exact import Table, minimise


@st.composite
def problems(draw: st.DrawFn) -> tuple[list[int], list[Table]]:
    sizes = draw(st.lists(st.integers(1, 4), min_size=1, max_size=6))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    tables = []
    for _ in range(draw(st.integers(0, 8))):
        count = draw(st.integers(1, min(3, len(sizes))))
        scope = tuple(draw(st.permutations(range(len(sizes))))[:count])
        costs = rng.integers(0, 9, [sizes[v] for v in scope]).astype(float)
        tables.append(Table(scope, costs))
    return sizes, tables


def brute_force(sizes: list[int], tables: list[Table]) -> float:
    return min(
        sum(float(t.costs[tuple(choice[v] for v in t.scope)]) for t in tables)
        for choice in itertools.product(*(range(size) for size in sizes))
    )


@given(problems())
def test_cost_equals_brute_force(problem: tuple[list[int], list[Table]]) -> None:
    sizes, tables = problem
    choice, cost, optimal = minimise(sizes, tables)
    assert optimal
    assert cost == brute_force(sizes, tables)
    assert all(0 <= pick < size for pick, size in zip(choice, sizes, strict=True))


@given(problems())
def test_the_order_of_tables_does_not_matter(problem: tuple[list[int], list[Table]]) -> None:
    sizes, tables = problem
    assert minimise(sizes, tables)[1] == minimise(sizes, tables[::-1])[1]


@settings(max_examples=50)
@given(problems())
def test_too_wide_a_problem_is_answered_and_admitted(
    problem: tuple[list[int], list[Table]],
) -> None:
    sizes, tables = problem
    limit = exact._TABLE_LIMIT
    exact._TABLE_LIMIT = 1
    try:
        _, cost, optimal = minimise(sizes, tables)
    finally:
        exact._TABLE_LIMIT = limit
    least = brute_force(sizes, tables)
    assert cost == least if optimal else cost >= least
