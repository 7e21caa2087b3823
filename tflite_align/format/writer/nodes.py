"""New parts of a FlatBuffer before they have positions.

Each node has one parent, so the new parts form a tree below the new root. Its leaves refer to
original tables, vectors and strings, which do not move relative to each other.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence

from ...errors import UsageError
from ...record import Record
from ..schema import Field, TableLayout, table_layout

__all__ = [
    "Moved",
    "NewTable",
    "Node",
    "Old",
    "Refs",
    "Scalars",
    "Text",
    "Value",
    "make_table",
    "pack_scalar",
    "scalars",
    "string",
]


class Old(Record, frozen=True):
    """A reference to the object at `pos` in the original bytes."""

    pos: int


class Moved(Record, frozen=True):
    """A scalar that holds a byte offset from the start of the original file."""

    offset: int


class Scalars(Record, frozen=True, eq=False):
    """A vector of `count` scalars, `data` its packed elements, aligned to `align` bytes."""

    data: bytes
    count: int
    align: int


class Text(Record, frozen=True, eq=False):
    """A string without its terminating zero."""

    data: bytes


class Refs(Record, frozen=True, eq=False):
    """A vector of references."""

    items: Sequence[Old | Node]


class NewTable(Record, frozen=True, eq=False):
    """A table; `fields` by id, in any order. Fields that are not listed are absent."""

    layout: TableLayout
    fields: Mapping[int, Value]


Node = NewTable | Scalars | Text | Refs
Value = int | float | Old | Moved | Node


def scalars(code: str, values: Sequence[float]) -> Scalars:
    """A vector of scalars with struct code `code`; raises UsageError for a value out of range."""
    try:
        data = struct.pack(f"<{len(values)}{code}", *values)
    except (struct.error, OverflowError) as error:
        msg = f"a value of {list(values)[:8]} cannot be stored: {error}"
        raise UsageError(msg) from None
    return Scalars(data=data, count=len(values), align=struct.calcsize(code))


def pack_scalar(field: Field, value: float) -> bytes:
    """The bytes of one inline scalar; raises UsageError for a value out of range."""
    try:
        return struct.pack("<" + field.code, value)
    except (struct.error, OverflowError) as error:
        msg = f"{field.name} cannot be set to {value}: {error}"
        raise UsageError(msg) from None


def make_table(name: str, fields: Mapping[str, Value]) -> NewTable:
    """A new table from values by field name."""
    layout = table_layout(name)
    return NewTable(layout, {layout.by_name[key].id: value for key, value in fields.items()})


def string(text: str) -> Text:
    """A string of UTF-8 text."""
    return Text(text.encode())
