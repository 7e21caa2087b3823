"""The page for many models: counts, a table with filters, and the page of each model, shown on
demand.

The models' pages are embedded, compressed, and shown in a frame; the page loads nothing else.
"""

from __future__ import annotations

import base64
import zlib
from collections import Counter
from collections.abc import Iterable
from typing import Any

from ...record import Record
from ..batch_lines import BatchLine
from ..report import Report
from ..terminal_text import plural, printable
from ..values import tool_version
from .assets import LIBRARIES, asset, library
from .document import document
from .markup import Markup, element, island
from .page import model_body

__all__ = ["IndexEntry", "index_entry", "render_index"]

_LEVEL = 6  # zlib compression level


class IndexEntry(Record, frozen=True, kw_only=True):
    """A row of the table, and the model's compressed page; b"" for a model without a report."""

    row: tuple[str, str, str, int, int, str]  # path, outcome, verification, counts, message
    page: bytes


def index_entry(line: BatchLine, report: Report | None) -> IndexEntry:
    """The entry of one model. If `report` has a view, its page has a drawing of the graph."""
    severities = Counter(finding.severity for finding in (report.open if report else ()))
    row = (
        printable(line.path),
        line.outcome,
        line.verification or "",
        severities["error"],
        severities["warning"],
        printable(line.message),
    )
    page = b"" if report is None else zlib.compress(model_body(report).encode(), _LEVEL)
    return IndexEntry(row=row, page=page)


def render_index(entries: Iterable[IndexEntry]) -> str:
    """The HTML text of the page; equal entries give equal text."""
    listed = list(entries)
    inner = [*(library(name) for name in LIBRARIES), asset("static/report.js")]
    script = asset("static/index.js")
    outcomes = Counter(item.row[1] for item in listed)
    summary = ", ".join(f"{count:,} {outcome}" for outcome, count in sorted(outcomes.items()))
    options = [element("option", "every outcome", value="")]
    options += [element("option", outcome, value=outcome) for outcome in sorted(outcomes)]
    body = [
        element("header", element("span", "tflite_align", class_="brand"), class_="top"),
        element(
            "main",
            element("h1", plural(len(listed), "model")),
            element("p", summary),
            element(
                "form",
                element("label", "Path, or words: ", Markup('<input id="words" type="search">')),
                element("label", " Outcome: ", element("select", *options, id="outcome")),
                id="filters",
            ),
            element("p", "", id="count", aria_live="polite"),
            element("table", element("thead", _head_row()), element("tbody", ""), id="models"),
            element(
                "dialog",
                element("button", "Back to the models", type="button", id="close"),
                Markup('<iframe id="page" title="One model"></iframe>'),
                id="one",
            ),
            id="main",
        ),
        element("footer", element("p", f"tflite_align {tool_version()}")),
        island(_rows(listed), "rows"),
        island([base64.b64encode(item.page).decode() for item in listed], "pages"),
        *(_inert(text, f"inner-{index}") for index, text in enumerate(inner)),
        Markup(f"<script>{script}</script>"),
    ]
    styles = [
        Markup(f'<style id="style">{asset("static/report.css")}</style>'),
        Markup(f"<style>{asset('static/index.css')}</style>"),
    ]
    return document("Models - tflite_align", body, scripts=[script, *inner], styles=styles)


def _rows(listed: list[IndexEntry]) -> list[Any]:
    """The table's rows as JSON values. `listed`: the models' entries."""
    return [list(item.row) for item in listed]


def _head_row() -> Markup:
    """The table's heading."""
    names = ("model", "outcome", "verification", "errors", "warnings", "result")
    return element("tr", *(element("th", name, scope="col") for name in names))


def _inert(script: str, ident: str) -> Markup:
    """A script element that the page does not execute, only its frames. `ident`: the element's id."""
    return Markup(f'<script type="text/plain" id="{ident}">{script}</script>')
