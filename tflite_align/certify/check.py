"""The independent checker: whether a certificate is true of an original and a written file.

It reads both files with the accessors of the `tflite` package and recomputes all bounds. From the
certificate it takes claims: the mapping of operators, the interval of integers in each tensor, the
interval of real values that readers distinguish. It proves each claim operator by operator.
docs/certificates.md states the theorem.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np

from .check_bounds import COPIES, NO_KERNEL, Kernels, Shown, Task, show
from .check_graph import Matched, RefutedError, match_files, same_constant
from .check_linear import PLACES
from .check_optimum import CheckedOptimum, check_optimum
from .check_read import ReadFile, ReadGraph, ReadTensor, UnreadableError, read_file
from .check_real import Operand, UnshownError, declared_range, type_range, upward
from .functions.affine import DomainError

__all__ = [
    "FORMAT",
    "REASONS",
    "CheckedFile",
    "GraphPair",
    "check",
    "is_quantized",
    "make_pair",
]

FORMAT = 1
# Largest certified error in LSB (steps of the written output). int16: 16x8 kernels keep 16 bits of
# their multipliers, which costs one step at either end of the range.
_MOST = {"INT16": 2.0}
_FREE = (
    "fused_activation_function",
    "quantized_bias_type",
)  # options that rows of kernels may name
REASONS = (UnshownError, DomainError, UnreadableError, KeyError, IndexError)

Row = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class CheckedFile:
    """The result of a check: `certified` of `operators` have an error bound, the others are unchanged.
    `worst`: the largest bound in steps of the written output. `moved`: graph inputs and outputs whose
    scale or zero point changed, as `subgraph[0]/inputs[0]`; `assumed`: assumptions of the proof.
    `optimum`: None where the certificate claims none.
    """

    operators: int
    certified: int
    worst: float
    moved: tuple[str, ...]
    assumed: tuple[str, ...]
    optimum: CheckedOptimum | None


@dataclass(frozen=True, kw_only=True)
class GraphPair:
    """One subgraph of both files, with the certificate's claims about its tensors, by index in the
    written file. `arrives`: (least, greatest) integer that can occur; `needed`: (least, greatest) real
    value that readers distinguish, None where that is the whole declared range. `as_run`: whether
    biases are read as kernels read them, in input scale x weight scale.
    """

    original: ReadGraph
    written: ReadGraph
    matched: Matched
    arrives: Sequence[tuple[int, int] | None]
    needed: Sequence[tuple[float, float] | None]
    as_run: bool

    @cached_property
    def readers(self) -> Mapping[int, Sequence[tuple[int, int]]]:
        """Tensor index -> (operator index, input slot) of each operator that reads it."""
        slots: dict[int, list[tuple[int, int]]] = {}
        for operator_index, operator in enumerate(self.written.operators):
            for slot, index in enumerate(operator.inputs):
                slots.setdefault(index, []).append((operator_index, slot))
        return slots

    def given(self, index: int) -> ReadTensor:
        """The original's tensor; the written one where it has none."""
        source = self.matched.stands_for[index]
        return self.written.tensors[index] if source is None else self.original.tensors[source]

    def declared(self, index: int) -> tuple[float, float] | None:
        """The range of real values that the original declares; None without a single scale."""
        tensor = self.given(index)
        return declared_range(tensor) if len(tensor.scale) == 1 and is_quantized(tensor) else None

    def operand(self, index: int) -> Operand | None:
        if index < 0:
            return None
        needed = self.needed[index] or self.declared(index) or (0.0, 0.0)
        tensor, arrives = self.written.tensors[index], self.arrives[index]
        return Operand(given=self.given(index), tensor=tensor, arrives=arrives, needed=needed)

    def most(self, index: int) -> float:
        """The largest error of a certified operator, in steps of its written output."""
        types = {self.written.tensors[i].type for i in self.written.operators[index].outputs}
        return max((_MOST.get(name, 1.0) for name in types), default=1.0)

    def show(self, index: int, kernels: Kernels, runtimes: Sequence[str]) -> Shown:
        """The operator's error bound; raises one of `REASONS` where there is no proof."""
        operator, source = self.written.operators[index], self.matched.operators[index]
        outputs = [self.operand(tensor_index) for tensor_index in operator.outputs]
        present = [o for o in outputs if o is not None and is_quantized(o.tensor)]
        if not present or len(present) < len(outputs):
            raise UnshownError("its output is not quantized")
        task = Task(
            given=operator if source is None else self.original.operators[source],
            operator=operator,
            inputs=[self.operand(tensor_index) for tensor_index in operator.inputs],
            outputs=present,
            as_run=self.as_run,
            kernel=NO_KERNEL,
        )
        return show(task, kernels, runtimes)

    def unchanged(self, operator_index: int) -> bool:
        """Whether the operator, its operands' parameters and its constants are the original's."""
        operator, source = (
            self.written.operators[operator_index],
            self.matched.operators[operator_index],
        )
        if source is None:
            return False
        original = self.original.operators[source]
        named = [index for index in (*operator.inputs, *operator.outputs) if index >= 0]
        same_operator = (original.version, original.options) == (operator.version, operator.options)
        return same_operator and all(
            same_constant(self.given(i), self.written.tensors[i]) for i in named
        )

    def narrowest(self, index: int) -> tuple[float, float] | None:
        """The smallest interval of real values that `needed` may be: those that readers distinguish."""
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
        """The interval that one reader distinguishes: all that is declared, or, for an operator that
        copies, what the readers of its outputs distinguish.
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
    return (
        bool(tensor.scale)
        and not tensor.sparse
        and tensor.type in {"INT8", "UINT8", "INT16", "INT4"}
    )


def check(
    original: bytes, written: bytes, certificate: Mapping[str, Any], kernels: Kernels
) -> CheckedFile:
    """Check a certificate (a JSON object) against the bytes of both files and the rows of kernels.

    Raises RefutedError with the location of the first claim that is false; any other exception means
    that a file or the certificate cannot be read.
    """
    if certificate["format"] != FORMAT:
        raise RefutedError(f"certificate: format {certificate['format']!r} is not {FORMAT}")
    for name, data in (("original", original), ("written", written)):
        if certificate[name]["sha256"] != hashlib.sha256(data).hexdigest():
            raise RefutedError(f"certificate: it is about another {name} file")
    if not certificate["runtimes"]:
        raise RefutedError("certificate: it speaks of no runtime")
    before = read_file(original)
    after = before if written == original else read_file(written)
    graphs = certificate["subgraphs"]
    claimed = [[row["original"] for row in graph["operators"]] for graph in graphs]
    matched = match_files(before, after, claimed)
    counted = [0, 0]
    worst = 0.0
    for graph_index, match in enumerate(matched):
        pair = make_pair(before, after, graph_index, match, certificate)
        _arriving(pair, certificate, graph_index)
        for index, row in enumerate(graphs[graph_index]["operators"]):
            location = (
                f"subgraph[{graph_index}]/operator[{index}] {pair.written.operators[index].name}"
            )
            counted[0] += 1
            if row["status"] == "certified":
                counted[1] += 1
                shown = _certified(pair, index, row, location, (kernels, certificate["runtimes"]))
                worst = max(worst, *shown.bounds.values())
            elif not pair.unchanged(index):
                raise RefutedError(f"{location}: changed, and no row says what it computes")
            else:
                _anything(pair, index, location)
    moved = tuple(
        f"subgraph[{n}]/{slot}" for n, match in enumerate(matched) for slot in match.moved
    )
    if list(moved) != list(certificate["moved"]):
        raise RefutedError(f"certificate: the inputs and outputs that moved are {list(moved)}")
    assumed = [
        f"integers of an input were observed: {interval}" for interval in certificate["observed"]
    ]
    if certificate["bias"] != "declared":
        assumed.append("biases are read as kernels read them")
    claim = certificate.get("optimum")
    return CheckedFile(
        operators=counted[0],
        certified=counted[1],
        worst=worst,
        moved=moved,
        assumed=tuple(assumed),
        optimum=None if claim is None else check_optimum(claim, after, matched),
    )


def make_pair(
    before: ReadFile, after: ReadFile, graph_index: int, matched: Matched, certificate: Row
) -> GraphPair:
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
    )


def _arriving(pair: GraphPair, certificate: Row, graph_index: int) -> None:
    """Check the claims about constants and graph inputs, and about what readers distinguish."""
    produced = {index for operator in pair.written.operators for index in operator.outputs}
    observed = {(o["subgraph"], o["tensor"]): o["arrives"] for o in certificate["observed"]}
    for index, tensor in enumerate(pair.written.tensors):
        location = f"subgraph[{graph_index}]/tensor[{index}]"
        claim = pair.arrives[index]
        if not is_quantized(tensor):
            if claim is not None or pair.needed[index] is not None:
                raise RefutedError(f"{location}: what arrives in such a tensor is not followed")
            continue
        if claim is None or claim[0] > claim[1]:
            raise RefutedError(f"{location}: the certificate does not say what arrives")
        if tensor.data:
            integers = tensor.integers()
            _inside(
                (int(integers.min()), int(integers.max())) if integers.size else claim,
                claim,
                location,
            )
        elif (
            index not in produced
            and (graph_index, index) in observed
            and index in pair.written.inputs
        ):
            _inside(tuple(observed[graph_index, index]), claim, location)
        elif index not in produced:
            _inside(type_range(tensor.type), claim, location)
        if tensor.data and index in (*pair.written.inputs, *pair.written.outputs):
            _constants(pair, [index], location)
        least, needed = pair.narrowest(index), pair.needed[index]
        if needed is not None and (least is None or needed[0] > least[0] or needed[1] < least[1]):
            raise RefutedError(f"{location}: readers can tell apart more than {needed}")


def _inside(reached: tuple[int, ...], claim: tuple[int, int], location: str) -> None:
    if reached[0] < claim[0] or reached[1] > claim[1]:
        raise RefutedError(
            f"{location}: {reached[0]}..{reached[1]} can arrive, not {claim[0]}..{claim[1]} alone"
        )


def _anything(pair: GraphPair, index: int, location: str) -> None:
    """An operator without a bound may write any integer of its output's type."""
    for output in pair.written.operators[index].outputs:
        claim = pair.arrives[output] if output >= 0 else None
        if claim is not None:
            _inside(type_range(pair.written.tensors[output].type), claim, location)


def _certified(
    pair: GraphPair,
    index: int,
    row: Row,
    location: str,
    kernels_and_runtimes: tuple[Kernels, Sequence[str]],
) -> Shown:
    """The bound, computed again; RefutedError where the row claims a smaller or a forbidden one."""
    operator, source = pair.written.operators[index], pair.matched.operators[index]
    source_operator = operator if source is None else pair.original.operators[source]
    if list(_fixed(source_operator.options)) != list(_fixed(operator.options)):
        raise RefutedError(f"{location}: its options differ")
    try:
        shown = pair.show(index, *kernels_and_runtimes)
    except REASONS as error:
        raise RefutedError(f"{location}: {error}") from error
    if row["functions"] != shown.functions:
        raise RefutedError(f"{location}: its kernels are {shown.functions}")
    for runtime, bound in shown.bounds.items():
        if not upward(bound) <= row["bounds"][runtime] <= upward(pair.most(index)):
            raise RefutedError(f"{location}: in {runtime} it is up to {bound:.6f} LSB off")
    if shown.accumulator is not None:
        _inside(shown.accumulator, tuple(row["accumulator"]), location)
    if list(shown.saturates) != list(row["saturates"]):
        raise RefutedError(f"{location}: its output saturates: {list(shown.saturates)}")
    for output, ends in zip(operator.outputs, shown.outputs, strict=True):
        _inside(ends, pair.arrives[output] or (1, 0), location)
    # The bound already includes the rounding of weights and bias.
    free = PLACES.get(operator.name, (0, 0, 0))[1:3] if shown.accumulator is not None else ()
    _constants(pair, [i for slot, i in enumerate(operator.inputs) if slot not in free], location)
    return shown


def _fixed(options: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    return ((name, value) for name, value in options.items() if name not in _FREE)


def _constants(pair: GraphPair, indices: Sequence[int], location: str) -> None:
    """A constant with another scale or zero point is the original's value, correctly rounded."""
    for index in indices:
        tensor = pair.written.tensors[index]
        if index < 0 or not tensor.data or same_constant(pair.given(index), tensor):
            continue
        if not _rounded(pair.given(index), tensor):
            raise RefutedError(f"{location}: the constant tensor[{index}] is not the original's")


def _rounded(original: ReadTensor, tensor: ReadTensor) -> bool:
    """Whether each integer is the one nearest to the original's real value, in exact fractions."""
    if len(original.scale) != 1 or len(tensor.scale) != 1 or original.shape != tensor.shape:
        return False
    pairs = np.unique(np.stack([original.integers().ravel(), tensor.integers().ravel()], 1), axis=0)
    step, written_step = Fraction(original.scale[0]), Fraction(tensor.scale[0])
    if written_step <= 0:
        return False
    exact = (
        (step * (int(q) - original.zero_point[0]) / written_step + tensor.zero_point[0], int(w))
        for q, w in pairs
    )
    return all(abs(value - w) <= Fraction(1, 2) for value, w in exact)
