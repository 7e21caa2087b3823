"""What an assignment costs: inserted QUANTIZE operators and precision lost at each reader.

Precision is measured in bits: half the log2 of the noise power a reader now sees over the noise
power it saw in the declared reading of the original.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from ..model import Slot
from ..numerics import Label, Range, label_range
from .exact import Floats, Table
from .flow import Values
from .records import Node, Options, Problem, Value, Weights

__all__ = ["FORBIDDEN", "Limit", "cost_tables"]

# Larger than any sum of honest costs, small enough to keep float64 exact to 1e-6.
FORBIDDEN = 1e7

# Whether a slot can take a label at all: multiplier windows, the range of a bias.
Limit = Callable[[Slot, Label], bool]

_JOINT_LIMIT = 200_000


class _Costs:
    def __init__(self, problem: Problem, values: Values, options: Options, cuts: str) -> None:
        self.cuts = cuts
        self.problem = problem
        self.values = values
        self.weights: Weights = options.weights
        self.largest = max((value.elements for value in problem.values), default=1)
        self.ranges: dict[Label, Range] = {}
        self.force = options.overlap == "force"
        self.cut_scale = 1000.0 if self.force else 1.0

    def range(self, label: Label) -> Range:
        if label not in self.ranges:
            self.ranges[label] = label_range(label, self.problem.type)
        return self.ranges[label]

    def cut(self, value: Value) -> float:
        weights = self.weights
        return self.cut_scale * (weights.cut + weights.move * value.elements / self.largest)

    def read(
        self, value: Value, reader: tuple[Node, tuple[Slot, ...]], a: Label, b: Label
    ) -> float:
        """Lost at one reader that sees label `b` of a tensor written at `a`."""
        if b != a and not self._possible(a, b):
            return FORBIDDEN
        seen = self.range(a)
        if b != a:
            other = self.range(b)
            seen = Range(max(seen.low, other.low), min(seen.high, other.high))
        node, slots = reader
        total = self._clip(value, slots, seen, max(a.scale, b.scale))
        total += self._clamp(value, seen, max(a.scale, b.scale))
        noise = a.scale**2 + (b.scale**2 if b != a else 0.0)
        saw = self.values.noise[value.key]
        if node.free:
            bits = 0.5 * math.log2(noise / saw)
            return total + self.weights.bit * max(0.0, bits) + self.weights.finer * max(-8.0, bits)
        return total + self.weights.bit * max(0.0, 0.5 * math.log2(noise / (saw + b.scale**2)))

    def _possible(self, a: Label, b: Label) -> bool:
        return self.cuts == "any" or (self.cuts == "zero" and not (a.zero_point or b.zero_point))

    def _clip(self, value: Value, slots: tuple[Slot, ...], seen: Range, step: float) -> float:
        worst = 0.0
        for slot in slots:
            need = self.values.need(slot, value.key)
            missing = max(0.0, seen.low - need.low - step) + max(0.0, need.high - seen.high - step)
            if missing > 0:
                worst = max(worst, missing / max(need.high - need.low, step))
        return self.weights.clip * worst

    def _clamp(self, value: Value, seen: Range, step: float) -> float:
        """A range that ends at zero (or at 6) where the operator could go on is a clamp."""
        declared = self.range(self.values.labels[value.key])
        reach = self.values.reach[value.key]
        broken = (declared.low == 0 and reach.low < 0 and seen.low < 0) or (
            declared.high == 0 and reach.high > 0 and seen.high > 0
        )
        relu6 = declared.low == 0 and abs(declared.high - 6) <= 6e-3 and reach.high > 7
        if relu6 and seen.high > declared.high + step:
            broken = True
        return self.weights.clamp if broken else 0.0

    def constant(self, value: Value, slots: tuple[Slot, ...], b: Label) -> float:
        """Re-expressing a constant costs no operator, only precision."""
        own = self.values.labels[value.key]
        if b == own:
            return 0.0
        total = self._clip(value, slots, self.range(b), 0.5 * b.scale)
        return total + self.weights.change + max(0.0, 0.5 * math.log2((b.scale / own.scale) ** 2))


def cost_tables(
    problem: Problem, values: Values, options: Options, limit: Limit, cuts: str
) -> tuple[list[Table], bool]:
    """All cost tables for one component.

    `cuts`: "any" where a QUANTIZE takes any labels, "zero" where only zero points of 0, "" where
    there is none. Also returned: whether they state the problem exactly (they do unless one tensor has
    so many readers that sharing a QUANTIZE among them is counted pair by pair).
    """
    costs = _Costs(problem, values, options, cuts)
    tables: list[Table] = []
    exact = True
    for number, node in enumerate(problem.nodes):
        if len(node.domain) > 1:
            row = [
                0.0 if all(limit(s, label) for s in node.slots) else FORBIDDEN
                for label in node.domain
            ]
            tables.append(Table((number,), np.array(row)))
    for value in problem.values:
        if value.source is None:
            tables += [_constant_table(costs, value, n, slots) for n, slots in value.readers]
            continue
        tables.append(_change_table(costs, value))
        size = math.prod(len(problem.nodes[n].domain) for n, _ in value.readers)
        size *= len(problem.nodes[value.source].domain)
        if size <= _JOINT_LIMIT and len(value.readers) < 12:
            tables.append(_value_table(costs, value, value.readers))
        else:
            exact = False
            tables += [_value_table(costs, value, (reader,)) for reader in value.readers]
    return tables, exact


def _constant_table(costs: _Costs, value: Value, number: int, slots: tuple[Slot, ...]) -> Table:
    domain = costs.problem.nodes[number].domain
    return Table((number,), np.array([costs.constant(value, slots, b) for b in domain]))


def _change_table(costs: _Costs, value: Value) -> Table:
    assert value.source is not None
    own = costs.values.labels[value.key]
    domain = costs.problem.nodes[value.source].domain
    row = [0.0 if label == own else costs.weights.change for label in domain]
    return Table((value.source,), np.array(row))


def _value_table(
    costs: _Costs, value: Value, readers: tuple[tuple[int, tuple[Slot, ...]], ...]
) -> Table:
    """Joint cost of the label a tensor is written at and those its readers see: each reader's
    loss, and one QUANTIZE for each further label, shared by the readers that agree.
    """
    nodes = costs.problem.nodes
    assert value.source is not None
    scope = list(dict.fromkeys([value.source, *(number for number, _ in readers)]))
    domains = [nodes[number].domain for number in scope]
    place = {number: axis for axis, number in enumerate(scope)}
    source = place[value.source]
    total: Floats = np.zeros([len(domain) for domain in domains])
    for number, slots in readers:
        axis = place[number]
        block = np.array(
            [
                [costs.read(value, (nodes[number], slots), a, b) for b in nodes[number].domain]
                for a in nodes[value.source].domain
            ]
        )
        if axis == source:
            total += _spread(np.diagonal(block), (source,), total.ndim)
        else:
            total += _spread(block, (source, axis), total.ndim)
    return Table(tuple(scope), total + costs.cut(value) * _further(domains, source))


def _spread(block: Floats, axes: tuple[int, ...], rank: int) -> Floats:
    """A table over some axes, broadcast over all of them."""
    if len(axes) == 2 and axes[0] > axes[1]:
        block, axes = block.T, (axes[1], axes[0])
    shape = [1] * rank
    for axis, size in zip(axes, block.shape, strict=True):
        shape[axis] = size
    return block.reshape(shape)


def _further(domains: list[tuple[Label, ...]], source: int) -> Floats:
    """How many labels other than the source's the readers see, for every joint choice."""
    numbers: dict[Label, int] = {}
    for domain in domains:
        for label in domain:
            numbers.setdefault(label, len(numbers))
    axes = [
        _spread(np.array([numbers[label] for label in domain], dtype=float), (axis,), len(domains))
        for axis, domain in enumerate(domains)
    ]
    count: Floats = np.zeros([len(domain) for domain in domains])
    others = [axis for axis in range(len(domains)) if axis != source]
    for position, axis in enumerate(others):
        new = axes[axis] != axes[source]
        for earlier in others[:position]:
            new = new & (axes[axis] != axes[earlier])
        count = count + new
    return count
