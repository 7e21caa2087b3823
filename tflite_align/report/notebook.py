"""Short HTML of a report or explanation for notebooks: text and tables, without scripts or styles."""

from __future__ import annotations

from collections.abc import Sequence

from .html.markup import element, joined
from .report import Report
from .section import Section
from .sections import closing, sections
from .terminal_text import printable

__all__ = ["explanation_html", "report_html"]

_ROWS = 10


def report_html(report: Report) -> str:
    """The short report with limited tables; `to_html()` gives the full page."""
    title = printable(report.name) or "model"
    parts: list[str] = [element("p", element("strong", title), f": {printable(closing(report))}")]
    parts += [_section(section) for section in sections(report, rows=_ROWS)]
    return element("div", *parts)


def explanation_html(lines: Sequence[str]) -> str:
    """The lines as preformatted text."""
    return element("pre", "\n".join(map(printable, lines)))


def _section(section: Section) -> str:
    """A section as an HTML table with its lines."""
    parts = []
    if section.rows:
        visible = [
            at
            for at in range(max(map(len, section.rows)))
            if any(len(row) > at and row[at] for row in section.rows)
        ]
        head = element("tr", *(element("th", _cell(section.head, at)) for at in visible))
        rows = [
            element("tr", *(element("td", _cell(row, at)) for at in visible))
            for row in section.rows
        ]
        title = [element("caption", section.title)] if section.title else []
        parts.append(element("table", *title, element("thead", head), element("tbody", *rows)))
    if section.hidden:
        parts.append(element("p", f"and {section.hidden:,} more"))
    parts += [element("p", line) for line in section.lines]
    return joined(parts)


def _cell(row: Sequence[str], at: int) -> str:
    """The cell of a row at a position; "" if the row is shorter."""
    return row[at] if at < len(row) else ""
