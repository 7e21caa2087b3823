"""What a drawing of the model needs beside the report: the graph before and after, the groups
that must share parameters, and why each tensor gets its own.
"""

from __future__ import annotations

from typing import Literal

from ..format.model import TensorId
from ..numerics import Label, Range
from ..record import Record

__all__ = [
    "GroupView",
    "Mark",
    "MemberView",
    "ModelView",
    "OperatorView",
    "SubgraphView",
    "TensorView",
    "Why",
]

Mark = Literal["", "added", "removed"]


class TensorView(Record, frozen=True, kw_only=True):
    """`label`: None without per-tensor parameters; `channels`: how many scales it has."""

    index: int
    name: str
    type: str
    shape: tuple[int, ...]
    label: Label | None
    channels: int
    constant: bool


class OperatorView(Record, frozen=True, kw_only=True):
    """`other`: its index in the other of the two graphs; -1 where it is not there."""

    index: int
    name: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    mark: Mark = ""
    other: int = -1


class SubgraphView(Record, frozen=True, kw_only=True):
    """One subgraph as it is drawn. `inputs`, `outputs`: indices of its tensors."""

    index: int
    name: str
    tensors: tuple[TensorView, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    operators: tuple[OperatorView, ...]


class MemberView(Record, frozen=True, kw_only=True):
    """A tensor of a group. Ranges are what its parameters can hold, in real values; `cuts`: what
    readers behind an inserted QUANTIZE see. `bits`: precision lost (positive) or won by the move.
    """

    key: TensorId
    name: str
    before: Range
    after: Range | None
    cuts: tuple[Range, ...] = ()
    bits: float = 0.0


class GroupView(Record, frozen=True, kw_only=True):
    """Tensors that rules tie to one another; `hull` holds what all of them held before."""

    index: int
    rules: tuple[str, ...]
    hull: Range
    members: tuple[MemberView, ...]


class Why(Record, frozen=True, kw_only=True):
    """The chain of why of one tensor, a sentence or two a line."""

    key: TensorId
    lines: tuple[str, ...]


class ModelView(Record, frozen=True, kw_only=True):
    """`after` is empty where the model was not changed."""

    before: tuple[SubgraphView, ...]
    after: tuple[SubgraphView, ...] = ()
    groups: tuple[GroupView, ...] = ()
    whys: tuple[Why, ...] = ()

    def __repr__(self) -> str:
        count = sum(len(graph.operators) for graph in self.before)
        return f"<ModelView of {count} operators, {len(self.groups)} groups>"
