"""Constraints on slots -> the labels to give them, the cuts that takes, and why.

Each component that holds a broken slot is solved on its own; every other is left alone.
"""

from __future__ import annotations

from collections.abc import Iterable

from ..binder import Bound
from ..model import Slot
from ..numerics import Label
from .costs import FORBIDDEN, Limit, cost_tables
from .exact import minimise
from .flow import Key, Values, value_flow
from .labels import assign_domains, noise_free
from .limits import make_limit, window_labels
from .problem import build_problems
from .records import (
    Component,
    Conflict,
    Cut,
    Options,
    Policy,
    Problem,
    Solution,
    Value,
    Weights,
)

__all__ = [
    "Component",
    "Conflict",
    "Cut",
    "Key",
    "Options",
    "Policy",
    "Solution",
    "Weights",
    "solve",
]


def solve(bound: Bound, broken: Iterable[Slot], options: Options) -> Solution:
    """Decide every component that holds one of the broken slots. Never raises for a conflict:
    conflicts are part of the answer.
    """
    values = value_flow(bound)
    problems = build_problems(bound, values, options, broken, window_labels(bound))
    answer = _Answer(bound, values, options)
    limit = make_limit(bound)
    for number, problem in enumerate(problems):
        answer.decide(number, problem, limit)
    return Solution(
        source=answer.source,
        seen=answer.seen,
        cuts=tuple(answer.cuts),
        components=tuple(answer.components),
        conflicts=tuple(answer.conflicts),
        why=answer.why,
        needs=values.tell,
    )


class _Answer:
    def __init__(self, bound: Bound, values: Values, options: Options) -> None:
        self.bound = bound
        self.values = values
        self.options = options
        self.source: dict[Key, Label] = {}
        self.seen: dict[Slot, Label] = {}
        self.cuts: list[Cut] = []
        self.components: list[Component] = []
        self.conflicts: list[Conflict] = []
        self.why: dict[Key, str] = {}

    def decide(self, number: int, problem: Problem, limit: Limit) -> None:
        stands = noise_free(problem, self.values)
        self.conflicts += assign_domains(problem, self.values, self.options, stands)
        tables, stated = cost_tables(
            problem, self.values, self.options, limit, self.bound.cuts.get(problem.type, "")
        )
        sizes = [len(node.domain) for node in problem.nodes]
        choice, cost, exact = minimise(sizes, tables)
        chosen = [node.domain[pick] for node, pick in zip(problem.nodes, choice, strict=True)]
        rules = sorted({rule for node in problem.nodes for rule in node.rules if "/" in rule})
        if cost >= FORBIDDEN:
            self.conflicts.append(
                Conflict(
                    slots=tuple(problem.nodes[0].slots),
                    rules=tuple(rules),
                    message=(
                        "no assignment satisfies these rules with parameters that the kernels"
                        " and QUANTIZE can take; left as it was"
                    ),
                )
            )
            return
        before = len(self.cuts)
        for value in problem.values:
            self._record(problem, value, chosen, stands)
        optimal = exact and stated
        self.components.append(
            Component(
                index=number,
                type=problem.type,
                tensors=tuple(value.key for value in problem.values),
                rules=tuple(rules),
                cost=cost,
                bound=cost if optimal else 0.0,
                optimal=optimal,
                cuts=len(self.cuts) - before,
                candidates=len({label for node in problem.nodes for label in node.domain}),
            )
        )

    def _record(
        self, problem: Problem, value: Value, chosen: list[Label], stands: dict[Label, Label]
    ) -> None:
        own = self.values.labels[value.key]
        written = own if value.source is None else chosen[value.source]
        if value.source is not None:
            self.source[value.key] = written
            self.why[value.key] = self._reason(problem, value, written, stands)
        cuts: dict[Label, list[Slot]] = {}
        behind: dict[Label, set[str]] = {}
        for number, slots in value.readers:
            for slot in slots:
                self.seen[slot] = chosen[number]
            if chosen[number] != written:
                cuts.setdefault(chosen[number], []).extend(slots)
                behind.setdefault(chosen[number], set()).update(problem.nodes[number].rules)
        if value.source is None:
            return
        source_rules = problem.nodes[value.source].rules
        for label, cut_slots in cuts.items():
            self.cuts.append(
                Cut(
                    key=value.key,
                    label=label,
                    slots=tuple(sorted(cut_slots, key=lambda s: s.sort_key)),
                    because=tuple(sorted(behind[label] | source_rules)),
                )
            )

    def _reason(
        self, problem: Problem, value: Value, written: Label, stands: dict[Label, Label]
    ) -> str:
        """Where the label of a tensor comes from, in words."""
        own = self.values.labels[value.key]
        if written == own:
            return "keeps its parameters"
        if written == stands.get(own):
            return "float noise snapped to the group's bits"
        if value.source is not None and written in problem.nodes[value.source].legal:
            return "fixed: the kernel writes these parameters"
        anchors = [other for other in problem.values if self.values.labels[other.key] == written]
        if anchors:
            subgraph, tensor = anchors[0].key
            name = self.bound.model.subgraphs[subgraph].tensors[tensor].name
            return f"takes the parameters of {name!r}"
        return "takes the finest parameters that cover what its group needs"
