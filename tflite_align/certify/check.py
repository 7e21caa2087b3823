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
from typing import Any

from .check_bounds import Shown
from .check_graph import RefutedError, match_files, same_constant
from .check_linear import PLACES
from .check_optimum import CheckedOptimum, check_optimum
from .check_pair import GraphPair, claims, is_quantized, make_pair
from .check_read import UnreadableError, read_file
from .check_real import UnshownError, type_range, upward
from .check_task import Kernels
from .functions.affine import DomainError
from .functions.rounded_constants import is_rounded

__all__ = ["FORMAT", "REASONS", "CheckedFile", "check", "check_folded"]

FORMAT = 1
_FREE = (
    "fused_activation_function",
    "quantized_bias_type",
)  # options that rows of kernels may name
REASONS = (UnshownError, DomainError, UnreadableError, KeyError, IndexError)

Row = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class CheckedFile:
    """The result of a check that found nothing false.

    `operators`: number of operators in the written file; `certified`: how many have an error bound
    (the others are unchanged); `worst`: the largest bound, in steps of the written output. `moved`:
    graph inputs and outputs whose scale or zero point changed, as `subgraph[0]/inputs[0]`;
    `assumed`: assumptions of the proof, as sentences. `optimum`: None if the certificate claims
    none.
    """

    operators: int
    certified: int
    worst: float
    moved: tuple[str, ...]
    assumed: tuple[str, ...]
    optimum: CheckedOptimum | None


def check(
    original: bytes, written: bytes, certificate: Mapping[str, Any], kernels: Kernels
) -> CheckedFile:
    """Check a certificate (a JSON object) against the bytes of both files and the rows of kernels.

    Raises RefutedError with the location of the first claim that is false. Any other exception
    means that a file or the certificate cannot be read.
    """
    if certificate["format"] != FORMAT:
        raise RefutedError(f"certificate: format {certificate['format']!r} is not {FORMAT}")
    for name, data in (("original", original), ("written", written)):
        if certificate[name]["sha256"] != hashlib.sha256(data).hexdigest():
            raise RefutedError(f"certificate: it is about another {name} file")
    if not certificate["runtimes"]:
        raise RefutedError("certificate: it names no runtime")
    before = read_file(original)
    after = before if written == original else read_file(written)
    graphs = certificate["subgraphs"]
    matched = match_files(before, after, claims(certificate))
    counted = [0, 0]
    worst = 0.0
    for graph_index, match in enumerate(matched):
        pair = make_pair(before, after, graph_index, match, certificate)
        _arriving(pair, certificate, graph_index)
        check_folded(pair, f"subgraph[{graph_index}]")
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


def check_folded(pair: GraphPair, location: str) -> None:
    """Raise RefutedError if the operand of a folded (removed) QUANTIZE differs from its output by
    more than 1 step of the written tensor, or if the QUANTIZE has not exactly one scale.
    `location`: the subgraph, for messages.
    """
    try:
        for output, off in pair.folded():
            if off > 1:
                what = f"without the folded QUANTIZE it is up to {off:.6f} LSB off"
                raise RefutedError(f"{location}/tensor[{output}] of the original: {what}")
    except UnshownError as error:
        raise RefutedError(f"{location}: {error}") from error


def _arriving(pair: GraphPair, certificate: Row, graph_index: int) -> None:
    """Check the claims about the integers in constants and graph inputs, and about the real values
    that readers distinguish. Raises RefutedError for a false one.
    """
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
    """Raise RefutedError unless the integers `reached` (least, greatest) lie within the claimed
    ones.
    """
    if reached[0] < claim[0] or reached[1] > claim[1]:
        raise RefutedError(
            f"{location}: {reached[0]}..{reached[1]} can arrive, not {claim[0]}..{claim[1]} alone"
        )


def _anything(pair: GraphPair, index: int, location: str) -> None:
    """An operator without a bound may write any integer of its output's type: raise RefutedError if
    the certificate claims a smaller interval for one of its outputs. `index`: of the written
    operator.
    """
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
    """The error bound of one written operator, recomputed. Raises RefutedError if the certificate's
    `row` claims a smaller one, or one above the limit of the output's type.
    """
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
    """(name, value) of the options that may not differ between original and written operator."""
    return ((name, value) for name, value in options.items() if name not in _FREE)


def _constants(pair: GraphPair, indices: Sequence[int], location: str) -> None:
    """Raise RefutedError for a constant with another scale or zero point than the original's whose
    integers are not the original's real values, correctly rounded. `indices`: of tensors of the
    written file.
    """
    for index in indices:
        tensor, given = pair.written.tensors[index], pair.given(index)
        if index < 0 or not tensor.data or same_constant(given, tensor):
            continue
        single = len(given.scale) == len(tensor.scale) == 1
        if not single or not is_rounded(
            (given.integers(), given.scale[0], given.zero_point[0]),
            (tensor.integers(), tensor.scale[0], tensor.zero_point[0]),
        ):
            raise RefutedError(
                f"{location}: the constant tensor[{index}] is not the original's, rounded"
            )
