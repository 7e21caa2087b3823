"""The description of one rule: its requirement, its severity on each target, its sources.

SARIF, `rules RULE_ID` and `explain RULE_ID` show the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache

from ..errors import nearest
from ..format.type_groups import QUANTIZED_TYPES
from ..record import Record
from .kernels import kernel_sets, load_kernels
from .operator_rows import load_operators
from .rows import Rule, named
from .rule_text import GENERAL, UNGRADED, general_start, kinds, rule_words
from .support_rows import WHOLE_MODEL, SupportRow, tell_limits
from .targets import Severity, Target, load_target, target_names

__all__ = [
    "RuleGrade",
    "RuleStory",
    "anchor",
    "known_story",
    "rule_page",
    "rule_story",
    "story_or_nearest",
]

_PAGE = "rules.html"
_GLOB = re.compile(r"[*?\[]")


class RuleGrade(Record, frozen=True, kw_only=True):
    """The severity of a violated rule on one target. `types`, `operators`: those to which it is
    restricted; empty: all.
    """

    target: str
    severity: Severity
    behaviour: str
    types: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    operators: tuple[str, ...] = ()


class RuleStory(Record, frozen=True, kw_only=True):
    """The description of a rule. `words`: its requirement as plain text; `page`: its URL on the
    site.
    """

    id: str
    words: str
    page: str
    note: str = ""
    types: tuple[str, ...] = ()
    grades: tuple[RuleGrade, ...] = ()
    sources: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The rule's name in SARIF, such as `SameConcatenation`."""
        return "".join(word.capitalize() for word in anchor(self.id).split("-"))


# --- its place on the site ------------------------------------------------------------------------


def anchor(rule_id: str) -> str:
    """The id as an anchor of a page: `same-concatenation` for `same/CONCATENATION`."""
    return re.sub(r"[^a-z0-9]+", "-", rule_id.lower()).strip("-")


def rule_page(rule_id: str) -> str:
    """The page with the rule, relative to the site's root: `rules.html#same-concatenation`.

    Rules that are equal for all operators share an anchor, such as `rules.html#types`.
    """
    if rule_id in _operator_rules() or rule_id in _supported():
        return f"{_PAGE}#{anchor(rule_id)}"
    return f"{_PAGE}#{anchor(general_start(rule_id) or rule_id.split('/', maxsplit=1)[0])}"


def rule_ids() -> list[str]:
    """The ids of all rules in the tables."""
    return [*_operator_rules(), *(one for one in GENERAL if not one.endswith("/")), *_supported()]


@cache
def _operator_rules() -> dict[str, Rule]:
    """All rules of schema/operators.toml by id."""
    return {rule.id: rule for row in load_operators().values() for rule in row.rules}


@cache
def _supported() -> frozenset[str]:
    """Ids of the rules of support rows that name their operators in full, without wildcards."""
    return frozenset(
        row.rule(operator)
        for name in target_names()
        for row in load_target(name).support
        for operator in row.operators
        if not _GLOB.search(operator)
    )


# --- the story -------------------------------------------------------------------------------------


def story_or_nearest(rule_id: str, targets: Sequence[Target]) -> RuleStory | str:
    """The description of the rule on these targets; for an unknown id, a suggestion as text: "; did
    you mean 'same/ADD'?".
    """
    story = rule_story(rule_id, targets)
    if story is not None:
        return story
    known = rule_ids()
    near = nearest(rule_id, known) or nearest(rule_id.lower(), [rule.lower() for rule in known])
    by_case = {rule.lower(): rule for rule in known}
    return f"; did you mean {by_case[near[0].lower()]!r}?" if near else "; `rules` lists them"


def known_story(rule_id: str, targets: Sequence[Target]) -> RuleStory:
    """The description of a rule that a report names; for an id in no table, that of its family.
    `targets`: those whose severities are given.
    """
    story = rule_story(rule_id, targets)
    if story is not None:
        return story
    return RuleStory(
        id=rule_id,
        words=GENERAL.get(general_start(rule_id), rule_id),
        page=rule_page(rule_id),
    )


def rule_story(rule_id: str, targets: Sequence[Target] = ()) -> RuleStory | None:
    """The description of the rule, with its severity on these targets; None for an unknown id."""
    rule = _operator_rules().get(rule_id)
    if rule is not None:
        return RuleStory(
            id=rule_id,
            words=_plain(rule_words(rule)),
            page=rule_page(rule_id),
            note=rule.note,
            types=tuple(kinds(rule.types)),
            grades=tuple(_levels(rule_id, kinds(rule.types), targets)),
            sources=tuple(rule.sources),
        )
    start = general_start(rule_id)
    if not start or not _is_meant(rule_id, start):
        return None
    about = tuple(_about_operators(rule_id, start, targets))
    graded = () if start in UNGRADED else tuple(_levels(rule_id, QUANTIZED_TYPES, targets))
    limits = [row for target in targets for row in _support(rule_id, target)]
    sentence = "; ".join(dict.fromkeys(map(_limits, limits)))
    return RuleStory(
        id=rule_id,
        words=sentence or GENERAL[start],
        page=rule_page(rule_id),
        note="; ".join(dict.fromkeys(row.note for row in limits if row.note)),
        grades=about or graded,
        sources=tuple(dict.fromkeys(source for grade in about for source in grade.sources)),
    )


def _is_meant(rule_id: str, start: str) -> bool:
    """Whether `rule_id` belongs to the family `start`: the rest of the id is an operator's name or
    a known part.
    """
    if start in UNGRADED or not start.endswith("/"):
        return rule_id == start or (start.endswith("/") and len(rule_id) > len(start))
    return rule_id.split("/")[1] in _operator_names()


@cache
def _operator_names() -> frozenset[str]:
    """All operator names with a row, and that of the model as a whole."""
    rows = [load_operators(), *map(load_kernels, kernel_sets())]
    return frozenset(name for table in rows for name in table) | {WHOLE_MODEL}


def _levels(rule_id: str, types: Sequence[str], targets: Sequence[Target]) -> Iterator[RuleGrade]:
    """The severity of the rule on each target: one entry for all types with equal severity, then
    those of single operators.
    """
    for target in targets:
        operators: dict[tuple[Severity, str], list[str]] = {}
        for name in types:
            level = target.requirement(rule_id, name)
            operators.setdefault((level.severity, level.behaviour), []).append(name)
        for (severity, behaviour), names in operators.items():
            yield RuleGrade(
                target=target.name,
                severity=severity,
                behaviour=behaviour,
                types=tuple(names) if len(operators) > 1 else (),
            )
        for level in target.requirements:
            if level.operators and any(named(rule_id, pattern) for pattern in level.rules):
                yield RuleGrade(
                    target=target.name,
                    severity=level.severity,
                    behaviour=level.behaviour,
                    types=level.types,
                    operators=level.operators,
                    sources=level.sources,
                )


def _about_operators(rule_id: str, start: str, targets: Sequence[Target]) -> Iterator[RuleGrade]:
    """The severities that the targets' own rows (support, kernels) give for the operator in the
    rule's id. `start`: the prefix of the id, such as `support/`.
    """
    for target in targets:
        if start == "support/":
            for row in _support(rule_id, target):
                yield RuleGrade(
                    target=target.name,
                    severity=row.severity,
                    behaviour=row.behaviour,
                    sources=row.sources,
                )
        if start in ("types/", "version/"):
            yield from _kernels(rule_id, start, target)


def _support(rule_id: str, target: Target) -> Iterator[SupportRow]:
    """The target's support rows with this rule id."""
    family, _, rest = rule_id.partition("/")
    operator = rest.partition("/")[0]
    if family == "support":
        yield from (
            row for row in target.support if row.names(operator) and row.rule(operator) == rule_id
        )


def _kernels(rule_id: str, start: str, target: Target) -> Iterator[RuleGrade]:
    """A grade for each kernel set of the target: the rule's severity and, as the behaviour, which
    operand types (`start` "types/") or versions the set supports of the operator in the rule's id.
    `start`: the prefix of the id, such as `support/`.
    """
    severity = target.requirement(rule_id, "int8").severity
    for name, words in target.kernels.items():
        row = load_kernels(name).get(rule_id.removeprefix(start))
        if row is None:
            continue
        if start == "types/":
            sentence = f"{words}: {'; '.join(pattern.text for pattern in row.takes) or 'no kernel'}"
        elif row.versions:
            sentence = f"{words}: versions {row.versions[0]} to {row.versions[1]}"
        else:
            continue
        yield RuleGrade(
            target=target.name, severity=severity, behaviour=sentence, sources=row.sources
        )


def _limits(row: SupportRow) -> str:
    """The limits of a support row as text."""
    when = f", where {tell_limits(row.when)}" if row.when else ""
    return _plain(f"{tell_limits(row.limits)}{when}")


def _plain(markdown: str) -> str:
    """Markdown without code marks."""
    return markdown.replace("`", "")
