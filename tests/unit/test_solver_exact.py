from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tflite_align.record import replace
from tflite_align.solver import exact
from tflite_align.solver.cost_tables import Sharing, Table, total_cost
from tflite_align.solver.exact import minimise
from tflite_align.solver.integer import solve_integer

Problem = tuple[list[int], list[Table], list[Sharing]]


@st.composite
def problems(draw: st.DrawFn) -> Problem:
    sizes = draw(st.lists(st.integers(1, 4), min_size=1, max_size=6))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    tables = []
    for _ in range(draw(st.integers(0, 8))):
        count = draw(st.integers(1, min(2, len(sizes))))
        scope = tuple(draw(st.permutations(range(len(sizes))))[:count])
        costs = rng.integers(0, 9, [sizes[v] for v in scope]).astype(float)
        tables.append(Table(scope, costs))
    sharings = []
    for _ in range(draw(st.integers(0, 2)) if len(sizes) > 1 else 0):
        members = draw(st.permutations(range(len(sizes))))[: draw(st.integers(2, len(sizes)))]
        labels = {v: tuple(rng.permutation(5)[: sizes[v]].tolist()) for v in members}
        cost = float(draw(st.integers(1, 5)))
        sharings.append(
            Sharing(source=members[0], readers=tuple(members[1:]), labels=labels, cost=cost)
        )
    return sizes, tables, sharings


def brute_force(problem: Problem) -> float:
    sizes, tables, sharings = problem
    choices = itertools.product(*(range(size) for size in sizes))
    return min(total_cost(choice, tables, sharings) for choice in choices)


@given(problems())
def test_cost_equals_brute_force(problem: Problem) -> None:
    answer = minimise(*problem)
    assert answer.optimal
    assert answer.cost == answer.lower_bound == brute_force(problem)
    assert all(0 <= c < size for c, size in zip(answer.choice, problem[0], strict=True))


@settings(max_examples=60, deadline=None)
@given(problems())
def test_the_integer_program_agrees(problem: Problem) -> None:
    found = solve_integer(*problem)
    assert found is not None
    choice, bound = found
    least = brute_force(problem)
    assert total_cost(choice, problem[1], problem[2]) == pytest.approx(least)
    assert bound == pytest.approx(least)


@given(problems())
def test_the_order_of_tables_does_not_matter(problem: Problem) -> None:
    sizes, tables, sharings = problem
    assert minimise(sizes, tables[::-1], sharings[::-1]).cost == minimise(*problem).cost


@settings(max_examples=50, deadline=None)
@given(problem=problems(), integer=st.booleans())
def test_an_oversized_problem_has_a_valid_cost_and_lower_bound(
    problem: Problem, *, integer: bool
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(exact, "_TABLE_LIMIT", 1)
        if not integer:
            patch.setattr(exact, "solve_integer", lambda *_: None)
        answer = minimise(*problem)
    least = brute_force(problem)
    assert answer.cost == total_cost(answer.choice, problem[1], problem[2])
    assert answer.cost >= least - 1e-6
    assert answer.lower_bound <= least + 1e-6
    assert not answer.optimal or answer.cost == pytest.approx(least)


def test_an_elimination_of_too_many_entries_is_given_up() -> None:
    """Each table is small, all together are not: no table is kept, and the answer stays valid."""
    sizes = [3] * 12
    tables = [Table((v, v + 1), np.eye(3) + 1) for v in range(11)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(exact, "_entries_allowed", lambda _: 50)
        patch.setattr(exact, "solve_integer", lambda *_: None)
        answer = minimise(sizes, tables)
    assert not answer.optimal
    assert answer.cost == total_cost(answer.choice, tables, ())
    assert minimise(sizes, tables).optimal


def test_very_many_neighbours_without_a_choice() -> None:
    """200 groups with one candidate each share tables with one group, like the inputs of a wide
    CONCATENATION; a NumPy array cannot have that many axes.
    """
    count = 200
    sizes = [1] * count + [3, 2]
    tables = [Table((v, count), np.array([[v % 3, 1.0, 2.0]])) for v in range(count)]
    tables += [Table((count, count + 1), np.array([[0.0, 5.0], [5.0, 0.0], [5.0, 5.0]]))]
    answer = minimise(sizes, tables)
    choices = [(*[0] * count, *pair) for pair in itertools.product(range(3), range(2))]
    best = min(choices, key=lambda choice: total_cost(choice, tables, ()))
    assert (answer.choice, answer.optimal) == (best, True)
    labels = {**{v: (v % 2,) for v in range(count)}, count: (0, 1, 2)}
    sharing = Sharing(source=count, readers=tuple(range(count)), labels=labels, cost=100.0)
    shared = minimise(sizes, tables, [sharing])
    best = min(choices, key=lambda choice: total_cost(choice, tables, [sharing]))
    assert shared.cost == pytest.approx(total_cost(best, tables, [sharing]))


def test_readers_that_agree_share_one_operator() -> None:
    """Three readers prefer choice 1, and their source is fixed at choice 0. One QUANTIZE serves all
    three, so its cost of 2 counts once.
    """
    want = [Table((v,), np.array([9.0, 0.0])) for v in (1, 2, 3)]
    labels = dict.fromkeys(range(4), (0, 1))
    sharing = Sharing(source=0, readers=(1, 2, 3), labels=labels, cost=2.0)
    answer = minimise([1, 2, 2, 2], want, [replace(sharing, labels={**labels, 0: (0,)})])
    assert answer.choice == (0, 1, 1, 1)
    assert answer.cost == 2.0


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_elimination_and_integer_program_agree_on_twelve_groups(seed: int) -> None:
    """6^12 assignments are too many for brute force, so the two methods are compared with each
    other.
    """
    rng = np.random.default_rng(seed)
    sizes = [6] * 12
    tables = [Table((v,), rng.integers(0, 9, 6).astype(float)) for v in range(12)]
    for _ in range(16):
        first, second = rng.choice(12, 2, replace=False).tolist()
        tables.append(Table((first, second), rng.integers(0, 9, (6, 6)).astype(float)))
    labels = {v: tuple(range(6)) for v in range(12)}
    sharings = [Sharing(source=0, readers=(1, 2, 3), labels=labels, cost=2.0)]
    answer = minimise(sizes, tables, sharings)
    found = solve_integer(sizes, tables, sharings)
    assert answer.optimal
    assert found is not None
    assert total_cost(found[0], tables, sharings) == pytest.approx(answer.cost)
