"""The edits that the splice makes to a file; `differences` derives them from two states.

Tensor and operator indices are always those of the original model; added tensors are numbered
on from the subgraph's last one in the order of their AddTensor edits.
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
    """Give a tensor these parameters. minimum/maximum, where the file has them, are rewritten
    from quant.minimum/quant.maximum (same length) so that they do not go stale.
    """

    subgraph: int
    tensor: int
    quant: QuantParams


class SetData(Record, frozen=True, kw_only=True):
    """Give a constant new bytes, and a new type when `type` is set (int32 bias to int64)."""

    subgraph: int
    tensor: int
    data: bytes
    type: str | None = None


class SetType(Record, frozen=True, kw_only=True):
    """Give a tensor without constant data another type of the same width; SetData has its own."""

    subgraph: int
    tensor: int
    type: str


class SetShape(Record, frozen=True, kw_only=True):
    """Give a tensor without constant data another shape. `signature`: the sizes with -1 where they
    are open; empty for a tensor that states none.
    """

    subgraph: int
    tensor: int
    shape: tuple[int, ...]
    signature: tuple[int, ...] = ()


class SetVersion(Record, frozen=True, kw_only=True):
    """Let an operator be of another version of its builtin code."""

    subgraph: int
    operator: int
    version: int


class AddTensor(Record, frozen=True, kw_only=True):
    """A new tensor shaped as tensor `like` of the same subgraph, or of the sizes `shape`, with the
    signature beside them; constant when `data` is given.
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
    """A new operator placed just before old operator `before` (len(operators) means at the end).
    Several at one place keep the order of the edits.
    """

    subgraph: int
    before: int
    name: str
    version: int
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


class RemoveOperator(Record, frozen=True, kw_only=True):
    """Leave an old operator out. Its tensors stay; operators that read its outputs have to be re-wired.
    Places of other edits still count it: all operator indices are those of the original.
    """

    subgraph: int
    operator: int


class SetOperand(Record, frozen=True, kw_only=True):
    """Let an operator's operand position name another tensor (old or added). An `index` of one
    past the last input adds an input.
    """

    subgraph: int
    operator: int
    kind: SlotKind
    index: int
    tensor: int


class SetOption(Record, frozen=True, kw_only=True):
    """Set a scalar option field of an operator by its schema name (fused activation, bias type)."""

    subgraph: int
    operator: int
    field: str
    value: int


class SetName(Record, frozen=True, kw_only=True):
    """Give a tensor another name. Nothing in a file refers to a tensor by its name."""

    subgraph: int
    tensor: int
    name: str


class SetGraphIO(Record, frozen=True, kw_only=True):
    """Let a subgraph's input or output position name another tensor."""

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
