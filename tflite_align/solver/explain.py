"""Why one tensor gets its parameters: its component solved again, and asked what else would cost."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable

from ..checks.binder.bound import Bound, Requantizing
from ..checks.constraints import Anchored, BiasOf, Uncut, Weight, ZeroPoint
from ..format.enums import Activation
from ..format.model import Slot, TensorId
from ..numerics import Label, label_range
from ..record import replace
from .conditions import only, together
from .conflicts import addresses, minimal_conflict
from .cost_tables import FORBIDDEN, Answer, total_cost
from .costs import cost_tables
from .explanation import Alternative, Anchor, AnchorKind, CutStory, Explanation, Link, Tie
from .label_limits import Limits, window_labels
from .policies import near
from .prepare import Posed, pose
from .problem import build_problems, contradictory
from .problem_records import Problem, SolverOptions, Value, Weights
from .ranges import Values, value_flow
from .tie_path import Reached, Ties

__all__ = ["explain", "explain_each"]

_ANY = Requantizing()
_MOST = 5  # alternatives that are listed
_NOTHING = Weights(cut=0, move=0, bit=0, clip=0, blur=0, clamp=0, state=0, finer=0, change=0)


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
    return _Story(bound, values, options, posed, key).told(found, slot, clean=faulty is None)


def explain_each(
    bound: Bound, broken: Iterable[Slot], options: SolverOptions, keys: Collection[TensorId]
) -> tuple[Explanation, ...]:
    """explain() for many tensors that the solver decides, in the order of the components.

    Each component is solved once, and no alternatives are priced.
    """
    values = value_flow(bound, options.observed)
    told = []
    for problem in build_problems(bound, values, options, broken, window_labels(bound)):
        wanted = [value.key for value in problem.values if value.key in keys]
        if not wanted:
            continue
        posed = pose(bound, values, options, Limits(bound.model, bound.constraints), problem)
        answer = posed.solve()
        for key in wanted:
            tensor = bound.model.subgraphs[key[0]].tensors[key[1]]
            found = Explanation(key=key, name=tensor.name, type=tensor.type, status="outside")
            story = _Story(bound, values, options, posed, key, answer=answer)
            told.append(story.told(_needs(found, bound, values), None, clean=False))
    return tuple(told)


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

    def __init__(
        self,
        bound: Bound,
        values: Values,
        options: SolverOptions,
        posed: Posed,
        key: TensorId,
        *,
        answer: Answer | None = None,
    ) -> None:
        """`answer`: the component's, where it is known; then nothing else is priced."""
        self.bound = bound
        self.values = values
        self.options = options
        self.posed = posed
        self.nodes = posed.problem.nodes
        self.unlimited = Limits(bound.model, ())
        self.value = next(value for value in posed.problem.values if value.key == key)
        self.own = values.labels[key]
        self.users = [one for one in bound.constraints if isinstance(one, Anchored | Uncut)]
        self.answer = answer

    def told(self, found: Explanation, slot: Slot | None, *, clean: bool) -> Explanation:
        problem = self.posed.problem
        found = replace(
            found,
            tensors=len(problem.values),
            rules=tuple(sorted({r for node in self.nodes for r in node.rules if "/" in r})),
            quantize=self.options.weights.cut * (1000 if self.options.overlap == "force" else 1),
            bit=self.options.weights.bit,
        )
        if clean:
            return self._untouched(found)
        answer = self.answer or self.posed.solve()
        if answer.cost >= FORBIDDEN or any(contradictory(node) for node in self.nodes):
            conflict = minimal_conflict(self.bound, self.values, self.options, problem)
            return replace(self._untouched(found), status="conflict", conflict=conflict)
        chosen = self.posed.labels(answer)
        written = self.own if self.value.source is None else chosen[self.value.source]
        sees = {s: chosen[number] for number, slots in self.value.readers for s in slots}
        ties = Ties(self.bound, problem, chosen)
        anchor, steps = self._anchor(ties.reached(self.value.key), ties, written)
        others = () if self.answer else self._alternatives(written)
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
            cuts=self._cuts(answer, chosen, written),
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
        zeros = {c.slot: c for c in self.bound.constraints if isinstance(c, ZeroPoint)}
        for slot in ties.attached[self.value.key]:
            found += [
                Tie(rule=single.rule, slots=slot.address(model))
                for single in (ties.fixed.get(slot), zeros.get(slot))
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
        for entry in self.users:
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
        node = next((node for node in self.nodes if slot in node.slots), None)
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
        for entry in self.users:
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

    def _cuts(self, answer: Answer, chosen: list[Label], written: Label) -> tuple[CutStory, ...]:
        source = self.value.source
        if source is None:
            return ()
        behind: dict[Label, list[tuple[int, tuple[Slot, ...]]]] = {}
        for number, slots in self.value.readers:
            if chosen[number] != written:
                behind.setdefault(chosen[number], []).append((number, slots))
        return tuple(
            self._cut(answer, source, label, tuple(readers)) for label, readers in behind.items()
        )

    def _cut(
        self,
        answer: Answer,
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
        lost = self._lost(answer, value, replace(_NOTHING, bit=weights.bit))
        return CutStory(
            label=label,
            readers=addresses(self.bound.model, slots),
            because=tuple(sorted(rules)),
            operator=self._operator(replace(_NOTHING, cut=weights.cut)),
            moved=self._operator(replace(_NOTHING, move=weights.move)),
            precision=lost,
            bits=lost / weights.bit if weights.bit else 0.0,
            clipped=self._lost(
                answer, value, replace(_NOTHING, clip=weights.clip, blur=weights.blur)
            ),
            unclamped=self._lost(
                answer, value, replace(_NOTHING, clamp=weights.clamp, state=weights.state)
            ),
            without=_possible(self.posed.solve(*shared)),
        )

    def _operator(self, weights: Weights) -> float:
        """That part of the cost of one QUANTIZE behind the tensor."""
        problem = self.posed.problem
        options = replace(self.options, weights=weights)
        _, sharings = cost_tables(problem, self.values, options, self.unlimited, _ANY)
        holders = [
            value.key
            for value in problem.values
            if value.source is not None
            and any(number != value.source for number, _ in value.readers)
        ]
        costs = {key: one.cost for key, one in zip(holders, sharings, strict=True)}
        return costs[self.value.key]

    def _lost(self, answer: Answer, value: Value, weights: Weights) -> float:
        """That part of what the readers of `value` lose."""
        problem = replace(self.posed.problem, values=[value])
        options = replace(self.options, weights=weights)
        tables, _ = cost_tables(problem, self.values, options, self.unlimited, _ANY)
        return total_cost(answer.choice, tables, ())

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
