"""Why a tensor gets its parameters, and what became of each component, in sentences."""

from __future__ import annotations

import math
from collections import Counter

from ..format.model import Model
from ..numerics import Label, Range
from ..solver.explanation import Anchor, CutStory, Explanation
from ..solver.problem_records import Conflict
from .component_summary import Overview, Story
from .terminal_text import plural, printable

__all__ = ["explanation_lines", "overview_lines"]


def explanation_lines(found: Explanation, *, alternatives: bool = True) -> list[str]:
    """One sentence or two a line; costs are in units of what the last line says.

    `alternatives`: False where none were priced.
    """
    lines = [_head(found)]
    if found.status == "outside":
        lines.append(f"It keeps its parameters: {found.remark}.")
        return [printable(line) for line in lines]
    lines += _needs(found)
    if found.status == "clean":
        lines.append("It keeps its parameters: nothing in its component is broken.")
        lines += [*_ties(found), f"Its component: {_members(found)}."]
    elif found.conflict is not None:
        lines.append(f"It is left as it is: {_conflict(found.conflict)}.")
        lines += [*_ties(found), f"Its component: {_members(found)}."]
    else:
        lines += [*_label(found), *_ties(found)]
        cuts = [_cut(found, cut, priced=alternatives) for cut in found.cuts]
        lines += cuts or ["Nothing is cut behind it."]
        lines += [*(_alternatives(found) if alternatives else ()), *_price(found)]
    return [printable(line) for line in lines]


def overview_lines(model: Model, found: Overview, *, rows: int | None = None) -> list[str]:
    """A paragraph a component that was decided or has to be left; `rows` limits its lists."""
    blocks = [_story(story, number, rows) for number, story in enumerate(found.components)]
    blocks += [
        [f"Conflict at {conflict.slots[0].address(model)}: {_conflict(conflict)}."]
        for conflict in found.conflicts
    ]
    if found.elsewhere:
        head = f"{plural(len(found.elsewhere), 'finding')} outside these components:"
        blocks.append([head, *_few(list(found.elsewhere), rows)])
    if not blocks:
        blocks = [["No parameters have to move: every tensor keeps its own."]]
    lines = [line for block in blocks for line in ("", *block)]
    return [printable(line) for line in lines[1:]]


# --- words --------------------------------------------------------------------------------------


def _show(label: Label | None) -> str:
    return "?" if label is None else str(label)


def _span(found: Range | None) -> str:
    if found is None or (math.isinf(found.low) and math.isinf(found.high)):
        return "anything"
    if math.isinf(found.low):
        return f"anything up to {found.high:.5g}"
    if math.isinf(found.high):
        return f"anything from {found.low:.5g} up"
    return f"{found.low:.5g} to {found.high:.5g}"


def _units(cost: float) -> str:
    return f"{cost:.4g}" if abs(cost) >= 1e-3 or cost == 0 else f"{cost:.1e}"


def _conflict(conflict: Conflict) -> str:
    return f"{conflict.message} (rules {', '.join(conflict.rules)})"


# --- one tensor ---------------------------------------------------------------------------------


def _head(found: Explanation) -> str:
    place = f"subgraph[{found.key[0]}]/tensor[{found.key[1]}]"
    written = f", written by {found.written_by}" if found.written_by else ""
    return f"{place} {found.name!r} ({found.type}{written})"


def _needs(found: Explanation) -> list[str]:
    could = f"Unclipped, {_span(found.reach)} could be written to it"
    return [
        f"It declares (scale, zero_point) {_show(found.declared)}"
        + (f", which holds {_span(found.holds)}" if found.label == found.declared else "")
        + f". {could}; {_span(found.arrives)} arrives, and what its readers can tell"
        f" apart is {_span(found.told)}. It carries the noise of a step of {found.noise:.5g}.",
    ]


def _label(found: Explanation) -> list[str]:
    anchor = found.anchor
    if anchor is None or found.label is None:
        return []
    kept = found.label == found.declared
    verb = "keeps" if kept else "gets"
    noise = " They differ from its own by float noise alone." if found.snapped else ""
    holds = "" if kept else f" They hold {_span(found.holds)}."
    lines = [f"It {verb} {_show(found.label)}{_because(found, anchor)}.{holds}{noise}"]
    if found.activation:
        name = found.activation.name
        lines.append(f"Its range no longer states a clamp, so its operator does: {name}.")
    elif found.clamps and kept:
        lines.append("Its range states a clamp, which a wider one would undo.")
    if found.chain:
        steps = "; ".join(
            f"{link.rule} ties {link.here} to {link.there}, {link.name!r}" for link in found.chain
        )
        lines.append(f"The way there: {steps}.")
    if found.slot:
        how = "as it is written" if found.sees == found.label else "behind a QUANTIZE"
        lines.append(f"{found.slot} sees {_show(found.sees)}, {how}.")
    return lines


def _because(found: Explanation, anchor: Anchor) -> str:
    itself = anchor.key == found.key
    match anchor.kind:
        case "own":
            return ", its own"
        case "kept":
            whose = "" if itself else f", so {anchor.name!r} keeps its parameters"
            return f": {anchor.address} is {_article(anchor.reason)}{whose}"
        case "fixed":
            whose = "" if itself else f" to {anchor.name!r}"
            return f", what the kernel writes{whose} (rule {anchor.rule} at {anchor.address})"
        case "policy":
            return f", what the policy {anchor.rule} names at {anchor.address}"
        case "anchor":
            return f", what {anchor.reason} gives to the group of {anchor.address}"
        case "declared":
            tied = "" if found.chain else ", to which no rule ties it: the cheapest here"
            return f", what {anchor.name!r} declares{tied}"
        case "window":
            return ", the least widening that its kernel's multiplier window allows"
        case "cover":
            return ", the finest that cover what is needed in its component"


def _article(noun: str) -> str:
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


def _ties(found: Explanation) -> list[str]:
    if not found.ties:
        return [f"No rule ties it{' on this side of the cut' if found.cuts else ''}."]
    told = "; ".join(
        f"{tie.slots} keeps its parameters" if tie.rule == "rigid" else f"{tie.rule} at {tie.slots}"
        for tie in found.ties
    )
    return [f"What ties it: {told}."]


def _cut(found: Explanation, cut: CutStory, *, priced: bool) -> str:
    parts = [f"{_units(cut.operator)} for the operator"]
    parts.append(f"{_units(cut.moved)} for the elements it moves")
    if cut.precision:
        parts.append(f"{_units(cut.precision)} for {cut.bits:.2f} bits lost behind it")
    if cut.clipped:
        parts.append(f"{_units(cut.clipped)} for range clipped away")
    if cut.unclamped:
        parts.append(f"{_units(cut.unclamped)} for a clamp that must be stated or is undone")
    total = cut.operator + cut.moved + cut.precision + cut.clipped + cut.unclamped
    without = " Without it no assignment is possible." if priced else ""
    if cut.without is not None:
        more = f"{_units(cut.without - found.cost)} more"
        without = f" Without it the component would cost {_units(cut.without)}, {more}."
    rules = ", ".join(cut.because)
    return (
        f"A QUANTIZE to {cut.label} is inserted for {cut.readers}, since the readers"
        f" disagree ({rules}). It costs {_units(total)}: {', '.join(parts)}.{without}"
    )


def _alternatives(found: Explanation) -> list[str]:
    lines = []
    for other in found.alternatives:
        if other.cost is None:
            lines.append(f"With {other.label} no assignment is possible.")
        else:
            more = _units(other.cost - found.cost)
            lines.append(
                f"With {other.label} instead the component would cost"
                f" {_units(other.cost)}, {more} more."
            )
    if found.more:
        lines.append(f"{plural(found.more, 'further label')} would cost no less.")
    return lines or ["There is no other label for it."]


def _members(found: Explanation) -> str:
    rules = f" under {', '.join(found.rules)}" if found.rules else ""
    return f"{plural(found.tensors, 'tensor')}{rules}"


def _price(found: Explanation) -> list[str]:
    least = _certainty(found.cost, found.bound, optimal=found.optimal)
    units = f"one QUANTIZE is {_units(found.quantize)}, a bit lost at one reader"
    return [
        f"Its component: {_members(found)}; cost {_units(found.cost)}, {least}.",
        f"Costs: {units} is {_units(found.bit)}; differences of some hundredths break ties.",
    ]


def _certainty(cost: float, bound: float, *, optimal: bool) -> str:
    if optimal:
        return "the least possible"
    gap = _units(cost - bound)
    return f"not shown to be the least: none is below {_units(bound)} (a gap of {gap})"


# --- all components -----------------------------------------------------------------------------


def _story(story: Story, number: int, rows: int | None) -> list[str]:
    component = story.component
    rules = f" under {', '.join(component.rules)}" if component.rules else ""
    members = plural(len(component.tensors), f"{component.type} tensor")
    lines = [f"Component {number}: {members}{rules}."]
    if story.findings:
        lines.append(f"{plural(len(story.findings), 'finding')} in it:")
        lines += _few(list(story.findings), rows)
    reasons = Counter((entry.after, entry.why) for entry in story.moved)
    told = [
        f"{entry.name!r} {_show(entry.before)} gets {_show(entry.after)}: {entry.why}"
        for entry in story.moved
    ]
    if rows is not None and len(told) > rows:
        told = [
            f"{plural(count, 'tensor')} get {_show(label)}: {why}"
            for (label, why), count in reasons.most_common()
        ]
    if told:
        lines += [f"{plural(len(story.moved), 'tensor')} moved:", *_few(told, rows)]
    cuts = [
        f"a QUANTIZE to {cut.label} behind {cut.name!r} for {cut.readers}"
        f" ({', '.join(cut.because)})"
        for cut in story.cuts
    ]
    if cuts:
        lines += [f"{plural(len(cuts), 'cut')}:", *_few(cuts, rows)]
    least = _certainty(component.cost, component.bound, optimal=component.optimal)
    lines.append(f"Cost {_units(component.cost)}, {least}.")
    return lines


def _few(entries: list[str], rows: int | None) -> list[str]:
    shown = entries if rows is None else entries[:rows]
    more = len(entries) - len(shown)
    return [f"  {entry}" for entry in shown] + (
        [f"  ... and {more:,} more (-v shows them)"] if more else []
    )
