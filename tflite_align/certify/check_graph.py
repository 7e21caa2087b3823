"""What two files must have in common, and which operator of the written file is which of the original.

The mapping of operators is total and one to one; what the written file has beside is QUANTIZE alone.
Every written tensor then stands for one of the original: itself, or the one that it holds the values
of in other parameters.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .check_read import ReadFile, ReadGraph, ReadOperator, ReadTensor

__all__ = ["CALLERS", "Matched", "RefutedError", "match_files", "same_constant", "same_reading"]

CALLERS = {
    "IF",
    "WHILE",
    "CALL",
    "CALL_ONCE",
    "STABLEHLO_COMPOSITE",
    "STABLEHLO_CASE",
    "STABLEHLO_WHILE",
}
_PLAN = b"OfflineMemoryAllocation"


class RefutedError(ValueError):
    """The written file is not what the certificate says; the message says where and how."""


@dataclass(frozen=True, kw_only=True)
class Matched:
    """`operators`: of each written operator its index in the original, None of an added QUANTIZE.
    `stands_for`: of each written tensor the original's. `moved`: graph inputs and outputs that are
    read in other parameters than the original's, as `inputs[0]`.
    """

    operators: tuple[int | None, ...]
    stands_for: tuple[int | None, ...]
    moved: tuple[str, ...]


def match_files(
    original: ReadFile, written: ReadFile, claimed: Sequence[Sequence[int | None]]
) -> tuple[Matched, ...]:
    """Raises RefutedError where anything that no row speaks of differs."""
    _demand(
        len(original.graphs) == len(written.graphs) == len(claimed),
        "subgraphs",
        "their number differs",
    )
    triples = zip(original.graphs, written.graphs, claimed, strict=True)
    matched = tuple(_match(o, w, tuple(c), f"subgraph[{n}]") for n, (o, w, c) in enumerate(triples))
    _signatures(original, written)
    _metadata(original, written)
    called = any(op.name in CALLERS for graph in written.graphs for op in graph.operators)
    moved = any(one.moved for one in matched)
    _demand(not (called and moved), "subgraphs", "inputs or outputs of a file with calls moved")
    return matched


def _demand(holds: bool, place: str, what: str) -> None:  # noqa: FBT001
    if not holds:
        raise RefutedError(f"{place}: {what}")


def same_reading(one: ReadTensor, other: ReadTensor) -> bool:
    """Whether both stand for the same real value at the same integer."""
    return (one.type, one.scale, one.zero_point, one.axis) == (
        other.type, other.scale, other.zero_point, other.axis,
    )  # fmt: skip


def same_constant(one: ReadTensor, other: ReadTensor) -> bool:
    return same_reading(one, other) and one.data == other.data


def _match(o: ReadGraph, w: ReadGraph, claimed: tuple[int | None, ...], place: str) -> Matched:
    _demand(o.other == w.other, place, "its name or what else it says differs")
    _demand(
        len(claimed) == len(w.operators), place, "the certificate has another number of operators"
    )
    kept = [index for index in claimed if index is not None]
    _demand(
        kept == list(range(len(o.operators))),
        place,
        "not every operator is there once, in its order",
    )
    _in_order(o, f"{place} of the original")
    _in_order(w, place)
    stands_for = _standing(o, w, claimed, place)
    for index, tensor in enumerate(w.tensors):
        _tensor(o, tensor, index, stands_for[index], f"{place}/tensor[{index}]")
    for kind, ours, theirs in (("inputs", w.inputs, o.inputs), ("outputs", w.outputs, o.outputs)):
        same = [stands_for[index] if index >= 0 else index for index in ours] == list(theirs)
        _demand(same, place, f"its {kind} are others, or in another order")
    moved = _moved(o, w, "inputs") + _moved(o, w, "outputs")
    return Matched(operators=claimed, stands_for=tuple(stands_for), moved=moved)


def _moved(o: ReadGraph, w: ReadGraph, kind: str) -> tuple[str, ...]:
    pairs = enumerate(zip(getattr(w, kind), getattr(o, kind), strict=True))
    return tuple(
        f"{kind}[{n}]"
        for n, (a, b) in pairs
        if a >= 0 and not same_reading(w.tensors[a], o.tensors[b])
    )


def _in_order(graph: ReadGraph, place: str) -> None:
    """Each value has one producer, which comes before its readers."""
    there = set(graph.inputs) | {n for n, t in enumerate(graph.tensors) if t.data or t.variable}
    _demand(len(set(graph.inputs)) == len(graph.inputs), place, "two inputs are one tensor")
    for number, operator in enumerate(graph.operators):
        where = f"{place}/operator[{number}] {operator.name}"
        late = [
            i
            for i in operator.inputs
            if i >= 0 and i not in there and graph.tensors[i].type != "RESOURCE"
        ]
        late = [i for i in late if 0 not in graph.tensors[i].shape]
        _demand(not late, where, "reads what nothing before it writes")
        for index in operator.outputs:
            _demand(index < 0 or index not in there, where, "writes what is written already")
            there.add(index)
    _demand(all(i < 0 or i in there for i in graph.outputs), place, "nothing writes an output")


def _standing(
    o: ReadGraph, w: ReadGraph, claimed: tuple[int | None, ...], place: str
) -> list[int | None]:
    """Of each written tensor the original's that it stands for; None where nothing uses it."""
    count = len(o.tensors)
    _demand(len(w.tensors) >= count, place, "tensors are missing")
    stands: list[int | None] = [n if n < count else None for n in range(len(w.tensors))]

    def set_or_same(index: int, wanted: int, where: str) -> None:
        if index < 0 or wanted < 0:
            _demand(index == wanted, where, "an operand is absent in one file")
            return
        if stands[index] is None:
            stands[index] = wanted
        _demand(stands[index] == wanted, where, f"tensor {index} does not stand for {wanted}")

    for ours, theirs in zip(w.inputs, o.inputs, strict=False):
        set_or_same(ours, theirs, place)
    for number, (operator, source) in enumerate(zip(w.operators, claimed, strict=True)):
        where = f"{place}/operator[{number}] {operator.name}"
        if source is None:
            _added(operator, where)
            known = stands[operator.inputs[0]]
            _demand(known is not None, where, "an added QUANTIZE reads what stands for nothing")
            set_or_same(operator.outputs[0], -1 if known is None else known, where)
            continue
        given = o.operators[source]
        _operators(given, operator, where)
        for ours, theirs in zip(operator.inputs, given.inputs, strict=True):
            set_or_same(ours, theirs, where)
        for ours, theirs in zip(operator.outputs, given.outputs, strict=True):
            set_or_same(ours, theirs, where)
    return stands


def _added(operator: ReadOperator, where: str) -> None:
    custom, _, large, rest = operator.other
    plain = operator.name == "QUANTIZE" and not operator.options and not custom and not large
    empty = not any(
        rest.get(name) for name in ("CustomOptions", "MutatingVariableInputs", "Intermediates")
    )
    one = (
        len(operator.inputs) == len(operator.outputs) == 1
        and min(operator.inputs + operator.outputs) >= 0
    )
    _demand(plain and empty and one, where, "only a plain QUANTIZE may be added")


def _operators(given: ReadOperator, operator: ReadOperator, where: str) -> None:
    """Options that a row may speak of are looked at there."""
    same = given.name == operator.name and given.other == operator.other
    counts = (len(given.inputs), len(given.outputs)) == (
        len(operator.inputs),
        len(operator.outputs),
    )
    _demand(same and counts, where, f"is another operator than {given.name}, or has other operands")


def _tensor(o: ReadGraph, tensor: ReadTensor, index: int, source: int | None, place: str) -> None:
    if source is None:
        return  # nothing reads or writes it
    given = o.tensors[source]
    _demand(tensor.shape == given.shape, place, "its shape differs")
    _demand(tensor.variable == given.variable, place, "is_variable differs")
    _demand(bool(tensor.data) == bool(given.data), place, "is a constant in one file alone")
    ours, theirs = ((dict(one.other[0]), one.other[1]) for one in (tensor, given))
    if index >= len(o.tensors):
        _demand(not tensor.variable, place, "an added tensor is a variable")
        ours[0].pop("Name")
        theirs[0].pop("Name")
    _demand(ours == theirs, place, "its name, sparsity or what else it says differs")


def _signatures(original: ReadFile, written: ReadFile) -> None:
    """Signatures name the same inputs and outputs, wherever these now are."""
    (given, older), (ours, newer) = original.other, written.other
    same = {k: v for k, v in given.items() if k != "SignatureDefs"}
    _demand(
        same == {k: v for k, v in ours.items() if k != "SignatureDefs"},
        "model",
        "what it says differs",
    )
    _demand(older == newer, "model", "its metadata_buffer differs")
    theirs = [_named(s, original) for s in given["SignatureDefs"]]
    _demand(
        [_named(s, written) for s in ours["SignatureDefs"]] == theirs, "signatures", "they differ"
    )


def _named(signature: Any, model: ReadFile) -> Any:
    """A signature with the places of its tensors among the inputs and outputs for their indices."""
    named, graph = dict(signature), model.graphs[signature["SubgraphIndex"]]
    for key, ends in (("Inputs", graph.inputs), ("Outputs", graph.outputs)):
        named[key] = [
            (
                one["Name"],
                ends.index(one["TensorIndex"])
                if one["TensorIndex"] in ends
                else ("-", one["TensorIndex"]),
            )
            for one in named[key]
        ]
    return named


def _metadata(original: ReadFile, written: ReadFile) -> None:
    _demand(len(original.metadata) == len(written.metadata), "metadata", "its entries differ")
    for (name, given), (other, ours) in zip(original.metadata, written.metadata, strict=True):
        fits = given == ours or (name == _PLAN and _loosened(given, ours))
        _demand(name == other and fits, "metadata", f"{other!r} differs")


def _loosened(given: bytes, ours: bytes) -> bool:
    """A plan of tensors' places: each stays, or is left to the runtime (-1), as of every added one."""
    if len(given) % 4 or len(ours) % 4 or len(ours) < len(given) or len(given) < 12:
        return False
    old, new = (
        [int.from_bytes(d[n : n + 4], "little", signed=True) for n in range(0, len(d), 4)]
        for d in (given, ours)
    )
    places = zip(old[3:], new[3:], strict=False)
    return (
        old[:2] == new[:2]
        and new[2] == len(new) - 3
        and all(b in (a, -1) for a, b in places)
        and set(new[len(old) :]) <= {-1}
    )
