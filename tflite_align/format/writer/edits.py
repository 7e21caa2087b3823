"""Edits of a file, which `differences` derives from two states and the splice applies.

Tensor and operator indices are those of the original model; added tensors are numbered after the
subgraph's last one, in the order of their AddTensor edits.
"""

from __future__ import annotations

from typing import Literal

from ...record import Record
from ..model import QuantParams, SlotKind

__all__ = [
    "AddOperator",
    "AddTensor",
    "Edit",
    "RemoveOperator",
    "SetData",
    "SetGraphIO",
    "SetName",
    "SetOperand",
    "SetOption",
    "SetQuant",
    "SetShape",
    "SetType",
    "SetVersion",
]


class SetQuant(Record, frozen=True, kw_only=True):
    """Set a tensor's parameters. `minimum` and `maximum`, if the file has them, are rewritten with
    values of `quant`, of the same length.
    """

    subgraph: int
    tensor: int
    quant: QuantParams


class SetData(Record, frozen=True, kw_only=True):
    """Set a constant's bytes, and its type if `type` is given (int32 bias to int64)."""

    subgraph: int
    tensor: int
    data: bytes
    type: str | None = None


class SetType(Record, frozen=True, kw_only=True):
    """Set the type of a tensor without constant data to a type of the same width."""

    subgraph: int
    tensor: int
    type: str


class SetShape(Record, frozen=True, kw_only=True):
    """Set the shape of a tensor without constant data.

    `signature`: the sizes with -1 for open dimensions; empty for a tensor without one.
    """

    subgraph: int
    tensor: int
    shape: tuple[int, ...]
    signature: tuple[int, ...] = ()


class SetVersion(Record, frozen=True, kw_only=True):
    """Set the version of an operator's builtin code."""

    subgraph: int
    operator: int
    version: int


class AddTensor(Record, frozen=True, kw_only=True):
    """Add a tensor with the shape of tensor `like` of the same subgraph, or `shape` with its
    signature.

    `data` makes it a constant.
    """

    subgraph: int
    index: int
    like: int
    name: str
    type: str
    quant: QuantParams | None
    data: bytes | None = None
    shape: tuple[int, ...] | None = None
    signature: tuple[int, ...] = ()


class AddOperator(Record, frozen=True, kw_only=True):
    """Add an operator before the original operator `before` (len(operators): at the end).

    Several at one place keep the order of the edits.
    """

    subgraph: int
    before: int
    name: str
    version: int
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


class RemoveOperator(Record, frozen=True, kw_only=True):
    """Remove an operator. Its tensors remain; operators that read its outputs have to be given
    other inputs.

    Other edits still count it, as all operator indices are those of the original.
    """

    subgraph: int
    operator: int


class SetOperand(Record, frozen=True, kw_only=True):
    """Set an operand to another tensor, original or added.

    The `index` after the last input adds an input.
    """

    subgraph: int
    operator: int
    kind: SlotKind
    index: int
    tensor: int


class SetOption(Record, frozen=True, kw_only=True):
    """Set a scalar option of an operator. `field`: its schema name (fused activation, bias type)."""

    subgraph: int
    operator: int
    field: str
    value: int


class SetName(Record, frozen=True, kw_only=True):
    """Set a tensor's name. Nothing in a file refers to a tensor by its name."""

    subgraph: int
    tensor: int
    name: str


class SetGraphIO(Record, frozen=True, kw_only=True):
    """Set a subgraph's input or output to another tensor."""

    subgraph: int
    kind: Literal["inputs", "outputs"]
    index: int
    tensor: int


Edit = (
    SetQuant
    | SetData
    | AddTensor
    | AddOperator
    | RemoveOperator
    | SetOperand
    | SetOption
    | SetGraphIO
    | SetType
    | SetVersion
    | SetName
    | SetShape
)
