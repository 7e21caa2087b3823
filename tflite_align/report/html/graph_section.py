"""The parts of the page that the script fills: the graph with its list, and the charts."""

from __future__ import annotations

from ...verdicts import OutputScore
from ..model_view import GroupView
from ..report import Report
from ..terminal_text import plural, shorten
from ..verification_section import verification_word
from .markup import Markup, element, joined

__all__ = ["charts", "graph_section"]

_LEGEND = (
    ("bad", "finding"),
    ("fixed", "repaired"),
    ("touched", "reads or writes what moved"),
    ("group", "in a group (same colour, same group)"),
    ("cut", "inserted QUANTIZE: a cut"),
    ("gone", "removed"),
)
_MOST = 60  # groups that are drawn; the tables hold the rest
_OPEN = 6  # of them that are not folded


def graph_section(report: Report, number: int) -> Markup:
    """Nothing for a report that carries no view."""
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
        element("button", "Whole graph", type="button", class_="fit"),
        element("button", "+", type="button", class_="nearer", aria_label="Zoom in"),
        element("button", "\u2212", type="button", class_="farther", aria_label="Zoom out"),
    ]
    legend = [element("li", element("span", "", class_=f"key {k}"), told) for k, told in _LEGEND]
    return element(
        "section",
        element("h2", "Graph"),
        element("p", "JavaScript draws the graph and the charts.", class_="noscript"),
        element("div", *bar, class_="bar"),
        element("ul", *legend, class_="legend"),
        element(
            "div",
            element(
                "div",
                "",
                class_="canvas",
                role="img",
                aria_label="The graph. The list beside it holds the same operators.",
            ),
            _side(number),
            class_="pane",
        ),
        class_="graph",
        id=f"graph-{number}",
    )


def _button(value: str, label: str, *, pressed: bool) -> Markup:
    return element(
        "button", label, type="button", data_graph=value, aria_pressed=str(pressed).lower()
    )


def _side(number: int) -> Markup:
    """The list that a keyboard can walk, and what is said of the operator that was chosen."""
    shown = [
        element("option", label, value=value)
        for value, label in (
            ("touched", "Findings and changes"),
            ("all", "All operators"),
        )
    ]
    return element(
        "div",
        element("label", "Find an operator or tensor", for_=f"find-{number}"),
        Markup(f'<input type="search" id="find-{number}" class="find" autocomplete="off">'),
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


# --- charts -------------------------------------------------------------------------------------


def charts(report: Report, number: int) -> Markup:
    """SQNR by output, range by group, cost by strategy; nothing where there is no figure."""
    parts = []
    if report.verification is not None and report.verification.outputs:
        parts += [
            element("h2", "SQNR by output"),
            element(
                "p",
                "Signal to quantization noise against the same model in float, in dB; more is"
                " better. As declared: every tensor rounded to its own scale, arithmetic exact;"
                " the others as each runtime's kernels compute."
                f" Verification: {shorten(verification_word(report.verification))}.",
            ),
            element(
                "div",
                *(_level(at, one) for at, one in enumerate(report.verification.outputs)),
                class_="figures",
            ),
        ]
    if report.view is not None and report.view.groups:
        parts += _ranges(report.view.groups)
    if report.strategies:
        parts += [
            element("h2", "Cost against PPQ's strategies"),
            element(
                "p",
                "One inserted QUANTIZE costs about 1, lost precision costs by the bit; less is"
                " better, and below 0 precision was gained. A strategy without a bar leaves a rule"
                " broken.",
            ),
            _canvas("strategies", 0, "Cost of each strategy; the table Strategies has the figures"),
        ]
    return (
        element("section", *parts, class_="charts", id=f"charts-{number}") if parts else Markup("")
    )


def _level(at: int, score: OutputScore) -> Markup:
    place = f"output {score.index}" if score.index >= 0 else f"tensor {score.tensor}"
    title = element("figcaption", f"{place} ", element("code", score.name))
    return element("figure", title, _canvas("levels", at, f"SQNR of {place}"))


def _ranges(groups: tuple[GroupView, ...]) -> list[Markup]:
    """Those that lose most come first, the others stand folded."""
    by_loss = sorted(groups, key=lambda group: -sum(abs(one.bits) for one in group.members))
    shown = [_range(group) for group in by_loss[:_MOST]]
    more = f" The {_MOST} of {len(groups):,} groups that change most." if by_loss[_MOST:] else ""
    parts = [
        element("h2", "Where precision goes: range by group"),
        element(
            "p",
            "What each tensor of a group can hold, in real values, against the hull of all of them."
            f" A tensor that takes a wider range has coarser steps.{more}",
        ),
        element("div", *shown[:_OPEN], class_="figures"),
    ]
    if shown[_OPEN:]:
        told = element("summary", plural(len(shown) - _OPEN, "more group"))
        folded = element("div", *shown[_OPEN:], class_="figures")
        parts.append(element("details", told, folded))
    return parts


def _range(group: GroupView) -> Markup:
    rules = element("code", ", ".join(group.rules))
    return element(
        "figure",
        element("figcaption", f"Group {group.index + 1}: ", rules),
        _canvas("ranges", group.index, f"Ranges of the {len(group.members)} tensors of the group"),
        _members(group),
    )


def _members(group: GroupView) -> Markup:
    """The figures of the chart, for who cannot see it."""
    head = element(
        "tr",
        *(element("th", told, scope="col") for told in ("tensor", "before", "after", "bits lost")),
    )
    rows = [
        element(
            "tr",
            element("td", f"{member.key[1]} {member.name}"),
            element("td", f"{member.before.low:.5g} to {member.before.high:.5g}"),
            element(
                "td",
                ""
                if member.after is None
                else f"{member.after.low:.5g} to {member.after.high:.5g}",
                joined(
                    f"; behind a QUANTIZE {cut.low:.5g} to {cut.high:.5g}" for cut in member.cuts
                ),
            ),
            element("td", f"{member.bits:+.2f}" if member.bits else "0"),
        )
        for member in group.members
    ]
    table = element("table", element("thead", head), element("tbody", *rows))
    return element(
        "details",
        element("summary", "Figures"),
        element("div", table, class_="scroll", tabindex="0", role="region", aria_label="Figures"),
    )


def _canvas(kind: str, index: int, label: str) -> Markup:
    canvas = element("canvas", role="img", aria_label=label, data_kind=kind, data_index=str(index))
    return element("div", canvas, class_="chart")
