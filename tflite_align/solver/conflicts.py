"""Minimal sets of requirements (constraints and rigid slots) that no choice of labels satisfies
together.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..checks.binder.bound import Bound
from ..checks.constraints import Anchored, BiasOf, Constraint, Fixed, Same, Uncut, ZeroPoint
from ..format.model import Model, OperatorId, Slot
from ..record import replace
from .cost_tables import FORBIDDEN
from .label_limits import Limits
from .prepare import Posed, pose
from .problem import build_problems, contradictory
from .problem_records import Conflict, Problem, SolverOptions, Weights
from .ranges import Values

__all__ = ["addresses", "forced_conflict", "minimal_conflict", "unsolvable"]

# A requirement that can be dropped: a bound rule, or a slot that must keep its parameters.
_Item = Constraint | Slot
_Fails = Callable[[Posed], bool]

_FEW = 6  # largest number of slots of one rule in a message
_CUT = 1e4  # cost of a QUANTIZE: far more than the bits that any constant can lose
_ONLY_CUTS = Weights(cut=_CUT, move=0, bit=0, clip=0, clamp=0, state=0, finer=0, change=0)


def unsolvable(posed: Posed) -> bool:
    """Whether no choice of labels satisfies the component's requirements."""
    nodes = posed.problem.nodes
    return any(contradictory(node) for node in nodes) or posed.solve().cost >= FORBIDDEN


def minimal_conflict(
    bound: Bound, values: Values, options: SolverOptions, problem: Problem
) -> Conflict:
    """Why a component is unsolvable: its requirements (constraints and rigid slots) reduced to a
    minimal set that no choice of labels satisfies.
    """
    if any(contradictory(node) for node in problem.nodes):
        reason = "these rules and settings require different parameters for one group; not aligned"
    else:
        reason = (
            "no parameters that kernels and QUANTIZE support satisfy these rules and settings;"
            " not aligned"
        )
        if problem.type not in bound.cuts:
            reason += f" (not every target has a QUANTIZE within {problem.type})"
    items = _minimal(bound, values, options, problem, unsolvable)
    return _conflict(bound, values, items, reason, problem)


def forced_conflict(
    bound: Bound, values: Values, options: SolverOptions, problem: Problem
) -> Conflict | None:
    """Why a component needs a QUANTIZE although --overlap force forbids it: a minimal set of
    requirements that cannot hold without one. None if they can, with some loss of precision.
    """
    free = replace(options, overlap="auto", weights=_ONLY_CUTS)

    def fails(posed: Posed) -> bool:
        """Whether the cheapest solution has a QUANTIZE."""
        return posed.solve().cost >= _CUT

    items = _minimal(bound, values, free, problem, fails)
    if not items:
        return None
    reason = "overlap force: these rules and settings contradict each other, so a QUANTIZE separates them"
    return _conflict(bound, values, items, reason, problem)


def _minimal(
    bound: Bound, values: Values, options: SolverOptions, problem: Problem, fails: _Fails
) -> list[_Item]:
    """The requirements reduced to a minimal set with which the component still `fails`: without any
    one of them it does not. Empty if the component does not fail with all of them.
    """
    inside = frozenset(slot for node in problem.nodes for slot in node.slots)
    small = replace(
        values, labels={value.key: values.labels[value.key] for value in problem.values}
    )
    rigid = sorted(inside & bound.rigid, key=lambda slot: slot.sort_key)
    tied = [
        constraint
        for constraint in bound.constraints
        if not inside.isdisjoint(constraint.label_slots)
    ]
    items: list[_Item] = [*tied, *rigid]

    def broken(items: Sequence[_Item]) -> bool:
        """Whether the component fails with only these requirements. `items`: the requirements."""
        part = replace(
            bound,
            constraints=tuple(item for item in items if isinstance(item, Constraint)),
            rigid=frozenset(item for item in items if isinstance(item, Slot)),
        )
        limit = Limits(part)
        problems = build_problems(part, small, options, inside, limit.window_labels())
        return any(fails(pose(part, small, options, limit, subproblem)) for subproblem in problems)

    return _shrunk(items, broken) if broken(items) else []


def _shrunk(items: list[_Item], broken: Callable[[Sequence[_Item]], bool]) -> list[_Item]:
    """A subset of `items` for which `broken` holds, but for no subset with one item less. Large
    parts are dropped first, since most items are not needed. `broken` must hold for `items`.
    """
    remaining, size = items, max(1, len(items) // 2)
    while True:
        position = 0
        while position < len(remaining):
            rest = remaining[:position] + remaining[position + size :]
            if broken(rest):
                remaining = rest
            else:
                position += size
        if size == 1:
            return remaining
        size //= 2


def _conflict(
    bound: Bound, values: Values, items: list[_Item], reason: str, problem: Problem
) -> Conflict:
    """The conflict of these requirements: its slots, rules and message. `items`: the requirements;
    `reason`: beginning of the message.
    """
    inside = {slot for node in problem.nodes for slot in node.slots}
    slots: dict[Slot, None] = {}
    for item in items:
        named = (item,) if isinstance(item, Slot) else item.label_slots
        slots.update(dict.fromkeys(slot for slot in named if slot in inside))
    rules = {_rule(bound, item) for item in items}
    sentence = "; ".join(_requirement_text(bound, values, item) for item in items)
    if any(isinstance(item, Slot) and _border(bound, item) for item in items):
        sentence += " (--io free allows new parameters for graph inputs and outputs)"
    return Conflict(
        slots=tuple(sorted(slots, key=lambda s: s.sort_key)) or tuple(problem.nodes[0].slots),
        rules=tuple(sorted(rules)),
        message=f"{reason}: {sentence}" if sentence else reason,
    )


def _border(bound: Bound, slot: Slot) -> bool:
    """Whether the slot is a graph input or output that is kept by default, not by an override."""
    named = bound.model.named_subgraphs
    return slot.operator < 0 and slot.subgraph in named and slot not in bound.held_by


def _rule(bound: Bound, item: _Item) -> str:
    """The rule of a requirement; `rigid` or `override/keep` for a rigid slot."""
    if isinstance(item, Slot):
        return "override/keep" if item in bound.held_by else "rigid"
    return item.rule


def _requirement_text(bound: Bound, values: Values, item: _Item) -> str:
    """One requirement as a sentence, with the addresses of its slots and, for a rigid slot, its
    label.
    """
    model = bound.model
    if isinstance(item, Slot):
        label = values.labels[item.tensor_id(model)]
        why = f" by {bound.held_by[item]}" if item in bound.held_by else ""
        return f"{item.address(model)} keeps {label}{why}"
    slots = item.label_slots
    first = slots[0].address(model)
    match item:
        case Same():
            return f"{item.rule} ties {addresses(model, slots)}"
        case Anchored():
            return f"{item.by} gives {item.label} to {addresses(model, slots)}"
        case Uncut():
            return f"{item.by} forbids a QUANTIZE before {first}"
        case Fixed():
            labels = " or ".join(str(label) for label in item.labels)
            part = "" if item.source.held == "both" else f"the {item.source.held} of "
            return f"{item.rule} writes {part}{labels} at {first}"
        case ZeroPoint():
            unsigned = ", where uint8 holds nothing below 0" if item.type == "uint8" else ""
            return f"{item.rule} needs zero_point 0 at {first}{unsigned}"
        case BiasOf():
            return f"{item.rule} limits how fine {first} can be"
    return f"{item.rule} limits the scale at {first}"


def addresses(model: Model, slots: Sequence[Slot]) -> str:
    """The slots' addresses as text, naming each operator once; of many slots the first few and the
    number of others.
    """
    sentences: list[str] = []
    before: OperatorId | None = None
    for slot in slots[:_FEW]:
        operator_id = slot.operator_id
        whole = slot.address(model)
        sentences.append(whole.rpartition("/")[2] if operator_id == before else whole)
        before = operator_id
    more = [f"{len(slots) - _FEW} more"] if len(slots) > _FEW else []
    return ", ".join(sentences + more)
