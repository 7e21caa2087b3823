"""What the planner hands on: edits for the writer, changes for people."""

from __future__ import annotations

from typing import Literal

from ...format.edits import AddOperator, Edit, RemoveOperator
from ...format.model import OperatorId
from ...record import Record

__all__ = ["Change", "Plan"]

ChangeKind = Literal[
    "moved",
    "snapped",
    "cut",
    "removed",
    "composed",
    "constant",
    "bias",
    "parameters",
    "activation",
    "converted",
]


class Change(Record, frozen=True, kw_only=True):
    """One thing done to one tensor, in words. `readers`: the slots it was done for."""

    kind: ChangeKind
    subgraph: int
    tensor: int
    name: str
    before: str
    after: str
    why: str
    readers: tuple[str, ...] = ()


class Plan(Record, frozen=True, kw_only=True):
    """`edited`: every operator an operand of which was re-expressed or
    re-wired, by its index in the original.
    """

    edits: tuple[Edit, ...]
    changes: tuple[Change, ...]
    edited: frozenset[OperatorId]

    @property
    def edited_after(self) -> frozenset[OperatorId]:
        """The same operators, and the inserted ones, by their index in the aligned file."""
        added: dict[int, list[int]] = {}
        removed: dict[int, list[int]] = {}
        for edit in self.edits:
            if isinstance(edit, AddOperator):
                added.setdefault(edit.subgraph, []).append(edit.before)
            elif isinstance(edit, RemoveOperator):
                removed.setdefault(edit.subgraph, []).append(edit.operator)

        def gone(subgraph: int, place: int) -> int:
            return sum(operator < place for operator in removed.get(subgraph, ()))

        found = {
            OperatorId(
                subgraph,
                index
                + sum(before <= index for before in added.get(subgraph, ()))
                - gone(subgraph, index),
            )
            for subgraph, index in self.edited
            if index >= 0 and index not in removed.get(subgraph, ())
        }
        for subgraph, places in added.items():
            found.update(
                OperatorId(subgraph, place + rank - gone(subgraph, place))
                for rank, place in enumerate(sorted(places))
            )
        return frozenset(found)

    def place(self, subgraph: int, operator: int) -> int | None:
        """Where an operator of the original is in the aligned file; None where it is left out."""
        here = [edit for edit in self.edits if getattr(edit, "subgraph", -1) == subgraph]
        gone = [edit.operator for edit in here if isinstance(edit, RemoveOperator)]
        added = [edit.before for edit in here if isinstance(edit, AddOperator)]
        if operator in gone:
            return None
        before = sum(place <= operator for place in added) - sum(one < operator for one in gone)
        return operator + before

    @property
    def cuts(self) -> int:
        return sum(change.kind == "cut" for change in self.changes)
