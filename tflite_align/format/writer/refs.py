"""The number of owners of each byte range of a file.

A range may be overwritten only if it has one owner. Tables, vectors and strings are counted along
every path from the root: what a shared table refers to counts twice.
"""

from __future__ import annotations

import struct

import numpy as np

from ...errors import FormatError
from ..flatbuffer import BufferReader, VtablePlan
from ..flatbuffer_bulk import Positions, groups
from ..schema import OPTIONS, OPTIONS2, Field, table_layout

__all__ = ["References"]

_DETAILS = dict(
    enumerate(("CustomQuantization", "BlockwiseQuantization", "MultiAxisQuantization"), start=1)
)
_SPARSE_INDEX = dict(enumerate(("Int32Vector", "Uint16Vector", "Uint8Vector"), start=1))
_UNIONS = {
    "array_indices": _SPARSE_INDEX,
    "array_segments": _SPARSE_INDEX,
    "builtin_options": OPTIONS,
    "builtin_options2": OPTIONS2,
    "details": _DETAILS,
}


class References:
    """The byte ranges of all objects that can be reached from the root through known fields."""

    def __init__(self, view: BufferReader, root: int) -> None:
        self._view = view
        self._starts: list[Positions] = [np.zeros(1, np.int64)]  # position of the root reference
        self._ends: list[Positions] = [np.full(1, 8, np.int64)]
        self._vtables: set[int] = set()
        self._budget = 4 * view.size + (1 << 16)
        self._tables("Model", np.array([root], np.int64))
        self._starts_sorted = np.sort(np.concatenate(self._starts))
        self._ends_sorted = np.sort(np.concatenate(self._ends))

    def owners(self, start: int, end: int) -> int:
        """How many tables, vtables, vectors and strings overlap the bytes from `start` to `end`."""
        begun = int(self._starts_sorted.searchsorted(end, "left"))
        over = int(self._ends_sorted.searchsorted(start, "right"))
        return begun - over

    def _tables(self, name: str, positions: Positions) -> None:
        """Count the objects to which the tables of layout `name` at `positions` refer."""
        layout = table_layout(name)
        vtables = positions - self._u32(positions).astype(np.int32)
        for members in groups(vtables):
            group = positions[members]
            plan, _ = self._view.table(layout, int(group[0]))
            if int(group.max()) + plan.size > self._view.size:
                msg = f"{name} table runs past the end of the file"
                raise FormatError(msg, offset=int(group.max()))
            self._extent(group, group + plan.size)
            self._vtable(int(group[0]))
            for field in layout.fields:
                if plan.at[field.id]:
                    self._field(plan, field, group)

    def _field(self, plan: VtablePlan, field: Field, group: Positions) -> None:
        """Count the objects to which one field of a group of tables refers."""
        if field.kind == "scalar":
            return
        at = group + plan.at[field.id]  # within the tables, whose ends are checked
        targets = at + self._view.gather(at, "I")
        if field.kind not in {"table", "union"}:
            width = (
                struct.calcsize(field.item) if field.item else 1 if field.kind == "string" else 4
            )
            self._extent(targets, targets + 4 + width * self._u32(targets))
        if field.kind == "table":
            self._tables(field.target, targets)
        elif field.kind == "tables":
            elements = self._elements(targets)
            if elements.size:
                self._tables(field.target, elements)
        elif field.kind == "union":
            self._union(plan, field, group, targets)

    def _union(self, plan: VtablePlan, field: Field, group: Positions, targets: Positions) -> None:
        """Count the objects to which a union field of a group of tables refers."""
        type_at = plan.at[field.id - 1]
        if not type_at:
            return
        kinds = self._view.gather(group + type_at, "B")
        for type_code in sorted({*kinds.tolist()} - {0}):  # np.unique imports numpy.ma
            # A kind newer than the known schema: a table without known fields.
            name = _UNIONS[field.name].get(type_code, "")
            self._tables(name, targets[kinds == type_code])

    def _elements(self, vectors: Positions) -> Positions:
        """The targets of all elements of reference vectors."""
        counts = self._u32(vectors)
        self._spend(int(counts.sum()))
        ends = np.cumsum(counts)
        within = np.arange(int(counts.sum()), dtype=np.int64) - np.repeat(ends - counts, counts)
        at = np.repeat(vectors + 4, counts) + 4 * within
        targets: Positions = at + self._u32(at)
        return targets

    def _extent(self, starts: Positions, ends: Positions) -> None:
        """Count these byte ranges."""
        self._spend(len(starts))
        self._starts.append(starts)
        self._ends.append(ends)

    def _vtable(self, table: int) -> None:
        """Count the vtable of a table, once for all tables that use it."""
        vtable = table - int(struct.unpack_from("<i", self._view.buf, table)[0])
        if vtable not in self._vtables:
            self._vtables.add(vtable)
            size = int(struct.unpack_from("<H", self._view.buf, vtable)[0])
            self._extent(np.array([vtable]), np.array([vtable + size]))

    def _spend(self, amount: int) -> None:
        """Count references; raise FormatError if they exceed the limit. `amount`: their number."""
        self._budget -= amount
        if self._budget < 0:
            msg = "the file claims many times more content than it has bytes"
            raise FormatError(msg)

    def _u32(self, at: Positions) -> Positions:
        """Little-endian 32-bit words at unaligned positions."""
        if at.size and int(at.max()) > self._view.size - 4:
            msg = "a reference points outside the file"
            raise FormatError(msg, offset=int(at.max()))
        return self._view.gather(at, "I").astype(np.int64)
