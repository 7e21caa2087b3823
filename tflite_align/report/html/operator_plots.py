"""Plots of what was measured operator by operator: SQNR of each, and what arrives where it moved."""

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

_WORST = 5  # operators that are named below the plot
_HISTOGRAMS = 24  # of those that clip most; the JSON has all
_OPEN = 6  # of them that are not folded
_EXACT_DB = 6.0  # above the highest level, where what is exact is drawn


def by_operator(report: Report) -> list[Markup]:
    """Nothing where no operator was compared."""
    steps = report.verification.steps if report.verification is not None else None
    told = steps.operators if steps is not None else ()
    if not told:
        return []
    before = any(one.original_sqnr_db is not None for one in told)
    levels = [level for one in told for level in (one.sqnr_db, one.original_sqnr_db)]
    finite = [level for level in levels if level is not None and math.isfinite(level)]
    top = 10 * math.ceil((max(finite, default=0.0) + _EXACT_DB) / 10)
    y = Axis(low=min(0.0, *finite) if finite else 0.0, high=float(top), unit="dB")
    x = Axis.over([one.operator for one in told], "operator")
    series = [("after", [(one.operator, one.sqnr_db) for one in told])]
    if before:
        series.insert(0, ("before", [(one.operator, one.original_sqnr_db) for one in told]))
    marks = [
        dots(x, y, [(at, min(level, y.high)) for at, level in points if level is not None], kind)
        for kind, points in series
    ]
    keys = (
        (("before", "before"), ("after", "after")) if before else (("after", "the written file"),)
    )
    return [
        element("h2", "SQNR by operator"),
        element(
            "p",
            f"{plural(len(told), 'output')} of operators, each against a float recompute of what the"
            " operator itself received (LiteRT's builtin kernels): no error adds up. 8-bit"
            " rounding leaves some 30 to 50 dB; what copies integers is exact, and at the top.",
        ),
        legend(*keys),
        element("figure", _plane(x, y, marks, len(told)), _worst(told), class_="plot"),
        _figures(told),
    ]


def _plane(x: Axis, y: Axis, marks: Sequence[Markup], count: int) -> Markup:
    """The dots between a scale at the left and one below; a click chooses the nearest operator."""
    left = [element("span", number(t), style=f"bottom:{y.at(t):g}%") for t in y.ticks]
    left[-1:] = [element("span", "exact", style="bottom:100%")]
    lines = "".join(f"M0 {100 - y.at(t):g}H100" for t in y.ticks)
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


def _worst(told: Sequence[OperatorFigure]) -> Markup:
    known = [one for one in told if one.sqnr_db is not None]
    worst = sorted(known, key=lambda one: (one.sqnr_db, one.operator))[:_WORST]
    rows = [
        element(
            "li",
            element(
                "button", one.address, type="button", class_="goto", data_operator=str(one.operator)
            ),
            f" {_level(one.sqnr_db)}",
            f" (before: {_level(one.original_sqnr_db)})"
            if one.original_sqnr_db is not None
            else "",
        )
        for one in worst
    ]
    return element("div", element("p", "The lowest:"), element("ul", *rows), class_="worst")


def _level(level: float | None) -> str:
    if level is None:
        return "-"
    return f"{level:.1f} dB" if math.isfinite(level) else "exact"


def _figures(told: Sequence[OperatorFigure]) -> Markup:
    """The figures of the plot, for who cannot see it."""
    head = ("operator", "output", "SQNR before", "SQNR", "steps off", "largest", "tolerance")
    rows = [
        (
            one.address,
            one.name or f"tensor {one.tensor}",
            _level(one.original_sqnr_db),
            _level(one.sqnr_db),
            f"{one.lsb:.2f}",
            f"{one.largest_lsb:.2f}",
            f"{one.tolerance_lsb:.1f}",
        )
        for one in told
    ]
    table = element(
        "table",
        element("thead", element("tr", *(element("th", one, scope="col") for one in head))),
        element(
            "tbody", *(element("tr", *(element("td", cell) for cell in cells)) for cells in rows)
        ),
    )
    scroll = element(
        "div", table, class_="scroll", tabindex="0", role="region", aria_label="SQNR by operator"
    )
    return element("details", element("summary", "Figures of every operator"), scroll)


# --- what arrives ---------------------------------------------------------------------------------


def arriving(report: Report) -> list[Markup]:
    """Histograms of the tensors that moved, those that clip most first."""
    steps = report.verification.steps if report.verification is not None else None
    told = [one for one in steps.operators if one.arrives] if steps is not None else []
    if not told:
        return []
    told.sort(key=lambda one: (-_clipped(one), one.operator))
    shown = [_histogram(one) for one in told[:_HISTOGRAMS]]
    left = len(told) - len(shown)
    parts = [
        element("h2", "What arrives at tensors that moved"),
        element(
            "p",
            "The values that the written file's operators give, before they are rounded, against"
            " what the tensor could hold before and can hold now. What lies beyond is clipped."
            + (f" The {len(shown)} of {len(told):,} that clip most." if left else ""),
        ),
        legend(("before", "range before"), ("after", "range after")),
        element("div", *shown[:_OPEN], class_="figures"),
    ]
    if shown[_OPEN:]:
        summary = element("summary", plural(len(shown) - _OPEN, "more tensor"))
        folded = element("div", *shown[_OPEN:], class_="figures")
        parts.append(element("details", summary, folded))
    return parts


def _clipped(one: OperatorFigure) -> float:
    return max(held.clipped for held in (one.arrives, one.original_arrives) if held is not None)


def _histogram(one: OperatorFigure) -> Markup:
    after, before = one.arrives, one.original_arrives
    assert after is not None
    ranges = [held for held in (before, after) if held is not None]
    axis = Axis.over([end for held in ranges for end in (held.low, held.high)], "real value")
    most = max(max(_density(held), default=0.0) for held in ranges) or 1.0
    steps = [
        outline(axis, [height / most for height in _density(held)], (held.low, held.high), kind)
        for kind, held in (("before", before), ("after", after))
        if held is not None
    ]
    label = f"Histogram of what arrives at {one.name}"
    rows = [
        row(
            kind,
            bars(axis, [DrawnBar(start=held.low, end=held.high, kind=kind)]),
            f"{_percent(held.clipped)} clipped",
        )
        for kind, held in (("before", before), ("after", after))
        if held is not None
    ]
    return element(
        "figure",
        element(
            "figcaption",
            named(one.name, one.tensor),
            element("span", f" {one.address}", class_="soft"),
        ),
        element("div", drawing(*steps, label=label), class_="histogram"),
        *rows,
        scale_below(axis),
        class_="plot",
    )


def _density(held: Histogram) -> list[float]:
    """Values a unit of the axis, so that bins of different widths compare."""
    width = (held.high - held.low) / max(len(held.counts), 1)
    return [count / width for count in held.counts] if width > 0 else [0.0]


def _percent(share: float) -> str:
    if share == 0:
        return "nothing"
    return f"{100 * share:.2g} %" if share >= 0.0001 else "< 0.01 %"
