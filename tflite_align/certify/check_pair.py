"""One subgraph of both files, with the certificate's claims about it: operands, bounds, and the values
that readers distinguish.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from .check_bounds import Kernels, Operand, Shown, Task, UnshownError, hull, show
from .check_graph import Claimed, Matched, demand, moved_through
from .check_read import ReadFile, ReadGraph, ReadOperator, ReadTensor
from .functions.operand_slots import COPIED, INDEXED

__all__ = ["GraphPair", "claims", "make_pair"]

Row = Mapping[str, Any]
Interval = tuple[float, float]

# Largest certified error in LSB (steps of the written output). int16: 16x8 kernels keep 16 bits of
# their multipliers, which costs one step at either end of the range.
_MOST = {"INT16": 2.0}


@dataclass(frozen=True, kw_only=True)
class GraphPair:
    """One subgraph of both files, with the certificate's claims about its tensors, by index in the
    written file. `arrives`: (least, greatest) integer that can occur; `needed`: (least, greatest) real
    value that readers distinguish, None where that is the whole declared range. `as_run`: whether
    biases are read as kernels read them, in input scale x weight scale. `through`: operators that assign
    or read a variable whose values all have the same type, scale and zero point.
    """

    original: ReadGraph
    written: ReadGraph
    matched: Matched
    arrives: list[tuple[int, int] | None]
    needed: list[Interval | None]
    as_run: bool
    through: frozenset[int]

    def given(self, index: int) -> ReadTensor:
        """The original's tensor for a tensor (index) of the written file; the written tensor if it
        was inserted.
        """
        source = self.matched.stands_for[index]
        return self.written.tensors[index] if source is None else self.original.tensors[source]

    def origin(self, index: int) -> ReadOperator | None:
        """The original's operator for the written operator `index`; None for an inserted QUANTIZE."""
        source = self.matched.operators[index]
        return None if source is None else self.original.operators[source]

    def declared(self, index: int) -> Interval | None:
        """The range of real values that the original declares for a tensor (index in the written
        file); None if it does not have exactly one scale.
        """
        tensor = self.given(index)
        return tensor.declared if len(tensor.scale) == 1 and tensor.quantized else None

    def operand(self, index: int, given: ReadTensor | None = None) -> Operand:
        """A tensor as an operand, with the certificate's claims about it. `index`: in the written
        file; `given`: the original's tensor, if not the corresponding one.
        """
        return Operand(
            given=given or self.given(index),
            tensor=self.written.tensors[index],
            arrives=self.arrives[index],
            needed=self.needed[index] or self.declared(index) or (0.0, 0.0),
        )

    @cached_property
    def readers(self) -> Mapping[int, Sequence[tuple[int, int]]]:
        """Tensor index -> (operator index, input slot) of each operator that reads it."""
        slots: dict[int, list[tuple[int, int]]] = {}
        for number, operator in enumerate(self.written.operators):
            for slot, index in enumerate(operator.inputs):
                slots.setdefault(index, []).append((number, slot))
        return slots

    @cached_property
    def produced(self) -> set[int]:
        """The indices of tensors that an operator of the written file writes."""
        return {index for operator in self.written.operators for index in operator.outputs}

    def tracked(self, index: int) -> bool:
        """Whether the certificate gives an interval of integers for the tensor `index` of the
        written file.
        """
        return index >= 0 and self.arrives[index] is not None

    def check_folded(self, location: str) -> None:
        """Raise RefutedError if the tensor that is read in place of a folded QUANTIZE's output
        differs from it by more than 1 step (LSB) of the written tensor, or has not exactly one
        scale. `location`: the place, for messages.
        """
        for output, source in self.matched.folded.items():
            given, where = self.original.tensors[output], f"{location}/tensor[{output}]"
            for index in [
                i for i in self.readers if i >= 0 and self.matched.stands_for[i] == source
            ]:
                single = given.quantized and len(given.scale) == 1 and self.tracked(index)
                demand(single, where, "the folded QUANTIZE has no parameters")
                operand = replace(self.operand(index, given), needed=given.declared)
                by = operand.affine
                ends = (np.array([by.low, by.high]) - by.zero_point) * by.scale
                off = operand.off(ends, np.clip(ends, *operand.stated))
                what = f"without the folded QUANTIZE it is up to {off:.6f} LSB off"
                demand(off <= 1, f"{where} of the original", what)

    def most(self, index: int) -> float:
        """The largest error that a certificate may state for the written operator `index`, in steps
        (LSB) of its output.
        """
        types = [self.written.tensors[i].type for i in self.written.operators[index].outputs]
        return max(_MOST.get(name, 1.0) for name in types)

    def show(self, index: int, kernels: Kernels, runtimes: Sequence[str]) -> Shown:
        """The error bound of the written operator `index`; raises one of `REASONS` if none can be
        proved. `kernels`: rows of integer functions; `runtimes`: names.
        """
        operator, original = self.written.operators[index], self.origin(index)
        # An index is that of an element of the operand, read as the written file reads it.
        chosen = operator.name in INDEXED
        ends, written = operator.inputs[:1] if chosen else operator.outputs, self.written.tensors
        if not ends or not all(i >= 0 and written[i].quantized for i in ends):
            raise UnshownError("the output is not quantized")
        outputs = [self.operand(i, written[i] if chosen else None) for i in ends]
        if operator.name == "READ_VARIABLE":
            if index not in self.through:
                why = "the tensor assigned to the variable has other parameters than the result or is unknown"
                raise UnshownError(why)
            outputs = [replace(each, arrives=each.tensor.limits) for each in outputs]
        named = [*(original.inputs if original else ()), *[-1] * len(operator.inputs)]
        given = [self.original.tensors[i] if i >= 0 else None for i in named]
        pairs = zip(operator.inputs, given, strict=False)
        inputs = [self.operand(i, tensor) if i >= 0 else None for i, tensor in pairs]
        task = Task(
            given=original or operator,
            operator=operator,
            inputs=inputs,
            outputs=outputs,
            output=outputs[0],
            types=[written[i].type for i in operator.outputs],
            as_run=self.as_run,
        )
        return show(task, kernels, runtimes)

    def unchanged(self, index: int) -> bool:
        """Whether the written operator `index` is the original's, with equal parameters and
        constants.
        """
        operator, original = self.written.operators[index], self.origin(index)
        if original is None:
            return False
        assigns = operator.name == "ASSIGN_VARIABLE" and index in self.through
        pairs = [*zip(operator.inputs[: 1 if assigns else None], original.inputs, strict=False)]
        pairs += zip(operator.outputs, original.outputs, strict=True)
        said = ((op.version, op.options, [i < 0 for i in op.inputs]) for op in (operator, original))
        tensors = self.written.tensors, self.original.tensors
        same = (tensors[0][i].constant == tensors[1][j].constant for i, j in pairs if i >= 0)
        return next(said) == next(said) and all(same)

    def narrowest(self, index: int) -> Interval | None:
        """The smallest interval of real values that the certificate may claim as `needed` for a
        tensor (index in the written file): it contains all values that its readers distinguish.
        """
        declared = self.declared(index)
        if declared is None or index in self.written.outputs:
            return declared
        intervals = [
            self._distinguished(*reader, declared) for reader in self.readers.get(index, ())
        ]
        return hull(intervals or [declared])

    def _distinguished(self, number: int, slot: int, declared: Interval) -> Interval:
        """The interval of real values that one reader distinguishes: the whole declared range or,
        for an operator that copies, what the readers of its outputs distinguish. `number`: the
        reading operator; `slot`: its input; `declared`: the tensor's range.
        """
        operator = self.written.operators[number]
        inserted = operator.name == "QUANTIZE" and self.matched.operators[number] is None
        data = slice(1) if inserted else COPIED.get(operator.name, slice(0))
        if slot not in range(len(operator.inputs))[data]:
            return declared
        passed = [self.needed[i] or self.declared(i) if i >= 0 else None for i in operator.outputs]
        if None in passed:
            return declared
        low, high = hull(interval for interval in passed if interval)
        return float(np.clip(low, *declared)), float(np.clip(high, *declared))


def claims(certificate: Row) -> list[Claimed]:
    """The certificate's mapping of operators by subgraph: (original index of each written operator,
    None for an inserted one; indices of folded QUANTIZE).
    """
    return [
        ([row["original"] for row in graph["operators"]], graph.get("folded", ()))
        for graph in certificate["subgraphs"]
    ]


def make_pair(
    before: ReadFile, after: ReadFile, number: int, matched: Matched, certificate: Row
) -> GraphPair:
    """The GraphPair of subgraph `number`. `before`, `after`: original and written file."""
    pair = GraphPair(
        original=before.graphs[number],
        written=after.graphs[number],
        matched=matched,
        arrives=[None for _ in after.graphs[number].tensors],
        needed=[None for _ in after.graphs[number].tensors],
        as_run=certificate["bias"] == "as-run",
        through=frozenset(index for graph, index in moved_through(after) if graph == number),
    )
    for row in certificate["subgraphs"][number]["tensors"]:
        low, high = row["arrives"]
        pair.arrives[row["tensor"]] = int(low), int(high)
        if "needed" in row:
            pair.needed[row["tensor"]] = float(row["needed"][0]), float(row["needed"][1])
    return pair
