"""Reader of schema/targets/*.toml: Target, with the severity of each violated rule there, and what
happens.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, Literal

from ..errors import RuleError, UsageError, did_you_mean, kind_of
from ..record import Record, brief, field, replace
from . import fields as f
from .known_names import check_patterns, check_rules, suggestion
from .rows import Rule, named
from .rule_text import KINDS
from .store import data_files, read_data
from .support_rows import SupportRow, SupportTable, parse_support

__all__ = [
    "Requirement",
    "Severity",
    "Target",
    "load_target",
    "parse_target",
    "target_names",
    "targets_schema",
]

Severity = Literal["error", "warning", "off"]

# Fields of a support row that do not decide to what it applies.
_WORDS: Mapping[str, Any] = {
    "severity": "off",
    "behaviour": "",
    "sources": (),
    "note": "",
    "once": False,
    "repair": "",
}


class Requirement(Record, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The severity of violated rules on a target, and the runtime's behaviour as text.

    `rules`: patterns of rule ids; `types`: tensor types to which it is restricted, empty: all.
    `only`: "cpu" if it applies only where the target runs the operator on the CPU (a support row
    with part "cpu" is violated); elsewhere the target uses the declared parameters. `honours`: the
    part of the parameters that the target uses elsewhere: if only that part differs, the severity
    is warning. `operators`: operators to which it is restricted; empty: all.
    """

    rules: tuple[str, ...]  # glob patterns of rule ids
    types: f.TensorTypes = ()  # empty: all
    severity: Severity
    behaviour: str
    sources: tuple[str, ...] = ()
    only: Literal["", "cpu"] = ""
    honours: Literal["", "scale", "zero_point"] = ""
    operators: tuple[str, ...] = ()


class Target(Record, frozen=True, kw_only=True):
    """A runtime or compiler.

    Without `support` rows its supported operators are not checked. `quantize`: by input type, the
    output types that its QUANTIZE has. `grades`: (pattern of rule ids, severity) set by the user;
    later ones win, and rules that are off stay off. `selected`: patterns of the only rules to
    check, if not empty; `ignored`: patterns of rules not to check. `kernels`: its kernel sets
    (schema/kernels) with their names in messages; an operator may run on any of them. `judges`: its
    runtimes and compilers. `takes`: "all" if each of them must accept a file, "any" if one is
    enough. `resizes`: an application may resize inputs, and shapes are computed again; other
    runtimes trust the file's shapes. `splits`: "once" for a compiler that maps one connected part
    and leaves the rest to the CPU.
    """

    name: str
    title: str
    requirements: tuple[Requirement, ...]
    quantize: Mapping[str, tuple[str, ...]]  # type -> types QUANTIZE can turn it into
    judges: tuple[str, ...]
    sources: tuple[str, ...]
    support: tuple[SupportRow, ...] = ()
    splits: Literal["", "once"] = ""
    takes: Literal["all", "any"] = "all"
    resizes: bool = False
    kernels: Mapping[str, str] = field(default_factory=dict)
    grades: tuple[tuple[str, Severity], ...] = ()
    selected: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return brief(f"<Target {self.name}: {self.title}>")

    def requirement(self, rule_id: str, type_name: str, operator: str = "") -> Requirement:
        """The requirement of a rule for a tensor type at an operator, with the user's severity."""
        return self.graded(rule_id, self.level(rule_id, type_name, operator))

    def level(self, rule_id: str, type_name: str, operator: str = "") -> Requirement:
        """The last requirement whose pattern, types and operators match: later entries are
        exceptions. Without `operator`, requirements of single operators are skipped.
        """
        for entry in reversed(self.requirements):
            if entry.types and type_name not in entry.types:
                continue
            if entry.operators and operator not in entry.operators:
                continue
            if any(named(rule_id, pattern) for pattern in entry.rules):
                return entry
        raise RuleError(
            f'target {self.name}: no level covers rule {rule_id}; add one, such as rules = ["*"]'
        )

    def graded(self, rule_id: str, level: Requirement) -> Requirement:
        """The requirement with the user's severity."""
        unheard = self.selected and not any(named(rule_id, pattern) for pattern in self.selected)
        if unheard or any(named(rule_id, pattern) for pattern in self.ignored):
            return replace(level, severity="off")
        for pattern, severity in reversed(self.grades):
            if level.severity != "off" and named(rule_id, pattern):
                return replace(level, severity=severity)
        return level

    def requires(self, rule: Rule, type_name: str) -> bool:
        """Whether the rule holds for this type on the target."""
        return type_name in rule.types and self.requirement(rule.id, type_name).severity != "off"


class _TargetTable(f.TomlTable, frozen=True, kw_only=True):
    """The fields of a target's TOML file."""

    format: int
    name: str
    title: str
    judges: f.Texts
    sources: f.Texts
    quantize: dict[f.QuantizedType, f.TensorTypes]
    level: tuple[Requirement, ...]
    support: tuple[SupportTable, ...] = f.LEFT_OUT
    splits: Literal["once"] = f.LEFT_OUT
    takes: Literal["all", "any"] = f.LEFT_OUT
    resizes: bool = f.LEFT_OUT
    kernels: dict[str, str] = f.LEFT_OUT


def parse_target(document: str, where: str) -> Target:
    """A target from its TOML text; RuleError with file and key for anything unexpected. `document`:
    the TOML text.
    """
    values = f.parse_document(document, _TargetTable, where)
    del values["format"]
    levels = values.pop("level")
    with f.placed(where, document):
        support = tuple(
            parse_support(row, f"support[{index}]")
            for index, row in enumerate(values.pop("support", ()))
        )
        _check_levels(levels)
        _check_support(support)
        _check_kernels(values.get("kernels", {}))
    return Target(requirements=levels, support=support, **values)


def _check_levels(levels: tuple[Requirement, ...]) -> None:
    """Raise RuleError for a rule or an operator that does not exist, and for a level that a later
    one replaces completely.
    """
    first_index: dict[Any, int] = {}
    for index, level in enumerate(levels):
        check_rules(level.rules, KINDS, f"level[{index}].rules")
        check_patterns(level.operators, f"level[{index}].operators")
        # Whatever narrows a level, except `honours`, which changes the severity of some violations.
        scope = (frozenset(level.rules), frozenset(level.types), frozenset(level.operators))
        first = first_index.setdefault(scope, index)
        if first != index:
            raise RuleError(
                f"level[{index}]: level[{first}] has the same rules, types and operators;"
                " the last level counts, so that the first one has no effect"
            )


def _check_support(rows: tuple[SupportRow, ...]) -> None:
    """Raise RuleError for two rows with equal operators, part, slots, conditions and limits."""
    places: dict[tuple[tuple[str, ...], str], list[int]] = {}
    for index, row in enumerate(rows):
        alike = places.setdefault((row.operators, row.part), [])
        for first in alike:
            if replace(rows[first], **_WORDS) == replace(row, **_WORDS):
                raise RuleError(f"support[{index}]: repeats support[{first}]; remove one of them")
        alike.append(index)


def _check_kernels(kernels: Mapping[str, str]) -> None:
    """Raise RuleError for a set of kernels without a file in schema/kernels."""
    kernel_sets = [name.removesuffix(".toml") for name in data_files("kernels", ".toml")]
    for name in kernels:
        if name not in kernel_sets:
            hint = suggestion(name, kernel_sets, f"known: {', '.join(kernel_sets)}")
            raise RuleError(f"kernels: there is no file schema/kernels/{name}.toml{hint}")


def target_names() -> list[str]:
    """The names of the shipped targets, sorted."""
    return sorted(name.removesuffix(".toml") for name in data_files("targets", ".toml"))


@cache
def load_target(name: str) -> Target:
    """The shipped target of this name. Raises UsageError with the most similar name, or all names."""
    if not isinstance(name, str):
        raise UsageError(f"target: expected a name, found {kind_of(name)}")
    names = target_names()
    if name not in names:
        hint = did_you_mean(
            name, {known_name: load_target(known_name).title for known_name in names}
        )
        raise UsageError(f"there is no target {name!r}{hint or '; known: ' + ', '.join(names)}")
    path = f"targets/{name}.toml"
    target = parse_target(read_data(path), path)
    if target.name != name:
        raise RuleError(
            f"{path}: name: expected {name!r}, as the file is called, found {target.name!r}"
        )
    return target


def targets_schema() -> dict[str, Any]:
    """JSON Schema of a target file."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "tflite_align target",
        **f.schema_of(_TargetTable),
    }
