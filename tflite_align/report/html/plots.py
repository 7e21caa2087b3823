"""Charts as HTML: bars and lines on one axis, without scripts, at any width.

Positions are percentages of the axis. Text is placed beside the drawings, which are stretched to
the available width.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from ...record import Record
from .markup import Markup, element, joined

__all__ = [
    "Axis",
    "DrawnBar",
    "bars",
    "dots",
    "drawing",
    "legend",
    "number",
    "outline",
    "row",
    "scale_below",
    "tick_below",
]

_STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)


class Axis(Record, frozen=True, kw_only=True):
    """An axis from `low` to `high`; values outside are drawn at its ends. `unit`: text below the
    scale.
    """

    low: float
    high: float
    unit: str = ""

    @classmethod
    def over(cls, values: Iterable[float | None], unit: str = "", *, zero: bool = False) -> Axis:
        """The axis that spans the finite values, and 0 if `zero`. Its length is never 0. `unit`:
        unit of the values, for labels.
        """
        finite = [value for value in values if value is not None and math.isfinite(value)]
        finite += [0.0] if zero or not finite else []
        low, high = min(finite), max(finite)
        if high - low <= 0:
            low, high = low - 0.5, high + 0.5
        return cls(low=low, high=high, unit=unit)

    def at(self, value: float) -> float:
        """The position of a value, in percent of the axis (0 to 100)."""
        share = (value - self.low) / (self.high - self.low)
        return round(100 * min(max(share, 0.0), 1.0), 2)

    @property
    def ticks(self) -> list[float]:
        """Three to six round numbers on the axis."""
        rough = (self.high - self.low) / 4
        power = 10.0 ** math.floor(math.log10(rough))
        step = next(power * factor for factor in _STEPS if power * factor >= rough * 0.999)
        first = math.ceil(self.low / step - 1e-9)
        last = math.floor(self.high / step + 1e-9)
        return [multiple * step for multiple in range(first, last + 1)]


class DrawnBar(Record, frozen=True, kw_only=True):
    """A bar from `start` to `end`, in the axis's unit; `kind`: CSS class of its colour."""

    start: float
    end: float
    kind: str


def bars(axis: Axis, drawn_bars: Sequence[DrawnBar]) -> Markup:
    """The bars of one row, stacked vertically."""
    marks = []
    for bar in drawn_bars:
        left, right = sorted((axis.at(bar.start), axis.at(bar.end)))
        width = max(right - left, 0.4)
        style = f"left:{left:g}%;width:{width:.2f}%"
        marks.append(element("div", element("i", class_=bar.kind, style=style), class_="lane"))
    zero = axis.at(0.0) if axis.low < 0 < axis.high else None
    grid = [] if zero is None else [element("b", class_="zero", style=f"left:{zero:g}%")]
    return element("div", *grid, *marks, class_="track")


def legend(*kinds: tuple[str, str]) -> Markup:
    """A legend of (CSS class, text) pairs."""
    keys = [element("li", element("span", "", class_=f"key swatch {k}"), text) for k, text in kinds]
    return element("ul", *keys, class_="legend")


def row(name: str, track: Markup, text: str, *, kind: str = "") -> Markup:
    """A row: name, bars (`track`), and the figures as text. `kind`: an additional CSS class."""
    return element(
        "div",
        element("div", name, class_="name"),
        track,
        element("div", text, class_="told"),
        class_=f"row {kind}".strip(),
    )


def scale_below(axis: Axis) -> Markup:
    """The scale below all rows of a chart."""
    ticks = [tick_below(axis, tick) for tick in axis.ticks]
    return row("", element("div", *ticks, class_="scale"), axis.unit, kind="last")


def tick_below(axis: Axis, value: float) -> Markup:
    """The label of a tick; labels at the ends stay inside the axis."""
    at = axis.at(value)
    tick_class = "first" if at < 8 else ("final" if at > 92 else "inner")
    return element("span", number(value), class_=tick_class, style=f"left:{at:g}%")


def number(value: float) -> str:
    """A number as text, with four significant digits."""
    text = f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
    return text.replace("-", "\u2212")


def dots(x: Axis, y: Axis, points: Iterable[tuple[float, float]], css_class: str) -> Markup:
    """A path with one round dot per point, in a 100 by 100 drawing that is stretched. `css_class`:
    CSS class of the element.
    """
    places = "".join(f"M{x.at(a):g} {100 - y.at(b):g}h.01" for a, b in points)
    return Markup(f'<path class="dots {css_class}" d="{places}"/>') if places else Markup("")


def outline(x: Axis, heights: Sequence[float], span: tuple[float, float], css_class: str) -> Markup:
    """The outline of a histogram; its bins divide `span` equally, `heights` are 0 to 1.
    `css_class`: CSS class of the element.
    """
    first, last = x.at(span[0]), x.at(span[1])
    width = (last - first) / max(len(heights), 1)
    steps = "".join(
        f"V{100 - 96 * height:.1f}H{first + width * (at + 1):.2f}"
        for at, height in enumerate(heights)
    )
    return Markup(f'<path class="steps {css_class}" d="M{first:g} 100{steps}V100"/>')


def drawing(*parts: Markup, label: str) -> Markup:
    """An SVG that fills its container, with a text alternative. `label`: the alternative text."""
    inside = joined(parts)
    return element(
        "svg",
        inside,
        viewBox="0 0 100 100",
        preserveAspectRatio="none",
        role="img",
        aria_label=label,
    )
