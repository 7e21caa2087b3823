"""The rules that tie a tensor to others: the shortest path along rules, and along tensors whose
readers use the label (scale, zero point) with which the tensor is written.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from ..checks.binder.bound import Bound
from ..checks.constraints import Fixed, Same
from ..format.model import OperatorId, Slot, TensorId
from ..numerics import Label
from ..record import Record
from .problem_records import Problem

__all__ = ["Reached", "Step", "Ties"]


class Step(Record, frozen=True, kw_only=True):
    """A rule that ties a slot (`here`) of one tensor to a slot (`there`) of the next tensor, `key`."""

    rule: str
    here: Slot
    there: Slot
    key: TensorId  # the tensor in `there`


class Reached(Record, frozen=True, kw_only=True):
    """A tensor that shares the label of a start tensor, and the steps from that to it."""

    key: TensorId
    steps: tuple[Step, ...]


class Ties:
    """The rules and policies that tie slots in one solved component. `chosen`: the label of each
    node; `attached`: by tensor, the slots that have its label.
    """

    def __init__(self, bound: Bound, problem: Problem, chosen: Sequence[Label]) -> None:
        self.bound = bound
        self.attached: dict[TensorId, list[Slot]] = {}
        self.holder: dict[Slot, TensorId] = {}
        for value in problem.values:
            slots: list[Slot] = []
            if value.source is not None:
                slots += [
                    slot
                    for slot in problem.nodes[value.source].slots
                    if slot.kind != "inputs" or slot.operator < 0
                    if slot.tensor_id(bound.model) == value.key
                ]
            for node_index, readers in value.readers:
                if value.source is None or chosen[node_index] == chosen[value.source]:
                    slots += readers
            self.attached[value.key] = sorted(set(slots), key=lambda slot: slot.sort_key)
            self.holder.update(dict.fromkeys(slots, value.key))
        self.rules: dict[Slot, list[tuple[str, tuple[Slot, ...]]]] = {}
        inside = {slot for node in problem.nodes for slot in node.slots}
        for constraint in bound.of(Same):
            if not inside.isdisjoint(constraint.slots):
                self._tie(constraint.rule, constraint.slots)
        self._tie_policies(problem)
        self.fixed = {
            c.slot: c for c in reversed(bound.of(Fixed))
        }  # slot -> its first fixed constraint

    def _tie(self, rule: str, slots: tuple[Slot, ...]) -> None:
        """Note that a rule ties these slots."""
        for slot in slots:
            self.rules.setdefault(slot, []).append((rule, slots))

    def _tie_policies(self, problem: Problem) -> None:
        """Add the ties of policies, which are not constraints: they tie the inputs of one operator."""
        for node in problem.nodes:
            named = sorted(rule for rule in node.rules if rule.startswith("policy/"))
            by_operator: dict[OperatorId, list[Slot]] = {}
            for slot in node.slots:
                if slot.kind == "inputs" and slot not in self.rules:
                    by_operator.setdefault(slot.operator_id, []).append(slot)
            for slots in by_operator.values():
                if named and len(slots) > 1:
                    self._tie(named[0], tuple(slots))

    def of(self, key: TensorId) -> list[tuple[str, tuple[Slot, ...]]]:
        """The rules that tie the tensor's own slots, each once."""
        ties = [tie for slot in self.attached.get(key, ()) for tie in self.rules.get(slot, ())]
        return list(dict.fromkeys(ties))

    def reached(self, start: TensorId) -> list[Reached]:
        """`start` itself, then every tensor that shares its label, the nearest first."""
        visited = {start}
        found = [Reached(key=start, steps=())]
        queue = deque(found)
        while queue:
            last = queue.popleft()
            for step in self._steps(last.key):
                if step.key not in visited:
                    visited.add(step.key)
                    found.append(Reached(key=step.key, steps=(*last.steps, step)))
                    queue.append(found[-1])
        return found

    def _steps(self, key: TensorId) -> list[Step]:
        """The steps from a tensor to those that a single rule ties to it."""
        return [
            Step(rule=rule, here=slot, there=other, key=self.holder[other])
            for slot in self.attached.get(key, ())
            for rule, slots in self.rules.get(slot, ())
            for other in slots
            if other != slot and other in self.holder
        ]
