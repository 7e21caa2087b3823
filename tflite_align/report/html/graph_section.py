"""The section of the page with the graph, which the page's script draws."""

from __future__ import annotations

from ..report import Report
from .markup import Markup, element

__all__ = ["graph_section"]

_LEGEND = (
    ("bad", "finding"),
    ("fixed", "repaired"),
    ("touched", "reads or writes a tensor whose parameters changed"),
    ("group", "in a group (same colour, same group)"),
    ("cut", "inserted QUANTIZE: a cut"),
    ("gone", "removed"),
    ("run", "a run of unchanged operators"),
)


def graph_section(report: Report, index: int) -> Markup:
    """The section with its controls; empty for a report without a view. `index`: number of the
    report in the page.
    """
    view = report.view
    if view is None or not any(graph.operators for graph in view.before):
        return Markup("")
    ways = [_button("before", "Before" if view.after else "Model", pressed=not view.after)]
    if view.after:
        ways.append(_button("after", "After", pressed=True))
    bar = [element("div", *ways, role="group", aria_label="Which graph", class_="ways")]
    if len(view.before) > 1:
        options = [
            element("option", f"subgraph[{graph.index}] {graph.name}", value=str(graph.index))
            for graph in view.before
        ]
        bar.append(element("select", *options, class_="subgraph", aria_label="Subgraph"))
    bar += [
        element("button", "Fold unchanged operators", type="button", class_="fold", hidden=True),
        element("button", "Whole graph", type="button", class_="fit"),
        element("button", "+", type="button", class_="nearer", aria_label="Zoom in"),
        element("button", "\u2212", type="button", class_="farther", aria_label="Zoom out"),
    ]
    legend = [element("li", element("span", "", class_=f"key {k}"), text) for k, text in _LEGEND]
    return element(
        "section",
        element("h2", "Graph"),
        element("p", "JavaScript draws the graph.", class_="noscript"),
        element("div", *bar, class_="bar"),
        element("ul", *legend, class_="legend"),
        element(
            "div",
            element(
                "div",
                element("div", "", class_="drawn-graph"),
                element("canvas", class_="minimap", aria_hidden="true", hidden=True),
                class_="canvas",
                role="img",
                aria_label="The graph. The list beside it holds the same operators.",
            ),
            _side(index),
            class_="pane",
        ),
        class_="graph",
        id=f"graph-{index}",
    )


def _button(value: str, label: str, *, pressed: bool) -> Markup:
    """A button that selects a graph (before, after). `label`: its text; `pressed`: whether it is
    selected first.
    """
    return element(
        "button", label, type="button", data_graph=value, aria_pressed=str(pressed).lower()
    )


def _side(index: int) -> Markup:
    """The side panel: a list of operators for keyboard use, and the details of the selected one.
    `index`: number of the report in the page.
    """
    shown = [
        element("option", label, value=value)
        for value, label in (
            ("touched", "Findings and changes"),
            ("all", "All operators"),
        )
    ]
    return element(
        "div",
        element("label", "Find an operator or tensor", for_=f"find-{index}"),
        Markup(f'<input type="search" id="find-{index}" class="find" autocomplete="off">'),
        element("select", *shown, class_="shown", aria_label="Which operators"),
        element("ul", class_="list", role="listbox", tabindex="0", aria_label="Operators"),
        element("p", "", class_="count", role="status"),
        element(
            "div",
            element("p", "Choose an operator in the graph or in the list."),
            class_="detail",
            aria_live="polite",
            tabindex="0",
            role="region",
            aria_label="The chosen operator",
        ),
        class_="side",
    )
