"""The size of the problem that an explanation has to solve, before it is solved."""

from __future__ import annotations

from collections.abc import Iterable

from ..checks.binder.bound import Bound
from ..format.model import Slot, TensorId
from .label_limits import Limits
from .problem import build_problems
from .problem_records import Problem, SolverOptions
from .ranges import Values, value_flow
from .region import region_of

__all__ = ["pairs_of_labels"]


def pairs_of_labels(
    bound: Bound, broken: Iterable[Slot], options: SolverOptions, key: TensorId | None
) -> int:
    """The number of pairs of labels (scale, zero point) that a writer and a reader of a tensor can
    have, over the components that hold a violated slot (`broken`), or the tensor `key`.
    """
    broken = list(broken)
    if key is None:
        bound = region_of(bound, broken, options).bound
    values = value_flow(bound, options.observed)
    problems = build_problems(bound, values, options, broken, Limits(bound).window_labels())
    if key is not None:
        problems = [one for one in problems if any(value.key == key for value in one.values)]
    return sum(_pairs(problem, values) for problem in problems)


def _pairs(problem: Problem, values: Values) -> int:
    """The pairs of labels of one component."""
    labels = {values.labels[value.key] for value in problem.values}
    for node in problem.nodes:
        labels.update(node.extra, node.legal, node.wanted)
    return len(labels) ** 2 * sum(1 + len(value.readers) for value in problem.values)
