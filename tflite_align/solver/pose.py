"""One component made ready to be solved, and solved again under further conditions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..binder import Bound
from ..numerics import Label
from .costs import Limit, cost_tables
from .exact import minimise
from .flow import Values
from .labels import assign_domains, noise_free
from .records import Conflict, Options, Problem
from .tables import Answer, Sharing, Table

__all__ = ["Posed", "pose"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Posed:
    """A component whose nodes have their domains, with what every choice costs.

    `stands`: each declared label -> the one that stands for it, float noise apart.
    """

    problem: Problem
    stands: Mapping[Label, Label]
    conflicts: tuple[Conflict, ...]
    tables: tuple[Table, ...]
    sharings: tuple[Sharing, ...]

    def solve(self, *conditions: Table) -> Answer:
        """The cheapest choice of one label a node; conditions are further cost tables."""
        sizes = [len(node.domain) for node in self.problem.nodes]
        return minimise(sizes, [*self.tables, *conditions], self.sharings)

    def labels(self, answer: Answer) -> list[Label]:
        """The label of each node that an answer stands for."""
        nodes = self.problem.nodes
        return [node.domain[pick] for node, pick in zip(nodes, answer.choice, strict=True)]


def pose(bound: Bound, values: Values, options: Options, limit: Limit, problem: Problem) -> Posed:
    """Fill in the domains of the problem's nodes and price every choice."""
    stands = noise_free(problem, values)
    conflicts = assign_domains(problem, values, options, stands)
    able = bound.cuts.get(problem.type, "")
    tables, sharings = cost_tables(problem, values, options, limit, able)
    return Posed(
        problem=problem,
        stands=stands,
        conflicts=tuple(conflicts),
        tables=tuple(tables),
        sharings=tuple(sharings),
    )
