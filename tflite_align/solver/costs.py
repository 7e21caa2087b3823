"""What an assignment costs: inserted QUANTIZE operators and precision lost at each reader.

Precision is measured in bits: half the log2 of the noise power a reader now sees over the noise
power it saw in the declared reading of the original.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ..model import Slot
from ..numerics import Label, label_range
from .flow import Values
from .records import Node, Options, Problem, Value, Weights
from .tables import Floats, Sharing, Table

__all__ = ["FORBIDDEN", "Limit", "cost_tables", "lost_bits"]

# Larger than any sum of honest costs, small enough to keep float64 exact to 1e-6.
FORBIDDEN = 1e7

# A node and the slots of one tensor in it.
Reader = tuple[Node, tuple[Slot, ...]]

# Whether a slot can take a label at all: multiplier windows, the range of a bias.
Limit = Callable[[Slot, Label], bool]

_OBSERVED = 2.5  # times all of a range: what clipping any value costs that was really seen
_FORCE = 1000.0  # --overlap force: a cut only where nothing else is possible


class _Costs:
    def __init__(self, problem: Problem, values: Values, options: Options, cuts: str) -> None:
        self.cuts = cuts
        self.problem = problem
        self.values = values
        self.weights: Weights = options.weights
        self.largest = max((value.elements for value in problem.values), default=1)
        self.grids: dict[tuple[Label, ...], Floats] = {}
        self.cut_scale = _FORCE if options.overlap == "force" else 1.0

    def cut(self, value: Value) -> float:
        weights = self.weights
        return self.cut_scale * (weights.cut + weights.move * value.elements / self.largest)

    def read(self, value: Value, reader: Reader, written: tuple[Label, ...]) -> Floats:
        """Lost at the slots of one reader, for each label its tensor is written at (rows) and
        each they see. Counted slot by slot, so that it does not matter who is tied to whom;
        a bit of a tensor's precision counts once, shared by the readers that compute.
        """
        node, slots = reader
        a, b = self.grid(written)[:, :, None], self.grid(node.domain)[:, None, :]
        same = _same(written, node.domain)
        low, high = np.maximum(a[1], b[1]), np.minimum(a[2], b[2])
        step = np.maximum(a[0], b[0])
        total = self._clip(value, slots, low, high, step)
        total = total + len(slots) * self._clamp(value, low, high, step)
        noise = a[0] ** 2 + np.where(same, 0.0, b[0] ** 2)
        saw = self.values.noise[value.key]
        computing = _computing(reader) / self._all_computing(value)
        bits = 0.5 * np.log2(noise / saw)
        total = total + computing * self.weights.bit * np.maximum(0.0, bits)
        total = total + computing * self.weights.finer * np.maximum(-8.0, bits)
        # A tied reader's own label is no loss at it: its readers count that.
        bits = 0.5 * np.log2(noise / (saw + b[0] ** 2))
        total = total + (len(slots) - _computing(reader)) * self.weights.bit * np.maximum(0.0, bits)
        if not node.uncut.isdisjoint(slots):
            total = np.where(same, total, FORBIDDEN)
        if self.cuts != "any":
            zero = (a[3] == 0) & (b[3] == 0) & (self.cuts == "zero")
            total = np.where(same | zero, total, FORBIDDEN)
        return total

    def _all_computing(self, value: Value) -> int:
        """How many readers of the tensor compute: its precision counts once, shared by them."""
        nodes = self.problem.nodes
        return sum(_computing((nodes[number], slots)) for number, slots in value.readers) or 1

    def lost(self, value: Value, reader: Reader, written: Label, seen: Label) -> float:
        """Bits lost at the slots of a reader that compute, as a share of the tensor's."""
        noise = written.scale**2 + (seen.scale**2 if seen != written else 0.0)
        bits = 0.5 * math.log2(noise / self.values.noise[value.key])
        return _computing(reader) / self._all_computing(value) * max(0.0, bits)

    def grid(self, labels: tuple[Label, ...]) -> Floats:
        """Rows: scale, low, high, zero point of each label."""
        if labels not in self.grids:
            ranges = [label_range(label, self.problem.type) for label in labels]
            self.grids[labels] = np.array(
                [
                    [label.scale for label in labels],
                    [held.low for held in ranges],
                    [held.high for held in ranges],
                    [float(label.zero_point) for label in labels],
                ]
            )
        return self.grids[labels]

    def _clip(
        self, value: Value, slots: tuple[Slot, ...], low: Floats, high: Floats, step: Floats
    ) -> Floats:
        """Representable range that has to get through, and does not.

        A range that is only declared may lose a step at its end. Values that were observed are
        there: past half a step, which rounding moves them anyway, they would be clipped.
        """
        seen = value.key in self.values.observed
        step = 0.5 * step if seen else step
        total: Floats = np.zeros_like(low)
        for slot in slots:
            need = self.values.need(slot, value.key)
            missing = np.maximum(0.0, low - need.low - step)
            missing = missing + np.maximum(0.0, need.high - high - step)
            total = total + missing / np.maximum(need.high - need.low, step)
            total = total + (_OBSERVED if seen else 0.0) * (missing > 0)
        return self.weights.clip * total

    def _clamp(self, value: Value, low: Floats, high: Floats, step: Floats) -> Floats:
        """Un-doing a clamp that only the range states; little where the operator can state it."""
        clamp = self.values.clamps.get(value.key)
        if clamp is None:
            return np.zeros_like(low)
        broken = np.zeros(low.shape, dtype=bool)
        if clamp.low:
            broken |= low < 0
        if clamp.high:
            broken |= high > 0
        if clamp.six:
            broken |= high > clamp.ceiling + step
        stated = value.key in self.values.silent and clamp.activation is not None
        return (self.weights.state if stated else self.weights.clamp) * broken

    def constant(self, value: Value, slots: tuple[Slot, ...], b: Label) -> float:
        """Re-expressing a constant costs no operator, only precision."""
        own = self.values.labels[value.key]
        if b == own:
            return 0.0
        _, low, high, _ = self.grid((b,))
        clipped = float(self._clip(value, slots, low, high, np.array([0.5 * b.scale]))[0])
        return clipped + self.weights.change + max(0.0, math.log2(b.scale / own.scale))


def _computing(reader: Reader) -> int:
    """How many of the slots compute their own multipliers, so that noise they see stays."""
    node, slots = reader
    return len(slots) if node.free else len(node.loose.intersection(slots))


def _same(written: tuple[Label, ...], seen: tuple[Label, ...]) -> NDArray[np.bool_]:
    return np.array([[one == other for other in seen] for one in written])


def cost_tables(
    problem: Problem, values: Values, options: Options, limit: Limit, cuts: str
) -> tuple[list[Table], list[Sharing]]:
    """One component as cost tables of one or two variables, and the operators readers share.

    `cuts`: "any" where a QUANTIZE takes any labels, "zero" where only zero points of 0, "" where
    there is none.
    """
    costs = _Costs(problem, values, options, cuts)
    tables = [
        Table((number,), np.array(_allowed(node, limit)))
        for number, node in enumerate(problem.nodes)
        if len(node.domain) > 1
    ]
    sharings: list[Sharing] = []
    for value in problem.values:
        if value.source is None:
            tables += [_constant_table(costs, value, n, slots) for n, slots in value.readers]
            continue
        tables.append(_change_table(costs, value, value.source))
        written = problem.nodes[value.source].domain
        for number, slots in value.readers:
            block = costs.read(value, (problem.nodes[number], slots), written)
            if number == value.source:
                tables.append(Table((number,), np.diagonal(block).copy()))
            else:
                tables.append(Table((value.source, number), block))
        if any(number != value.source for number, _ in value.readers):
            sharings.append(_sharing(costs, value, value.source))
    return tables, sharings


def lost_bits(problem: Problem, values: Values, options: Options, cuts: str) -> float:
    """Bits lost at all computing readers of a problem whose every domain is a single label."""
    costs = _Costs(problem, values, options, cuts)
    total = 0.0
    for value in problem.values:
        if value.source is not None:
            (written,) = problem.nodes[value.source].domain
            for number, slots in value.readers:
                node = problem.nodes[number]
                total += costs.lost(value, (node, slots), written, node.domain[0])
    return total


def _allowed(node: Node, limit: Limit) -> list[float]:
    return [
        0.0 if all(limit(slot, label) for slot in node.slots) else FORBIDDEN
        for label in node.domain
    ]


def _constant_table(costs: _Costs, value: Value, number: int, slots: tuple[Slot, ...]) -> Table:
    domain = costs.problem.nodes[number].domain
    return Table((number,), np.array([costs.constant(value, slots, b) for b in domain]))


def _change_table(costs: _Costs, value: Value, source: int) -> Table:
    own = costs.values.labels[value.key]
    domain = costs.problem.nodes[source].domain
    row = [0.0 if label == own else costs.weights.change for label in domain]
    return Table((source,), np.array(row))


def _sharing(costs: _Costs, value: Value, source: int) -> Sharing:
    readers = tuple(number for number, _ in value.readers)
    numbers: dict[Label, int] = {}
    labels = {
        number: tuple(
            numbers.setdefault(label, len(numbers)) for label in costs.problem.nodes[number].domain
        )
        for number in dict.fromkeys((source, *readers))
    }
    return Sharing(source=source, readers=readers, labels=labels, cost=costs.cut(value))
