"""Charts per operator: SQNR of each, and histograms of the values at tensors whose parameters
changed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from ...verdicts import Histogram, OperatorFigure
from ..report import Report
from ..terminal_text import plural
from .markup import Markup, element, named
from .plots import (
    Axis,
    DrawnBar,
    bars,
    dots,
    drawing,
    legend,
    number,
    outline,
    row,
    scale_below,
    tick_below,
)

__all__ = ["arriving", "by_operator"]

_WORST = 5  # operators listed below the plot
_HISTOGRAMS = 24  # histograms, most clipped first; the JSON has all
_OPEN = 6  # histograms that are shown expanded
_EXACT_DB = 6.0  # position of exact operators above the highest level, in dB
_BELOW_EXACT = 93.0  # percent of the height, above which a number would touch that word


def by_operator(report: Report) -> list[Markup]:
    """The plot of SQNR by operator; empty if operators were not compared."""
    steps = report.verification.steps if report.verification is not None else None
    figures = steps.operators if steps is not None else ()
    if not figures:
        return []
    before = any(figure.original_sqnr_db is not None for figure in figures)
    levels = [level for figure in figures for level in (figure.sqnr_db, figure.original_sqnr_db)]
    finite = [level for level in levels if level is not None and math.isfinite(level)]
    top = 10 * math.ceil((max(finite, default=0.0) + _EXACT_DB) / 10)
    y = Axis(low=min(0.0, *finite) if finite else 0.0, high=float(top), unit="dB")
    x = Axis.over([figure.operator for figure in figures], "operator")
    series = [("after", [(figure.operator, figure.sqnr_db) for figure in figures])]
    if before:
        series.insert(
            0, ("before", [(figure.operator, figure.original_sqnr_db) for figure in figures])
        )
    marks = [
        dots(
            x,
            y,
            [(at, min(level, y.high)) for at, level in points if level is not None],
            series_name,
        )
        for series_name, points in series
    ]
    keys = (
        (("before", "before"), ("after", "after")) if before else (("after", "the written file"),)
    )
    return [
        element("h2", "SQNR by operator"),
        element(
            "p",
            f"{plural(len(figures), 'output')} of operators, each against a float recompute of what the"
            " operator itself received (LiteRT's builtin kernels): errors of earlier operators are not included. 8-bit"
            " rounding leaves some 30 to 50 dB; what copies integers is exact, and at the top.",
        ),
        legend(*keys),
        element("figure", _plane(x, y, marks, len(figures)), _worst(figures), class_="plot"),
        _figures(figures),
    ]


def _plane(x: Axis, y: Axis, marks: Sequence[Markup], count: int) -> Markup:
    """The plot with its axes; a click selects the nearest operator. `marks`: the dots; `count`:
    number of operators.
    """
    ticks = [tick for tick in y.ticks if y.at(tick) < _BELOW_EXACT]
    left = [element("span", number(tick), style=f"bottom:{y.at(tick):g}%") for tick in ticks]
    left.append(element("span", "exact", style="bottom:100%"))
    lines = "".join(f"M0 {100 - y.at(tick):g}H100" for tick in (*ticks, y.high))
    below = [tick_below(x, tick) for tick in x.ticks if tick == int(tick)]
    grid = Markup(f'<path class="grid" d="{lines}"/>')
    return element(
        "div",
        element("div", *left, class_="left"),
        element(
            "div",
            drawing(grid, *marks, label=f"SQNR of {count} operators; the table has the figures"),
            class_="plane",
            data_low=f"{x.low:g}",
            data_high=f"{x.high:g}",
        ),
        element("div", *below, class_="scale"),
        element("div", "dB by operator, in the order of the file", class_="unit"),
        class_="xy",
    )


def _worst(figures: Sequence[OperatorFigure]) -> Markup:
    """The list of the operators with the lowest SQNR. `figures`: of the compared operators."""
    measured = [figure for figure in figures if figure.sqnr_db is not None]
    worst = sorted(measured, key=lambda figure: (figure.sqnr_db, figure.operator))[:_WORST]
    rows = [
        element(
            "li",
            element(
                "button",
                figure.address,
                type="button",
                class_="goto",
                data_operator=str(figure.operator),
            ),
            f" {_level(figure.sqnr_db)}",
            f" (before: {_level(figure.original_sqnr_db)})"
            if figure.original_sqnr_db is not None
            else "",
        )
        for figure in worst
    ]
    return element("div", element("p", "The lowest:"), element("ul", *rows), class_="worst")


def _level(level: float | None) -> str:
    """A level in dB as text."""
    if level is None:
        return "-"
    return f"{level:.1f} dB" if math.isfinite(level) else "exact"


def _figures(figures: Sequence[OperatorFigure]) -> Markup:
    """A table of the plotted figures, for readers who cannot see the plot."""
    head = ("operator", "output", "SQNR before", "SQNR", "steps off", "largest", "tolerance")
    rows = [
        (
            figure.address,
            figure.name or f"tensor {figure.tensor}",
            _level(figure.original_sqnr_db),
            _level(figure.sqnr_db),
            f"{figure.lsb:.2f}",
            f"{figure.largest_lsb:.2f}",
            f"{figure.tolerance_lsb:.1f}",
        )
        for figure in figures
    ]
    table = element(
        "table",
        element("thead", element("tr", *(element("th", title, scope="col") for title in head))),
        element(
            "tbody", *(element("tr", *(element("td", cell) for cell in cells)) for cells in rows)
        ),
    )
    scroll = element(
        "div", table, class_="scroll", tabindex="0", role="region", aria_label="SQNR by operator"
    )
    return element("details", element("summary", "Figures of every operator"), scroll)


# --- histograms ---------------------------------------------------------------------------------


def arriving(report: Report) -> list[Markup]:
    """Histograms of the values at tensors whose parameters changed, those with most clipped values
    first.
    """
    steps = report.verification.steps if report.verification is not None else None
    with_histograms = (
        [figure for figure in steps.operators if figure.arrives] if steps is not None else []
    )
    if not with_histograms:
        return []
    with_histograms.sort(key=lambda figure_key: (-_clipped(figure_key), figure_key.operator))
    shown = [_histogram(figure) for figure in with_histograms[:_HISTOGRAMS]]
    left = len(with_histograms) - len(shown)
    parts = [
        element("h2", "Values of tensors whose parameters changed"),
        element(
            "p",
            "Real values that the written file's operators compute, before rounding, compared with"
            " the tensor's range before and after alignment. Values outside the range are clipped."
            + (f" The {len(shown)} of {len(with_histograms):,} that clip most." if left else ""),
        ),
        legend(("before", "range before"), ("after", "range after")),
        element("div", *shown[:_OPEN], class_="figures"),
    ]
    if shown[_OPEN:]:
        summary = element("summary", plural(len(shown) - _OPEN, "more tensor"))
        folded = element("div", *shown[_OPEN:], class_="figures")
        parts.append(element("details", summary, folded))
    return parts


def _clipped(figure: OperatorFigure) -> float:
    """The larger share (0 to 1) of values clipped before or after."""
    return max(
        histogram.clipped
        for histogram in (figure.arrives, figure.original_arrives)
        if histogram is not None
    )


def _histogram(figure: OperatorFigure) -> Markup:
    """The chart of one tensor: values over its ranges before and after."""
    after, before = figure.arrives, figure.original_arrives
    assert after is not None
    ranges = [histogram for histogram in (before, after) if histogram is not None]
    axis = Axis.over(
        [end for histogram in ranges for end in (histogram.low, histogram.high)], "real value"
    )
    most = max(max(_density(histogram), default=0.0) for histogram in ranges) or 1.0
    steps = [
        outline(
            axis,
            [height / most for height in _density(histogram)],
            (histogram.low, histogram.high),
            series_name,
        )
        for series_name, histogram in (("before", before), ("after", after))
        if histogram is not None
    ]
    label = f"Histogram of the values of {figure.name}"
    rows = [
        row(
            series_name,
            bars(axis, [DrawnBar(start=histogram.low, end=histogram.high, kind=series_name)]),
            f"{_percent(histogram.clipped)} clipped",
        )
        for series_name, histogram in (("before", before), ("after", after))
        if histogram is not None
    ]
    return element(
        "figure",
        element(
            "figcaption",
            named(figure.name, figure.tensor),
            element("span", f" {figure.address}", class_="soft"),
        ),
        element("div", drawing(*steps, label=label), class_="histogram"),
        *rows,
        scale_below(axis),
        class_="plot",
    )


def _density(histogram: Histogram) -> list[float]:
    """The number of values per unit of the axis, so that bins of different widths can be compared."""
    width = (histogram.high - histogram.low) / max(len(histogram.counts), 1)
    return [count / width for count in histogram.counts] if width > 0 else [0.0]


def _percent(share: float) -> str:
    """A share (0 to 1) in percent, as text."""
    if share == 0:
        return "nothing"
    return f"{100 * share:.2g} %" if share >= 0.0001 else "< 0.01 %"
