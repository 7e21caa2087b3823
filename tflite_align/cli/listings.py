"""`targets` and `rules`: what the tables under schema/ say."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence

import click

from ..errors import UsageError
from ..report.text import text_table
from ..rules import (
    BiasRule,
    FixedRule,
    OperatorRow,
    PowerRule,
    Rule,
    SameRule,
    SlotPattern,
    Target,
    WeightRule,
    WindowRule,
    ZeroPointRule,
    load_operators,
    load_target,
    target_names,
    tell_limits,
)
from .failure import reader_may_leave

__all__ = ["show_rules", "show_targets"]


def show_targets() -> None:
    rows = []
    for name in target_names():
        target = load_target(name)
        rows.append((name, target.title, ", ".join(target.judges)))
    with reader_may_leave(0):
        click.echo("\n".join(text_table(("target", "what it is", "judges"), rows)))


def show_rules(targets: Sequence[str], operators: Sequence[str]) -> None:
    """Every operator's rules, or those named; with a target, how grave each is there."""
    graded = [load_target(name) for name in dict.fromkeys(targets)]
    table = load_operators()
    chosen = [_row(table, name) for name in operators] or list(table.values())
    with reader_may_leave(0):
        for row in chosen:
            click.echo("\n".join(_operator(row, graded)))
            click.echo()


def _row(table: Mapping[str, OperatorRow], name: str) -> OperatorRow:
    if name.upper() in table:
        return table[name.upper()]
    near = difflib.get_close_matches(name.upper(), table, n=1)
    hint = f"; did you mean {near[0]}?" if near else "; an operator without a row is rigid"
    raise UsageError(f"no rule speaks of {name!r}{hint}")


def _operator(row: OperatorRow, targets: Sequence[Target]) -> list[str]:
    about = [row.category] + ([f"family {row.family}"] if row.family != "other" else [])
    lines = [f"{row.name} ({', '.join(about)})"]
    for rule in row.rules:
        lines.append(f"  {rule.id}: {_asks(rule)} ({', '.join(sorted(rule.types))})")
        lines += [f"    {line}" for target in targets for line in _levels(rule, target)]
        if rule.note:
            lines.append(f"    note: {rule.note}")
        if rule.sources != row.sources:
            lines.append(f"    source: {', '.join(rule.sources)}")
    if not row.rules:
        lines.append("  any parameters will do")
    lines += [line for target in targets for line in _support(row.name, target)]
    if row.rigid:
        lines.append(f"  never changed: {_slots(row.rigid)}")
    lines += [f"  note: {note}" for note in row.notes]
    lines += [f"  source: {source}" for source in row.sources]
    return lines


def _levels(rule: Rule, target: Target) -> list[str]:
    """How grave a break is: one line for the types that are judged alike."""
    alike: dict[tuple[str, str], list[str]] = {}
    for name in sorted(rule.types):
        level = target.level(rule.id, name)
        alike.setdefault((level.severity, level.behaviour), []).append(name)
    return [
        f"{target.name}: {severity} for {', '.join(names)}: {behaviour}"
        for (severity, behaviour), names in alike.items()
    ]


def _support(operator: str, target: Target) -> Iterator[str]:
    """What a target takes of the operator; nothing where it says nothing."""
    for row in target.support:
        if row.names(operator):
            when = f", where {tell_limits(row.when)}" if row.when else ""
            limits = (
                tell_limits(row.limits)
                if "operator" not in row.limits
                else _listed(operator, row.limits["operator"])
            )
            yield f"  {row.rule(operator)}: {limits}{when}"
            yield f"    {target.name}: {row.severity}: {row.behaviour}"
            yield f"    source: {', '.join(row.sources)}"


def _listed(operator: str, names: Sequence[str]) -> str:
    return "is taken" if operator in names else "is not taken"


def _slots(slots: Iterable[SlotPattern]) -> str:
    return ", ".join(str(slot) for slot in slots)


def _asks(rule: Rule) -> str:
    """The constraint in words."""
    told = _constraint(rule)
    if rule.when is not None:
        told += f", where {rule.when} is present"
    return told + (f", where {rule.unless} is absent" if rule.unless is not None else "")


def _constraint(rule: Rule) -> str:
    match rule:
        case SameRule():
            return f"{_slots(rule.slots)} share scale and zero_point"
        case FixedRule():
            labels = "; ".join(
                f"{name} " + " or ".join(f"({one.scale:.9g}, {one.zero_point})" for one in legal)
                for name, legal in sorted(rule.labels.items())
            )
            return f"{rule.slot} is what the kernel writes: {labels}"
        case ZeroPointRule():
            return f"{_slots(rule.slots)} have zero_point 0"
        case WeightRule():
            return _weight(rule)
        case BiasRule():
            times = f"{rule.multiplier:g} x " if rule.multiplier != 1.0 else ""
            scales = " x ".join(f"{slot}'s" for slot in rule.factors)
            return f"{rule.slot} has zero_point 0 and the scale {times}{scales}"
        case WindowRule():
            times = f"{rule.multiplier:g} x " if rule.multiplier != 1.0 else ""
            over = f" / {_slots(rule.denominator)}" if rule.denominator else ""
            ratio = f"{times}{rule.form} of {_slots(rule.numerator)}{over}"
            return f"{rule.low:g} <= {ratio} < {rule.high:g} (scales)"
        case PowerRule():
            return f"{_slots(rule.slots)} have a scale that is a power of two"
    raise TypeError(f"no words for a {type(rule).__name__}")


def _weight(rule: WeightRule) -> str:
    asks = ["zero_point 0"] if rule.symmetric else []
    asks.append("one scale" if rule.axis is None else f"scales along axis {rule.axis} or one")
    if rule.minimum is not None:
        asks.append(f"no integer below {rule.minimum}")
    return f"{rule.slot} has {', '.join(asks)}"
