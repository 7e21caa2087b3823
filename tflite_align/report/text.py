"""The report as plain text: aligned columns without colours or box characters."""

from __future__ import annotations

from collections.abc import Sequence

from .column_layout import laid_out
from .report import Report, Unread, report_list
from .section import Row, Section
from .sections import closing, sections
from .terminal_text import printable

__all__ = ["more_rows", "render_sections", "render_text", "text_table"]


def render_text(
    report: Report | Sequence[Report],
    *,
    rows: int | None = None,
    last: str | None = None,
    unread: Sequence[Unread] = (),
) -> str:
    """The whole report; `rows` limits each table and shortens long names.

    `last` replaces the closing line; `unread`: files that could not be read.
    """
    if not isinstance(report, Report):
        texts = [render_text(shown_report, rows=rows) for shown_report in report_list(report)]
        texts += [
            printable(f"{unread_file.name}: {unread_file.message}") + "\n" for unread_file in unread
        ]
        return "\n".join(texts)
    parts = sections(report, rows=rows)
    return render_sections(parts, closing(report) if last is None else last)


def render_sections(parts: Sequence[Section], last: str) -> str:
    """The sections and the closing line `last`, with empty lines between them. `parts`: the
    sections.
    """
    blocks = ["\n".join(_section(section)) for section in parts]
    return "\n\n".join([*blocks, last]) + "\n"


def more_rows(hidden: int) -> str:
    """The line that gives the number of rows left out. `hidden`: their number."""
    return f"... and {hidden:,} more (-v shows them)"


def text_table(head: Row, rows: Sequence[Row]) -> list[str]:
    """Rows as aligned columns with two spaces between them; empty columns are left out."""
    return ["".join(text for text, _ in line) for line in laid_out(head, rows)]


def _section(section: Section) -> list[str]:
    """The lines of one section."""
    lines = [section.title] if section.title else []
    if section.rows:
        lines += [f"  {line}" for line in text_table(section.head, section.rows)]
    if section.hidden:
        lines.append(f"  {more_rows(section.hidden)}")
    indent = "  " if section.title else ""
    return lines + [f"{indent}{line}" for line in section.lines]
