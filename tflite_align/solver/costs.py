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

# Whether a slot can take a label at all: multiplier windows, the range of a bias.
Limit = Callable[[Slot, Label], bool]

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

    def read(
        self, value: Value, reader: tuple[Node, tuple[Slot, ...]], written: tuple[Label, ...]
    ) -> Floats:
        """Lost at one reader, for each label its tensor is written at (rows) and each it sees."""
        node, slots = reader
        a, b = self.grid(written)[:, :, None], self.grid(node.domain)[:, None, :]
        same = _same(written, node.domain)
        low, high = np.maximum(a[1], b[1]), np.minimum(a[2], b[2])
        step = np.maximum(a[0], b[0])
        total = self._clip(value, slots, low, high, step)
        total = total + self._clamp(value, low, high, step)
        bits = self.bits(value, written, node)
        total = total + self.weights.bit * np.maximum(0.0, bits)
        if node.free:
            total = total + self.weights.finer * np.maximum(-8.0, bits)
        if self.cuts != "any":
            zero = (a[3] == 0) & (b[3] == 0) & (self.cuts == "zero")
            total = np.where(same | zero, total, FORBIDDEN)
        return total

    def bits(self, value: Value, written: tuple[Label, ...], node: Node) -> Floats:
        """Half the log2 of the noise power seen over that seen before; negative: finer now.

        A tied reader's own label is no loss here: its readers count that.
        """
        a, b = self.grid(written)[:, :, None], self.grid(node.domain)[:, None, :]
        noise = a[0] ** 2 + np.where(_same(written, node.domain), 0.0, b[0] ** 2)
        saw = self.values.noise[value.key]
        bits: Floats = 0.5 * np.log2(noise / (saw if node.free else saw + b[0] ** 2))
        return bits

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
        """Representable range that has to get through, and does not."""
        worst: Floats = np.zeros_like(low)
        for slot in slots:
            need = self.values.need(slot, value.key)
            missing = np.maximum(0.0, low - need.low - step)
            missing = missing + np.maximum(0.0, need.high - high - step)
            worst = np.maximum(worst, missing / np.maximum(need.high - need.low, step))
        return self.weights.clip * worst

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
    """Bits lost at all free readers of a problem whose every domain is a single label."""
    costs = _Costs(problem, values, options, cuts)
    total = 0.0
    for value in problem.values:
        if value.source is None:
            continue
        written = problem.nodes[value.source].domain
        for number, _ in value.readers:
            if problem.nodes[number].free:
                total += max(0.0, float(costs.bits(value, written, problem.nodes[number]).max()))
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
