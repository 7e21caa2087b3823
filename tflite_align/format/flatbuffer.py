"""Bounds-checked reading of FlatBuffers tables.

Every offset is checked before it is followed; a violation raises FormatError with the byte offset.
A vtable is analysed once: the result, a VtablePlan, then reads a whole table with one
`Struct.unpack_from`, so that files with many operators are read fast.
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Callable, Sequence
from functools import lru_cache
from operator import itemgetter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import FormatError
from ..record import Record
from .schema import TableLayout, table_layout

__all__ = ["DTYPES", "BufferReader", "Bytes", "Image", "VtablePlan"]

Bytes = bytes | bytearray | memoryview | mmap.mmap

_I32 = struct.Struct("<i")
_U32 = struct.Struct("<I")
_VTABLE_HEAD = struct.Struct("<HH")
_SMALL = 16
_WIDTHS = {"?": 1, "b": 1, "B": 1, "h": 2, "H": 2, "i": 4, "I": 4, "f": 4, "q": 8, "Q": 8}
_VECTORS = {
    (code, count): struct.Struct(f"<{count}{code}") for code in _WIDTHS for count in range(_SMALL)
}
DTYPES = {code: np.dtype(f"<{code}" if width > 1 else code) for code, width in _WIDTHS.items()}

# Shared vectors let a small file claim far more content than it has bytes. Real files share little;
# more than this many times the file's size is malicious or damaged.
_SHARING = 4
_SHARING_FLOOR = 1 << 16


class VtablePlan(Record, frozen=True, kw_only=True):
    """How tables with one vtable are read.

    `at[id]`: byte offset of a field within the table, 0 when absent. `extra`: (id, offset) of
    fields that are present but not in the layout. `size`: of the table, in bytes. `reader`, `pick`,
    `defaults`: unpack the inline values and order them by field id.
    """

    layout: TableLayout
    at: tuple[int, ...]
    extra: tuple[tuple[int, int], ...]
    size: int
    reader: struct.Struct
    defaults: tuple[Any, ...]
    pick: Callable[[tuple[Any, ...]], tuple[Any, ...]]


class Image(Record, frozen=True):
    """A file whose long constants are stored separately.

    `data` has the file's length, but its content is undefined within the ranges `apart`, (first
    byte, end, content) in ascending order and disjoint, from which only constants may be read.
    """

    data: Bytes
    apart: tuple[tuple[int, int, memoryview], ...]


class BufferReader:
    """Bounds-checked reading of one buffer. Positions are byte offsets from its start."""

    __slots__ = ("_apart", "_budget", "_bytes", "_plans", "_words", "buf", "size")

    def __init__(self, data: Bytes | Image) -> None:
        self._apart = data.apart if isinstance(data, Image) else ()
        whole = data.data if isinstance(data, Image) else data
        self.buf = memoryview(whole).cast("B").toreadonly()
        self.size = len(self.buf)
        self._bytes = np.frombuffer(self.buf, np.uint8)
        self._words = self._bytes[: self.size & ~3].view("<u4")
        self._plans: dict[str, dict[int, VtablePlan]] = {}
        self._budget = _SHARING * self.size + _SHARING_FLOOR

    def spend(self, amount: int, pos: int) -> None:
        """Count `amount` bytes of content read; raise FormatError when the total exceeds the limit.
        `pos`: byte position, for the error.
        """
        self._budget -= amount
        if self._budget < 0:
            msg = "the file claims many times more content than it has bytes"
            raise FormatError(msg, offset=pos)

    def content(self, start: int, count: int) -> memoryview:
        """The bytes of a constant from byte `start`, not copied. `count`: number of bytes."""
        for first, end, data in self._apart:
            if first <= start and start + count <= end:
                return data[start - first : start - first + count]
        self._stay_out(start, count)
        return self.buf[start : start + count]

    def _stay_out(self, pos: int, count: int) -> None:
        """Raise FormatError if `count` bytes at `pos`, of a table, vector or string, overlap a
        constant stored separately.
        """
        for first, end, _ in self._apart:
            if pos < end and pos + count > first:
                msg = "a table, a vector or a string lies within a constant"
                raise FormatError(msg, offset=pos)

    def root(self) -> int:
        """Position of the root table."""
        pos = int(_U32.unpack_from(self.buf, 0)[0])
        if not 4 <= pos <= self.size - 4:
            msg = f"root table at {pos} lies outside the file of {self.size} bytes"
            raise FormatError(msg, offset=0)
        return pos

    def table(self, layout: TableLayout, pos: int) -> tuple[VtablePlan, tuple[Any, ...]]:
        """The plan of the table at `pos` and its raw field values by id, defaults filled in.

        A reference's raw value is its relative offset; follow it with `target`.
        """
        vtable = pos - _I32.unpack_from(self.buf, pos)[0]
        plans = self._plans.get(layout.name)
        if plans is None:
            plans = self._plans[layout.name] = {}
        plan = plans.get(vtable)
        if plan is None:
            plan = plans[vtable] = self._plan(layout, pos, vtable)
        if self._apart:
            self._stay_out(pos, plan.size)
        if pos + plan.size > self.size:
            msg = f"{layout.name} table of {plan.size} bytes runs past the end of the file"
            raise FormatError(msg, offset=pos)
        return plan, plan.pick(plan.reader.unpack_from(self.buf, pos) + plan.defaults)

    def target(self, plan: VtablePlan, pos: int, values: tuple[Any, ...], field_id: int) -> int:
        """The position to which the reference field `field_id` of the table at `pos` leads; 0 when
        absent. `values`: the table's raw values.
        """
        at = plan.at[field_id]
        if at == 0:
            return 0
        relative: int = values[field_id]
        reference_target = pos + at + relative
        if relative == 0 or reference_target > self.size - 4:
            name = f"{plan.layout.name}.{plan.layout.fields[field_id].name}"
            msg = f"{name} points outside the file or at itself"
            raise FormatError(msg, offset=pos + at)
        return reference_target

    def vector(self, pos: int, width: int) -> tuple[int, int]:
        """(position of the first element, element count) of the vector at `pos`; `width`: bytes of
        an element.
        """
        count = int(_U32.unpack_from(self.buf, pos)[0])
        if self._apart:
            self._stay_out(pos, 4)
        if pos + 4 + count * width > self.size:
            msg = f"vector of {count} elements runs past the end of the file"
            raise FormatError(msg, offset=pos)
        return pos + 4, count

    def scalars(self, pos: int, code: str) -> tuple[Any, ...]:
        """The elements of a scalar vector; `pos` 0 (an absent field) reads as empty. `code`: struct
        code of an element.
        """
        if pos == 0:
            return ()
        count = int(_U32.unpack_from(self.buf, pos)[0])
        size = count * _WIDTHS[code]
        if self._apart:
            self._stay_out(pos, 4 + size)
        if pos + 4 + size > self.size:
            msg = f"vector of {count} elements runs past the end of the file"
            raise FormatError(msg, offset=pos)
        self._budget -= size
        if self._budget < 0:
            self.spend(0, pos)
        return tuple(self.elements(pos + 4, count, code))

    def elements(self, start: int, count: int, code: str) -> Sequence[Any]:
        """`count` elements from byte `start`, whose bounds are already checked. `code`: struct
        code.
        """
        if count < _SMALL:
            return _VECTORS[code, count].unpack_from(self.buf, start)
        values = np.frombuffer(self.buf, DTYPES[code], count, start)
        # Per-channel zero points are mostly zeros, which need no conversion one by one.
        return values.tolist() if code != "q" or values.any() else (0,) * count

    def gather(self, at: NDArray[np.int64], code: str) -> NDArray[Any]:
        """The scalars at many positions, whose bounds are already checked. `code`: struct code."""
        dtype = DTYPES[code]
        width = dtype.itemsize
        if width == 1:
            narrow: NDArray[Any] = self._bytes[at].view(dtype)
            return narrow
        aligned = not np.bitwise_or.reduce(at, axis=None) & 3
        if width == 4 and aligned:
            words: NDArray[Any] = self._words[at >> 2].view(dtype)
            return words
        if width == 8 and aligned:
            picked: NDArray[Any] = self._words[(at >> 2)[..., None] + np.arange(2)]
        else:
            picked = self._bytes[at[..., None] + np.arange(width)]
        values: NDArray[Any] = np.ascontiguousarray(picked).view(dtype)[..., 0]
        return values

    def free(self, at: NDArray[np.int64], sizes: int | NDArray[np.int64]) -> bool:
        """Whether `sizes` bytes at each position lie within the file and outside constants stored
        separately.
        """
        ends = at + sizes
        if at.size and int(ends.max()) > self.size:
            return False
        return not any(((at < end) & (ends > first)).any() for first, end, _ in self._apart)

    def references(self, pos: int) -> list[int]:
        """The positions to which a vector of references points; `pos` 0 reads as empty."""
        if pos == 0:
            return []
        start, count = self.vector(pos, 4)
        self.spend(count * 4, pos)
        if self._apart:
            self._stay_out(start, count * 4)
        relative = np.frombuffer(self.buf, "<u4", count, start).astype(np.int64)
        targets = relative + np.arange(start, start + 4 * count, 4, dtype=np.int64)
        bad = np.flatnonzero((relative == 0) | (targets > self.size - 4))
        if bad.size:
            msg = f"element {bad[0]} of a vector points outside the file or at itself"
            raise FormatError(msg, offset=start + 4 * int(bad[0]))
        positions: list[int] = targets.tolist()
        return positions

    def blob(self, pos: int) -> memoryview:
        """The bytes of a byte vector, not copied; `pos` 0 reads as empty."""
        if pos == 0:
            return self.buf[:0]
        return self.content(*self.vector(pos, 1))

    def string(self, pos: int) -> str:
        """A string; bytes that are not UTF-8 are shown escaped. `pos` 0 reads as empty."""
        if pos == 0:
            return ""
        start, count = self.vector(pos, 1)
        self.spend(count, pos)
        if self._apart:
            self._stay_out(start, count)
        return str(self.buf[start : start + count], "utf-8", "backslashreplace")

    def _plan(self, layout: TableLayout, pos: int, vtable: int) -> VtablePlan:
        """The plan for tables with the vtable at byte `vtable`. Raises FormatError for an
        impossible one. `pos`: byte position of the table.
        """
        entries, table_size = self._vtable(layout, pos, vtable)
        plan = _plan(layout.name, entries, table_size)
        if isinstance(plan, VtablePlan):
            return plan
        name = f"{layout.name}.{layout.fields[plan].name}"
        msg = f"vtable places {name} over another field or outside"
        raise FormatError(msg, offset=vtable + 4 + 2 * plan)

    def _vtable(self, layout: TableLayout, pos: int, vtable: int) -> tuple[tuple[int, ...], int]:
        """(field offsets, byte size of a table) in the vtable of the table at `pos`."""
        if not 0 <= vtable <= self.size - 4:
            msg = f"vtable of a {layout.name} table lies outside the file"
            raise FormatError(msg, offset=pos)
        size, table_size = _VTABLE_HEAD.unpack_from(self.buf, vtable)
        if size < 4 or size % 2 or vtable + size > self.size or table_size < 4:
            msg = f"vtable of a {layout.name} table is malformed"
            raise FormatError(msg, offset=vtable)
        self._stay_out(vtable, size)
        return struct.unpack_from(f"<{(size - 4) // 2}H", self.buf, vtable + 4), table_size


@lru_cache(maxsize=4096)
def _plan(name: str, entries: tuple[int, ...], table_size: int) -> VtablePlan | int:
    """The plan for tables with this vtable, or the id of a field at an impossible offset.

    Files of one converter use the same few dozen vtables. `name`: the table's; `entries`: the
    vtable's field offsets; `table_size`: in bytes.
    """
    layout = table_layout(name)
    known_offsets = entries[: len(layout.fields)]
    present = [(offset, field_id) for field_id, offset in enumerate(known_offsets) if offset]
    present.sort()
    parts = ["<i"]
    end = 4
    for offset, field_id in present:
        field = layout.fields[field_id]
        if offset < end or offset + field.width > table_size:
            return field_id
        parts.append(f"{offset - end}x{field.code}")
        end = offset + field.width
    order = {field_id: index for index, (_, field_id) in enumerate(present, start=1)}
    first_default = len(present) + 1
    total = len(layout.fields)
    # itemgetter of two more items returns a tuple also for layouts of one or no field.
    picks = [order.get(field_id, first_default + field_id) for field_id in range(total)]
    at = tuple(known_offsets) + (0,) * (total - len(known_offsets))
    extra = [(field_id, offset) for field_id, offset in enumerate(entries) if offset]
    fields = layout.fields
    return VtablePlan(
        layout=layout,
        at=at,
        extra=tuple(pair for pair in extra if pair[0] >= total),
        size=table_size,
        reader=struct.Struct("".join(parts)),
        defaults=tuple(bool(f.default) if f.code == "?" else f.default for f in fields),
        pick=itemgetter(*picks, 0, 0),
    )
