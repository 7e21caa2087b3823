"""Bulk reading of many tables with the same layout, as columns.

Reading table by table (`BufferReader`) is slower but gives exact errors for damaged files. For many
tables numpy reads all at once after a vectorised check of every offset. Both give the same values.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .flatbuffer import DTYPES, BufferReader, VtablePlan
from .schema import TableLayout

__all__ = ["Columns", "Positions", "groups", "strings", "vectors"]

Positions = NDArray[np.int64]

_MANY = 48  # number of tables from which on bulk reading is faster
_ALIKE = 16  # minimum average number of tables per vtable
_SHORT = 16  # longest vector (elements) that is read in bulk


class Columns:
    """The fields of the tables of one layout at `positions`, read together. Raises FormatError if
    one cannot be read.
    """

    def __init__(self, view: BufferReader, layout: TableLayout, positions: Sequence[int]) -> None:
        self._view = view
        self._layout = layout
        self._rows: list[tuple[VtablePlan, tuple[Any, ...]]] = []
        self._groups: list[tuple[VtablePlan, Positions]] = []
        self._at = np.array(positions, np.int64)
        self._positions = positions
        if len(positions) < _MANY or not self._grouped():
            self._carefully()

    def _carefully(self) -> None:
        """Read the tables one by one, which raises an exact error for a damaged one."""
        self._groups = []
        self._rows = [self._view.table(self._layout, pos) for pos in self._positions]

    def _grouped(self) -> bool:
        """Sort the tables by vtable; returns whether all of them lie within the file."""
        view, at = self._view, self._at
        if at.min() < 0 or at.max() > view.size - 4:
            return False
        vtables = at - view.gather(at, "i")
        groups_by_vtable = groups(vtables)
        if (len(groups_by_vtable) - 1) * _ALIKE > len(at):
            return False
        for members in groups_by_vtable:
            # The first table's vtable is checked and analysed.
            plan, _ = view.table(self._layout, self._positions[int(members[0])])
            if not view.free(at[members], plan.size):
                return False
            self._groups.append((plan, members))
        return True

    def values(self, field_id: int) -> list[Any]:
        """A scalar field of each table, or its default if absent."""
        if not self._groups:
            return [row[field_id] for _, row in self._rows]
        field = self._layout.fields[field_id]
        if len(self._groups) == 1 and not self._groups[0][0].at[field_id]:
            return [self._groups[0][0].defaults[field_id]] * len(self._positions)
        column: NDArray[Any] = np.empty(len(self._positions), DTYPES[field.code])
        for plan, members in self._groups:
            offset = plan.at[field_id]
            if offset:
                column[members] = self._view.gather(self._at[members] + offset, field.code)
            else:
                column[members] = plan.defaults[field_id]
        values: list[Any] = column.tolist()
        return values

    def targets(self, field_id: int) -> list[int]:
        """Positions that a reference field of each table points to; 0 if absent."""
        view = self._view
        if self._groups and not any(plan.at[field_id] for plan, _ in self._groups):
            return [0] * len(self._positions)
        if self._groups:
            column = np.zeros(len(self._positions), np.int64)
            for plan, members in self._groups:
                offset = plan.at[field_id]
                if offset:
                    at = self._at[members] + offset
                    relative = view.gather(at, "I").astype(np.int64)
                    if not relative.all():
                        # a reference of 0 is invalid: fail the check below
                        column[members] = view.size
                    else:
                        column[members] = at + relative
            if int(column.max()) <= view.size - 4:
                targets: list[int] = column.tolist()
                return targets
            self._carefully()
        return [
            view.target(plan, pos, row, field_id)
            for pos, (plan, row) in zip(self._positions, self._rows, strict=True)
        ]


def groups(vtables: Positions) -> list[Positions]:
    """Indices of tables grouped by equal vtable position, ascending in each group: one plan reads a
    group.
    """
    if vtables.size and (vtables == vtables[0]).all():
        return [np.arange(vtables.size)]
    order = np.argsort(vtables, kind="stable")
    breaks = (np.flatnonzero(np.diff(vtables[order])) + 1).tolist()
    return [order[start:end] for start, end in pairwise([0, *breaks, vtables.size])]


def vectors(view: BufferReader, positions: Sequence[int], code: str) -> list[tuple[Any, ...]]:
    """The elements of many scalar vectors; position 0 reads as empty. `code`: struct code of an
    element.
    """
    if not any(positions):
        return [()] * len(positions)
    if len(positions) >= _MANY:
        at = np.array(positions, np.int64)
        present = np.flatnonzero(at)
        starts = at[present]
        counts = view.gather(starts, "I").astype(np.int64)
        width = DTYPES[code].itemsize
        if view.free(starts, 4 + counts * width):
            view.spend(int(counts.sum()) * width, positions[0])
            return _vectors(view, code, len(positions), (present, starts + 4, counts))
    return [view.scalars(pos, code) for pos in positions]


def _vectors(
    view: BufferReader, code: str, total: int, vectors: tuple[Positions, Positions, Positions]
) -> list[tuple[Any, ...]]:
    """The elements of `total` vectors, given the non-empty ones: their indices, positions of the
    first element, and element counts. `code`: struct code of an element.
    """
    present, starts, counts = vectors
    result: list[tuple[Any, ...]] = [()] * total
    width = DTYPES[code].itemsize
    for count in sorted(set(counts.tolist()) - {0}):
        members = np.flatnonzero(counts == count)
        if count > _SHORT:
            for row, start in zip(present[members].tolist(), starts[members].tolist(), strict=True):
                result[row] = tuple(view.elements(start, count, code))
            continue
        at = starts[members][:, None] + width * np.arange(count)
        rows = view.gather(at, code).tolist()
        for row, elements in zip(present[members].tolist(), rows, strict=True):
            result[row] = tuple(elements)
    return result


def strings(view: BufferReader, positions: Sequence[int]) -> list[str]:
    """The strings at many positions; position 0 reads as empty."""
    if len(positions) >= _MANY:
        at = np.array(positions, np.int64)
        starts = at[np.flatnonzero(at)]
        counts = view.gather(starts, "I").astype(np.int64)
        if view.free(starts, 4 + counts):
            view.spend(int(counts.sum()), positions[0])
            buf, lengths = view.buf, iter(counts.tolist())
            return [
                str(buf[pos + 4 : pos + 4 + next(lengths)], "utf-8", "backslashreplace")
                if pos
                else ""
                for pos in positions
            ]
    return [view.string(pos) for pos in positions]
