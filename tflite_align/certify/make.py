"""Certificates for an original and a written file, or the reason why there is none.

This module computes the claims (mapping of operators, integers in each tensor, values that readers
distinguish); the checker's functions compute the bounds, and the checker proves the claims.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..errors import AlignError, UsageError
from ..rules.targets import load_target
from .arithmetic import arithmetic_runtimes
from .check import FORMAT, REASONS
from .check_bounds import Shown, upward
from .check_graph import Claimed, RefutedError, match_files
from .check_pair import GraphPair, make_pair
from .check_read import ReadGraph, read_file
from .kernel_functions import kernels_of

__all__ = [
    "NotCertifiedError",
    "certified_runtimes",
    "certify",
    "make_certificate",
    "operator_rows",
]

Row = dict[str, Any]

_DEFAULT = ("litert", "xnnpack")  # runtimes of target tflite


class NotCertifiedError(AlignError):
    """No certificate exists: a changed operator has no proved bound."""


def certified_runtimes(targets: Sequence[str]) -> tuple[str, ...]:
    """The runtimes whose kernels a certificate for these targets covers.

    Raises UsageError for a target with a kernel that has no arithmetic rows.
    """
    described, runtimes = arithmetic_runtimes(), dict[str, None]()
    for name in targets:
        judges = load_target(name).judges
        if not judges or not set(judges) <= set(described):
            raise UsageError(f"target {name}: the arithmetic of its kernels is not known")
        runtimes |= dict.fromkeys(judges)
    return tuple(runtimes)


def certify(model: bytes, *, runtimes: Sequence[str] = _DEFAULT) -> Row:
    """The certificate of a model against its own declared parameters, as make_certificate returns
    it. `model`: the file's bytes; `runtimes`: names.
    """
    return make_certificate(model, model, runtimes=runtimes)


def operator_rows(certificate: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    """(address, certificate row) of every operator of the written file."""
    return [
        (f"subgraph[{graph_index}]/operator[{row['operator']}] {row['name']}", row)
        for graph_index, graph in enumerate(certificate["subgraphs"])
        for row in graph["operators"]
    ]


def make_certificate(
    original: bytes,
    written: bytes,
    *,
    runtimes: Sequence[str] = _DEFAULT,
    bias: str = "declared",
) -> Row:
    """The certificate as JSON values (schema/certificate.schema.json); bounds are in steps (LSB).

    `bias`: the reading of a bias whose scale is not input scale x weight scale (`declared`,
    `as-run`). Raises NotCertifiedError with the location of the operator that has no bound.
    `original`, `written`: the files' bytes. `runtimes`: names.
    """
    try:
        return _made(original, written, tuple(runtimes), bias)
    except RefutedError as error:
        raise NotCertifiedError(str(error)) from error
    except Exception as error:
        raise NotCertifiedError(f"the checker cannot read the file: {error}") from error


def _made(original: bytes, written: bytes, runtimes: tuple[str, ...], bias: str) -> Row:
    """make_certificate, with the exceptions of the checker's functions. `original`, `written`: the
    files' bytes. `runtimes`: names.
    """
    before = read_file(original)
    after = before if written == original else read_file(written)
    claimed = [_claimed(o, w) for o, w in zip(before.graphs, after.graphs, strict=True)]
    matched = match_files(before, after, claimed)
    certificate: Row = {
        "format": FORMAT,
        "tool": "tflite_align",
        "original": _digest(original),
        "written": _digest(written),
        "runtimes": list(runtimes),
        "bias": bias,
        "observed": [],
        "moved": [
            f"subgraph[{n}]/{slot}" for n, match in enumerate(matched) for slot in match.moved
        ],
        "subgraphs": [{"operators": [], "tensors": []} for _ in matched],
    }
    for graph_index, match in enumerate(matched):
        pair = make_pair(before, after, graph_index, match, certificate)
        needed = _needed(pair)
        rows, arrives = _operators(pair, graph_index, runtimes)
        certificate["subgraphs"][graph_index] = {
            "operators": rows,
            "tensors": list(_tensors(pair, arrives, needed)),
        }
        pair.check_folded(f"subgraph[{graph_index}]")
        if claimed[graph_index][1]:
            certificate["subgraphs"][graph_index]["folded"] = list(claimed[graph_index][1])
    return certificate


def _digest(data: bytes) -> Row:
    """A file's identity in the certificate: SHA-256 and size in bytes."""
    return {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}


def _claimed(original: ReadGraph, written: ReadGraph) -> Claimed:
    """For one subgraph: the original's index of each written operator; and the indices of folded
    QUANTIZE, those of the original without a written operator.
    """
    mapping = _mapping(original, written)
    there = set(mapping)
    missing = [n for n in range(len(original.operators)) if n not in there]
    return mapping, [n for n in missing if original.operators[n].name == "QUANTIZE"]


def _mapping(original: ReadGraph, written: ReadGraph) -> list[int | None]:
    """The original's index of each written operator, None for an added QUANTIZE. Operators
    correspond if they, or a QUANTIZE after the written one, write the same tensor.
    """
    writer = {index: n for n, op in enumerate(written.operators) for index in op.outputs}
    mapping: list[int | None] = [None] * len(written.operators)
    silent = iter([n for n, op in enumerate(written.operators) if not op.outputs])
    for source, operator in enumerate(original.operators):
        if not operator.outputs:
            candidate = next(silent, None)
        else:
            candidate = writer.get(operator.outputs[0])
            while candidate is not None and not _fits(written, candidate, operator.name, mapping):
                quantize = written.operators[candidate]
                candidate = writer.get(quantize.inputs[0]) if quantize.name == "QUANTIZE" else None
        if candidate is not None:
            mapping[candidate] = source
    return mapping


def _fits(written: ReadGraph, candidate: int, name: str, mapping: Sequence[int | None]) -> bool:
    """Whether the written operator `candidate` has this name and is not mapped yet. `candidate`:
    its index; `mapping`: original operator -> written operator so far.
    """
    return written.operators[candidate].name == name and mapping[candidate] is None


def _needed(pair: GraphPair) -> list[tuple[float, float] | None]:
    """The interval of real values that readers distinguish, by tensor; None for the whole declared
    range. Operators are visited backward, so that readers come before what they read.
    """
    needed = pair.needed
    order = [i for op in reversed(pair.written.operators) for i in op.outputs]
    order += [*pair.written.inputs, *range(len(pair.written.tensors))]
    for index in dict.fromkeys(order):
        least = (
            pair.narrowest(index) if index >= 0 and pair.written.tensors[index].quantized else None
        )
        if least is not None and least != pair.declared(index):
            needed[index] = least
    return needed


def _operators(
    pair: GraphPair, graph_index: int, runtimes: Sequence[str]
) -> tuple[list[Row], list[tuple[int, int] | None]]:
    """(the certificate's rows of operators, the interval of integers in each tensor) of one
    subgraph. Operators are visited in file order, producers first. `graph_index`: of the subgraph.
    `runtimes`: names.
    """
    arrives = pair.arrives
    for index, tensor in enumerate(pair.written.tensors):
        if tensor.quantized:
            arrives[index] = tensor.limits
            if tensor.data and 0 not in tensor.shape:
                integers = tensor.integers()
                arrives[index] = int(integers.min()), int(integers.max())
    rows = []
    for index, operator in enumerate(pair.written.operators):
        row, shown = _row(pair, graph_index, index, runtimes)
        if shown is not None:
            for output, bound in zip(operator.outputs, shown.outputs, strict=True):
                if pair.written.tensors[output].quantized:
                    arrives[output] = bound.ends
        rows.append(row)
    return rows, arrives


def _row(
    pair: GraphPair, graph_index: int, index: int, runtimes: Sequence[str]
) -> tuple[Row, Shown | None]:
    """(certificate row, error bound) of the written operator `index`; the bound is None for an
    unchanged operator without one. RefutedError for a changed operator without one. `runtimes`:
    names.
    """
    operator = pair.written.operators[index]
    row: Row = {
        "operator": index,
        "original": pair.matched.operators[index],
        "name": operator.name,
    }
    try:
        shown = pair.show(index, kernels_of, runtimes)
    except REASONS as error:
        keyed = isinstance(error, KeyError)
        reason = f"no bound is computed for {error.args[0]}" if keyed else str(error)
    else:
        worst = max(shown.bounds.values())
        if worst <= pair.most(index):
            return {**row, **_certified(pair, index, shown)}, shown
        reason = f"it can be {upward(worst):.6g} LSB off"
    if not pair.unchanged(index):
        location = f"subgraph[{graph_index}]/operator[{index}] {operator.name}"
        raise RefutedError(f"{location}: its operands or parameters changed, and {reason}")
    return {**row, "status": "unchanged", "reason": reason}, None


def _certified(pair: GraphPair, index: int, shown: Shown) -> Row:
    """The part of a certificate row that states a bound. `index`: of the written operator."""
    output = pair.written.operators[index].outputs[0]
    scale, given = pair.written.tensors[output].scale, pair.given(output).scale
    coarser = scale[0] / given[0] if scale and given else 1.0  # an index has no scale
    row: Row = {
        "status": "certified",
        "functions": dict(shown.functions),
        "bounds": {runtime: upward(bound) for runtime, bound in shown.bounds.items()},
        "bounds_in_original_steps": {
            runtime: upward(bound * coarser) for runtime, bound in shown.bounds.items()
        },
        "saturates": sorted(shown.whole.saturates),
    }
    if shown.whole.total is not None:
        row["accumulator"] = list(shown.whole.total)
    return row


def _tensors(
    pair: GraphPair,
    arrives: Sequence[tuple[int, int] | None],
    needed: Sequence[tuple[float, float] | None],
) -> Iterator[Row]:
    """The certificate's rows of tensors with a known interval of integers. `arrives`: interval of
    integers by tensor; `needed`: interval of real values that readers distinguish.
    """
    for index, ends in enumerate(arrives):
        if ends is None:
            continue
        row: Row = {
            "tensor": index,
            "original": pair.matched.stands_for[index],
            "arrives": list(ends),
        }
        interval = needed[index]
        if interval is not None:
            row["needed"] = list(interval)
        yield row
