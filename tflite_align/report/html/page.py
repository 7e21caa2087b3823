"""The HTML page: head, one article per model, scripts."""

from __future__ import annotations

from collections.abc import Sequence

from ..report import Report, Unread, report_list
from ..terminal_text import counts, plural
from ..values import tool_version
from .article import article, title_of
from .assets import LIBRARIES, asset, library
from .data import page_data
from .document import document
from .markup import Markup, element, island, joined

__all__ = ["model_body", "render_html"]


def render_html(reports: Report | Sequence[Report], unread: Sequence[Unread] = ()) -> str:
    """The HTML text of a self-contained page; equal reports give equal text.

    A graph is drawn for each report with a view. `unread`: files that could not be read.
    """
    reports = report_list(reports)
    scripts = [*(library(name) for name in LIBRARIES), asset("static/report.js")]
    body = [
        *_body(reports, unread),
        *(Markup(f"<script>{script}</script>") for script in scripts),
    ]
    styles = [Markup(f"<style>{asset('static/report.css')}</style>")]
    return document(_title(reports), body, scripts=scripts, styles=styles)


def model_body(report: Report) -> str:
    """The body of one model's page, without scripts."""
    return joined(_body([report], ()))


def _body(reports: Sequence[Report], unread: Sequence[Unread]) -> list[Markup]:
    """The parts of the page's body. `reports`: one per file. `unread`: files that could not be
    read.
    """
    return [
        element("a", "Skip to the report", href="#main", class_="skip"),
        _header(reports),
        element("main", *_articles(reports), _unread(unread), id="main", tabindex="-1"),
        element("footer", element("p", f"tflite_align {tool_version()}")),
        island(page_data(reports), "report-data"),
    ]


def _title(reports: Sequence[Report]) -> str:
    """The page's title. `reports`: one per file."""
    more = f" and {len(reports) - 1} more" if len(reports) > 1 else ""
    titles = [title_of(report) for report in reports[:1]]
    return f"{''.join(titles) or 'No models'}{more} - tflite_align"


def _header(reports: Sequence[Report]) -> Markup:
    """The page's header, with the button for colours. `reports`: one per file."""
    parts = [
        element("span", "tflite_align", class_="brand"),
        element(
            "button",
            "Dark",
            type="button",
            id="theme",
            aria_pressed="false",
            aria_label="Dark colours",
        ),
    ]
    if len(reports) > 1:
        rows = [
            element(
                "li",
                element("a", title_of(report), href=f"#model-{index}"),
                f": {counts(report.open)}",
            )
            for index, report in enumerate(reports)
        ]
        summary = element("p", f"{plural(len(reports), 'model')} in this report")
        parts.append(element("nav", summary, element("ul", *rows), aria_label="Models"))
    return element("header", *parts, class_="top")


def _articles(reports: Sequence[Report]) -> list[Markup]:
    """An article for each report."""
    return [article(report, index) for index, report in enumerate(reports)]


def _unread(unread: Sequence[Unread]) -> Markup:
    """The list of unreadable files; empty without any. `unread`: files that could not be read."""
    if not unread:
        return Markup("")
    rows = [
        element("li", element("code", unread_file.name), f": {unread_file.message}")
        for unread_file in unread
    ]
    return element(
        "section",
        element("h1", "Could not be read"),
        joined([element("ul", *rows)]),
        class_="unread",
    )
