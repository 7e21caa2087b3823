"""The Section record: a title, a table and lines, independent of the output format."""

from __future__ import annotations

from ..record import Record

__all__ = ["Row", "Section"]

Row = tuple[str, ...]


class Section(Record, frozen=True, kw_only=True):
    """A table (`head`, `rows`) and the `lines` below it; `hidden`: number of rows or findings left
    out.
    """

    title: str
    head: Row = ()
    rows: tuple[Row, ...] = ()
    hidden: int = 0
    lines: Row = ()
