"""Candidate labels of a component, and which of them each node may take.

Candidates: the members' own parameters, the fixed ones, and the finest labels that cover what
the members need. Parameters that differ by float noise count as one: the bits of a fixed or
rigid member win, so that all members end up with the same bits.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping

from ..numerics import Label, Range, close_scale, covering_label, hull, label_range
from .flow import Key, Values
from .records import Conflict, Node, Options, Problem

__all__ = ["assign_domains", "noise_free"]

_WIDE = 24  # up to this many candidates every free node may take every one of them
_NEAR = 16  # past that, the nearest so many


def _is_zero(problem: Problem) -> bool:
    return problem.type == "int16"


def noise_free(problem: Problem, values: Values) -> dict[Label, Label]:
    """Every declared or fixed label of the component -> the one that stands for it."""
    ranked: list[Label] = []
    for node in problem.nodes:
        ranked += node.legal[:1]
    for node in problem.nodes:
        if node.held is not None:
            ranked.append(node.held)
    ranked += [values.labels[value.key] for value in problem.values]
    for node in problem.nodes:
        ranked += node.legal[1:]
    stands: dict[Label, Label] = {}
    heads: dict[int, list[Label]] = {}
    for label in ranked:
        if label in stands:
            continue
        near = [
            head for head in heads.get(label.zero_point, []) if close_scale(head.scale, label.scale)
        ]
        stands[label] = near[0] if near else label
        if not near:
            heads.setdefault(label.zero_point, []).append(label)
    return stands


def assign_domains(
    problem: Problem,
    values: Values,
    options: Options,
    stands: Mapping[Label, Label],
) -> list[Conflict]:
    """Fill in every node's domain.

    A node whose requirements exclude each other keeps the strongest (rigid, then fixed) and a
    conflict says so.
    """
    conflicts: list[Conflict] = []
    ranges = _needs(problem, values)
    zero = _is_zero(problem)
    pinned = _pinned(problem, options)
    own = [
        _own_labels(problem, values, stands, ranges, number, zero=zero)
        for number in range(len(problem.nodes))
    ]
    every = _unique(label for labels in own for label in labels)
    if len(every) > 1:
        every = _unique((*every, *_whole(problem, ranges, zero=zero)))
    for number, node in enumerate(problem.nodes):
        wanted = _policy_label(problem, values, options, number, ranges)
        if node.held is not None:
            node.domain = (stands[node.held],)
            _report_rigid(node, stands, conflicts)
        elif node.legal:
            node.domain = (_declared_legal(node, problem, values, number) or node.legal[0],)
        elif wanted is not None:
            node.domain = (wanted,)
        elif number in pinned:
            node.domain = (stands[values.labels[pinned[number]]],)
        else:
            pool = every if len(every) <= _WIDE else _nearest(problem, own, number)
            allowed = [label for label in pool if label.zero_point == 0 or not node.zero]
            if node.zero and not allowed:
                allowed = [
                    covering_label(
                        _node_range(problem, number, ranges), problem.type, symmetric=True
                    )
                ]
            node.domain = tuple(allowed)
    return conflicts


def _pinned(problem: Problem, options: Options) -> dict[int, Key]:
    """Free producers that must go on writing what they write now: under --overlap forbid those
    of shared tensors, under policy `none` those next to an operator of that family.
    """
    silent = {
        number
        for number, node in enumerate(problem.nodes)
        if options.policies.get(node.family, "auto") == "none"
    }
    pinned = {}
    for value in problem.values:
        if value.source is None or not problem.nodes[value.source].free:
            continue
        shared = options.overlap == "forbid" and value.shared
        if shared or any(number in silent for number, _ in value.readers):
            pinned[value.source] = value.key
    return pinned


def _unique(labels: Iterable[Label]) -> list[Label]:
    return list(dict.fromkeys(labels))


def _needs(problem: Problem, values: Values) -> dict[tuple[int, Key], Range]:
    """What has to get through at each (node, tensor)."""
    found: dict[tuple[int, Key], Range] = {}
    for value in problem.values:
        for number, slots in value.readers:
            wanted = values.need(slots[0], value.key)
            for slot in slots[1:]:
                wanted = hull(wanted, values.need(slot, value.key))
            found[number, value.key] = wanted
        if value.source is not None:
            arrived, told = values.arrive[value.key], values.tell[value.key]
            found[value.source, value.key] = Range(
                max(arrived.low, told.low),
                max(arrived.low, told.low, min(arrived.high, told.high)),
            )
    return found


def _node_range(problem: Problem, number: int, ranges: Mapping[tuple[int, Key], Range]) -> Range:
    total = Range(0.0, 0.0)
    for value in problem.values:
        if (number, value.key) in ranges:
            total = hull(total, ranges[number, value.key])
    return total


def _own_labels(
    problem: Problem,
    values: Values,
    stands: Mapping[Label, Label],
    ranges: Mapping[tuple[int, Key], Range],
    number: int,
    *,
    zero: bool,
) -> list[Label]:
    """Labels a node brings: its tensors' own, its fixed ones, and the cover of what it needs."""
    node = problem.nodes[number]
    touching = [value for value in problem.values if (number, value.key) in ranges]
    labels = [stands[label] for label in node.legal[:1]]
    labels += node.extra
    labels += [stands[values.labels[value.key]] for value in touching]
    if not node.free and len(set(labels)) > 1:
        wanted = ranges[number, touching[0].key]
        for value in touching[1:]:
            wanted = hull(wanted, ranges[number, value.key])
        labels.append(covering_label(wanted, problem.type, symmetric=zero or node.zero))
    return _unique(labels)


def _whole(problem: Problem, ranges: Mapping[tuple[int, Key], Range], *, zero: bool) -> list[Label]:
    total = Range(0.0, 0.0)
    for wanted in ranges.values():
        total = hull(total, wanted)
    return [covering_label(total, problem.type, symmetric=zero)]


def _nearest(problem: Problem, own: list[list[Label]], number: int) -> list[Label]:
    """Labels in order of distance from a node, as many as `_NEAR`."""
    around: dict[int, set[int]] = {n: set() for n in range(len(problem.nodes))}
    for value in problem.values:
        joined = [n for n, _ in value.readers]
        if value.source is not None:
            joined.append(value.source)
        for node in joined:
            around[node].update(joined)
    seen, queue, found = {number}, deque([number]), dict.fromkeys(own[number])
    while queue and len(found) < _NEAR:
        for node in sorted(around[queue.popleft()] - seen):
            seen.add(node)
            queue.append(node)
            found.update(dict.fromkeys(own[node]))
    return list(found)[:_NEAR]


def _declared_legal(node: Node, problem: Problem, values: Values, number: int) -> Label | None:
    """The declared label of a fixed slot where it is one of the legal ones."""
    for value in problem.values:
        if value.source == number and values.labels[value.key] in node.legal:
            return values.labels[value.key]
    return None


def _report_rigid(node: Node, stands: Mapping[Label, Label], conflicts: list[Conflict]) -> None:
    if node.legal and node.held is not None and stands[node.held] not in node.legal:
        conflicts.append(
            Conflict(
                slots=tuple(node.slots),
                rules=tuple(sorted(node.rules)),
                message="a slot that must keep its parameters has other ones prescribed",
            )
        )


def _policy_label(
    problem: Problem,
    values: Values,
    options: Options,
    number: int,
    ranges: Mapping[tuple[int, Key], Range],
) -> Label | None:
    """The label PPQ's strategy of this family gives the node; None where there is none."""
    policy = options.policies.get(problem.nodes[number].family, "auto")
    if policy == "auto":
        return None
    touching = {value.key: value for value in problem.values if (number, value.key) in ranges}
    by_slot = {
        slot: key
        for key, value in touching.items()
        for n, slots in value.readers
        if n == number
        for slot in slots
    }
    written = [key for key, value in touching.items() if value.source == number]
    inputs = [by_slot[slot] for slot in sorted(by_slot, key=lambda s: s.sort_key)]
    if policy == "large":
        total = Range(0.0, 0.0)
        for key in touching:
            total = hull(total, label_range(values.labels[key], problem.type))
        return covering_label(total, problem.type)
    chosen = inputs[:1] if policy == "input" else written[:1] or inputs[:1]
    return values.labels[chosen[0]] if chosen else None
