"""The stage before alignment: a file is converted, written and handed on as if it had come in so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from ..model import Model
from ..planner import Change, Plan
from ..rules import OperatorRow, Target
from ..tables import Bytes
from ..writer import write
from .border import convert_border

__all__ = ["Asked", "Converted", "convert"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a file is to become; None: as it is. `inputs`, `outputs`: types of its border."""

    inputs: str | None = None
    outputs: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Converted:
    """The file after its conversion. `data` is the original itself where nothing was done;
    `refused` says why nothing was, where something was asked for that cannot be.
    """

    data: Bytes
    changes: tuple[Change, ...] = ()
    edited: frozenset[tuple[int, int]] = frozenset()  # operators, by their index in `data`
    grown_bytes: int = 0
    refused: tuple[str, ...] = ()

    def edited_after(self, later: Plan | None) -> frozenset[tuple[int, int]]:
        """Operators that this conversion or a later plan edits, by their index after both."""
        if later is None:
            return self.edited
        return replace(later, edited=later.edited | self.edited).edited_after


def convert(
    data: Bytes,
    model: Model,
    asked: Asked,
    rows: Mapping[str, OperatorRow],
    targets: Sequence[Target],
    *,
    edited: frozenset[tuple[int, int]] = frozenset(),
) -> Converted:
    """Carry out what is asked; all of it or nothing. `edited`: operators that were edited before.

    Raises what the writer raises.
    """
    found = convert_border(model, rows, targets, inputs=asked.inputs, outputs=asked.outputs)
    if found.refused or not found.plan.edits:
        return Converted(data=data, edited=edited, refused=found.refused)
    written = write(data, model, found.plan.edits)
    return Converted(
        data=written.join(),
        changes=found.plan.changes,
        edited=replace(found.plan, edited=found.plan.edited | edited).edited_after,
        grown_bytes=written.prefix,
    )
