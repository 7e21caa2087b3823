"""What a drawing of the model needs beside the report: the graph before and after, the groups
that must share parameters, and why each tensor gets its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ..numerics import Label, Range

__all__ = [
    "GroupView",
    "Key",
    "Mark",
    "MemberView",
    "OperatorView",
    "SubgraphView",
    "TensorView",
    "View",
    "Why",
]

Key = tuple[int, int]  # (subgraph, tensor)
Mark = Literal["", "added", "removed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TensorView:
    """`label`: None without per-tensor parameters; `channels`: how many scales it has."""

    index: int
    name: str
    type: str
    shape: tuple[int, ...]
    label: Label | None
    channels: int
    constant: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorView:
    """`other`: its index in the other of the two graphs; -1 where it is not there."""

    index: int
    name: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    mark: Mark = ""
    other: int = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class SubgraphView:
    index: int
    name: str
    tensors: tuple[TensorView, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    operators: tuple[OperatorView, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberView:
    """A tensor of a group. Ranges are what its parameters can hold, in real values; `cuts`: what
    readers behind an inserted QUANTIZE see. `bits`: precision lost (positive) or won by the move.
    """

    key: Key
    name: str
    before: Range
    after: Range | None
    cuts: tuple[Range, ...] = ()
    bits: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupView:
    """Tensors that rules tie to one another; `hull` holds what all of them held before."""

    index: int
    rules: tuple[str, ...]
    hull: Range
    members: tuple[MemberView, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Why:
    """The chain of why of one tensor, a sentence or two a line."""

    key: Key
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """`after` is empty where the model was not changed."""

    before: tuple[SubgraphView, ...]
    after: tuple[SubgraphView, ...] = ()
    groups: tuple[GroupView, ...] = ()
    whys: tuple[Why, ...] = ()
