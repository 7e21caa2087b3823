"""Candidate labels (scale, zero point) of a component and of each node (operand positions that
share a label).

Candidates: the members' own parameters, fixed ones, the finest labels that cover the members'
needed ranges, and the hulls of their declared ranges. Parameters that differ only by float rounding
count as one: the bits of a fixed or rigid member are used, so that all members end up with the same
bits.
"""

from __future__ import annotations

import bisect
from collections import deque
from collections.abc import Iterable, Mapping

from ..format.model import TensorId
from ..numerics import Label, Range, close_scale, covering_label, covers, hull, label_range
from .policies import as_ppq
from .problem_records import Conflict, Node, Problem, SolverOptions, Value
from .ranges import Values

__all__ = ["assign_domains", "noise_free"]

_WIDE = 24  # up to this number of candidates, every free node may get each of them
_NEAR = 12  # beyond that: this number of nearest candidates
_FINEST = 4  # and this number of the finest candidates that cover every member


def noise_free(problem: Problem, values: Values) -> dict[Label, Label]:
    """Each declared or fixed label of the component -> the label used in its place. Labels that
    differ only by float rounding of the scale are replaced by one of them, a fixed or rigid one if
    there is any.
    """
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
    heads: dict[int, list[Label]] = {}  # zero point -> labels, ascending in scale
    for label in ranked:
        if label not in stands:
            neighbours = heads.setdefault(label.zero_point, [])
            position = bisect.bisect_left(neighbours, label)
            nearby = neighbours[max(position - 1, 0) : position + 1]
            near = [head for head in nearby if close_scale(head.scale, label.scale)]
            stands[label] = near[0] if near else label
            if not near:
                neighbours.insert(position, label)
    return stands


def assign_domains(
    problem: Problem, values: Values, options: SolverOptions, stands: Mapping[Label, Label]
) -> list[Conflict]:
    """Set the domain (candidate labels) of every node. `stands`: the result of noise_free.

    A node with contradicting requirements keeps the strongest (rigid, then fixed), and a conflict
    is returned.
    """
    return _Domains(problem, values, options, stands).assign()


def _unique(labels: Iterable[Label]) -> list[Label]:
    """The labels without repetitions, in order."""
    return list(dict.fromkeys(labels))


class _Domains:
    """Finds the domains of one component's nodes. `touching`: tensors that a node reads or writes;
    `needs`: range of real values that a node has to represent; both by node index.
    """

    def __init__(
        self,
        problem: Problem,
        values: Values,
        options: SolverOptions,
        stands: Mapping[Label, Label],
    ) -> None:
        self.problem = problem
        self.values = values
        self.options = options
        self.stands = stands
        self.touching: list[list[Value]] = [[] for _ in problem.nodes]
        self.needs: list[Range] = [Range(0.0, 0.0) for _ in problem.nodes]
        self.covers: dict[tuple[Range, bool], Label] = {}  # cache: many nodes need the same label
        for value in problem.values:
            self._touch(value)

    def _touch(self, value: Value) -> None:
        """Note a tensor at the nodes that write or read it, and add its needed range to theirs."""
        numbers = [node_index for node_index, _ in value.readers]
        if value.source is not None:
            numbers.append(value.source)
            arrived, distinguishable = self.values.arrive[value.key], self.values.tell[value.key]
            low = max(arrived.low, distinguishable.low)
            need = Range(low, max(low, min(arrived.high, distinguishable.high)))
            self.needs[value.source] = hull(self.needs[value.source], need)
        for node_index in dict.fromkeys(numbers):
            self.touching[node_index].append(value)
        for node_index, slots in value.readers:
            for slot in slots:
                need = self.values.need(slot, value.key)
                self.needs[node_index] = hull(self.needs[node_index], need)

    def assign(self) -> list[Conflict]:
        """Set the domain of every node; returns the conflicts."""
        conflicts: list[Conflict] = []
        pinned = self._pinned()
        pools = self._pools()
        for node_index, node in enumerate(self.problem.nodes):
            if node.held is not None:
                node.domain = (self.stands[node.held],)
                conflicts += self._clash(node)
            elif node.legal:
                node.domain = (self._declared_legal(node_index) or node.legal[0],)
            elif node.wanted:
                node.domain = self._by_policy(node_index)
            elif node_index in pinned:
                node.domain = (self.stands[self.values.labels[pinned[node_index]]],)
            else:
                node.domain = self._allowed(node_index, pools[node_index])
        return conflicts

    def _allowed(self, node_index: int, pool: list[Label]) -> tuple[Label, ...]:
        """The labels of `pool` that the node may have: with zero point 0, if it needs that."""
        if not self.problem.nodes[node_index].zero:
            return tuple(pool)
        symmetric = [label for label in pool if label.zero_point == 0]
        return tuple(symmetric) or (self._cover(self.needs[node_index], node_index),)

    def _cover(self, span: Range, node_index: int | None = None) -> Label:
        """The finest label that covers a range; with zero point 0 if the node needs that."""
        zero = self.problem.type == "int16"
        zero = zero or (node_index is not None and self.problem.nodes[node_index].zero)
        cached = self.covers.get((span, zero))
        if cached is None:
            cached = covering_label(span, self.problem.type, symmetric=zero)
            self.covers[span, zero] = cached
        return cached

    def _pools(self) -> list[list[Label]]:
        """The labels that each node could have, before constraints are applied; by node index."""
        own_labels = [self._own_labels(node_index) for node_index in range(len(self.problem.nodes))]
        centred = self._centred()
        every = _unique((*(label for labels in own_labels for label in labels), *centred))
        if len(every) > 1:
            every = _unique((*every, *self._whole()))
        if len(every) <= _WIDE:
            return [every] * len(own_labels)
        around, far = self._around(), [*self._far(every), *centred]
        return [
            _unique((*_nearest(around, own_labels, node_index), *far))
            for node_index in range(len(own_labels))
        ]

    def _centred(self) -> list[Label]:
        """Labels with zero point 0 for the nodes that need one. They are candidates of all nodes:
        where no QUANTIZE is possible, the node that writes the tensor has to have such a label too.
        """
        zero = [node_index for node_index, node in enumerate(self.problem.nodes) if node.zero]
        return _unique(self._cover(self.needs[node_index], node_index) for node_index in zero)[
            :_FINEST
        ]

    def _own_labels(self, node_index: int) -> list[Label]:
        """The candidates that a node adds: its tensors' declared labels, its fixed ones, those that
        a policy or a window suggests, and covers of its tensors' needed and declared ranges.
        """
        node, touching = self.problem.nodes[node_index], self.touching[node_index]
        labels = [self.stands[label] for label in node.legal[:1]]
        labels += node.extra
        labels += [self.stands.get(label, label) for label in node.wanted]
        labels += [self.stands[self.values.labels[value.key]] for value in touching]
        if not node.free and len(set(labels)) > 1:
            labels += self._needed(self.needs[node_index], labels, node_index)
            labels.append(self._cover(self._declared(touching), node_index))
        return _unique(labels)

    def _declared(self, touching: Iterable[Value]) -> Range:
        """The hull of the declared ranges of these tensors. `touching`: the tensors."""
        total = Range(0.0, 0.0)
        for value in touching:
            total = hull(total, label_range(self.values.labels[value.key], self.problem.type))
        return total

    def _whole(self) -> list[Label]:
        """Candidates for the whole component: the finest label for the hull of all needed ranges,
        and that for the hull of all declared ranges.
        """
        total = Range(0.0, 0.0)
        for need in self.needs:
            total = hull(total, need)
        declared = [self.values.labels[value.key] for value in self.problem.values]
        every = self._cover(self._declared(self.problem.values))
        return [*self._needed(total, declared, None), every]

    def _needed(self, span: Range, members: list[Label], node_index: int | None) -> list[Label]:
        """The finest label that covers the range `span`, as a list of one. Empty if the range is
        smaller than a step of each label in `members`: the finest of these then suffices.
        `node_index`: the node, which may need zero point 0.
        """
        if span.high - span.low < min(label.scale for label in members):
            return []
        return [self._cover(span, node_index)]

    def _around(self) -> list[set[int]]:
        """For each node, the nodes that write or read one of its tensors; by node index."""
        around: list[set[int]] = [set() for _ in self.problem.nodes]
        for value in self.problem.values:
            joined = [node_index for node_index, _ in value.readers]
            if value.source is not None:
                joined.append(value.source)
            for node_index in joined:
                around[node_index].update(joined)
        return around

    def _far(self, every: list[Label]) -> list[Label]:
        """The `_FINEST` finest candidates of `every` whose ranges contain all needed ranges of the
        component.
        """
        total = Range(0.0, 0.0)
        for need in self.needs:
            total = hull(total, need)
        wide = [
            label
            for label in every
            if covers(label_range(label, self.problem.type), total, slack=label.scale)
        ]
        return sorted(wide)[:_FINEST]

    def _by_policy(self, node_index: int) -> tuple[Label, ...]:
        """The labels that a policy allows; symmetric covers of them if the node needs zero point 0."""
        node = self.problem.nodes[node_index]
        labels = [self.stands.get(label, label) for label in node.wanted]
        return tuple(
            _unique(
                self._cover(label_range(label, self.problem.type), node_index)
                if node.zero and label.zero_point
                else label
                for label in labels
            )
        )

    def _pinned(self) -> dict[int, TensorId]:
        """The nodes that write a tensor freely but must keep its declared label, each with that
        tensor.

        With policy `none`: the writers of the operands; with --overlap forbid: the writers of
        tensors with several readers; with policies and an overlap named, as in PPQ's pass: all
        whose readers are free, rigid or aligned by a policy.
        """
        nodes, overlap = self.problem.nodes, self.options.overlap
        exact = as_ppq(self.options)
        pinned = {}
        for value in self.problem.values:
            if value.source is None or not nodes[value.source].free:
                continue
            readers = [nodes[node_index] for node_index, _ in value.readers]
            shared = overlap == "forbid" and value.shared
            decided = exact and all(node.free or node.wanted or node.held for node in readers)
            if shared or decided or any(node.keeps for node in readers):
                pinned[value.source] = value.key
        return pinned

    def _declared_legal(self, node_index: int) -> Label | None:
        """The declared label of a fixed output, if the kernel can write it; None otherwise.
        `node_index`: the node.
        """
        for value in self.touching[node_index]:
            label = self.values.labels[value.key]
            if value.source == node_index and label in self.problem.nodes[node_index].legal:
                return label
        return None

    def _clash(self, node: Node) -> list[Conflict]:
        """The conflict of a node that a rigid slot and a kernel's fixed output require to have
        different labels.
        """
        if not node.legal or node.held is None or self.stands[node.held] in node.legal:
            return []
        return [
            Conflict(
                slots=tuple(node.slots),
                rules=tuple(sorted(node.rules)),
                message="one slot has both to keep its parameters and to get other ones",
            )
        ]


def _nearest(around: list[set[int]], own_labels: list[list[Label]], node_index: int) -> list[Label]:
    """Candidate labels of the nodes around a node, nearest nodes first, at most `_NEAR`."""
    visited, queue, nearest_labels = (
        {node_index},
        deque([node_index]),
        dict.fromkeys(own_labels[node_index]),
    )
    while queue and len(nearest_labels) < _NEAR:
        for node in sorted(around[queue.popleft()] - visited):
            visited.add(node)
            queue.append(node)
            nearest_labels.update(dict.fromkeys(own_labels[node]))
    return list(nearest_labels)[:_NEAR]
