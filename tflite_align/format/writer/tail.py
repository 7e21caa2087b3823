"""Absolute byte offsets in the file, which change when bytes are added in front."""

from __future__ import annotations

import struct
from collections.abc import Collection

from ...errors import UnsupportedError
from ...record import Record
from ..flatbuffer import BufferReader
from ..flatbuffer_bulk import Columns
from ..model import Model
from ..schema import TableLayout, table_layout
from .patch import Patches

__all__ = ["absolute_offsets", "flatbuffer_end", "move"]

_BUFFER = table_layout("Buffer")
_OPERATOR = table_layout("Operator")
_OFFSET = _BUFFER.by_name["offset"].id
_LARGE = _OPERATOR.by_name["large_custom_options_offset"].id
_FIRST_OFFSET = 2  # 0 and 1 are placeholders, not positions

_END = struct.Struct("<4s4H2LH")  # end of central directory
_ENTRY = struct.Struct("<4s6H3L5H2L")  # central directory entry
_END_MAGIC, _ENTRY_MAGIC, _LOCAL_MAGIC = b"PK\5\6", b"PK\1\2", b"PK\3\4"
_LOCATOR_MAGIC = b"PK\6\7"  # before the end record of a zip64
_MAX_COMMENT = 0xFFFF
_ESCAPE = 0xFFFFFFFF  # value that refers to the zip64 record
_LOCATOR_SIZE = 20


class _Zip(Record, frozen=True, kw_only=True):
    """The directory of an appended zip archive. `start`: its offset in the file; `places`:
    positions of its 32-bit absolute offsets.
    """

    start: int
    places: tuple[int, ...]


class Offsets(Record, frozen=True, kw_only=True):
    """The absolute offsets in a file, each as (position of the field, value): of the bytes of
    buffers, and by (subgraph, operator) of custom options outside the FlatBuffer. `archive`: the
    appended zip.
    """

    buffers: list[tuple[int, int]]
    operators: dict[tuple[int, int], tuple[int, int]]
    archive: _Zip | None


def absolute_offsets(view: BufferReader, model: Model) -> Offsets:
    """The absolute offsets in the file `view` with this model."""
    tables = {
        (graph.index, operator.index): operator.pos
        for graph in model.subgraphs
        for operator in graph.operators
    }
    large = _positions(view, _OPERATOR, list(tables.values()), _LARGE)
    buffers = _positions(view, _BUFFER, [buffer.pos for buffer in model.buffers], _OFFSET)
    return Offsets(
        buffers=[offset for offset in buffers if offset is not None],
        operators={key: at for key, at in zip(tables, large, strict=True) if at is not None},
        archive=_appended_zip(view),
    )


def flatbuffer_end(view: BufferReader, offsets: Offsets) -> int:
    """The end, in the file, of the part to which FlatBuffers references may point."""
    ends = [view.size]
    ends += [value for _, value in (*offsets.buffers, *offsets.operators.values())]
    if offsets.archive is not None:
        ends.append(offsets.archive.start)
    return min(ends)


def move(
    view: BufferReader,
    offsets: Offsets,
    patches: Patches,
    distance: int,
    remade: Collection[tuple[int, int]],
) -> None:
    """Add `distance` to every absolute offset in the file, except in operators that are rebuilt
    (`remade`), whose offsets are new anyway.
    """
    kept = [offset for key, offset in offsets.operators.items() if key not in remade]
    for pos, value in (*offsets.buffers, *kept):
        patches.put(pos, struct.pack("<Q", value + distance))
    for pos in offsets.archive.places if offsets.archive else ():
        value = _u32(view, pos) + distance
        if value >= _ESCAPE:
            msg = "the appended zip would move beyond the 4 GiB that its offsets can hold"
            raise UnsupportedError(msg)
        patches.put(pos, struct.pack("<I", value))


def _positions(
    view: BufferReader, layout: TableLayout, tables: list[int], field_id: int
) -> list[tuple[int, int] | None]:
    """(position, value) of a scalar field of each table; None where its value is no file offset."""
    values = Columns(view, layout, tables).values(field_id)
    return [
        (pos + view.table(layout, pos)[0].at[field_id], int(value))
        if value >= _FIRST_OFFSET
        else None
        for pos, value in zip(tables, values, strict=True)
    ]


def _appended_zip(view: BufferReader) -> _Zip | None:
    """The zip archive appended to the file whose offsets count from the file's start; None if there
    is none.

    Offsets that count from the archive's start need no change. Raises UnsupportedError for zip64,
    which no known tool appends to models.
    """
    tail_start = max(view.size - _END.size - _MAX_COMMENT, 0)
    tail = bytes(view.buf[tail_start:])
    at = tail.rfind(_END_MAGIC)
    if at < 0 or at + _END.size > len(tail):
        return None
    end = tail_start + at
    _, _, _, _, count, size, offset, _ = _END.unpack_from(view.buf, end)
    locator = end - _LOCATOR_SIZE
    if view.buf[locator : locator + 4] == _LOCATOR_MAGIC:
        msg = "the file carries an appended zip64 archive, whose offsets cannot be moved"
        raise UnsupportedError(msg)
    directory = end - size
    if offset != directory:
        return None
    places = [end + 16]
    start = directory
    for _ in range(count):
        if directory + _ENTRY.size > end or view.buf[directory : directory + 4] != _ENTRY_MAGIC:
            return None  # the magic number occurred in other data by chance
        record = _ENTRY.unpack_from(view.buf, directory)
        name, extra, comment, header = record[10], record[11], record[12], record[16]
        if header == _ESCAPE:
            msg = "the file carries an appended zip64 archive, whose offsets cannot be moved"
            raise UnsupportedError(msg)
        if view.buf[header : header + 4] != _LOCAL_MAGIC:
            return None
        places.append(directory + 42)
        start = min(start, header)
        directory += _ENTRY.size + name + extra + comment
    return _Zip(start=start, places=tuple(places))


def _u32(view: BufferReader, pos: int) -> int:
    """The 32-bit unsigned integer at a position. `pos`: in bytes."""
    return int(struct.unpack_from("<I", view.buf, pos)[0])
