"""Names in the tables of schema/: operators, options of operators, rules. An unknown one is an error.

A misspelled name matches nothing, so that its row would never apply and nobody would notice.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

from ..errors import RuleError, nearest
from ..format.enums import OPERATOR_NAMES
from ..format.schema import OPTIONS, OPTIONS2, table_layout
from .rows import named

__all__ = [
    "check_option_names",
    "check_options",
    "check_patterns",
    "check_rules",
    "suggestion",
    "unknown_operator",
]

_WILD = frozenset("*?[")
# Keys of support rows whose values name options: in a list, or as the keys of a table.
_OPTION_KEYS = (
    "inputs_equal",
    "outputs_equal",
    "channels_times",
    "options",
    "options_at_most",
    "options_at_least",
    "options_within",
    "distinct_outputs",
    "carried_in_order",
)
# First parts of rule ids whose second part is no operator.
_GENERAL = frozenset({"params", "data", "names", "minmax"})


def suggestion(word: str, names: Iterable[str], listed: str = "") -> str:
    """`; did you mean 'CONV_2D' or 'CONV_3D'?` for a misspelled word, or `listed` if none of
    `names` resembles it.
    """
    near = [repr(name) for name in nearest(word, sorted(names), 3)]
    if not near:
        return f"; {listed}" if listed else ""
    return f"; did you mean {' or '.join(filter(None, (', '.join(near[:-1]), near[-1])))}?"


def unknown_operator(name: str) -> str:
    """The sentence for a name that no builtin operator has, with similar names."""
    hint = suggestion(name.upper(), OPERATOR_NAMES, "expected a name of BuiltinOperator")
    return f"there is no operator {name!r}{hint}"


def check_patterns(patterns: Iterable[str], where: str, besides: Iterable[str] = ()) -> None:
    """Raise RuleError for a pattern that matches no builtin operator, or that is given twice.

    `where`: the place of the list; `besides`: other allowed names.
    """
    earlier: set[str] = set()
    for index, pattern in enumerate(patterns):
        if pattern not in besides and not _matched(pattern):
            raise RuleError(f"{where}[{index}]: {unknown_operator(pattern)}")
        if pattern in earlier:
            raise RuleError(f"{where}[{index}]: {pattern!r} is listed twice")
        earlier.add(pattern)


def _matched(pattern: str) -> bool:
    """Whether the pattern matches at least one builtin operator's name."""
    if _WILD.isdisjoint(pattern):
        return pattern in OPERATOR_NAMES
    return any(named(name, pattern) for name in OPERATOR_NAMES)


def check_rules(patterns: Iterable[str], kinds: Iterable[str], where: str) -> None:
    """Raise RuleError for a pattern of rule ids, KIND/OPERATOR/PART, with an unknown kind or
    operator. `kinds`: the known ones; `where`: the place of the list.
    """
    for index, pattern in enumerate(patterns):
        rule_kind, _, rest = pattern.partition("/")
        operator = rest.partition("/")[0]
        if _WILD.isdisjoint(rule_kind) and rule_kind not in kinds:
            hint = suggestion(rule_kind, kinds, f"known: {', '.join(sorted(kinds))}")
            raise RuleError(
                f"{where}[{index}]: {pattern!r}: no rule begins with {rule_kind!r}{hint}"
            )
        if (
            rest
            and rule_kind not in _GENERAL
            and rule_kind != "variable"
            and not _matched(operator)
        ):
            raise RuleError(f"{where}[{index}]: {pattern!r}: {unknown_operator(operator)}")


@cache
def _all_options() -> frozenset[str]:
    """The names of all options of builtin operators."""
    tables = (*OPTIONS.values(), *OPTIONS2.values())
    return frozenset(name for table in tables for name in table_layout(table).by_name)


def check_options(limits: Mapping[str, Any], where: str) -> None:
    """Raise RuleError for an option that no operator has: it would count as 0. `limits`: those of a
    row, or its conditions; `where`: their place.
    """
    for key, value in limits.items():
        check_option_names(_options_in(key, value), f"{where}.{key}")


def check_option_names(names: Iterable[str], where: str, besides: Iterable[str] = ()) -> None:
    """Raise RuleError for a name that is no option of an operator. `besides`: other allowed names."""
    options = _all_options()
    for name in names:
        if name not in options and name not in besides:
            hint = suggestion(name, {*options, *besides}, "expected an option of the TFLite schema")
            raise RuleError(f"{where}: there is no option {name!r}{hint}")


def _options_in(key: str, value: Any) -> Iterable[str]:
    """The names of options in the value of one limit."""
    if key in _OPTION_KEYS:
        return (value,) if isinstance(value, str) else value
    if key == "options_equal":
        return (option for group in value for option in group)
    if key == "options_product_at_most":
        names = value["options"]
        assert isinstance(names, tuple)
        return names
    return (value["option"],) if key == "axes" and "option" in value else ()
