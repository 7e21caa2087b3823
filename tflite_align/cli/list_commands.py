"""The commands `targets`, `fixes` and `rules`, which print the tables of schema/."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence

import click

from ..errors import UsageError, nearest
from ..report.json import render_document
from ..report.rule_lines import rule_lines
from ..rules.fixes import load_fixes
from ..rules.kernels import load_kernels
from ..rules.operator_rows import load_operators
from ..rules.rows import OperatorRow, Rule
from ..rules.rule_story import RuleStory, known_story, rule_ids, story_or_nearest
from ..rules.rule_text import family_pattern, rule_words, slots
from ..rules.support_rows import tell_limits
from ..rules.targets import Target, load_target, target_names
from ..rules.wildcards import matches
from .failure import reader_may_leave
from .summary import show_lines, show_table

__all__ = ["show_fixes", "show_rule", "show_rules", "show_targets", "told_story"]


def show_targets(*, as_json: bool = False) -> None:
    """Print every target with its judges: installed, or why not. `as_json`: as JSON."""
    from ..verify.judges import available  # noqa: PLC0415 - numpy is not needed for --help

    targets = [load_target(name) for name in target_names()]
    missing = {judge: available(judge) for target in targets for judge in target.judges}
    records = [
        {
            "name": target.name,
            "title": target.title,
            "judges": [
                {"name": judge, "installed": missing[judge] is None, "why": missing[judge]}
                for judge in target.judges
            ],
        }
        for target in targets
    ]
    rows = [
        (target.name, target.title, "; ".join(_installed(j, missing) for j in target.judges))
        for target in targets
    ]
    with reader_may_leave(0):
        if as_json:
            click.echo(json.dumps({"targets": records}, indent=2))
        else:
            show_table(("target", "what it is", "judges"), rows)


def _installed(judge: str, missing: Mapping[str, str | None]) -> str:
    """The judge with `installed`, or why it is not. `missing`: reason by judge, None if installed."""
    why = missing[judge]
    return f"{judge} (installed)" if why is None else f"{judge} (not installed: {why})"


def show_fixes(*, as_json: bool) -> None:
    """Print every repair: id, whether it is on by default, what it costs, what it repairs.
    `as_json`: as JSON.
    """
    fixes = tuple(load_fixes().values())
    rows = [(fix.id, fix.default, fix.meaning, fix.title) for fix in fixes]
    with reader_may_leave(0):
        if as_json:
            click.echo(render_document("fixes", fixes), nl=False)
        else:
            show_table(("id", "default", "meaning", "repairs"), rows)


def show_rule(rule_id: str, targets: Sequence[str], *, as_json: bool) -> None:
    """Print the description of a rule for these targets (default: all), or of each rule that a
    pattern matches. `as_json`: as JSON.
    """
    pattern = family_pattern(rule_id)
    ids = [
        rule_id_found
        for rule_id_found in rule_ids()
        if rule_id_found != rule_id and matches(rule_id_found, pattern)
    ] or [rule_id]
    stories = [told_story(rule_id_of_story, targets) for rule_id_of_story in ids]
    stories_found = tuple(story for story in stories if isinstance(story, RuleStory))
    if not stories_found:
        raise UsageError(f"no rule is called {rule_id!r}{stories[0]}")
    with reader_may_leave(0):
        if as_json:
            click.echo(render_document("rules", stories_found), nl=False)
        else:
            show_lines([line for story in stories_found for line in (*rule_lines(story), "")][:-1])


def told_story(rule_id: str, targets: Sequence[str]) -> RuleStory | str:
    """The description of a rule on these targets (default: all); for an unknown id, a hint with the
    nearest ids as text.
    """
    names = dict.fromkeys(targets) or target_names()
    return story_or_nearest(rule_id, [load_target(name) for name in names])


def _stories(rows: Sequence[OperatorRow], targets: Sequence[Target]) -> Iterator[RuleStory]:
    """Descriptions of every rule of these operators, with their operand types and versions. `rows`:
    the operators' rules.
    """
    for row in rows:
        ids = [rule.id for rule in row.rules]
        ids += [
            support_row.rule(row.name)
            for t in targets
            for support_row in t.support
            if support_row.names(row.name)
        ]
        for rule_id in dict.fromkeys([*ids, f"types/{row.name}", f"version/{row.name}"]):
            yield known_story(rule_id, targets)


def show_rules(targets: Sequence[str], operators: Sequence[str], *, as_json: bool = False) -> None:
    """Print the rules of these operators (default: all), with their severities for the targets.
    `as_json`: as JSON.
    """
    graded = [load_target(name) for name in dict.fromkeys(targets)]
    table = load_operators()
    if as_json:
        rows = [_row(table, name) for name in operators] or list(table.values())
        every = graded or [load_target(name) for name in target_names()]
        with reader_may_leave(0):
            click.echo(render_document("rules", tuple(_stories(rows, every))), nl=False)
        return
    chosen = [_row(table, name) for name in operators] or list(table.values())
    with reader_may_leave(0):
        for row in chosen:
            show_lines([*_operator(row, graded), ""])


def _row(table: Mapping[str, OperatorRow], name: str) -> OperatorRow:
    """The row of an operator. Raises UsageError for an operator without one. `table`: rows by
    operator name.
    """
    if name.upper() in table:
        return table[name.upper()]
    near = nearest(name.upper(), table)
    hint = f"; did you mean {near[0]}?" if near else "; an operator without a row is rigid"
    raise UsageError(f"no rules for operator {name!r}{hint}")


def _operator(row: OperatorRow, targets: Sequence[Target]) -> list[str]:
    """The lines of one operator: its rules, with their severities on the targets."""
    about = [row.category] + ([f"family {row.family}"] if row.family != "other" else [])
    lines = [f"{row.name} ({', '.join(about)})"]
    for rule in row.rules:
        lines.append(f"  {rule.id}: {_asks(rule)} ({', '.join(sorted(rule.types))})")
        lines += [f"    {line}" for target in targets for line in _requirements(rule, target)]
        if rule.note:
            lines.append(f"    note: {rule.note}")
        if rule.sources != row.sources:
            lines.append(f"    source: {', '.join(rule.sources)}")
    if not row.rules:
        lines.append("  any parameters will do")
    lines += [line for target in targets for line in _support(row.name, target)]
    lines += [line for target in targets for line in _kernels(row.name, target)]
    if row.rigid:
        lines.append(f"  never changed: {_plain(slots(row.rigid))}")
    lines += [f"  note: {note}" for note in row.notes]
    lines += [f"  source: {source}" for source in row.sources]
    return lines


def _requirements(rule: Rule, target: Target) -> list[str]:
    """A line for each severity of a violated rule on a target, with the behaviour and the data
    types that it applies to.
    """
    grouped: dict[tuple[str, str], list[str]] = {}
    for name in sorted(rule.types):
        level = target.requirement(rule.id, name)
        where = f" on the {level.only.upper()}" if level.only else ""
        grouped.setdefault((level.severity + where, level.behaviour), []).append(name)
    return [
        f"{target.name}: {severity} for {', '.join(names)}: {behaviour}"
        for (severity, behaviour), names in grouped.items()
    ]


def _support(operator: str, target: Target) -> Iterator[str]:
    """Lines on what a target supports of the operator; none where its table has no row for it."""
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


def _kernels(operator: str, target: Target) -> Iterator[str]:
    """Lines on the operand types and operator versions that the target's kernels support."""
    for name, words in target.kernels.items():
        row = load_kernels(name).get(operator)
        if row is None:
            yield f"  types/{operator}: {target.name}: not known"
            continue
        types = "; ".join(pattern.text for pattern in row.takes) or "no kernel"
        yield f"  types/{operator}: {target.name} ({words}): {types}"
        if row.versions:
            yield f"    versions {row.versions[0]} to {row.versions[1]}"
        yield f"    source: {', '.join(row.sources)}"


def _listed(operator: str, names: Sequence[str]) -> str:
    """Whether the operator is taken, given the names that are."""
    return "is taken" if operator in names else "is not taken"


def _asks(rule: Rule) -> str:
    """The requirement of a rule as a sentence, without Markdown."""
    return _plain(rule_words(rule))


def _plain(markdown: str) -> str:
    """Markdown without code marks."""
    return markdown.replace("`", "")
