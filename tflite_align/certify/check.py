"""The independent checker: whether a certificate is true of an original and a written file.

It reads both files with the accessors of the `tflite` package and recomputes all bounds. From the
certificate it takes claims: the mapping of operators, the interval of integers in each tensor, the
interval of real values that readers distinguish. It proves each claim operator by operator.
docs/certificates.md states the theorem.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .check_bounds import Kernels, Shown, UnshownError, upward
from .check_graph import RefutedError, demand, match_files
from .check_optimum import CheckedOptimum, check_optimum
from .check_pair import GraphPair, claims, make_pair
from .check_read import UnreadableError, read_file
from .functions.affine import DomainError
from .functions.operand_slots import SUMMANDS, WEIGHTED

__all__ = ["FORMAT", "REASONS", "CheckedFile", "check"]

FORMAT = 1
# Options that rows of kernels may name.
_FREE = {"fused_activation_function": None, "quantized_bias_type": None}
REASONS = (UnshownError, DomainError, UnreadableError, KeyError, IndexError)

Row = Mapping[str, Any]
Proof = tuple[Kernels, Sequence[str]]  # with the runtimes


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


def check(original: bytes, written: bytes, certificate: Row, kernels: Kernels) -> CheckedFile:
    """Check a certificate (a JSON object) against the bytes of both files and the rows of kernels.

    Raises RefutedError with the location of the first claim that is false; any other exception
    means that a file or the certificate cannot be read. `original`, `written`: the bytes of both
    files.
    """
    place, runtimes = "certificate", certificate["runtimes"]
    demand(certificate["format"] == FORMAT, place, f"its format is not {FORMAT}")
    for name, data in (("original", original), ("written", written)):
        same = certificate[name]["sha256"] == hashlib.sha256(data).hexdigest()
        demand(same, place, f"it is about another {name} file")
    demand(runtimes, place, "it names no runtime")
    before = read_file(original)
    after = before if written == original else read_file(written)
    matched = match_files(before, after, claims(certificate))
    bounds: list[float | None] = []
    for number, match in enumerate(matched):
        pair, where = make_pair(before, after, number, match, certificate), f"subgraph[{number}]"
        observed = {o["tensor"]: o for o in certificate["observed"] if o["subgraph"] == number}
        for index in range(len(pair.written.tensors)):
            _tensor(pair, index, observed, f"{where}/tensor[{index}]")
        pair.check_folded(where)
        for index, row in enumerate(certificate["subgraphs"][number]["operators"]):
            location = f"{where}/operator[{index}] {pair.written.operators[index].name}"
            bounds.append(_operator(pair, index, row, location, (kernels, runtimes)))
    moved = [f"subgraph[{n}]/{slot}" for n, match in enumerate(matched) for slot in match.moved]
    demand(
        moved == [*certificate["moved"]],
        place,
        f"the graph inputs and outputs with new parameters are {moved}",
    )
    assumed = [
        f"a graph input stays within its observed integers: {each}"
        for each in certificate["observed"]
    ]
    assumed += ["biases are read by input scale x weight scale, as kernels do"] * (
        certificate["bias"] != "declared"
    )
    claim, certified = certificate.get("optimum"), [bound for bound in bounds if bound is not None]
    return CheckedFile(
        operators=len(bounds),
        certified=len(certified),
        worst=max(certified, default=0.0),
        moved=tuple(moved),
        assumed=tuple(assumed),
        optimum=None if claim is None else check_optimum(claim, after, matched),
    )


def _tensor(pair: GraphPair, index: int, observed: Mapping[int, Row], location: str) -> None:
    """Raise RefutedError unless the certificate's claims about one written tensor hold: the
    interval of integers of a constant or graph input, and the range `needed` that its readers
    distinguish.

    `index`: of the tensor; `observed`: index of a graph input -> the certificate's row with its
    observed integers; `location`: the place, for the message.
    """
    tensor, claim, needed = pair.written.tensors[index], pair.arrives[index], pair.needed[index]
    if not tensor.quantized:
        untold = claim is None and needed is None
        demand(untold, location, "the range of integers in a tensor of this type is not computed")
        return
    is_claimed = claim is not None and claim[0] <= claim[1]
    demand(is_claimed, location, "the certificate has no range of integers for it")
    is_input = index in pair.written.inputs
    if tensor.data and tensor.integers().size:
        _inside((int(tensor.integers().min()), int(tensor.integers().max())), claim, location)
    elif not tensor.data and index not in pair.produced:
        seen = observed[index]["arrives"] if is_input and index in observed else tensor.limits
        _inside(seen, claim, location)
    if tensor.data and (is_input or index in pair.written.outputs):
        _constants(pair, [index], location)
    least = pair.narrowest(index)
    holds = needed is None or (least and needed[0] <= least[0] and needed[1] >= least[1])
    demand(holds, location, f"its readers need integers beyond {needed}")


def _inside(reached: Sequence[int], claim: Sequence[int] | None, location: str) -> None:
    """Raise RefutedError unless the possible integers `reached` (least, greatest) lie in the
    interval `claim` that the certificate gives; None: it gives none. `location`: the place, for the
    message.
    """
    low, high = claim or (1, 0)
    what = f"{reached[0]}..{reached[1]} are possible; the certificate claims {low}..{high}"
    demand(low <= reached[0] and reached[1] <= high, location, what)


def _operator(pair: GraphPair, index: int, row: Row, location: str, proof: Proof) -> float | None:
    """The error bound of one operator in steps (LSB) of its output; None for an unchanged operator
    without one. RefutedError if the operator changed and has no bound, or if it can write integers
    outside the claimed intervals. `index`: of the written operator; `row`: its certificate row;
    `proof`: kernel functions and names of runtimes. `location`: the place, for the message.
    """
    outputs, bound = pair.written.operators[index].outputs, None
    reached = [pair.written.tensors[i].limits if pair.tracked(i) else None for i in outputs]
    if row["status"] == "certified":
        shown = _certified(pair, index, row, location, proof)
        reached, bound = [output.ends for output in shown.outputs], max(shown.bounds.values())
    else:  # it may write any integer of its output's type
        demand(pair.unchanged(index), location, "changed, and the certificate has no row for it")
    for output, ends in zip(outputs, reached, strict=True):
        if ends and pair.tracked(output):
            _inside(ends, pair.arrives[output], location)
    return bound


def _certified(pair: GraphPair, index: int, row: Row, location: str, proof: Proof) -> Shown:
    """The recomputed bound of one operator. RefutedError if the certificate's `row` claims a
    smaller bound, other kernels or saturation, or if the bound exceeds the limit of the output's
    type. `index`: of the written operator; `proof`: kernel functions and names of runtimes.
    `location`: the place, for the message.
    """
    operator = pair.written.operators[index]
    original = pair.origin(index) or operator
    same = {**original.options, **_FREE} == {**operator.options, **_FREE}
    demand(same, location, "its options differ")
    try:
        shown = pair.show(index, *proof)
    except REASONS as error:
        raise RefutedError(f"{location}: {error}") from error
    functions, accumulator = shown.functions, shown.whole.total
    saturates = sorted(shown.whole.saturates)
    demand(row["functions"] == functions, location, f"its kernels are {functions}")
    demand([*row["saturates"]] == saturates, location, f"its output saturates: {saturates}")
    for runtime, bound in shown.bounds.items():
        holds = upward(bound) <= row["bounds"][runtime] <= upward(pair.most(index))
        demand(holds, location, f"in {runtime} it is up to {bound:.6f} LSB off")
    if accumulator:
        _inside(accumulator, row["accumulator"], location)
    # The bound already includes the rounding of weights and bias, and of a clipped summand.
    covered = WEIGHTED[operator.name][1:3] if operator.name in WEIGHTED else ()
    covered = (0, 1) if operator.name in SUMMANDS else covered
    _constants(pair, [i for n, i in enumerate(operator.inputs) if n not in covered], location)
    return shown


def _constants(pair: GraphPair, indices: Sequence[int], location: str) -> None:
    """Raise RefutedError if a constant has another scale or zero point than the original's and its
    integers are not the original's real values, correctly rounded. `indices`: of written tensors;
    `location`: the place, for the message.
    """
    for index in indices:
        holds = index < 0 or not pair.written.tensors[index].data or pair.operand(index).rounded()
        demand(holds, location, f"the constant tensor[{index}] is not the original's, rounded")
