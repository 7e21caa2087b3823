"""Why one tensor gets its parameters: its component solved again, and asked what else would cost."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator

from ..checks.binder.bound import Bound
from ..checks.constraints import Anchored, BiasOf, Constraint, Weight
from ..format.enums import Activation
from ..format.model import Slot, TensorId
from ..numerics import Label, label_range
from ..record import replace
from .answered_component import AnsweredComponent
from .conditions import only, together
from .conflicts import addresses, minimal_conflict
from .cost_tables import FORBIDDEN, Answer
from .explanation import Alternative, Anchor, AnchorKind, CutStory, Explanation, Link, Tie
from .label_limits import Limits, window_labels
from .policies import near
from .prepare import pose
from .problem import build_problems, contradictory
from .problem_records import Problem, SolverOptions
from .ranges import Values, value_flow
from .solve import Solved
from .tie_path import Reached, Ties

__all__ = ["explain", "explain_each"]

_MOST = 5  # alternatives that are listed


def explain(
    bound: Bound,
    broken: Iterable[Slot],
    options: SolverOptions,
    key: TensorId,
    slot: Slot | None = None,
) -> Explanation:
    """Why the tensor `key` is written with the label it gets, when these slots are broken.

    `slot` is a slot that holds the tensor, where one was asked about. Never raises for a
    tensor that the solver leaves alone: the status says so.
    """
    values = value_flow(bound, options.observed)
    tensor = bound.model.subgraphs[key[0]].tensors[key[1]]
    found = Explanation(key=key, name=tensor.name, type=tensor.type, status="outside")
    if slot is not None:
        found = replace(found, slot=slot.address(bound.model))
    if key not in values.labels:
        return replace(found, remark=_outside(bound, key))
    windows = window_labels(bound)
    faulty = _holding(build_problems(bound, values, options, broken, windows), key)
    links = values.wiring[key[0]]
    own = [*links.readers.get(key[1], ())]
    own += [links.producer[key[1]]] if key[1] in links.producer else []
    problem = faulty or _holding(build_problems(bound, values, options, own, windows), key)
    found = _needs(found, bound, values)
    if problem is None:
        return replace(found, remark="nothing ties it to other tensors")
    posed = pose(bound, values, options, Limits(bound.model, bound.constraints), problem)
    case = AnsweredComponent(bound, values, options, posed)
    return _Story(case, key).told(found, slot, clean=faulty is None)


def explain_each(
    solved: Solved, options: SolverOptions, keys: Collection[TensorId]
) -> tuple[Explanation, ...]:
    """explain() for many tensors of the components that were decided, in their order.

    Nothing is solved again: no alternatives are priced, nor what a QUANTIZE saves.
    """
    values = solved.values
    wanted = [
        [value.key for value in posed.problem.values if value.key in keys] for posed in solved.posed
    ]
    told = []
    for at, bound in _parts(solved, [at for at, some in enumerate(wanted) if some]):
        posed, answer = solved.posed[at], solved.answers[at]
        case = AnsweredComponent(bound, values, options, posed, answer)
        for key in wanted[at]:
            tensor = bound.model.subgraphs[key[0]].tensors[key[1]]
            found = Explanation(key=key, name=tensor.name, type=tensor.type, status="outside")
            story = _Story(case, key, priced=False)
            told.append(story.told(_needs(found, bound, values), None, clean=False))
    return tuple(told)


def _parts(solved: Solved, places: Iterable[int]) -> Iterator[tuple[int, Bound]]:
    """Of each of these components its number, and the bound model with its constraints alone."""
    parts: dict[int, list[Constraint]] = {at: [] for at in places}
    owner = {
        slot: at for at in parts for node in solved.posed[at].problem.nodes for slot in node.slots
    }
    for entry in solved.bound.constraints:
        for at in {owner[slot] for slot in entry.slots if slot in owner}:
            parts[at].append(entry)
    for at, own in parts.items():
        yield at, replace(solved.bound, constraints=tuple(own))


def _holding(problems: Iterable[Problem], key: TensorId) -> Problem | None:
    holding = (one for one in problems if any(value.key == key for value in one.values))
    return next(holding, None)


def _outside(bound: Bound, key: TensorId) -> str:
    """Why a tensor has no label that could be chosen."""
    tensor = bound.model.subgraphs[key[0]].tensors[key[1]]
    for constraint in bound.constraints:
        if not isinstance(constraint, (BiasOf, Weight)):
            continue
        if constraint.slot.tensor_id(bound.model) != key:
            continue
        place = f"(rule {constraint.rule} at {constraint.slot.address(bound.model)})"
        if isinstance(constraint, BiasOf):
            return f"it is a bias: its scale follows from its operator's other operands {place}"
        return f"it holds weights, which keep their scales {place}"
    if tensor.quant is None or not tensor.quant.scale:
        return "it has no quantization parameters"
    if len(tensor.quant.scale) > 1:
        return "it has a scale for each channel, which no rule ties to other tensors"
    return "its parameters are none that the solver chooses"


def _needs(found: Explanation, bound: Bound, values: Values) -> Explanation:
    """What is known of the tensor before anything is solved."""
    key, label = found.key, values.labels[found.key]
    producer = values.wiring[key[0]].producer.get(key[1])
    return replace(
        found,
        written_by=producer.address(bound.model) if producer is not None else "",
        declared=label,
        label=label,
        holds=label_range(label, found.type),
        arrives=values.arrive[key],
        reach=values.reach[key],
        told=values.tell[key],
        clamps=key in values.clamps,
        noise=math.sqrt(values.noise[key]),
    )


class _Story:
    """One component's answer, asked about one of its tensors."""

    def __init__(self, case: AnsweredComponent, key: TensorId, *, priced: bool = True) -> None:
        """`priced`: whether what else could be done is solved for."""
        self.case = case
        self.bound = case.bound
        self.values = case.values
        self.options = case.options
        self.posed = case.posed
        self.nodes = case.posed.problem.nodes
        self.value = next(value for value in self.posed.problem.values if value.key == key)
        self.own = self.values.labels[key]
        self.priced = priced

    def told(self, found: Explanation, slot: Slot | None, *, clean: bool) -> Explanation:
        problem = self.posed.problem
        found = replace(
            found,
            tensors=len(problem.values),
            rules=self.case.rules,
            quantize=self.options.weights.cut * (1000 if self.options.overlap == "force" else 1),
            bit=self.options.weights.bit,
        )
        if clean:
            return self._untouched(found)
        answer = self.case.answer
        if answer.cost >= FORBIDDEN or any(contradictory(node) for node in self.nodes):
            conflict = minimal_conflict(self.bound, self.values, self.options, problem)
            return replace(self._untouched(found), status="conflict", conflict=conflict)
        chosen = self.case.chosen
        written = self.own if self.value.source is None else chosen[self.value.source]
        sees = {s: chosen[number] for number, slots in self.value.readers for s in slots}
        ties = self.case.ties
        anchor, steps = self._anchor(ties.reached(self.value.key), ties, written)
        others = self._alternatives(written) if self.priced else ()
        return replace(
            found,
            status="solved",
            label=written,
            holds=label_range(written, found.type),
            activation=self._activation(written),
            snapped=written != self.own and near(written, self.own),
            ties=self._ties(ties),
            anchor=anchor,
            chain=steps,
            cuts=self._cuts(chosen, written),
            alternatives=others[:_MOST],
            more=max(0, len(others) - _MOST),
            cost=answer.cost,
            bound=answer.lower_bound,
            optimal=answer.optimal,
            sees=None if slot is None else sees.get(slot, written),
        )

    def _untouched(self, found: Explanation) -> Explanation:
        """A component in which nothing is broken, or that cannot be solved, stays as it is."""
        declared = [self.own for _ in self.nodes]  # as though nothing were cut: what ties it
        ties = Ties(self.bound, self.posed.problem, declared)
        return replace(found, status="clean", ties=self._ties(ties))

    def _activation(self, written: Label) -> Activation:
        """What the operator has to state once the range no longer does."""
        key = self.value.key
        clamp = self.values.clamps.get(key)
        if clamp is None or key not in self.values.silent:
            return Activation.NONE
        undone = clamp.undone_by(label_range(written, self.posed.problem.type), written.scale)
        return (clamp.activation if undone else None) or Activation.NONE

    def _ties(self, ties: Ties) -> tuple[Tie, ...]:
        model = self.bound.model
        found = [
            Tie(rule=rule, slots=addresses(model, slots)) for rule, slots in ties.of(self.value.key)
        ]
        for slot in ties.attached[self.value.key]:
            found += [
                Tie(rule=single.rule, slots=slot.address(model))
                for single in (ties.fixed.get(slot), self.case.zeros.get(slot))
                if single is not None
            ]
            if slot in self.bound.rigid:
                whose = self.bound.held_by.get(slot)
                rule = "rigid" if whose is None else f"{whose} keeps it:"
                found.append(Tie(rule=rule, slots=slot.address(model)))
        return (*found, *self._overrides())

    def _overrides(self) -> list[Tie]:
        """What users say of the tensor's slots, beside keeping it."""
        model, key = self.bound.model, self.value.key
        found = []
        for entry in self.case.users:
            slots = entry.slots if isinstance(entry, Anchored) else (entry.slot,)
            here = [s for s in slots if s.tensor_id(model) == key]
            if here:
                what = "anchors it" if isinstance(entry, Anchored) else "forbids a QUANTIZE"
                found.append(Tie(rule=f"{entry.by} {what}", slots=addresses(model, here)))
        return found

    # --- the anchor --------------------------------------------------------------------------

    def _anchor(
        self, reached: list[Reached], ties: Ties, written: Label
    ) -> tuple[Anchor, tuple[Link, ...]]:
        """Whose label it is, and the way there; slots without a choice before all others."""
        for one in reached:
            for slot in ties.attached[one.key]:
                anchor = self._without_choice(slot, ties, one.key, written)
                if anchor is not None:
                    return anchor, self._links(one)
        for one in reached:
            if self.values.labels[one.key] == written:
                kind: AnchorKind = "own" if one.key == self.value.key else "declared"
                return self._named(kind, one.key), self._links(one)
        for value in self.posed.problem.values:
            if self.values.labels[value.key] == written:
                return self._named("declared", value.key), ()
        source = self.value.source
        if source is not None and written in self.nodes[source].extra:
            return Anchor(kind="window"), ()
        return Anchor(kind="cover"), ()

    def _policy(self, slot: Slot) -> str:
        """`concat large`, where a policy and nothing else names the label of the slot's node."""
        node = self.case.nodes.get(slot)
        if node is None or node.held is not None or node.legal or node.free:
            return ""
        return "" if node.keeps else node.policy

    def _without_choice(
        self, slot: Slot, ties: Ties, key: TensorId, written: Label
    ) -> Anchor | None:
        model = self.bound.model
        if slot in self.bound.rigid and near(self.values.labels[key], written):
            anchor = self._named("kept", key)
            return replace(anchor, address=slot.address(model), reason=self._rigid(slot))
        fixed = ties.fixed.get(slot)
        if fixed is not None and written in fixed.labels:
            return replace(self._named("fixed", key), address=slot.address(model), rule=fixed.rule)
        for entry in self.case.users:
            if isinstance(entry, Anchored) and slot in entry.slots and near(entry.label, written):
                anchor = self._named("anchor", key)
                return replace(anchor, address=slot.address(model), reason=entry.by)
        policy = self._policy(slot)
        if policy:
            return replace(self._named("policy", key), address=slot.address(model), rule=policy)
        return None

    def _rigid(self, slot: Slot) -> str:
        if slot in self.bound.held_by:
            return f"slot kept by {self.bound.held_by[slot]}"
        if slot.operator < 0:
            graph = "graph" if slot.subgraph == 0 else f"subgraph[{slot.subgraph}]"
            return f"{graph} {slot.kind[:-1]}"
        if slot.operator_id not in self.bound.families:
            return "operator without a row"
        return "operand that its operator's row holds"

    def _named(self, kind: AnchorKind, key: TensorId) -> Anchor:
        name = self.bound.model.subgraphs[key[0]].tensors[key[1]].name
        return Anchor(kind=kind, key=key, name=name)

    def _links(self, reached: Reached) -> tuple[Link, ...]:
        model = self.bound.model
        return tuple(
            Link(
                rule=step.rule,
                here=step.here.address(model),
                there=step.there.address(model),
                key=step.key,
                name=model.subgraphs[step.key[0]].tensors[step.key[1]].name,
            )
            for step in reached.steps
        )

    # --- what it costs, and what else would --------------------------------------------------

    def _cuts(self, chosen: list[Label], written: Label) -> tuple[CutStory, ...]:
        source = self.value.source
        if source is None:
            return ()
        behind: dict[Label, list[tuple[int, tuple[Slot, ...]]]] = {}
        for number, slots in self.value.readers:
            if chosen[number] != written:
                behind.setdefault(chosen[number], []).append((number, slots))
        return tuple(self._cut(source, label, tuple(readers)) for label, readers in behind.items())

    def _cut(
        self,
        source: int,
        label: Label,
        readers: tuple[tuple[int, tuple[Slot, ...]], ...],
    ) -> CutStory:
        weights = self.options.weights
        value = replace(self.value, readers=readers)
        slots = sorted((s for _, own in readers for s in own), key=lambda s: s.sort_key)
        rules = set(self.nodes[source].rules)
        for number, _ in readers:
            rules |= self.nodes[number].rules
        shared = [together(self.nodes, source, number) for number, _ in readers]
        lost = self.case.lost(value, bit=weights.bit)
        return CutStory(
            label=label,
            readers=addresses(self.bound.model, slots),
            because=tuple(sorted(rules)),
            operator=self.case.operators[self.value.key],
            moved=self.case.moves[self.value.key],
            precision=lost,
            bits=lost / weights.bit if weights.bit else 0.0,
            clipped=self.case.lost(value, clip=weights.clip, blur=weights.blur),
            unclamped=self.case.lost(value, clamp=weights.clamp, state=weights.state),
            without=_possible(self.posed.solve(*shared)) if self.priced else None,
        )

    def _alternatives(self, written: Label) -> tuple[Alternative, ...]:
        """Every other label of the writing node, the cheapest first, the impossible last."""
        source = self.value.source
        if source is None:
            return ()
        domain = self.nodes[source].domain
        found = []
        for label in domain:
            if label != written:
                cost = _possible(self.posed.solve(only(source, domain, label)))
                found.append(Alternative(label=label, cost=cost))
        return tuple(sorted(found, key=lambda one: (one.cost is None, one.cost or 0.0)))


def _possible(answer: Answer) -> float | None:
    return answer.cost if answer.cost < FORBIDDEN else None
