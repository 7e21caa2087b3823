"""Records for drawing a model: the graph before and after, the groups of tied tensors, and the
reasons for each tensor's parameters.
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
    """A tensor in a drawing. `label`: None without per-tensor parameters; `channels`: number of
    scales.
    """

    index: int
    name: str
    type: str
    shape: tuple[int, ...]
    label: Label | None
    channels: int
    constant: bool


class OperatorView(Record, frozen=True, kw_only=True):
    """An operator in a drawing. `mark`: whether it was added or removed; `other`: its index in the
    other graph (before or after), -1 if absent.
    """

    index: int
    name: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    mark: Mark = ""
    other: int = -1


class SubgraphView(Record, frozen=True, kw_only=True):
    """One subgraph of a drawing. `inputs`, `outputs`: indices of its tensors."""

    index: int
    name: str
    tensors: tuple[TensorView, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    operators: tuple[OperatorView, ...]


class MemberView(Record, frozen=True, kw_only=True):
    """A tensor of a group. Ranges are the real values that its parameters represent.

    `cuts`: ranges that readers get after an inserted QUANTIZE. `bits`: precision lost by the change
    of parameters; negative for a gain.
    """

    key: TensorId
    name: str
    before: Range
    after: Range | None
    cuts: tuple[Range, ...] = ()
    bits: float = 0.0


class GroupView(Record, frozen=True, kw_only=True):
    """Tensors that rules tie together; `hull` contains the ranges of all of them before alignment."""

    index: int
    rules: tuple[str, ...]
    hull: Range
    members: tuple[MemberView, ...]


class Why(Record, frozen=True, kw_only=True):
    """The explanation of one tensor's parameters, in lines of one or two sentences."""

    key: TensorId
    lines: tuple[str, ...]


class ModelView(Record, frozen=True, kw_only=True):
    """The graphs before and after alignment; `after` is empty if nothing changed. `groups`: tied
    tensors; `whys`: explanations.
    """

    before: tuple[SubgraphView, ...]
    after: tuple[SubgraphView, ...] = ()
    groups: tuple[GroupView, ...] = ()
    whys: tuple[Why, ...] = ()

    def __repr__(self) -> str:
        count = sum(len(graph.operators) for graph in self.before)
        return f"<ModelView of {count} operators, {len(self.groups)} groups>"
