"""The graph comparison of the checker: both files are equal but for parameters, QUANTIZE and zero biases.

The mapping maps each original operator to one written operator, in order, but for the QUANTIZE that it
names as folded; all other written operators are QUANTIZE. Each written tensor then corresponds to one
of the original: the same, or the one whose values it holds with another scale and zero point.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from .check_read import ReadFile, ReadGraph, ReadOperator, ReadTensor
from .functions.operand_slots import WEIGHTED

__all__ = ["Claimed", "Matched", "RefutedError", "demand", "match_files", "moved_through"]

_CALLERS = {"IF", "WHILE", "CALL", "CALL_ONCE"}
_CALLERS |= {"STABLEHLO_COMPOSITE", "STABLEHLO_CASE", "STABLEHLO_WHILE"}
_SAID = ("CustomOptions", "MutatingVariableInputs", "Intermediates")
_PLAN = b"OfflineMemoryAllocation"

# For one subgraph: written operator index -> original index; indices of the folded operators.
Claimed = tuple[Sequence[int | None], Sequence[int]]


class RefutedError(ValueError):
    """A claim of the certificate is false; the message gives the location and the difference."""


class Matched(NamedTuple):
    """The correspondence of one subgraph. `operators`: the original's index of each written operator,
    None for an added QUANTIZE. `stands_for`: the original's index of each written tensor, None for an
    unused one or an added bias. `folded`: of each folded QUANTIZE of the original, its output and the
    tensor of the original that is read instead. `moved`: graph inputs and outputs whose scale or zero
    point differs, as `inputs[0]`.
    """

    operators: tuple[int | None, ...]
    stands_for: Sequence[int | None]
    folded: dict[int, int]
    moved: tuple[str, ...]


def demand(holds: object, location: str, what: str) -> None:
    """Raise RefutedError with `location` and the message `what` unless the condition `holds`."""
    if not holds:
        raise RefutedError(f"{location}: {what}")


def _equal(ours: Mapping[str, Any], theirs: Mapping[str, Any], location: str) -> None:
    """Raise RefutedError at `location` unless both mappings (description -> value) agree."""
    for what, value in ours.items():
        demand(value == theirs[what], location, f"different {what}")


def match_files(before: ReadFile, after: ReadFile, claimed: Sequence[Claimed]) -> list[Matched]:
    """The correspondence of each subgraph. `before`, `after`: original and written file; `claimed`:
    the certificate's mapping of operators by subgraph. RefutedError if anything else than
    parameters, inserted or folded QUANTIZE and added biases of zeros differs.
    """
    counts = {len(before.graphs), len(after.graphs), len(claimed)}
    demand(len(counts) == 1, "subgraphs", "their number differs")
    triples = enumerate(zip(before.graphs, after.graphs, claimed, strict=True))
    matched = [_match(o, w, claim, f"subgraph[{n}]") for n, (o, w, claim) in triples]
    _equal(_described(after), _described(before), "model")
    for (name, data), (_, old) in zip(after.metadata, before.metadata, strict=True):
        fits = data == old or (name == _PLAN and _loosened(old, data))
        demand(fits, "metadata", f"the bytes of {name!r} differ")
    called = any(op.name in _CALLERS for graph in after.graphs for op in graph.operators)
    moved = any(match.moved for match in matched)
    demand(
        not (called and moved),
        "subgraphs",
        "inputs or outputs of a file with calls have new parameters",
    )
    return matched


def _described(file: ReadFile) -> Mapping[str, Any]:
    """The parts of a file outside its subgraphs that must be equal in both files, by description."""
    return {
        "description, metadata_buffer or further fields": file.other,
        "metadata": [name for name, _ in file.metadata],
        "signatures": [_signature(each, file) for each in file.signatures],
    }


def _signature(signature: Mapping[str, Any], file: ReadFile) -> Mapping[str, Any]:
    """A signature in which tensor indices are replaced by positions among the graph's inputs and
    outputs.
    """
    named, graph = dict(signature), file.graphs[signature["SubgraphIndex"]]
    for key, ends in (("Inputs", graph.inputs), ("Outputs", graph.outputs)):
        pairs = [(entry["Name"], entry["TensorIndex"]) for entry in signature[key]]
        named[key] = [(n, ends.index(i) if i in ends else ("-", i)) for n, i in pairs]
    return named


def _loosened(old_bytes: bytes, new_bytes: bytes) -> bool:
    """Whether the memory plan `new_bytes` keeps each tensor's offset of `old_bytes`, or leaves it
    to the runtime (-1); added tensors must have -1.
    """
    if len(old_bytes) % 4 or len(new_bytes) % 4 or not 12 <= len(old_bytes) <= len(new_bytes):
        return False
    old, new = np.frombuffer(old_bytes, "<i4"), np.frombuffer(new_bytes, "<i4")
    offsets = np.append(old[3:], [-1] * (new.size - old.size))
    known = np.array_equal(new[:2], old[:2]) and new[2] == offsets.size
    return bool(known and np.all((new[3:] == offsets) | (new[3:] == -1)))


def moved_through(file: ReadFile) -> set[tuple[int, int]]:
    """(subgraph, operator) of each operator that assigns or reads a variable all of whose values
    have the same type, scale and zero point. Empty if the handle of some variable is computed.
    """
    found: dict[Any, list[tuple[tuple[int, int], Any]]] = {}
    for n, graph in enumerate(file.graphs):
        handles = {op.outputs[0]: op.options for op in graph.operators if op.name == "VAR_HANDLE"}
        for index, operator in enumerate(graph.operators):
            if operator.name in {"ASSIGN_VARIABLE", "READ_VARIABLE"}:
                value = graph.tensors[(*operator.outputs, *operator.inputs[1:])[0]]
                names = handles.get(operator.inputs[0])
                key = None if names is None else (names.get("container"), names.get("shared_name"))
                found.setdefault(key, []).append(((n, index), value.reading))
    if None in found:
        return set()  # the handle is computed: the variable is unknown
    single = [uses for uses in found.values() if all(use[1] == uses[0][1] for use in uses)]
    return {place for uses in single for place, _ in uses}


def _match(o: ReadGraph, w: ReadGraph, claim: Claimed, location: str) -> Matched:
    """The correspondence of one subgraph. `o`, `w`: the original's and the written one; `claim`:
    the certificate's mapping of its operators; `location`: the place, for messages.
    """
    claimed, folded = tuple(claim[0]), sorted(claim[1])
    count = len(claimed) == len(w.operators)
    demand(count, location, "the certificate has another number of operators")
    kept = [index for index in claimed if index is not None]
    gone = [f"{op.name} ({n})" for n, op in enumerate(o.operators) if n not in (*kept, *folded)]
    lost = f": the original's {', '.join(gone[:3])} has no counterpart" if gone else ""
    once = sorted([*kept, *folded]) == list(range(len(o.operators))) and kept == sorted(kept)
    demand(once, location, f"an operator is missing, repeated or out of order{lost}")
    _in_order(o, f"{location} of the original")
    _in_order(w, location)
    alias: dict[int, int] = {}
    for index in folded:
        where = f"{location}/operator[{index}] of the original"
        source, output = _added(o.operators[index], where)
        demand(output not in o.outputs, where, "a QUANTIZE that writes an output is folded")
        alias[output] = alias.get(source, source)
    stands = _standing(o, w, claimed, alias, location)
    ends = {"name or further fields": o.other, "inputs": list(o.inputs), "outputs": list(o.outputs)}
    ours = ([stands[i] if i >= 0 else i for i in each] for each in (w.inputs, w.outputs))
    _equal(dict(zip(ends, (w.other, *ours), strict=True)), ends, location)
    for index, (tensor, theirs) in enumerate(zip(w.tensors, stands, strict=True)):
        if theirs is not None:  # else nothing uses it, or it is a bias of zeros
            added = index >= len(o.tensors)
            said = _kept(o.tensors[theirs], added=added)
            _equal(_kept(tensor, added=added), said, f"{location}/tensor[{index}]")
            demand(not (added and tensor.variable), location, "an added tensor is a variable")
    return Matched(claimed, stands, alias, tuple(_moved(o, w)))


def _kept(tensor: ReadTensor, *, added: bool) -> Mapping[str, Any]:
    """The parts of a tensor that an alignment must not change, by description. `added`: whether the
    tensor is new, so that its name may differ.
    """
    fields, details = tensor.other
    return {
        "shape (shapes are compared, not inferred)": tensor.shape,
        "is_variable": tensor.variable,
        "data: a constant in only one of the files": bool(tensor.data),
        "name, sparsity or further fields": {**fields, "Name": added or fields["Name"]},
        "quantization details": details,
    }


def _moved(o: ReadGraph, w: ReadGraph) -> Iterator[str]:
    """The graph inputs and outputs, as `inputs[0]`, whose type, scale or zero point changed."""
    for role, ours, theirs in (("inputs", w.inputs, o.inputs), ("outputs", w.outputs, o.outputs)):
        for n, (a, b) in enumerate(zip(ours, theirs, strict=True)):
            if a >= 0 and w.tensors[a].reading != o.tensors[b].reading:
                yield f"{role}[{n}]"


def _in_order(graph: ReadGraph, location: str) -> None:
    """Raise RefutedError if a tensor has several producers, or a reader precedes its producer.
    `location`: the place, for the message.
    """
    tensors = list(enumerate(graph.tensors))
    known = {*graph.inputs, *(n for n, t in tensors if t.data or t.variable)}
    free = {-1, *(n for n, t in tensors if t.type == "RESOURCE" or 0 in t.shape)}
    demand(
        len(set(graph.inputs)) == len(graph.inputs),
        location,
        "two graph inputs are the same tensor",
    )
    for position, operator in enumerate(graph.operators):
        where = f"{location}/operator[{position}] {operator.name}"
        demand(
            {*operator.inputs} <= known | free,
            where,
            "reads a tensor that no earlier operator writes",
        )
        for output in operator.outputs:
            demand(output not in known, where, "writes a tensor that an earlier operator writes")
            known |= {output} - {-1}
    demand({*graph.outputs} <= known | {-1}, location, "no operator writes a graph output")


def _standing(
    o: ReadGraph,
    w: ReadGraph,
    claimed: Sequence[int | None],
    alias: Mapping[int, int],
    location: str,
) -> list[int | None]:
    """By written tensor: the index of the original tensor whose values it holds; None if no
    operator uses it. `claimed`: original operator of each written one; `alias`: output of a folded
    QUANTIZE -> tensor that is read instead; `location`: the place, for messages.
    """
    count = len(o.tensors)
    demand(len(w.tensors) >= count, location, "tensors are missing")
    stands: list[int | None] = [n if n < count else None for n in range(len(w.tensors))]

    def stand(ours: int, theirs: int, where: str) -> None:
        """Note that the written tensor `ours` holds the values of the original's `theirs`;
        RefutedError if it already holds those of another tensor.
        """
        demand((ours < 0) == (theirs < 0), where, "an operand is absent in one file")
        if ours >= 0:
            theirs = alias.get(theirs, theirs)
            stands[ours] = theirs if stands[ours] is None else stands[ours]
            demand(stands[ours] == theirs, where, f"tensor {ours} does not correspond to {theirs}")

    for ours, theirs in zip(w.inputs, o.inputs, strict=False):
        stand(ours, theirs, location)
    for index, (operator, source) in enumerate(zip(w.operators, claimed, strict=True)):
        where = f"{location}/operator[{index}] {operator.name}"
        if source is None:
            read, output = _added(operator, where)
            value = stands[read]
            demand(
                value is not None, where, "an added QUANTIZE reads a tensor without a counterpart"
            )
            stand(output, -1 if value is None else value, where)
            continue
        given = o.operators[source]
        same = (given.name, given.other, len(given.outputs))
        same_place = same == (operator.name, operator.other, len(operator.outputs))
        more = len(operator.inputs) - len(given.inputs)
        what = f"is not the operator {given.name}, or has other operands"
        demand(same_place and more >= 0, where, what)
        for slot, pair in enumerate(
            zip(operator.inputs, (*given.inputs, *[-1] * more), strict=True)
        ):
            if not (pair[1] < 0 <= pair[0] and _zero_bias(w.tensors[pair[0]], operator.name, slot)):
                stand(*pair, where)
        for pair in zip(operator.outputs, given.outputs, strict=True):
            stand(*pair, where)
    return stands


def _zero_bias(tensor: ReadTensor, name: str, slot: int) -> bool:
    """Whether an operand that the original lacks is a bias of zeros. `name`: the operator's;
    `slot`: the operand's position.
    """
    is_bias = name in WEIGHTED and WEIGHTED[name].bias == slot and tensor.type in {"INT32", "INT64"}
    return is_bias and bool(tensor.data) and not any(tensor.data) and not tensor.variable


def _added(operator: ReadOperator, where: str) -> tuple[int, int]:
    """(operand, output) of an inserted or folded QUANTIZE, as tensor indices. RefutedError at
    `where` for any other operator or a QUANTIZE with options.
    """
    custom, _, large, further = operator.other
    ends = (*operator.inputs, *operator.outputs)
    plain = operator.name == "QUANTIZE" and len(operator.inputs) == len(operator.outputs) == 1
    said = [operator.options, custom, large, *(further[k] for k in _SAID)]
    demand(plain and min(ends) >= 0 and not any(said), where, "only a plain QUANTIZE may be added")
    return ends[0], ends[1]
