"""New tables in front of the original bytes: first their positions are determined, then the bytes
are written.

FlatBuffers references point forward only, so a parent precedes its children and all new tables
precede the original bytes. The size of the new part is a multiple of 64 bytes, which preserves
alignment.
"""

from __future__ import annotations

import struct
from typing import cast

import numpy as np

from ...errors import UnsupportedError
from ...record import Record
from ..schema import IDENTIFIER, Field
from .nodes import Moved, NewTable, Node, Old, Refs, Scalars, Text, Value, pack_scalar

__all__ = ["GRAIN", "grow"]

GRAIN = 64
_LIMIT = 2**31 - 1
_NODES = (NewTable, Scalars, Text, Refs)
_HEADER = 8  # bytes: root reference and file identifier


class _Shape(Record, frozen=True):
    """The layout of a table: byte offset by field id, and its vtable."""

    at: dict[int, int]
    size: int
    vtable: bytes


def grow(root: NewTable, old_end: int) -> bytes:
    """The bytes to put in front of a file so that `root` becomes its root table.

    `old_end`: the end of the original FlatBuffer in the file. Raises UnsupportedError if it would
    move beyond the range of FlatBuffers references.
    """
    order = _order(root)
    shapes = {id(node): _shape(node) for node in order if isinstance(node, NewTable)}
    vtables: dict[bytes, int] = {}
    cursor = _HEADER
    for shape in shapes.values():
        if shape.vtable not in vtables:
            vtables[shape.vtable] = cursor
            cursor += len(shape.vtable)
    positions: dict[int, int] = {}
    for node in order:
        cursor = _aligned(node, cursor)
        positions[id(node)] = cursor
        cursor += _size(node, shapes)
    total = -(-cursor // GRAIN) * GRAIN
    if total + old_end > _LIMIT:
        msg = f"the model would take {total + old_end} bytes, more than the 2 GiB of a FlatBuffer"
        raise UnsupportedError(msg)
    out = bytearray(total)
    struct.pack_into("<I4s", out, 0, positions[id(root)], IDENTIFIER)
    for vtable, at in vtables.items():
        out[at : at + len(vtable)] = vtable
    emitter = _Emitter(out, positions, shapes, vtables)
    for node in order:
        emitter.put(node)
    return bytes(out)


def _order(root: NewTable) -> list[Node]:
    """All new nodes, every parent before its children."""
    order: list[Node] = [root]
    for node in order:
        children = (
            node.items
            if isinstance(node, Refs)
            else node.fields.values()
            if isinstance(node, NewTable)
            else ()
        )
        order.extend([child for child in children if isinstance(child, _NODES)])
    return order


def _shape(table: NewTable) -> _Shape:
    """The layout of a new table: wide fields first."""
    entries = sorted(
        (table.layout.fields[field_id] for field_id in table.fields), key=lambda f: (-f.width, f.id)
    )
    at: dict[int, int] = {}
    cursor = 4
    for field in entries:
        at[field.id] = cursor
        cursor += field.width
    count = max(at, default=-1) + 1
    words = [4 + 2 * count, cursor, *(at.get(field_id, 0) for field_id in range(count))]
    return _Shape(at, cursor, struct.pack(f"<{len(words)}H", *words))


def _aligned(node: Node, cursor: int) -> int:
    """The first position from `cursor` on at which the data after a 4-byte length is aligned."""
    align = 4
    if isinstance(node, Scalars):
        align = max(align, node.align)
    elif isinstance(node, NewTable):
        align = max([align, *(node.layout.fields[field_id].width for field_id in node.fields)])
    return -(-(cursor + 4) // align) * align - 4


def _size(node: Node, shapes: dict[int, _Shape]) -> int:
    """The bytes of a node, with its length field but without padding. `shapes`: layouts of new
    tables by id.
    """
    if isinstance(node, NewTable):
        return shapes[id(node)].size
    if isinstance(node, Refs):
        return 4 + 4 * len(node.items)
    if isinstance(node, Text):
        return 5 + len(node.data)
    return 4 + len(node.data)


class _Emitter:
    """Writes nodes into `out`, whose length is the distance by which the original bytes move."""

    def __init__(
        self,
        out: bytearray,
        positions: dict[int, int],
        shapes: dict[int, _Shape],
        vtables: dict[bytes, int],
    ) -> None:
        self.out = out
        self.positions = positions
        self.shapes = shapes
        self.vtables = vtables

    def put(self, node: Node) -> None:
        """Write one node at its position."""
        at = self.positions[id(node)]
        if isinstance(node, NewTable):
            self._table(node, at)
        elif isinstance(node, Refs):
            places = np.arange(at + 4, at + 4 + 4 * len(node.items), 4, dtype=np.int64)
            old, new = len(self.out), self.positions
            targets = np.array(
                [old + i.pos if isinstance(i, Old) else new[id(i)] for i in node.items], np.int64
            )
            data = (targets - places).astype("<u4").tobytes()
            self._vector(at, len(node.items), data)
        elif isinstance(node, Text):
            self._vector(at, len(node.data), node.data)
        else:
            self._vector(at, node.count, node.data)

    def _table(self, table: NewTable, at: int) -> None:
        """Write a table at byte `at`."""
        shape = self.shapes[id(table)]
        struct.pack_into("<i", self.out, at, at - self.vtables[shape.vtable])
        for field_id, value in table.fields.items():
            field = table.layout.fields[field_id]
            position = at + shape.at[field_id]
            data = self._inline(field, value, position)
            self.out[position : position + len(data)] = data

    def _inline(self, field: Field, value: Value, position: int) -> bytes:
        """The inline bytes of a field at byte `position`: a scalar, or a relative reference."""
        if field.kind == "scalar":
            offset = value.offset + len(self.out) if isinstance(value, Moved) else value
            return pack_scalar(field, cast("float", offset))
        return struct.pack("<I", self._find(cast("Old | Node", value)) - position)

    def _vector(self, at: int, count: int, data: bytes) -> None:
        """Write a vector of `count` elements at byte `at`."""
        struct.pack_into("<I", self.out, at, count)
        self.out[at + 4 : at + 4 + len(data)] = data

    def _find(self, item: Old | Node) -> int:
        """The position of an old or new object in the output."""
        return len(self.out) + item.pos if isinstance(item, Old) else self.positions[id(item)]
