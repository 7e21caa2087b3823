"""From constraints on slots (operand positions): labels (scale, zero point), the QUANTIZE operators to
insert, and the reasons.

Each component with a violated slot is solved on its own; all others are unchanged.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ..checks.binder.bound import Bound
from ..format.enums import Activation
from ..format.model import Slot, TensorId
from ..numerics import Label, label_range
from ..record import Record, replace
from .conflicts import forced_conflict, minimal_conflict
from .cost_tables import FORBIDDEN, Answer
from .label_limits import Limits
from .prepare import Posed, pose_each, solve_each
from .problem import build_problems, contradictory
from .problem_records import (
    Component,
    Conflict,
    Cut,
    Problem,
    Solution,
    SolverOptions,
    Value,
)
from .ranges import Values, value_flow
from .region import region_of
from .widening import saturations

__all__ = ["Solved", "solve", "solve_and_keep"]


class Solved(Record, frozen=True, kw_only=True):
    """Intermediate results, for explanations: `posed`, the candidates and costs of each decided
    component; `answers`, its choices. Both follow from `bound` and `values`.
    """

    bound: Bound
    values: Values
    posed: tuple[Posed, ...]
    answers: tuple[Answer, ...]


def solve(bound: Bound, broken: Iterable[Slot], options: SolverOptions) -> Solution:
    """Decide every component that holds one of the violated slots (`broken`). Never raises for a
    conflict: conflicts are part of the solution.
    """
    return solve_and_keep(bound, broken, options)[0]


def solve_and_keep(
    bound: Bound, broken: Iterable[Slot], options: SolverOptions
) -> tuple[Solution, Solved]:
    """(what solve() returns, the intermediate results). `broken`: slots of violated constraints."""
    broken = list(broken)
    region = region_of(bound, broken, options)
    bound = region.bound
    values = value_flow(bound, options.observed, region.tensors)
    limits = Limits(bound)
    widened = limits.window_labels()
    values = replace(values, saturations=saturations(bound, widened, values.labels))
    problems = build_problems(bound, values, options, broken, widened)
    solutions, solved = _decided(bound, values, options, limits, problems)
    passed = limits.passed_windows(solutions.seen, solutions.source)
    if passed:
        joint, again = _decided(bound, values, options, Limits(bound, passed), problems)
        if len(joint.conflicts) <= len(solutions.conflicts):
            solutions, solved = joint, again
    loss = limits.too_coarse(frozenset(broken))
    return replace(
        solutions, conflicts=(*solutions.conflicts, *loss)
    ) if loss else solutions, solved


def _decided(
    bound: Bound, values: Values, options: SolverOptions, limits: Limits, problems: list[Problem]
) -> tuple[Solution, Solved]:
    """The decisions for these components, with the intermediate results. `problems`: the
    components.
    """
    answer = _Answer(bound, values, options)
    posed = pose_each(bound, values, options, limits, problems)
    answers = solve_each(posed)
    for index, (component, found) in enumerate(zip(posed, answers, strict=True)):
        answer.decide(index, component, found)
    solution = Solution(
        source=answer.source,
        seen=answer.seen,
        cuts=tuple(answer.cuts),
        components=tuple(answer.components),
        conflicts=tuple(answer.conflicts),
        why=answer.why,
        activations=_activations(bound, values, answer.source),
    )
    solved = Solved(bound=bound, values=values, posed=tuple(posed), answers=tuple(answers))
    return solution, solved


def _activations(
    bound: Bound, values: Values, source: Mapping[TensorId, Label]
) -> dict[Slot, Activation]:
    """The fused activation that an operator has to get, by output slot, since its new output range
    no longer implies the clamp of its declared one. `source`: new label of each tensor.
    """
    roles = {}
    for slot in sorted(bound.silent, key=lambda s: s.sort_key):
        key = slot.tensor_id(bound.model)
        clamp = values.clamps.get(key)
        if clamp is None or clamp.activation is None or key not in source:
            continue
        type_name = bound.model.subgraphs[key[0]].tensors[key[1]].type
        if clamp.undone_by(label_range(source[key], type_name), source[key].scale):
            roles[slot] = clamp.activation
    return roles


class _Answer:
    """Collects the decisions of all components, from which the Solution is made."""

    def __init__(self, bound: Bound, values: Values, options: SolverOptions) -> None:
        self.bound = bound
        self.values = values
        self.options = options
        self.source: dict[TensorId, Label] = {}
        self.seen: dict[Slot, Label] = {}
        self.cuts: list[Cut] = []
        self.components: list[Component] = []
        self.conflicts: list[Conflict] = []
        self.why: dict[TensorId, str] = {}
        # label -> the component's first tensor that declares it
        self.anchors: dict[Label, TensorId] = {}

    def decide(self, index: int, posed: Posed, answer: Answer) -> None:
        """Add the decision for one component, or the conflict if it has no solution. `index`: its
        number.
        """
        problem = posed.problem
        if answer.cost >= FORBIDDEN or any(contradictory(node) for node in problem.nodes):
            conflict = minimal_conflict(self.bound, self.values, self.options, problem)
            self.conflicts.append(conflict)
            return
        self.conflicts += posed.conflicts
        chosen, stands = posed.labels(answer), posed.stands
        rules = sorted({rule for node in problem.nodes for rule in node.rules if "/" in rule})
        before = len(self.cuts)
        self.anchors = {self.values.labels[v.key]: v.key for v in reversed(problem.values)}
        for value in problem.values:
            self._record(problem, value, chosen, stands)
        self.components.append(
            Component(
                index=index,
                type=problem.type,
                tensors=tuple(value.key for value in problem.values),
                rules=tuple(rules),
                cost=answer.cost,
                bound=answer.lower_bound,
                optimal=answer.optimal,
                cuts=len(self.cuts) - before,
                candidates=len({label for node in problem.nodes for label in node.domain}),
            )
        )
        if self.options.overlap == "force" and len(self.cuts) > before:
            forced = forced_conflict(self.bound, self.values, self.options, problem)
            self.conflicts += [forced] if forced is not None else []

    def _record(
        self, problem: Problem, value: Value, chosen: list[Label], stands: Mapping[Label, Label]
    ) -> None:
        """Add the label of one tensor and the QUANTIZE operators that read it. `chosen`: label by
        node. `stands`: label -> the label that is written in its place.
        """
        declared = self.values.labels[value.key]
        written = declared if value.source is None else chosen[value.source]
        if value.source is not None:
            self.source[value.key] = written
            self.why[value.key] = self._reason(problem, value, written, stands)
        cuts: dict[Label, list[Slot]] = {}
        readers_by_label: dict[Label, set[str]] = {}
        for node_index, slots in value.readers:
            for slot in slots:
                self.seen[slot] = chosen[node_index]
            if chosen[node_index] != written:
                cuts.setdefault(chosen[node_index], []).extend(slots)
                readers_by_label.setdefault(chosen[node_index], set()).update(
                    problem.nodes[node_index].rules
                )
        if value.source is None:
            return
        source_rules = problem.nodes[value.source].rules
        for label, cut_slots in cuts.items():
            self.cuts.append(
                Cut(
                    key=value.key,
                    label=label,
                    slots=tuple(sorted(cut_slots, key=lambda s: s.sort_key)),
                    because=tuple(sorted(readers_by_label[label] | source_rules)),
                )
            )

    def _reason(
        self, problem: Problem, value: Value, written: Label, stands: Mapping[Label, Label]
    ) -> str:
        """Where a tensor's label comes from, as a phrase. `stands`: label -> the label that is
        written in its place.
        """
        declared = self.values.labels[value.key]
        if written == declared:
            return "keeps its parameters"
        if written == stands.get(declared):
            return "float noise: gets the group's exact scale"
        if value.source is not None and written in problem.nodes[value.source].legal:
            return "fixed: the kernel writes these parameters"
        anchor = self.anchors.get(written)
        if anchor is not None:
            subgraph, tensor = anchor
            name = self.bound.model.subgraphs[subgraph].tensors[tensor].name
            return f"takes the parameters of {name!r}"
        return "takes the finest parameters that cover what its group needs"
