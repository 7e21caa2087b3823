"""The stage before alignment: a file is converted, written and handed on as if it had come in so."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Literal

from ...format.flatbuffer import Bytes
from ...format.model import Model, OperatorId
from ...format.reader import read
from ...format.writer.splice import splice
from ...record import Record, replace
from ...rules.rows import OperatorRow
from ...rules.targets import Target
from ...rules.versions import load_versions
from ..planner.changes import Change, Plan
from .conversion import Conversion
from .io_types import convert_border
from .uint8_to_int8 import convert_to_int8

__all__ = ["Asked", "Converted", "convert"]


class Asked(Record, frozen=True, kw_only=True):
    """What a file is to become; None: as it is. `to`: the type of what is uint8 inside, with
    `free_io` of its border too; `fixes`: repairs that are on. `inputs`, `outputs`: types of its
    border.
    """

    to: Literal["int8"] | None = None
    free_io: bool = False
    fixes: frozenset[str] = frozenset()
    inputs: str | None = None
    outputs: str | None = None


class Converted(Record, frozen=True, kw_only=True):
    """The file after its conversion. `data` is the original itself where nothing was done;
    `refused` says why nothing was, where something was asked for that cannot be.
    """

    data: Bytes
    changes: tuple[Change, ...] = ()
    edited: frozenset[OperatorId] = frozenset()  # operators, by their index in `data`
    grown_bytes: int = 0
    refused: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    plans: tuple[Plan, ...] = ()

    def place(self, subgraph: int, operator: int) -> int | None:
        """Where an operator of the original is in `data`; None where it is left out."""
        here: int | None = operator
        for plan in self.plans:
            here = plan.place(subgraph, here) if here is not None else None
        return here

    def edited_after(self, later: Plan | None) -> frozenset[OperatorId]:
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
    edited: frozenset[OperatorId] = frozenset(),
) -> Converted:
    """Carry out what is asked, one conversion after the other; all of it or nothing.

    `edited`: operators that were edited before. Raises what the writer raises.
    """
    found = Converted(data=data, edited=edited)
    for conversion in _conversions(asked, rows, targets):
        done = conversion(model)
        if done.refused:
            return Converted(data=data, edited=edited, refused=done.refused)
        found = replace(found, warnings=(*found.warnings, *done.warnings))
        if done.plan.edits:
            written = splice(found.data, model, done.plan.edits)
            found = replace(
                found,
                data=written.join(),
                changes=(*found.changes, *done.plan.changes),
                edited=found.edited_after(done.plan),
                grown_bytes=found.grown_bytes + written.prefix,
                plans=(*found.plans, done.plan),
            )
            model = read(found.data)
    return found


def _conversions(
    asked: Asked, rows: Mapping[str, OperatorRow], targets: Sequence[Target]
) -> Iterator[Callable[[Model], Conversion]]:
    if asked.to is not None:
        yield lambda model: convert_to_int8(
            model,
            rows,
            load_versions(),
            targets,
            free_io=asked.free_io,
            fixes=asked.fixes,
        )
    if asked.inputs is not None or asked.outputs is not None:
        yield lambda model: convert_border(
            model, rows, targets, inputs=asked.inputs, outputs=asked.outputs
        )
