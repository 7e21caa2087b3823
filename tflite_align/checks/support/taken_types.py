"""Operand types of an operator, and the nearest types that kernels support."""

from __future__ import annotations

from collections.abc import Iterable

from ...format.model import Operator, Subgraph
from ...rules.kernels import KernelRow
from ...rules.operand_types import ABSENT, LEFT_OUT, OperandTypes

__all__ = ["distance", "taken_types", "types_of"]

_PREFERRED = ("int8", "int16", "uint8", "float32", "int32", "int64")


def types_of(graph: Subgraph, operator: Operator) -> OperandTypes:
    """The operand types of an operator; ABSENT for a left-out input."""
    types = [graph.tensors[i].type if i >= 0 else ABSENT for i in operator.inputs]
    return OperandTypes(tuple(types), tuple(graph.tensors[i].type for i in operator.outputs))


def taken_types(rows: Iterable[KernelRow], operand_types: OperandTypes) -> list[OperandTypes]:
    """The operand types that the rows support for as many operands, nearest to the given ones
    first.

    Among equally near ones those that differ at an output come first, as a QUANTIZE after it can
    convert back.
    """
    candidates = {
        signature
        for row in rows
        for pattern in row.takes
        for signature in pattern.nearest(operand_types)
    }
    return sorted(
        candidates,
        key=lambda signature: (
            distance(operand_types, signature),
            distance(OperandTypes(operand_types.inputs, ()), OperandTypes(signature.inputs, ())),
            [_rank(name) for name in (*signature.inputs, *signature.outputs)],
        ),
    )


def _rank(name: str) -> int:
    """The sort key of a type among equally near ones: types of current quantized models come first."""
    return _PREFERRED.index(name) if name in _PREFERRED else len(_PREFERRED)


def distance(operand_types: OperandTypes, signature: OperandTypes) -> int:
    """The number of operands whose types differ; left-out inputs count."""
    padded = (
        *operand_types.inputs,
        *(LEFT_OUT,) * (len(signature.inputs) - len(operand_types.inputs)),
    )
    inputs = sum(a != b for a, b in zip(padded, signature.inputs, strict=False))
    return inputs + sum(
        a != b for a, b in zip(operand_types.outputs, signature.outputs, strict=True)
    )
