"""Many models as one page: counts, a table to be filtered, and each model's page when it is asked for.

The page fetches nothing: the models' pages lie in it, deflated, and are opened in a frame.
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
from .assets import LIBRARIES, asset, csp_hash, library
from .markup import Markup, element, island
from .page import model_body

__all__ = ["IndexEntry", "index_entry", "render_index"]

_LEVEL = 6  # of zlib


class IndexEntry(Record, frozen=True, kw_only=True):
    """A row of the table, and the model's page: deflated, b"" where there is no report of it."""

    row: tuple[str, str, str, int, int, str]  # path, outcome, verification, errors, warnings, words
    page: bytes


def index_entry(line: BatchLine, report: Report | None) -> IndexEntry:
    """`report`: with its view, where the graph is to be drawn."""
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
    """Same in, same out."""
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
    page = element("html", _head([script, *inner]), element("body", *body), lang="en")
    return f"<!DOCTYPE html>\n{page}\n"


def _rows(listed: list[IndexEntry]) -> list[Any]:
    return [list(item.row) for item in listed]


def _head_row() -> Markup:
    names = ("model", "outcome", "verification", "errors", "warnings", "")
    return element("tr", *(element("th", name, scope="col") for name in names))


def _inert(script: str, ident: str) -> Markup:
    """A script that the frames run, and this page does not."""
    return Markup(f'<script type="text/plain" id="{ident}">{script}</script>')


def _head(scripts: list[str]) -> Markup:
    # Frames take the policy of their page over: their scripts are in it too.
    allowed = " ".join(csp_hash(script) for script in scripts)
    policy = (
        f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; img-src data: blob:;"
        " base-uri 'none'; form-action 'none'"
    )
    return element(
        "head",
        Markup('<meta charset="utf-8">'),
        Markup(f'<meta http-equiv="Content-Security-Policy" content="{policy}">'),
        Markup('<meta name="viewport" content="width=device-width, initial-scale=1">'),
        Markup('<meta name="color-scheme" content="light dark">'),
        element("title", "Models - tflite_align"),
        Markup(f'<style id="style">{asset("static/report.css")}</style>'),
        Markup(f"<style>{asset('static/index.css')}</style>"),
    )
