"""A piece of a report without a form: a table, lines, or both."""

from __future__ import annotations

from ..record import Record

__all__ = ["Row", "Section"]

Row = tuple[str, ...]


class Section(Record, frozen=True, kw_only=True):
    """`lines` stand below the table; `hidden` counts rows, or findings, that were left out."""

    title: str
    head: Row = ()
    rows: tuple[Row, ...] = ()
    hidden: int = 0
    lines: Row = ()
