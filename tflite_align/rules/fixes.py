"""Reader of schema/fixes.toml: Fix, a repair that can be switched on and off."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, Literal

from ..errors import RuleError, UsageError, nearest
from ..record import Record
from . import fields as f
from .known_names import check_rules
from .rows import named
from .rule_text import KINDS
from .store import read_data
from .wildcards import filtered

__all__ = [
    "BIAS_FIXES",
    "WEIGHT_FIXES",
    "Fix",
    "enabled_fixes",
    "fix_of",
    "fixes_off",
    "fixes_schema",
    "load_fixes",
    "parse_fixes",
    "unheard_rules",
]

# Fixes that re-express a bias, and those that re-express weights.
BIAS_FIXES = frozenset({"bias-scale", "bias-type"})
WEIGHT_FIXES = frozenset({"weight-axis", "weight-minimum", "weight-zero-point"})


class Fix(Record, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One repair. `repairs`: the findings that it repairs, as `rule-glob` or `rule-glob:fault`;
    empty for an auxiliary repair.

    `meaning`: whether the declared function of the model is provably preserved. `quiet`: its
    findings are reported only if it is switched on, since sound files have them too.
    """

    id: str
    title: str
    does: str
    default: Literal["on", "off"]
    meaning: Literal["kept", "may change"]
    repairs: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    quiet: bool = False


class _FixesDocument(f.TomlTable, frozen=True, kw_only=True):
    """The fields of schema/fixes.toml."""

    format: int
    fix: tuple[Fix, ...]


def parse_fixes(document: str, where: str) -> dict[str, Fix]:
    """Fixes by id, in the file's order; RuleError with the key for anything unexpected. `document`:
    the TOML text.
    """
    document_values = f.parse_document(document, _FixesDocument, where)
    fixes: dict[str, Fix] = {}
    with f.placed(where, document):
        for index, fix in enumerate(document_values["fix"]):
            if fix.id in fixes:
                raise RuleError(f"fix[{index}]: id {fix.id!r} is used twice")
            if fix.default == "on" and fix.meaning != "kept":
                raise RuleError(f"fix[{index}]: on by default, but its repair may change results")
            rules = [pattern.partition(":")[0] for pattern in fix.repairs]
            check_rules(rules, KINDS, f"fix[{index}].repairs")
            fixes[fix.id] = fix
    return fixes


@cache
def load_fixes() -> Mapping[str, Fix]:
    """The shipped repairs by id."""
    return parse_fixes(read_data("fixes.toml"), "fixes.toml")


@cache
def fix_of(rule: str, fault: str) -> str:
    """The id of the first repair in the table for this kind of fault of this rule; "" if there is
    none.
    """
    if not fault:
        return ""
    for fix in load_fixes().values():
        for pattern in fix.repairs:
            rules, _, repair = pattern.partition(":")
            if repair in ("", fault) and named(rule, rules):
                return fix.id
    return ""


def enabled_fixes(on: Sequence[str] = (), off: Sequence[str] = ()) -> frozenset[str]:
    """Ids of the enabled repairs. `on`, `off`: names that were switched on and off.

    Each name is an id, a glob of ids, or `all`; an id takes precedence over a glob, and of two
    globs the one that switches off. Raises UsageError for an unknown name, or an id in both.
    """
    fixes = load_fixes()
    both = sorted(set(on) & set(off))
    if both:
        raise UsageError(f"fix {both[0]!r} is switched on and off at once")
    chosen = {fix.id for fix in fixes.values() if fix.default == "on"}
    for name in sorted(on, key=fixes.__contains__):
        if name not in fixes:
            chosen |= _answering(name)
    for name in off:
        chosen -= _answering(name)
    return frozenset(chosen | (set(on) & set(fixes)))


def unheard_rules(on: frozenset[str]) -> tuple[str, ...]:
    """Patterns of the rules that are not reported, because their (quiet) repairs are not among
    those switched `on`.
    """
    quiet = (fix for fix in load_fixes().values() if fix.quiet and fix.id not in on)
    return tuple(pattern.partition(":")[0] for fix in quiet for pattern in fix.repairs)


def fixes_off(on: frozenset[str]) -> tuple[str, ...]:
    """Ids of the repairs that are not among those switched `on`, in the order of the table."""
    return tuple(name for name in load_fixes() if name not in on)


def _answering(name: str) -> set[str]:
    """The ids of the repairs that a name (an id, a glob or `all`) stands for. Raises UsageError if
    there is none.
    """
    fixes = load_fixes()
    matches = set(filtered(fixes, "*" if name == "all" else name))
    if not matches:
        near = nearest(name, fixes)
        hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(fixes)}"
        raise UsageError(f"there is no fix {name!r}; {hint}")
    return matches


def fixes_schema() -> dict[str, Any]:
    """JSON Schema of schema/fixes.toml."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "tflite_align fixes",
        **f.schema_of(_FixesDocument),
    }
