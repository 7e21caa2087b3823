"""One subgraph of both files, with the certificate's claims about it: operands, bounds, and the values
that readers distinguish.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from .check_bounds import COPIES, NO_KERNEL, Shown, show
from .check_graph import Claimed, Matched, moved_through, same_constant
from .check_read import ReadFile, ReadGraph, ReadTensor
from .check_real import Operand, Segment, UnshownError, declared_range, type_range
from .check_task import Kernels, Task

__all__ = ["GraphPair", "claims", "is_quantized", "make_pair"]

Row = Mapping[str, Any]

# Largest certified error in LSB (steps of the written output). int16: 16x8 kernels keep 16 bits of
# their multipliers, which costs one step at either end of the range.
_MOST = {"INT16": 2.0}


@dataclass(frozen=True, kw_only=True)
class GraphPair:
    """One subgraph of both files, with the certificate's claims about its tensors, by index in the
    written file. `arrives`: (least, greatest) integer that can occur; `needed`: (least, greatest) real
    value that readers distinguish, None where that is the whole declared range. `as_run`: whether
    biases are read as kernels read them, in input scale x weight scale. `through`: operators that assign
    or read a variable whose values all have one reading.
    """

    original: ReadGraph
    written: ReadGraph
    matched: Matched
    arrives: Sequence[tuple[int, int] | None]
    needed: Sequence[tuple[float, float] | None]
    as_run: bool
    through: frozenset[int]

    @cached_property
    def readers(self) -> Mapping[int, Sequence[tuple[int, int]]]:
        """Tensor index -> (operator index, input slot) of each operator that reads it."""
        slots: dict[int, list[tuple[int, int]]] = {}
        for operator_index, operator in enumerate(self.written.operators):
            for slot, index in enumerate(operator.inputs):
                slots.setdefault(index, []).append((operator_index, slot))
        return slots

    def given(self, index: int) -> ReadTensor:
        """The original's tensor for a tensor of the written file; that itself if it was inserted."""
        source = self.matched.stands_for[index]
        return self.written.tensors[index] if source is None else self.original.tensors[source]

    def declared(self, index: int) -> tuple[float, float] | None:
        """The range of real values that the original declares for a tensor; None if it does not have exactly
        one scale.
        """
        tensor = self.given(index)
        return declared_range(tensor) if len(tensor.scale) == 1 and is_quantized(tensor) else None

    def operand(self, index: int) -> Operand | None:
        """An operand by its tensor index in the written file, with its claims; None for a left-out
        one (-1).
        """
        if index < 0:
            return None
        needed = self.needed[index] or self.declared(index) or (0.0, 0.0)
        tensor, arrives = self.written.tensors[index], self.arrives[index]
        return Operand(given=self.given(index), tensor=tensor, arrives=arrives, needed=needed)

    def _inputs(self, index: int) -> list[Operand | None]:
        """The inputs of the written operator `index`, each with the tensor that the original's
        operator reads there; None for a left-out one.
        """
        operator, source = self.written.operators[index], self.matched.operators[index]
        operands = [self.operand(i) for i in operator.inputs]
        named = () if source is None else self.original.operators[source].inputs
        for slot, (operand, i) in enumerate(zip(operands, named, strict=False)):
            if operand is not None and i >= 0:
                operands[slot] = replace(operand, given=self.original.tensors[i])
        return operands

    def folded(self) -> Iterator[tuple[int, float]]:
        """For each folded (removed) QUANTIZE: its output in the original, and the largest error of the
        tensor that is read in its place, in steps of the written tensor.
        """
        for output, source in self.matched.folded.items():
            given = self.original.tensors[output]
            for index in self.readers:
                if index >= 0 and self.matched.stands_for[index] == source:
                    operand = self.operand(index)
                    assert operand is not None
                    if not is_quantized(given) or len(given.scale) > 1:
                        raise UnshownError("the folded QUANTIZE has no parameters")
                    by, needed = operand.affine, declared_range(given)
                    ends = (np.array([by.low, by.high]) - by.zero_point) * by.scale
                    yield output, Segment.of(given, needed, by.scale).distance(ends, ends)

    def most(self, index: int) -> float:
        """The largest error that a certified operator may have, in steps of its written output."""
        types = {self.written.tensors[i].type for i in self.written.operators[index].outputs}
        return max((_MOST.get(name, 1.0) for name in types), default=1.0)

    def show(self, index: int, kernels: Kernels, runtimes: Sequence[str]) -> Shown:
        """The error bound of the written operator `index`; raises one of `REASONS` if it cannot be
        proved.
        """
        operator, source = self.written.operators[index], self.matched.operators[index]
        outputs = [self.operand(tensor_index) for tensor_index in operator.outputs]
        present = [o for o in outputs if o is not None and is_quantized(o.tensor)]
        if not present or len(present) < len(outputs):
            raise UnshownError("its output is not quantized")
        if operator.name == "READ_VARIABLE":
            if index not in self.through:
                raise UnshownError(
                    "what is assigned to its variable has other parameters, or is not known"
                )
            present = [replace(o, arrives=type_range(o.tensor.type)) for o in present]
        task = Task(
            given=operator if source is None else self.original.operators[source],
            operator=operator,
            inputs=self._inputs(index),
            outputs=present,
            as_run=self.as_run,
            kernel=NO_KERNEL,
        )
        return show(task, kernels, runtimes)

    def unchanged(self, operator_index: int) -> bool:
        """Whether the written operator, the parameters of its operands and its constants are the
        original's.
        """
        operator, source = (
            self.written.operators[operator_index],
            self.matched.operators[operator_index],
        )
        if source is None:
            return False
        original = self.original.operators[source]
        inputs = operator.inputs
        if operator.name == "ASSIGN_VARIABLE" and operator_index in self.through:
            inputs = inputs[:1]
        pairs = [*zip(inputs, original.inputs, strict=False)]
        pairs += zip(operator.outputs, original.outputs, strict=True)
        same_operator = (original.version, original.options) == (operator.version, operator.options)
        absent = [[index < 0 for index in each.inputs] for each in (original, operator)]
        return (
            same_operator
            and absent[0] == absent[1]
            and all(
                same_constant(self.original.tensors[theirs], self.written.tensors[ours])
                for ours, theirs in pairs
                if ours >= 0
            )
        )

    def narrowest(self, index: int) -> tuple[float, float] | None:
        """The smallest interval of real values that the certificate may claim as `needed` for a
        tensor: it contains all values that its readers distinguish.
        """
        declared = self.declared(index)
        if declared is None or index in self.written.outputs:
            return declared
        low, high = np.inf, -np.inf
        for operator_index, slot in self.readers.get(index, ()):
            ends = self._told(operator_index, slot, declared)
            low, high = min(low, ends[0]), max(high, ends[1])
        return (float(low), float(high)) if low <= high else declared

    def _told(
        self, operator_index: int, slot: int, declared: tuple[float, float]
    ) -> tuple[float, float]:
        """The interval of real values that one reader distinguishes: the whole declared range or,
        for an operator that copies its input, what the readers of its outputs distinguish.
        """
        operator = self.written.operators[operator_index]
        copied = operator.name == "QUANTIZE" and self.matched.operators[operator_index] is None
        if operator.name in COPIES:
            copied = slot in range(len(operator.inputs))[COPIES[operator.name]]
        copies = (
            [self.needed[i] or self.declared(i) for i in operator.outputs] if copied else [None]
        )
        passed = [ends for ends in copies if ends is not None]
        if len(passed) < len(copies):
            return declared
        clipped = np.clip(passed, *declared)
        return float(clipped.min()), float(clipped.max())


def is_quantized(tensor: ReadTensor) -> bool:
    """Whether a tensor is an 8-, 16- or 4-bit integer tensor with a scale, stored densely."""
    return (
        bool(tensor.scale)
        and not tensor.sparse
        and tensor.type in {"INT8", "UINT8", "INT16", "INT4"}
    )


def claims(certificate: Row) -> list[Claimed]:
    """For each subgraph, what the certificate claims: the original's index of each written
    operator, and the indices of the original's folded QUANTIZE.
    """
    return [
        ([row["original"] for row in graph["operators"]], graph.get("folded", ()))
        for graph in certificate["subgraphs"]
    ]


def make_pair(
    before: ReadFile, after: ReadFile, graph_index: int, matched: Matched, certificate: Row
) -> GraphPair:
    """The GraphPair of one subgraph. `before`, `after`: original and written file."""
    count = len(after.graphs[graph_index].tensors)
    arrives: list[tuple[int, int] | None] = [None] * count
    needed: list[tuple[float, float] | None] = [None] * count
    for row in certificate["subgraphs"][graph_index]["tensors"]:
        low, high = row["arrives"]
        arrives[row["tensor"]] = int(low), int(high)
        if "needed" in row:
            needed[row["tensor"]] = float(row["needed"][0]), float(row["needed"][1])
    return GraphPair(
        original=before.graphs[graph_index],
        written=after.graphs[graph_index],
        matched=matched,
        arrives=arrives,
        needed=needed,
        as_run=certificate["bias"] == "as-run",
        through=frozenset(n for graph, n in moved_through(after) if graph == graph_index),
    )
