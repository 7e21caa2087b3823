"""Charts of a report: SQNR by output, ranges of groups, costs of other strategies."""

from __future__ import annotations

import math
from collections.abc import Iterator

from ...numerics import Range
from ...solver.problem_records import Strategy
from ...verdicts import FidelityScore, OutputScore
from ..model_view import GroupView, MemberView
from ..report import Report
from ..terminal_text import plural, shorten
from ..verification_section import verification_word
from .markup import Markup, element, named
from .operator_plots import arriving, by_operator
from .plots import Axis, DrawnBar, bars, legend, number, row, scale_below

__all__ = ["charts"]

_MOST = 60  # groups that are drawn; the tables list the others
_OPEN = 6  # groups that are shown expanded


def charts(report: Report, at: int) -> Markup:
    """All charts for which the report has figures; `at` is the model's number on the page."""
    parts = [*_outputs(report), *by_operator(report), *arriving(report)]
    if report.view is not None and report.view.groups:
        parts += _ranges(report.view.groups)
    parts += _strategies(report.strategies)
    return element("section", *parts, class_="charts", id=f"charts-{at}") if parts else Markup("")


# --- outputs --------------------------------------------------------------------------------------


def _outputs(report: Report) -> list[Markup]:
    """The chart of SQNR by output."""
    verification = report.verification
    if verification is None or not verification.outputs:
        return []
    changed = bool(report.changes)
    levels = [level for score in verification.outputs for level in _levels(score)]
    axis = Axis.over([*levels, *(_least(level) for level in levels)], "dB", zero=True)
    keys = (("before", "before"), ("after", "after")) if changed else (("after", "the file"),)
    rows = [
        part for score in verification.outputs for part in _output(score, axis, changed=changed)
    ]
    return [
        element("h2", "SQNR by output"),
        element(
            "p",
            "Signal to quantization noise against the same model in float, in dB; more is better."
            " As declared: every tensor rounded to its own scale, arithmetic exact; the others as"
            f" each runtime's kernels compute. Verification: "
            f"{shorten(verification_word(verification))}.",
        ),
        legend(*keys),
        element("figure", *rows, scale_below(axis), class_="plot"),
    ]


def _levels(score: OutputScore) -> Iterator[float | None]:
    """All SQNR levels of an output in dB; None where not measured."""
    yield from (score.declared_original_db, score.declared_aligned_db)
    for run in score.runs:
        yield from (run.original_db, run.sqnr_db)


def _least(level: float | None) -> float | None:
    """1.0 as the axis's value for an exact output, whose level is infinite; None for another."""
    return 1.0 if level is not None and math.isinf(level) else None


def _output(score: OutputScore, axis: Axis, *, changed: bool) -> Iterator[Markup]:
    """The rows of one output: declared reading, then each kernel set. `changed`: the alignment
    changed the file.
    """
    name = f"output {score.index} " if score.index >= 0 else "inner tensor "
    yield element("h3", name, named(score.title, score.tensor), class_="of")
    if errors := _errors(score, changed=changed):
        yield element("p", errors, class_="of")
    pair = (score.declared_original_db, score.declared_aligned_db)
    yield _level("as declared", pair, axis, changed=changed)
    for run in score.runs:
        yield _level(run.judge, (run.original_db, run.sqnr_db), axis, changed=changed)


def _level(
    name: str, pair: tuple[float | None, float | None], axis: Axis, *, changed: bool
) -> Markup:
    """A row with a bar for each of (before, after), dB; only the second if nothing changed. `pair`:
    (before, after).
    """
    kinds = ("before", "after") if changed else ("after",)
    levels = pair if changed else pair[1:]
    bars_drawn = [
        DrawnBar(start=0.0, end=level if math.isfinite(level) else axis.high, kind=bar_kind)
        for bar_kind, level in zip(kinds, levels, strict=True)
        if level is not None and level != -math.inf
    ]
    text = " \u2192 ".join(_db(level) for level in levels)
    return row(name, bars(axis, bars_drawn), text)


def _db(level: float | None) -> str:
    """A level in dB without the unit; `did not run` for None."""
    if level is None:
        return "did not run"
    return f"{level:.1f}" if math.isfinite(level) else ("exact" if level > 0 else "no signal")


def _errors(score: OutputScore, *, changed: bool) -> str:
    """The largest error (real value) and the share of equal top classes, before and after, in one
    line. `changed`: the alignment changed the file.
    """
    parts = []
    pair = (score.largest_original, score.largest_aligned)
    if pair[1] is not None:
        parts.append(f"largest error against float, as declared: {_two(pair, changed=changed)}")
    ran = [f"{run.judge} {number(run.largest)}" for run in score.runs if run.largest is not None]
    parts += [f"as run: {', '.join(ran)}"] if ran else []
    if score.top1_aligned is not None:
        shares = [_share(score.top1_original), _share(score.top1_aligned)]
        text = " \u2192 ".join(shares if changed else shares[1:])
        parts.append(f"top-1 agreement with float: {text}{_runs(score.runs)}")
    return "; ".join(parts)


def _runs(runs: tuple[FidelityScore, ...]) -> str:
    """The share of equal top classes in each runtime, in parentheses. `runs`: scores of the
    runtimes.
    """
    parts = [f"{run.judge} {_share(run.top1)}" for run in runs if run.top1 is not None]
    return f" (as run: {', '.join(parts)})" if parts else ""


def _two(pair: tuple[float | None, float | None], *, changed: bool) -> str:
    """Figures before and after, joined by an arrow; only the second if nothing changed. `pair`:
    (before, after).
    """
    values = pair if changed else pair[1:]
    return " \u2192 ".join("did not run" if value is None else number(value) for value in values)


def _share(share: float | None) -> str:
    """A share (0 to 1) in percent."""
    return "did not run" if share is None else f"{100 * share:.1f} %".replace(".0 %", " %")


# --- groups ---------------------------------------------------------------------------------------


def _ranges(groups: tuple[GroupView, ...]) -> list[Markup]:
    """Charts of the ranges of the groups' members, largest loss of precision first; most groups are
    collapsed.
    """
    by_loss = sorted(groups, key=lambda group: -sum(abs(member.bits) for member in group.members))
    shown = [_group(group) for group in by_loss[:_MOST]]
    more = f" The {_MOST} of {len(groups):,} groups that change most." if by_loss[_MOST:] else ""
    moved = any(member.after for group in groups for member in group.members)
    cut = any(member.cuts for group in groups for member in group.members)
    keys = [("hull", "range of the whole group"), ("before", "before" if moved else "the file")]
    keys += [("after", "after")] if moved else []
    keys += [("cut", "behind an inserted QUANTIZE")] if cut else []
    parts = [
        element("h2", "Loss of precision: ranges by group"),
        element(
            "p",
            "Range of real values of each tensor of a group, and the smallest range that contains all"
            f" of them. A wider range means coarser steps.{more}",
        ),
        legend(*keys),
        element("div", *shown[:_OPEN], class_="figures"),
    ]
    if shown[_OPEN:]:
        summary = element("summary", plural(len(shown) - _OPEN, "more group"))
        parts.append(element("details", summary, element("div", *shown[_OPEN:], class_="figures")))
    return parts


def _group(group: GroupView) -> Markup:
    """The bars of one group of tensors: ranges before and after."""
    axis = Axis.over([group.hull.low, group.hull.high], "real value")
    hull = DrawnBar(start=group.hull.low, end=group.hull.high, kind="hull")
    rows = [_member(member, axis) for member in group.members]
    return element(
        "figure",
        element(
            "figcaption", f"Group {group.index + 1}: ", element("code", ", ".join(group.rules))
        ),
        row("hull", bars(axis, [hull]), _span(group.hull)),
        *rows,
        scale_below(axis),
        class_="plot",
    )


def _member(member: MemberView, axis: Axis) -> Markup:
    """The row of one tensor: its ranges of real values before and after."""
    drawn_bars = [_bar(member.before, "before")]
    spans = [_span(member.before)]
    if member.after is not None and member.after != member.before:
        drawn_bars.append(_bar(member.after, "after"))
        spans.append(f" \u2192 {_span(member.after)}")
    elif member.after is not None:
        drawn_bars.append(_bar(member.after, "after"))
    for cut in member.cuts:
        drawn_bars.append(_bar(cut, "cut"))
        spans.append(f"; behind a QUANTIZE {_span(cut)}")
    if member.bits:
        change = "lost" if member.bits > 0 else "won"
        spans.append(f" ({abs(member.bits):.2f} bits {change})")
    return row(named(member.name, member.key[1]), bars(axis, drawn_bars), "".join(spans))


def _bar(span: Range, bar_kind: str) -> DrawnBar:
    """A bar for a range of real values. `bar_kind`: CSS class of the bar."""
    return DrawnBar(start=span.low, end=span.high, kind=bar_kind)


def _span(span: Range) -> str:
    """A range of real values as text."""
    return f"{number(span.low)} to {number(span.high)}"


# --- strategies -----------------------------------------------------------------------------------


def _strategies(strategies: tuple[Strategy, ...]) -> list[Markup]:
    """The chart of costs of PPQ's strategies."""
    if not strategies:
        return []
    axis = Axis.over(
        [strategy.cost for strategy in strategies if strategy.holds], "cost", zero=True
    )
    rows = [
        row(
            strategy.name,
            bars(
                axis,
                [DrawnBar(start=0.0, end=strategy.cost, kind="before" if at else "after")]
                if strategy.holds
                else [],
            ),
            f"{number(strategy.cost)} ({strategy.cuts} QUANTIZE)"
            if strategy.holds
            else "leaves a rule broken",
        )
        for at, strategy in enumerate(strategies)
    ]
    return [
        element("h2", "Cost compared with PPQ's strategies"),
        element(
            "p",
            "One inserted QUANTIZE costs about 1, and each lost bit of precision costs more; less is"
            " better, and a negative cost means that precision was gained.",
        ),
        element("figure", *rows, scale_below(axis), class_="plot"),
    ]
