"""The graph comparison of the checker: both files are equal but for parameters, QUANTIZE and zero
biases.

The certificate maps each original operator to one written operator, in order, but for the QUANTIZE
that it names as folded; all other written operators are QUANTIZE. Each written tensor then
corresponds to one of the original: the same tensor, or the one whose values it holds with another
scale and zero point.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .check_linear import PLACES
from .check_read import ReadFile, ReadGraph, ReadOperator, ReadTensor

__all__ = [
    "CALLERS",
    "Claimed",
    "Matched",
    "RefutedError",
    "match_files",
    "moved_through",
    "same_constant",
    "same_reading",
]

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


# Of one subgraph: the original's index of each written operator; the original's folded operators.
Claimed = tuple[Sequence[int | None], Sequence[int]]


class RefutedError(ValueError):
    """A claim of the certificate is false; the message gives the location and the difference."""


@dataclass(frozen=True, kw_only=True)
class Matched:
    """How one subgraph of the written file corresponds to the original's.

    `operators`: by written operator, the index of the original's, None for an added QUANTIZE.
    `stands_for`: by written tensor, the index of the original's, None for an unused one or an added
    bias. `folded`: for each folded (removed) QUANTIZE, its output -> the tensor that is read
    instead, indices in the original. `moved`: graph inputs and outputs whose scale or zero point
    differs, as `inputs[0]`.
    """

    operators: tuple[int | None, ...]
    stands_for: tuple[int | None, ...]
    folded: dict[int, int]
    moved: tuple[str, ...]


def match_files(
    original: ReadFile, written: ReadFile, claimed: Sequence[Claimed]
) -> tuple[Matched, ...]:
    """The correspondence of each subgraph, by the certificate's claims. Raises RefutedError if
    anything else than parameters, inserted or folded QUANTIZE and zero biases differs.
    """
    _demand(
        len(original.graphs) == len(written.graphs) == len(claimed),
        "subgraphs",
        "their number differs",
    )
    triples = zip(original.graphs, written.graphs, claimed, strict=True)
    matched = tuple(_match(o, w, c, f"subgraph[{n}]") for n, (o, w, c) in enumerate(triples))
    _signatures(original, written)
    _metadata(original, written)
    called = any(op.name in CALLERS for graph in written.graphs for op in graph.operators)
    moved = any(match.moved for match in matched)
    _demand(not (called and moved), "subgraphs", "inputs or outputs of a file with calls moved")
    return matched


def _demand(holds: bool, location: str, what: str) -> None:  # noqa: FBT001
    """Raise RefutedError with location and difference (`what`) unless the claim holds."""
    if not holds:
        raise RefutedError(f"{location}: {what}")


def same_reading(first: ReadTensor, second: ReadTensor) -> bool:
    """Whether each integer stands for the same real value in both tensors: equal type, scale, zero
    point and axis.
    """
    return (first.type, first.scale, first.zero_point, first.axis) == (
        second.type, second.scale, second.zero_point, second.axis,
    )  # fmt: skip


def same_constant(first: ReadTensor, second: ReadTensor) -> bool:
    """Whether both tensors have equal type, scale, zero point, axis and data bytes."""
    return same_reading(first, second) and first.data == second.data


def moved_through(file: ReadFile) -> set[tuple[int, int]]:
    """(subgraph, operator) of each ASSIGN_VARIABLE and READ_VARIABLE of a variable for which all of
    these have one type, scale and zero point, so that integers pass unchanged.
    """
    found: dict[Any, tuple[list[tuple[int, int]], list[Any]]] = {}
    for n, graph in enumerate(file.graphs):
        handles = {op.outputs[0]: op.options for op in graph.operators if op.name == "VAR_HANDLE"}
        for index, operator in enumerate(graph.operators):
            if operator.name not in {"ASSIGN_VARIABLE", "READ_VARIABLE"}:
                continue
            names = handles.get(operator.inputs[0])
            key = None if names is None else (names.get("container"), names.get("shared_name"))
            places, values = found.setdefault(key, ([], []))
            places.append((n, index))
            values.append(graph.tensors[(*operator.outputs, *operator.inputs[1:])[0]])
    if None in found:
        return set()  # which variable it is, the file does not say
    one = [at for at, values in found.values() if all(same_reading(values[0], v) for v in values)]
    return {place for places in one for place in places}


def _match(o: ReadGraph, w: ReadGraph, claim: Claimed, location: str) -> Matched:
    """The correspondence of one subgraph of the original (`o`) and of the written file (`w`) under
    the certificate's claim. RefutedError, with `location`, for a difference that is not allowed.
    """
    claimed, folded = tuple(claim[0]), claim[1]
    _demand(o.other == w.other, location, "its name or what else it says differs")
    _demand(
        len(claimed) == len(w.operators),
        location,
        "the certificate has another number of operators",
    )
    originals = [index for index in claimed if index is not None]
    gone = [
        f"{op.name} ({n})" for n, op in enumerate(o.operators) if n not in (*originals, *folded)
    ]
    _demand(
        sorted([*originals, *folded]) == list(range(len(o.operators)))
        and originals == sorted(originals),
        location,
        "not every operator is there once, in its order"
        + (f": the original's {', '.join(gone[:3])} has none that stands for it" if gone else ""),
    )
    _in_order(o, f"{location} of the original")
    _in_order(w, location)
    alias = _folded(o, sorted(folded), location)
    stands_for = _standing(o, w, (claimed, alias), location)
    for index, tensor in enumerate(w.tensors):
        _tensor(o, tensor, index, stands_for[index], f"{location}/tensor[{index}]")
    for role, ours, theirs in (("inputs", w.inputs, o.inputs), ("outputs", w.outputs, o.outputs)):
        same = [stands_for[index] if index >= 0 else index for index in ours] == list(theirs)
        _demand(same, location, f"its {role} are others, or in another order")
    moved = _moved(o, w, "inputs") + _moved(o, w, "outputs")
    return Matched(operators=claimed, stands_for=tuple(stands_for), folded=alias, moved=moved)


def _folded(o: ReadGraph, folded: Sequence[int], location: str) -> dict[int, int]:
    """For each folded QUANTIZE of the original, given by its operator index: its output -> the
    tensor that is read in its place.
    """
    alias: dict[int, int] = {}
    for index in folded:
        operator, where = o.operators[index], f"{location}/operator[{index}] of the original"
        _added(operator, where)
        (source,), (output,) = operator.inputs, operator.outputs
        _demand(output not in o.outputs, where, "a QUANTIZE that writes an output is folded")
        alias[output] = alias.get(source, source)
    return alias


def _moved(o: ReadGraph, w: ReadGraph, role: str) -> tuple[str, ...]:
    """Graph inputs or outputs (`role`) whose type, scale or zero point differ from the original's,
    as `inputs[0]`.
    """
    pairs = enumerate(zip(getattr(w, role), getattr(o, role), strict=True))
    return tuple(
        f"{role}[{n}]"
        for n, (a, b) in pairs
        if a >= 0 and not same_reading(w.tensors[a], o.tensors[b])
    )


def _in_order(graph: ReadGraph, location: str) -> None:
    """Raise RefutedError if a tensor has several producers, or a reader precedes its producer."""
    available = set(graph.inputs) | {n for n, t in enumerate(graph.tensors) if t.data or t.variable}
    _demand(len(set(graph.inputs)) == len(graph.inputs), location, "two inputs are one tensor")
    for position, operator in enumerate(graph.operators):
        where = f"{location}/operator[{position}] {operator.name}"
        late = [
            i
            for i in operator.inputs
            if i >= 0 and i not in available and graph.tensors[i].type != "RESOURCE"
        ]
        late = [i for i in late if 0 not in graph.tensors[i].shape]
        _demand(not late, where, "reads what nothing before it writes")
        for output in operator.outputs:
            _demand(output < 0 or output not in available, where, "writes what is written already")
            available.add(output)
    _demand(
        all(i < 0 or i in available for i in graph.outputs), location, "nothing writes an output"
    )


def _standing(
    o: ReadGraph,
    w: ReadGraph,
    claimed_and_alias: tuple[tuple[int | None, ...], dict[int, int]],
    location: str,
) -> list[int | None]:
    """For each written tensor, the index of the original tensor whose values it holds; None for one
    that no operator uses. `claimed_and_alias`: the mapping of operators, and what _folded returns.
    """
    count, (claimed, alias) = len(o.tensors), claimed_and_alias
    _demand(len(w.tensors) >= count, location, "tensors are missing")
    stands: list[int | None] = [n if n < count else None for n in range(len(w.tensors))]

    def set_or_same(index: int, source: int, where: str) -> None:
        """Note that the written tensor `index` stands for the original's `source`; RefutedError if
        it already stands for another.
        """
        if index < 0 or source < 0:
            _demand(index == source, where, "an operand is absent in one file")
            return
        source = alias.get(source, source)
        if stands[index] is None:
            stands[index] = source
        _demand(stands[index] == source, where, f"tensor {index} does not stand for {source}")

    for ours, theirs in zip(w.inputs, o.inputs, strict=False):
        set_or_same(ours, theirs, location)
    for operator_index, (operator, source) in enumerate(zip(w.operators, claimed, strict=True)):
        where = f"{location}/operator[{operator_index}] {operator.name}"
        if source is None:
            _added(operator, where)
            original_index = stands[operator.inputs[0]]
            _demand(
                original_index is not None, where, "an added QUANTIZE reads what stands for nothing"
            )
            set_or_same(
                operator.outputs[0], -1 if original_index is None else original_index, where
            )
            continue
        original_operator = o.operators[source]
        _operators(original_operator, operator, where)
        absent = (-1,) * (len(operator.inputs) - len(original_operator.inputs))
        given = (*original_operator.inputs, *absent)
        for slot, (ours, theirs) in enumerate(zip(operator.inputs, given, strict=True)):
            if theirs >= 0 or ours < 0 or not _zero_bias(w.tensors[ours], operator.name, slot):
                set_or_same(ours, theirs, where)
        for ours, theirs in zip(operator.outputs, original_operator.outputs, strict=True):
            set_or_same(ours, theirs, where)
    return stands


def _zero_bias(tensor: ReadTensor, name: str, slot: int) -> bool:
    """Whether an operand that the original does not have is a bias of zeros. `name`: the operator's
    name; `slot`: the operand's position.
    """
    is_bias = name in PLACES and PLACES[name][2] == slot and tensor.type in {"INT32", "INT64"}
    return is_bias and bool(tensor.data) and not any(tensor.data) and not tensor.variable


def _added(operator: ReadOperator, where: str) -> None:
    """Raise RefutedError unless an operator that only one file has is a plain QUANTIZE."""
    custom, _, large, rest = operator.other
    plain = operator.name == "QUANTIZE" and not operator.options and not custom and not large
    empty = not any(
        rest.get(name) for name in ("CustomOptions", "MutatingVariableInputs", "Intermediates")
    )
    one_operand = (
        len(operator.inputs) == len(operator.outputs) == 1
        and min(operator.inputs + operator.outputs) >= 0
    )
    _demand(plain and empty and one_operand, where, "only a plain QUANTIZE may be added")


def _operators(original: ReadOperator, operator: ReadOperator, where: str) -> None:
    """Raise RefutedError if a written operator has another code, version or number of operands than
    the original's. Options are not compared here: for some, arithmetic rows decide.
    """
    same = original.name == operator.name and original.other == operator.other
    counts = len(original.outputs) == len(operator.outputs)
    counts = counts and len(original.inputs) <= len(operator.inputs)
    _demand(
        same and counts, where, f"is another operator than {original.name}, or has other operands"
    )


def _tensor(
    o: ReadGraph, tensor: ReadTensor, index: int, source: int | None, location: str
) -> None:
    """Raise RefutedError if the written tensor differs from the original tensor `source` in more
    than type, scale, zero point, axis and constant data; an added tensor (`index` beyond the
    original's) may also have another name.
    """
    if source is None:
        return  # nothing reads or writes it, or it is a bias of zeros
    original = o.tensors[source]
    _demand(
        tensor.shape == original.shape,
        location,
        "its shape differs: shapes are compared, not inferred",
    )
    _demand(tensor.variable == original.variable, location, "is_variable differs")
    _demand(bool(tensor.data) == bool(original.data), location, "is a constant in one file alone")
    ours, theirs = ((dict(each.other[0]), each.other[1]) for each in (tensor, original))
    if index >= len(o.tensors):
        _demand(not tensor.variable, location, "an added tensor is a variable")
        ours[0].pop("Name")
        theirs[0].pop("Name")
    _demand(ours == theirs, location, "its name, sparsity or what else it says differs")


def _signatures(original: ReadFile, written: ReadFile) -> None:
    """Raise RefutedError unless the signatures of both files name the same graph inputs and
    outputs, whatever their tensor indices are.
    """
    (old_model, older), (new_model, newer) = original.other, written.other
    same = {k: v for k, v in old_model.items() if k != "SignatureDefs"}
    _demand(
        same == {k: v for k, v in new_model.items() if k != "SignatureDefs"},
        "model",
        "what it says differs",
    )
    _demand(older == newer, "model", "its metadata_buffer differs")
    theirs = [_named(s, original) for s in old_model["SignatureDefs"]]
    _demand(
        [_named(s, written) for s in new_model["SignatureDefs"]] == theirs,
        "signatures",
        "they differ",
    )


def _named(signature: Any, model: ReadFile) -> Any:
    """A signature with positions among the subgraph's inputs and outputs in place of tensor
    indices, so that two files can be compared.
    """
    named, graph = dict(signature), model.graphs[signature["SubgraphIndex"]]
    for key, ends in (("Inputs", graph.inputs), ("Outputs", graph.outputs)):
        named[key] = [
            (
                tensor_map["Name"],
                ends.index(tensor_map["TensorIndex"])
                if tensor_map["TensorIndex"] in ends
                else ("-", tensor_map["TensorIndex"]),
            )
            for tensor_map in named[key]
        ]
    return named


def _metadata(original: ReadFile, written: ReadFile) -> None:
    """Raise RefutedError if metadata entries differ in more than what _loosened allows for a memory
    plan.
    """
    _demand(len(original.metadata) == len(written.metadata), "metadata", "its entries differ")
    for (name, old_bytes), (new_name, new_bytes) in zip(
        original.metadata, written.metadata, strict=True
    ):
        fits = old_bytes == new_bytes or (name == _PLAN and _loosened(old_bytes, new_bytes))
        _demand(name == new_name and fits, "metadata", f"{new_name!r} differs")


def _loosened(old_bytes: bytes, new_bytes: bytes) -> bool:
    """Whether a written memory plan keeps each tensor's arena offset or leaves it to the runtime
    (-1), with -1 for added tensors. Both arguments: the metadata entry's bytes.
    """
    if (
        len(old_bytes) % 4
        or len(new_bytes) % 4
        or len(new_bytes) < len(old_bytes)
        or len(old_bytes) < 12
    ):
        return False
    old, new = (
        [int.from_bytes(d[n : n + 4], "little", signed=True) for n in range(0, len(d), 4)]
        for d in (old_bytes, new_bytes)
    )
    places = zip(old[3:], new[3:], strict=False)
    return (
        old[:2] == new[:2]
        and new[2] == len(new) - 3
        and all(b in (a, -1) for a, b in places)
        and set(new[len(old) :]) <= {-1}
    )
