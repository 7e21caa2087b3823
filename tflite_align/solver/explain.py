"""Why one tensor gets its parameters: its component is solved again, also with conditions that show
what alternatives cost.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

from ..checks.binder.bound import Bound
from ..checks.constraints import Anchored, BiasOf, Weight
from ..format.enums import Activation
from ..format.model import Slot, TensorId
from ..numerics import Label, label_range
from ..record import replace
from .answered_component import AnsweredComponent
from .conditions import only, together
from .conflicts import addresses, minimal_conflict
from .cost_tables import FORBIDDEN, Answer
from .explanation import Alternative, Anchor, AnchorKind, CutStory, Explanation, Link, Tie
from .label_limits import Limits
from .policies import near
from .prepare import pose
from .problem import build_problems, contradictory
from .problem_records import Problem, SolverOptions
from .ranges import Values, value_flow
from .tie_path import Reached, Ties

__all__ = ["TensorStory", "explain", "explain_in_steps", "with_ranges"]

_MOST = 5  # largest number of alternatives that are listed


def explain(
    bound: Bound,
    broken: Iterable[Slot],
    options: SolverOptions,
    key: TensorId,
    slot: Slot | None = None,
) -> Explanation:
    """Explain why the tensor `key` is written with its label (scale and zero point), given that the
    slots `broken` (operand positions) violate a rule. `slot`: the slot that the user asked about,
    if any. Never raises for a tensor that the solver does not change: the explanation's status says
    so.
    """
    *_, explanation = explain_in_steps(bound, broken, options, key, slot)
    return explanation


def explain_in_steps(
    bound: Bound,
    broken: Iterable[Slot],
    options: SolverOptions,
    key: TensorId,
    slot: Slot | None = None,
) -> Iterator[Explanation]:
    """explain(), preceded by the explanation without the costs of alternatives, for which the
    component is solved once for each.
    """
    values = value_flow(bound, options.observed)
    tensor = bound.model.subgraphs[key[0]].tensors[key[1]]
    explanation = Explanation(key=key, name=tensor.name, type=tensor.type, status="outside")
    if slot is not None:
        explanation = replace(explanation, slot=slot.address(bound.model))
    if key not in values.labels:
        yield replace(explanation, remark=_outside(bound, key))
        return
    limits = Limits(bound)
    windows = limits.window_labels()
    faulty = _holding(build_problems(bound, values, options, broken, windows), key)
    links = values.wiring[key[0]]
    readers = [*links.readers.get(key[1], ())]
    readers += [links.producer[key[1]]] if key[1] in links.producer else []
    problem = faulty or _holding(build_problems(bound, values, options, readers, windows), key)
    explanation = with_ranges(explanation, bound, values)
    if problem is None:
        yield replace(explanation, remark="nothing ties it to other tensors")
        return
    case = AnsweredComponent(bound, values, options, pose(bound, values, options, limits, problem))
    unpriced = TensorStory(case, key, priced=False).completed(
        explanation, slot, clean=faulty is None
    )
    yield unpriced
    if unpriced.status == "solved":
        yield TensorStory(case, key).completed(explanation, slot, clean=False)


def _holding(problems: Iterable[Problem], key: TensorId) -> Problem | None:
    """The component that holds the tensor; None without one. `problems`: the components."""
    holding = (problem for problem in problems if any(value.key == key for value in problem.values))
    return next(holding, None)


def _outside(bound: Bound, key: TensorId) -> str:
    """Why the solver chooses no label for a tensor, as a sentence."""
    tensor = bound.model.subgraphs[key[0]].tensors[key[1]]
    for constraint in bound.constraints:
        if not isinstance(constraint, (BiasOf, Weight)):
            continue
        if constraint.slot.tensor_id(bound.model) != key:
            continue
        where = f"(rule {constraint.rule} at {constraint.slot.address(bound.model)})"
        if isinstance(constraint, BiasOf):
            return f"it is a bias: its scale is computed from its operator's other operands {where}"
        return f"it holds weights, which keep their scales {where}"
    if tensor.quant is None or not tensor.quant.scale:
        return "it has no quantization parameters"
    if len(tensor.quant.scale) > 1:
        return "it has one scale per channel, and no rule ties these to other tensors"
    return "the solver does not choose its parameters"


def with_ranges(explanation: Explanation, bound: Bound, values: Values) -> Explanation:
    """The explanation with the results of range analysis for the tensor."""
    key, label = explanation.key, values.labels[explanation.key]
    producer = values.wiring[key[0]].producer.get(key[1])
    return replace(
        explanation,
        written_by=producer.address(bound.model) if producer is not None else "",
        declared=label,
        label=label,
        holds=label_range(label, explanation.type),
        arrives=values.arrive[key],
        reach=values.reach[key],
        told=values.tell[key],
        clamps=key in values.clamps,
        noise=math.sqrt(values.noise[key]),
    )


class TensorStory:
    """Explains one tensor of a solved component."""

    def __init__(self, case: AnsweredComponent, key: TensorId, *, priced: bool = True) -> None:
        """`case`: the component; `priced`: solve it again to find what alternatives cost."""
        self.case = case
        self.bound = case.bound
        self.values = case.values
        self.options = case.options
        self.posed = case.posed
        self.nodes = case.posed.problem.nodes
        self.value = next(value for value in self.posed.problem.values if value.key == key)
        self.own = self.values.labels[key]
        self.priced = priced

    def completed(self, explanation: Explanation, slot: Slot | None, *, clean: bool) -> Explanation:
        """The completed explanation. `slot`: the slot asked about; `clean`: no rule is violated."""
        problem = self.posed.problem
        explanation = replace(
            explanation,
            tensors=len(problem.values),
            rules=self.case.rules,
            quantize=self.options.weights.cut * (1000 if self.options.overlap == "force" else 1),
            bit=self.options.weights.bit,
        )
        if clean:
            return self._untouched(explanation)
        answer = self.case.answer
        if answer.cost >= FORBIDDEN or any(contradictory(node) for node in self.nodes):
            conflict = minimal_conflict(self.bound, self.values, self.options, problem)
            return replace(self._untouched(explanation), status="conflict", conflict=conflict)
        chosen = self.case.chosen
        written = self.own if self.value.source is None else chosen[self.value.source]
        sees = {s: chosen[node_index] for node_index, slots in self.value.readers for s in slots}
        ties = self.case.ties
        anchor, steps = self._anchor(ties.reached(self.value.key), ties, written)
        alternatives = self._alternatives(written) if self.priced else ()
        return replace(
            explanation,
            status="solved",
            label=written,
            holds=label_range(written, explanation.type),
            activation=self._activation(written),
            snapped=written != self.own and near(written, self.own),
            ties=self._ties(ties),
            anchor=anchor,
            chain=steps,
            cuts=self._cuts(chosen, written),
            alternatives=alternatives[:_MOST],
            more=max(0, len(alternatives) - _MOST),
            cost=answer.cost,
            bound=answer.lower_bound,
            optimal=answer.optimal,
            sees=None if slot is None else sees.get(slot, written),
        )

    def _untouched(self, explanation: Explanation) -> Explanation:
        """The explanation for a component that keeps its parameters: no rule is violated, or it has
        no solution.
        """
        declared = [self.own for _ in self.nodes]  # as if no QUANTIZE were inserted
        ties = Ties(self.bound, self.posed.problem, declared)
        return replace(explanation, status="clean", ties=self._ties(ties))

    def _activation(self, written: Label) -> Activation:
        """The fused activation that the operator needs if `written` no longer implies the clamp."""
        key = self.value.key
        clamp = self.values.clamps.get(key)
        if clamp is None or key not in self.values.silent:
            return Activation.NONE
        undone = clamp.undone_by(label_range(written, self.posed.problem.type), written.scale)
        return (clamp.activation if undone else None) or Activation.NONE

    def _ties(self, ties: Ties) -> tuple[Tie, ...]:
        """The rules and overrides that tie the tensor's slots, with their addresses."""
        model = self.bound.model
        steps = [
            Tie(rule=rule, slots=addresses(model, slots)) for rule, slots in ties.of(self.value.key)
        ]
        for slot in ties.attached[self.value.key]:
            steps += [
                Tie(rule=single.rule, slots=slot.address(model))
                for single in (ties.fixed.get(slot), self.case.zeros.get(slot))
                if single is not None
            ]
            if slot in self.bound.rigid:
                whose = self.bound.held_by.get(slot)
                rule = "rigid" if whose is None else f"{whose} keeps it:"
                steps.append(Tie(rule=rule, slots=slot.address(model)))
        return (*steps, *self._overrides())

    def _overrides(self) -> list[Tie]:
        """The overrides of the tensor's slots as ties: anchors and forbidden QUANTIZE, not `keep`."""
        model, key = self.bound.model, self.value.key
        anchors = []
        for user in self.case.users:
            slots = user.slots if isinstance(user, Anchored) else (user.slot,)
            touching = [s for s in slots if s.tensor_id(model) == key]
            if touching:
                what = "anchors it" if isinstance(user, Anchored) else "forbids a QUANTIZE"
                anchors.append(Tie(rule=f"{user.by} {what}", slots=addresses(model, touching)))
        return anchors

    # --- the anchor --------------------------------------------------------------------------

    def _anchor(
        self, reached: list[Reached], ties: Ties, written: Label
    ) -> tuple[Anchor, tuple[Link, ...]]:
        """(origin of the label, links from the tensor to it). Slots that can have only this label
        come first. `reached`: nodes tied to it, nearest first; `written`: its label.
        """
        for one in reached:
            for slot in ties.attached[one.key]:
                anchor = self._without_choice(slot, ties, one.key, written)
                if anchor is not None:
                    return anchor, self._links(one)
        for one in reached:
            if self.values.labels[one.key] == written:
                anchor_kind: AnchorKind = "own" if one.key == self.value.key else "declared"
                return self._named(anchor_kind, one.key), self._links(one)
        for value in self.posed.problem.values:
            if self.values.labels[value.key] == written:
                return self._named("declared", value.key), ()
        source = self.value.source
        if source is not None and written in self.nodes[source].extra:
            return Anchor(kind="window"), ()
        return Anchor(kind="cover"), ()

    def _policy(self, slot: Slot) -> str:
        """`concat large`, if that policy alone decides the label of the slot's node; else ""."""
        node = self.case.nodes.get(slot)
        if node is None or node.held is not None or node.legal or node.free:
            return ""
        return "" if node.keeps else node.policy

    def _without_choice(
        self, slot: Slot, ties: Ties, key: TensorId, written: Label
    ) -> Anchor | None:
        """The label's origin, if this slot can have no other (rigid or fixed by its kernel); else
        None.
        """
        model = self.bound.model
        if slot in self.bound.rigid and near(self.values.labels[key], written):
            anchor = self._named("kept", key)
            return replace(anchor, address=slot.address(model), reason=self._rigid(slot))
        fixed = ties.fixed.get(slot)
        if fixed is not None and written in fixed.labels:
            return replace(self._named("fixed", key), address=slot.address(model), rule=fixed.rule)
        for user in self.case.users:
            if isinstance(user, Anchored) and slot in user.slots and near(user.label, written):
                anchor = self._named("anchor", key)
                return replace(anchor, address=slot.address(model), reason=user.by)
        policy = self._policy(slot)
        if policy:
            return replace(self._named("policy", key), address=slot.address(model), rule=policy)
        return None

    def _rigid(self, slot: Slot) -> str:
        """Why a slot is rigid, as text."""
        if slot in self.bound.held_by:
            return f"slot kept by {self.bound.held_by[slot]}"
        if slot.operator < 0:
            graph = "graph" if slot.subgraph == 0 else f"subgraph[{slot.subgraph}]"
            return f"{graph} {slot.kind[:-1]}"
        if slot.operator_id not in self.bound.families:
            return "operator without rules"
        return "operand whose parameters its operator's rules fix"

    def _named(self, anchor_kind: AnchorKind, key: TensorId) -> Anchor:
        """The anchor (origin of a label) of this kind, at the tensor `key`."""
        name = self.bound.model.subgraphs[key[0]].tensors[key[1]].name
        return Anchor(kind=anchor_kind, key=key, name=name)

    def _links(self, reached: Reached) -> tuple[Link, ...]:
        """The steps to a tensor, with addresses and names."""
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

    # --- costs and alternatives --------------------------------------------------------------

    def _cuts(self, chosen: list[Label], written: Label) -> tuple[CutStory, ...]:
        """The QUANTIZE operators that read the tensor, one for each label in `chosen` (by node) but
        the tensor's own, `written`.
        """
        source = self.value.source
        if source is None:
            return ()
        readers_by_label: dict[Label, list[tuple[int, tuple[Slot, ...]]]] = {}
        for node_index, slots in self.value.readers:
            if chosen[node_index] != written:
                readers_by_label.setdefault(chosen[node_index], []).append((node_index, slots))
        return tuple(
            self._cut(source, label, tuple(readers)) for label, readers in readers_by_label.items()
        )

    def _cut(
        self,
        source: int,
        label: Label,
        readers: tuple[tuple[int, tuple[Slot, ...]], ...],
    ) -> CutStory:
        """The QUANTIZE from `source` (node) to `label` for `readers` (node, slots), with its cost."""
        weights = self.options.weights
        value = replace(self.value, readers=readers)
        slots = sorted((s for _, group in readers for s in group), key=lambda s: s.sort_key)
        rules = set(self.nodes[source].rules)
        for node_index, _ in readers:
            rules |= self.nodes[node_index].rules
        shared = [together(self.nodes, source, node_index) for node_index, _ in readers]
        loss = self.case.lost(value, bit=weights.bit)
        return CutStory(
            label=label,
            readers=addresses(self.bound.model, slots),
            because=tuple(sorted(rules)),
            operator=self.case.operators[self.value.key],
            moved=self.case.moves[self.value.key],
            precision=loss,
            bits=loss / weights.bit if weights.bit else 0.0,
            clipped=self.case.lost(value, clip=weights.clip, blur=weights.blur),
            unclamped=self.case.lost(value, clamp=weights.clamp, state=weights.state),
            without=_possible(self.posed.solve(*shared)) if self.priced else None,
        )

    def _alternatives(self, written: Label) -> tuple[Alternative, ...]:
        """Every other candidate label of the writing node, cheapest first, impossible ones last."""
        source = self.value.source
        if source is None:
            return ()
        domain = self.nodes[source].domain
        choices = []
        for label in domain:
            if label != written:
                cost = _possible(self.posed.solve(only(source, domain, label)))
                choices.append(Alternative(label=label, cost=cost))
        return tuple(
            sorted(
                choices, key=lambda alternative: (alternative.cost is None, alternative.cost or 0.0)
            )
        )


def _possible(answer: Answer) -> float | None:
    """The answer's cost; None if it is excluded."""
    return answer.cost if answer.cost < FORBIDDEN else None
