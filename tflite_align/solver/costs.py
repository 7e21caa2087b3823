"""The cost of a choice of labels: inserted QUANTIZE operators, and precision lost at each reader.

Precision is measured in bits: half the log2 of the noise power at a reader, relative to its noise
power in the original's declared reading.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from ..checks.binder.bound import Requantizing
from ..numerics import Label
from .cost_tables import FORBIDDEN, Sharing, Table
from .label_limits import Limits
from .precision import Read, Reader, Reads, computing
from .problem_records import Node, Problem, SolverOptions, Value
from .ranges import Values

__all__ = ["cost_tables", "lost_bits", "priced"]

_FORCE = 1000.0  # weight of a QUANTIZE with --overlap force: inserted only where nothing else is possible

# Cost tables of one component, and the groups of readers that share an inserted QUANTIZE.
Tables = tuple[list[Table], list[Sharing]]


class _Costs:
    """The costs of one component: of each read (a node that reads a tensor), and of each node
    (operand positions that share a label).
    """

    def __init__(self, problem: Problem, values: Values, options: SolverOptions) -> None:
        self.problem = problem
        self.values = values
        self.weights = options.weights
        self.largest = max((value.elements for value in problem.values), default=1)
        self.cut_scale = _FORCE if options.overlap == "force" else 1.0

    def cut(self, value: Value) -> float:
        """The cost of one QUANTIZE behind this tensor, in the solver's units: a constant and a part
        for its elements, relative to the component's largest tensor.
        """
        weights = self.weights
        return self.cut_scale * (weights.cut + weights.move * value.elements / self.largest)

    def shared(self, value: Value) -> int:
        """The number of slots that read the tensor and compute their own multipliers, at least 1. A
        bit of the tensor's precision counts once in total, so that each of them bears an equal part
        of its cost.
        """
        nodes = self.problem.nodes
        return (
            sum(computing((nodes[node_index], slots)) for node_index, slots in value.readers) or 1
        )

    def lost(self, value: Value, reader: Reader, written: Label, read_label: Label) -> float:
        """Bits lost at the slots of a reader that compute their own multipliers, times their share
        of all such slots of the tensor. `written`, `read_label`: the labels with which the tensor
        is written and read.
        """
        noise = written.scale**2 + (read_label.scale**2 if read_label != written else 0.0)
        bits = 0.5 * math.log2(noise / self.values.noise[value.key])
        return computing(reader) / self.shared(value) * max(0.0, bits)

    def reads(self, value: Value, cuts: Requantizing | None) -> list[Read]:
        """One Read for each node that reads the tensor; none for a constant."""
        if value.source is None:
            return []
        nodes = self.problem.nodes
        shared = self.shared(value)
        return [
            Read(
                self.problem.type, value, nodes[n], slots, nodes[value.source].domain, shared, cuts
            )
            for n, slots in value.readers
        ]


def priced(
    problems: Sequence[Problem],
    values: Values,
    options: SolverOptions,
    limits: Limits,
    cuts: Mapping[str, Requantizing],
) -> list[Tables]:
    """(cost tables over one or two variables, sharings) of each component. `cuts`: limits of a
    QUANTIZE by type; other types have no QUANTIZE. Many components are processed together, because
    each is small. `problems`: the components.
    """
    costs = [_Costs(problem, values, options) for problem in problems]
    reads_needed = [
        read
        for cost in costs
        for value in cost.problem.values
        for read in cost.reads(value, cuts.get(cost.problem.type))
    ]
    reads = Reads(values, options.weights)
    blocks = iter(reads.priced(reads_needed))
    return [_tables(component_costs, reads, blocks, limits) for component_costs in costs]


def cost_tables(
    problem: Problem,
    values: Values,
    options: SolverOptions,
    limits: Limits,
    cuts: Requantizing | None,
) -> Tables:
    """(cost tables, sharings) of one component; `cuts`: limits of a QUANTIZE for its type."""
    (tables,) = priced([problem], values, options, limits, {problem.type: cuts} if cuts else {})
    return tables


def _tables(costs: _Costs, reads: Reads, blocks: Iterable[np.ndarray], limits: Limits) -> Tables:
    """(cost tables, sharings) of one component, in an order that depends on the component alone.
    `blocks`: cost arrays of its reads, in order.
    """
    problem = costs.problem
    blocks = iter(blocks)
    tables = [
        Table((node_index,), np.array(_allowed(node, limits)))
        for node_index, node in enumerate(problem.nodes)
        if len(node.domain) > 1
    ]
    sharings: list[Sharing] = []
    for value in problem.values:
        if value.source is None:
            for n, slots in value.readers:
                row = reads.constant(value, slots, problem.nodes[n].domain, problem.type)
                negative = costs.values.arrive[value.key].low < 0
                if negative and problem.nodes[n].zero and problem.type == "uint8":
                    row = np.full_like(row, FORBIDDEN)
                tables.append(Table((n,), row))
            continue
        tables.append(_change_table(costs, value, value.source))
        for node_index, _ in value.readers:
            block = next(blocks)
            if node_index == value.source:
                tables.append(Table((node_index,), np.diagonal(block).copy()))
            else:
                tables.append(Table((value.source, node_index), block))
        if any(node_index != value.source for node_index, _ in value.readers):
            sharings.append(_sharing(costs, value, value.source))
    return tables, sharings


def lost_bits(problem: Problem, values: Values, options: SolverOptions) -> float:
    """Bits of precision lost, summed over all readers that compute with the tensors' values, of a
    problem in which every node has one candidate label.
    """
    costs = _Costs(problem, values, options)
    total = 0.0
    for value in problem.values:
        if value.source is not None:
            (written,) = problem.nodes[value.source].domain
            for node_index, slots in value.readers:
                node = problem.nodes[node_index]
                total += costs.lost(value, (node, slots), written, node.domain[0])
    return total


def _allowed(node: Node, limits: Limits) -> list[float]:
    """For each candidate label of a node: 0, or FORBIDDEN where a slot's limits exclude it."""
    scales = [label.scale for label in node.domain]
    least, greatest = min(scales), max(scales)
    strict = [slot for slot in node.slots if not limits.take_all(slot, least, greatest)]
    if not strict:
        return [0.0] * len(scales)
    return [
        0.0 if all(limits(slot, label) for slot in strict) else FORBIDDEN for label in node.domain
    ]


def _change_table(costs: _Costs, value: Value, source: int) -> Table:
    """A cost table over the node `source`, which writes the tensor: 0 for the declared label, the
    small weight `change` for every other candidate.
    """
    declared = costs.values.labels[value.key]
    domain = costs.problem.nodes[source].domain
    row = [0.0 if label == declared else costs.weights.change for label in domain]
    return Table((source,), np.array(row))


def _sharing(costs: _Costs, value: Value, source: int) -> Sharing:
    """The readers of a tensor that can share inserted QUANTIZE operators, one per label, and the
    cost of one. `source`: the node that writes the tensor.
    """
    readers = tuple([node_index for node_index, _ in value.readers])
    numbers: dict[Label, int] = {}
    labels = {
        node_index: tuple(
            [
                numbers.setdefault(label, len(numbers))
                for label in costs.problem.nodes[node_index].domain
            ]
        )
        for node_index in dict.fromkeys((source, *readers))
    }
    return Sharing(source=source, readers=readers, labels=labels, cost=costs.cut(value))
