"""Prepare a component (candidate labels, cost tables) and solve it, with additional cost tables if
wanted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..checks.binder.bound import Bound
from ..numerics import Label
from ..record import Record
from .cost_tables import Answer, Sharing, Table
from .costs import priced
from .exact import minimise, minimise_each
from .label_limits import Limits
from .labels import assign_domains, noise_free
from .problem_records import Conflict, Problem, SolverOptions
from .ranges import Values

__all__ = ["Posed", "pose", "pose_each", "solve_each"]


class Posed(Record, frozen=True, kw_only=True):
    """A component with a domain (candidate labels) for each node, cost tables, and the conflicts
    that were found on the way.

    `stands`: each declared label -> the label used in its place, equal up to float rounding.
    """

    problem: Problem
    stands: Mapping[Label, Label]
    conflicts: tuple[Conflict, ...]
    tables: tuple[Table, ...]
    sharings: tuple[Sharing, ...]

    @property
    def sizes(self) -> list[int]:
        """The number of candidate labels of each node."""
        return [len(node.domain) for node in self.problem.nodes]

    def solve(self, *conditions: Table) -> Answer:
        """The cheapest choice of one label for each node. `conditions`: cost tables that are added
        to the component's own.
        """
        return minimise(self.sizes, [*self.tables, *conditions], self.sharings)

    def labels(self, answer: Answer) -> list[Label]:
        """The label of each node in an answer."""
        nodes = self.problem.nodes
        return [node.domain[pick] for node, pick in zip(nodes, answer.choice, strict=True)]


def pose(
    bound: Bound, values: Values, options: SolverOptions, limits: Limits, problem: Problem
) -> Posed:
    """Set the domains of one component's nodes and compute its cost tables."""
    (posed,) = pose_each(bound, values, options, limits, [problem])
    return posed


def pose_each(
    bound: Bound,
    values: Values,
    options: SolverOptions,
    limits: Limits,
    problems: Sequence[Problem],
) -> list[Posed]:
    """pose() for many components, whose costs are computed together. `problems`: the components."""
    stands = [noise_free(problem, values) for problem in problems]
    conflicts = [
        assign_domains(problem, values, options, stand)
        for problem, stand in zip(problems, stands, strict=True)
    ]
    tables = priced(problems, values, options, limits, bound.cuts)
    return [
        Posed(
            problem=problem,
            stands=stand,
            conflicts=tuple(labels),
            tables=tuple(costs),
            sharings=tuple(shared),
        )
        for problem, stand, labels, (costs, shared) in zip(
            problems, stands, conflicts, tables, strict=True
        )
    ]


def solve_each(posed: Sequence[Posed]) -> list[Answer]:
    """The cheapest choice of each component. `posed`: the components."""
    return minimise_each([(ready.sizes, ready.tables, ready.sharings) for ready in posed])
