"""Layout of tables as aligned columns of text. Words are never split.

With a maximum width, cells wrap between words. If the longest words do not fit side by side, each
row becomes a block of lines `column: cell`.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

from .section import Row

__all__ = ["Cell", "laid_out", "wrapped"]

# A piece of a line and the whole cell it belongs to; the cell is "" for the space between columns.
Cell = tuple[str, str]
_GAP = 2


def laid_out(head: Row, rows: Sequence[Row], width: int | None = None) -> list[list[Cell]]:
    """The lines of a table, titles first, each as its cells. Columns whose cells are all empty are
    left out.

    `width`: the most characters in a line; None for no limit. `head`: titles; `rows`: cells by
    column.
    """
    columns = [column for column in range(len(head)) if any(row[column] for row in rows)]
    table = [tuple(row[column] for column in columns) for row in (head, *rows)]
    widths = _widths(table, width)
    if widths is None:
        return list(_blocks(table, width or 0))
    return [line for row in table for line in _lines(row, widths)]


def wrapped(text: str, width: int, indent: str = "") -> list[str]:
    """Lines of at most `width` characters, wrapped between words; lines after the first begin with
    `indent`.
    """
    lines = textwrap.wrap(
        text, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )
    return lines or [""]


def _widths(table: Sequence[Row], width: int | None) -> list[int] | None:
    """The width of each column in characters; None if the longest words do not fit side by side.
    `table`: all rows, titles first.
    """
    columns = list(zip(*table, strict=True))
    natural = [max(map(len, column)) for column in columns]
    gaps = _GAP * (len(columns) - 1)
    if width is None or sum(natural) + gaps <= width:
        return natural
    least = [
        max(len(word) for cell in column for word in [*cell.split(), ""]) for column in columns
    ]
    left = width - gaps - sum(least)
    if left < 0:
        return None
    widths = list(least)
    wanting = sorted(range(len(columns)), key=lambda column: natural[column] - least[column])
    for position, column in enumerate(wanting):
        more = min(natural[column] - least[column], left // (len(wanting) - position))
        widths[column] += more
        left -= more
    return widths


def _lines(row: Row, widths: Sequence[int]) -> Iterator[list[Cell]]:
    """The lines of one row, whose cells wrap at these widths."""
    cells = [
        [cell] if len(cell) <= width else wrapped(cell, width)
        for cell, width in zip(row, widths, strict=True)
    ]
    for line_index in range(max(map(len, cells), default=0)):
        line: list[Cell] = []
        due = at = 0
        for whole, parts, width in zip(row, cells, widths, strict=True):
            part = parts[line_index] if line_index < len(parts) else ""
            if part:
                line += [(" " * (due - at), ""), (part, whole)]
                at = due + len(part)
            due += width + _GAP
        yield line


def _blocks(table: Sequence[Row], width: int) -> Iterator[list[Cell]]:
    """The lines of a table whose rows are blocks of `column: cell`. `width`: the most characters in
    a line.
    """
    head, *rows = table
    for row_index, row in enumerate(rows):
        if row_index:
            yield []
        for title, cell in zip(head, row, strict=True):
            if cell:
                label = f"{title}: " if title else ""
                first, *more = wrapped(f"{label}{cell}", width, "  ")
                yield [(label, ""), (first[len(label) :], cell)]
                yield from ([(line, cell)] for line in more)
