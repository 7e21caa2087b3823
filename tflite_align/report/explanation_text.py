"""Explanations as sentences: why a tensor gets its parameters, what was decided for each component."""

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


def explanation_lines(explanation: Explanation, *, alternatives: bool = True) -> list[str]:
    """The explanation of one tensor as lines of one or two sentences.

    The last line gives the unit of the costs. `alternatives`: False if the costs of alternatives
    were not computed.
    """
    lines = [_head(explanation)]
    if explanation.status == "outside":
        lines.append(f"It keeps its parameters: {explanation.remark}.")
        return [printable(line) for line in lines]
    if explanation.status == "skipped":
        lines.append(f"It is not explained: skipped: {explanation.skipped}.")
        return [printable(line) for line in lines]
    lines += _needs(explanation)
    if explanation.status == "clean":
        lines.append("It keeps its parameters: nothing in its component is broken.")
        lines += [*_ties(explanation), f"Its component: {_members(explanation)}."]
    elif explanation.conflict is not None:
        lines.append(f"It is not aligned: {_conflict(explanation.conflict)}.")
        lines += [*_ties(explanation), f"Its component: {_members(explanation)}."]
    else:
        lines += [*_label(explanation), *_ties(explanation)]
        alternatives = alternatives and not explanation.skipped
        cuts = [_cut(explanation, cut, priced=alternatives) for cut in explanation.cuts]
        lines += cuts or ["No QUANTIZE is inserted behind it."]
        lines += [*(_alternatives(explanation) if alternatives else ()), *_price(explanation)]
    if explanation.skipped:
        lines.append(f"Costs of alternatives: skipped: {explanation.skipped}.")
    return [printable(line) for line in lines]


def overview_lines(model: Model, overview: Overview, *, rows: int | None = None) -> list[str]:
    """One paragraph for each component that was aligned or has a conflict; `rows`: the most entries
    of each list, None for all.
    """
    blocks = [_story(story, index, rows) for index, story in enumerate(overview.components)]
    blocks += [
        [f"Conflict at {conflict.slots[0].address(model)}: {_conflict(conflict)}."]
        for conflict in overview.conflicts
    ]
    if overview.skipped:
        blocks.append([f"The components are not explained: skipped: {overview.skipped}."])
    if overview.elsewhere:
        head = f"{plural(len(overview.elsewhere), 'finding')} outside these components:"
        blocks.append([head, *_few(list(overview.elsewhere), rows)])
    if not blocks:
        blocks = [["No parameters have to change: every tensor keeps its own."]]
    lines = [line for block in blocks for line in ("", *block)]
    return [printable(line) for line in lines[1:]]


# --- phrases ------------------------------------------------------------------------------------


def _show(label: Label | None) -> str:
    """A label as text; `?` for None."""
    return "?" if label is None else str(label)


def _span(span: Range | None) -> str:
    """A range of real values as text; `anything` if it is unlimited."""
    if span is None or (math.isinf(span.low) and math.isinf(span.high)):
        return "anything"
    if math.isinf(span.low):
        return f"anything up to {span.high:.5g}"
    if math.isinf(span.high):
        return f"anything from {span.low:.5g} up"
    return f"{span.low:.5g} to {span.high:.5g}"


def _units(cost: float) -> str:
    """A cost as text."""
    return f"{cost:.4g}" if abs(cost) >= 1e-3 or cost == 0 else f"{cost:.1e}"


def _conflict(conflict: Conflict) -> str:
    """A conflict as text, with its rules."""
    return f"{conflict.message} (rules {', '.join(conflict.rules)})"


# --- one tensor ---------------------------------------------------------------------------------


def _head(explanation: Explanation) -> str:
    """The tensor's address, name, type and writer."""
    address = f"subgraph[{explanation.key[0]}]/tensor[{explanation.key[1]}]"
    written = f", written by {explanation.written_by}" if explanation.written_by else ""
    return f"{address} {explanation.name!r} ({explanation.type}{written})"


def _needs(explanation: Explanation) -> list[str]:
    """Sentences on the ranges of real values that the tensor holds, gets and passes on."""
    could = f"Its operator, unclipped, could write {_span(explanation.reach)}"
    return [
        f"It declares (scale, zero_point) {_show(explanation.declared)}"
        + (
            f", which holds {_span(explanation.holds)}"
            if explanation.label == explanation.declared
            else ""
        )
        + f". {could}; {_span(explanation.arrives)} is written, and its readers distinguish"
        f" {_span(explanation.told)}. Its rounding errors are those of a step of {explanation.noise:.5g}.",
    ]


def _label(explanation: Explanation) -> list[str]:
    """Sentences on the label that the tensor gets, and its origin."""
    anchor = explanation.anchor
    if anchor is None or explanation.label is None:
        return []
    unchanged = explanation.label == explanation.declared
    verb = "keeps" if unchanged else "gets"
    noise = " They differ from its own only by float noise." if explanation.snapped else ""
    holds = "" if unchanged else f" They hold {_span(explanation.holds)}."
    lines = [f"It {verb} {_show(explanation.label)}{_because(explanation, anchor)}.{holds}{noise}"]
    if explanation.activation:
        name = explanation.activation.name
        lines.append(f"Its range no longer clamps, so its operator gets the activation {name}.")
    elif explanation.clamps and unchanged:
        lines.append(
            "Its range clamps the values of an activation; a wider range would remove the clamp."
        )
    if explanation.chain:
        steps = "; ".join(
            f"{link.rule} ties {link.here} to {link.there}, {link.name!r}"
            for link in explanation.chain
        )
        lines.append(f"Chain of rules: {steps}.")
    if explanation.slot:
        how = (
            "as the tensor is written"
            if explanation.sees == explanation.label
            else "behind a QUANTIZE"
        )
        lines.append(f"{explanation.slot} sees {_show(explanation.sees)}, {how}.")
    return lines


def _because(explanation: Explanation, anchor: Anchor) -> str:
    """The origin of the label, as the end of a sentence."""
    itself = anchor.key == explanation.key
    match anchor.kind:
        case "own":
            return ", its own"
        case "kept":
            whose = "" if itself else f", so {anchor.name!r} keeps its parameters"
            return f": {anchor.address} is {_article(anchor.reason)}{whose}"
        case "fixed":
            whose = "" if itself else f" to {anchor.name!r}"
            return f", which the kernel writes{whose} (rule {anchor.rule} at {anchor.address})"
        case "policy":
            return f", chosen by the policy {anchor.rule} at {anchor.address}"
        case "anchor":
            return f", given by {anchor.reason} to the group of {anchor.address}"
        case "declared":
            tied = "" if explanation.chain else ", which no rule requires: the cheapest choice"
            return f", as {anchor.name!r} declares{tied}"
        case "window":
            return ", the smallest widening for which its kernel's multiplier is legal"
        case "cover":
            return ", the finest that cover the range needed in its component"


def _article(noun: str) -> str:
    """The noun with `a` or `an`."""
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


def _ties(explanation: Explanation) -> list[str]:
    """The sentence on the rules that tie the tensor to others."""
    if not explanation.ties:
        return [f"No rule ties it{' on this side of the cut' if explanation.cuts else ''}."]
    ties = "; ".join(
        f"{tie.slots} keeps its parameters" if tie.rule == "rigid" else f"{tie.rule} at {tie.slots}"
        for tie in explanation.ties
    )
    return [f"Rules that tie it to other tensors: {ties}."]


def _cut(explanation: Explanation, cut: CutStory, *, priced: bool) -> str:
    """The sentence on one QUANTIZE that reads the tensor. `priced`: with the cost of leaving it
    out.
    """
    parts = [f"{_units(cut.operator)} for the operator"]
    parts.append(f"{_units(cut.moved)} for the elements it moves")
    if cut.precision:
        parts.append(f"{_units(cut.precision)} for {cut.bits:.2f} bits lost behind it")
    if cut.clipped:
        parts.append(f"{_units(cut.clipped)} for clipped values")
    if cut.unclamped:
        parts.append(f"{_units(cut.unclamped)} for a clamp that needs an activation or is lost")
    total = cut.operator + cut.moved + cut.precision + cut.clipped + cut.unclamped
    without = " Without it no assignment is possible." if priced else ""
    if cut.without is not None:
        more = f"{_units(cut.without - explanation.cost)} more"
        without = f" Without it the component would cost {_units(cut.without)}, {more}."
    rules = ", ".join(cut.because)
    return (
        f"A QUANTIZE to {cut.label} is inserted for {cut.readers}, since the readers"
        f" disagree ({rules}). It costs {_units(total)}: {', '.join(parts)}.{without}"
    )


def _alternatives(explanation: Explanation) -> list[str]:
    """A sentence for each other label, with its cost."""
    lines = []
    for alternative in explanation.alternatives:
        if alternative.cost is None:
            lines.append(f"With {alternative.label} no assignment is possible.")
        else:
            more = _units(alternative.cost - explanation.cost)
            lines.append(
                f"With {alternative.label} instead the component would cost"
                f" {_units(alternative.cost)}, {more} more."
            )
    if explanation.more:
        lines.append(f"{plural(explanation.more, 'further label')} would cost no less.")
    return lines or ["There is no other label for it."]


def _members(explanation: Explanation) -> str:
    """The number of tensors in the component, and its rules."""
    rules = f" under {', '.join(explanation.rules)}" if explanation.rules else ""
    return f"{plural(explanation.tensors, 'tensor')}{rules}"


def _price(explanation: Explanation) -> list[str]:
    """Sentences on the component's cost and the unit of costs."""
    least = _certainty(explanation.cost, explanation.bound, optimal=explanation.optimal)
    units = f"one QUANTIZE is {_units(explanation.quantize)}, a bit lost at one reader"
    return [
        f"Its component: {_members(explanation)}; cost {_units(explanation.cost)}, {least}.",
        f"Costs: {units} is {_units(explanation.bit)}; costs of some hundredths only decide between equal choices.",
    ]


def _certainty(cost: float, bound: float, *, optimal: bool) -> str:
    """Whether the cost is shown to be the least, as a clause; `bound`: its lower bound. `optimal`:
    whether the solver proved it.
    """
    if optimal:
        return "the least possible"
    gap = _units(cost - bound)
    return f"not shown to be the least: none is below {_units(bound)} (a gap of {gap})"


# --- all components -----------------------------------------------------------------------------


def _story(story: Story, index: int, rows: int | None) -> list[str]:
    """The paragraph on one component. `index`: its number; `rows`: most lines of each list, None:
    all.
    """
    component = story.component
    rules = f" under {', '.join(component.rules)}" if component.rules else ""
    members = plural(len(component.tensors), f"{component.type} tensor")
    lines = [f"Component {index}: {members}{rules}."]
    if story.findings:
        lines.append(f"{plural(len(story.findings), 'finding')} in it:")
        lines += _few(list(story.findings), rows)
    reasons = Counter((move.after, move.why) for move in story.moved)
    tensor_lines = [
        f"{move.name!r} {_show(move.before)} gets {_show(move.after)}: {move.why}"
        for move in story.moved
    ]
    if rows is not None and len(tensor_lines) > rows:
        tensor_lines = [
            f"{plural(count, 'tensor')} get {_show(label)}: {why}"
            for (label, why), count in reasons.most_common()
        ]
    if tensor_lines:
        lines += [
            f"{plural(len(story.moved), 'tensor')} with new parameters:",
            *_few(tensor_lines, rows),
        ]
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
    """The first `rows` entries, indented, and a line with the number of others."""
    shown = entries if rows is None else entries[:rows]
    more = len(entries) - len(shown)
    return [f"  {line}" for line in shown] + (
        [f"  ... and {more:,} more (-v shows them)"] if more else []
    )
