"""schema/operators.toml -> operator rows. The only reader of that table."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, get_args

from ..errors import RuleError
from ..format.type_groups import ACTIVATION_TYPES
from ..numerics import Range
from . import fields as f
from .families import Family
from .rows import (
    BiasRule,
    CallRow,
    FixedRule,
    Flow,
    OperatorRow,
    PowerRule,
    PresentRule,
    Rule,
    SameRule,
    SlotPattern,
    WeightRule,
    WindowRule,
    ZeroPointRule,
)
from .store import Rows, read_data

__all__ = ["CATEGORIES", "load_operators", "operators_schema", "parse_operators"]

# The sections of the rule tables, in their order.
CATEGORIES = (
    "data movement",
    "pooling and resizing",
    "same-scale elementwise",
    "variables",
    "control flow",
    "fixed output",
    "weights and bias",
    "recurrent",
    "arithmetic",
    "raw integers",
    "comparison",
    "index output",
    "no integer kernel",
)

# Steps that fit 32 bits with any zero point.
_COUNTED = 2147450000.0

_COMMON: f.Table = {
    "part": f.TomlField(f.text),
    "sources": f.TomlField(f.list_of(f.text)),
    "note": f.TomlField(f.text),
    "when": f.TomlField(f.slot),
    "unless": f.TomlField(f.slot),
    "beside": f.TomlField(f.list_of(f.slot)),
    "where": f.TomlField(f.by_slot(f.list_of(f.text))),
}
_TYPES = {"types": f.TomlField(f.list_of(f.text), required=True)}
_SLOTS = {"slots": f.TomlField(f.list_of(f.slot), required=True)}
_SLOT = {"slot": f.TomlField(f.slot, required=True)}

_KINDS: Mapping[str, tuple[type[Rule], f.Table]] = {
    "same": (SameRule, {**_COMMON, **_TYPES, **_SLOTS}),
    "fixed": (
        FixedRule,
        {
            **_COMMON,
            **_SLOT,
            "labels": f.TomlField(f.map_of(f.list_of(f.label)), required=True),
            "held": f.TomlField(f.choice("both", "scale", "zero_point")),
        },
    ),
    "zero": (ZeroPointRule, {**_COMMON, **_TYPES, **_SLOTS}),
    "weight": (
        WeightRule,
        {
            **_COMMON,
            **_TYPES,
            **_SLOT,
            "axis": f.TomlField(f.integer),
            "symmetric": f.TomlField(f.truth),
            "minimum": f.TomlField(f.integer),
            "scales": f.TomlField(f.choice("any", "one", "several")),
        },
    ),
    "bias": (
        BiasRule,
        {
            **_COMMON,
            **_SLOT,
            "factors": f.TomlField(f.list_of(f.slot), required=True),
            "multiplier": f.TomlField(f.number),
            "bias_types": f.TomlField(f.map_of(f.list_of(f.text)), required=True),
            "type_option": f.TomlField(f.text),
            "heeded": f.TomlField(f.truth),
            "counted": f.TomlField(f.truth),
            "compared": f.TomlField(f.truth),
        },
    ),
    "window": (
        WindowRule,
        {
            **_COMMON,
            **_TYPES,
            "form": f.TomlField(f.choice("product", "maximum", "square", "each")),
            "numerator": f.TomlField(f.list_of(f.slot), required=True),
            "denominator": f.TomlField(f.list_of(f.slot), required=True),
            "multiplier": f.TomlField(f.number),
            "low": f.TomlField(f.number),
            "high": f.TomlField(f.number),
        },
    ),
    "power": (PowerRule, {**_COMMON, **_TYPES, **_SLOTS}),
    "present": (
        PresentRule,
        {
            **_COMMON,
            **_SLOT,
            "factors": f.TomlField(f.list_of(f.slot), required=True),
            "bias_types": f.TomlField(f.map_of(f.text, keys_are_types=False), required=True),
            "axis": f.TomlField(f.integer, required=True),
            "absence": f.TomlField(f.choice("either", "left_out", "minus_one")),
        },
    ),
}

_FLOW: f.Table = {
    "kind": f.TomlField(f.choice("copy", "average"), required=True),
    "inputs": f.TomlField(f.list_of(f.slot), required=True),
    "outputs": f.TomlField(f.list_of(f.slot), required=True),
    "taps": f.TomlField(f.choice("window", "axes", "neighbours")),
}
_CALL: f.Table = {
    "option": f.TomlField(f.text, required=True),
    "inputs": f.TomlField(f.slot),
    "outputs": f.TomlField(f.slot),
}


def _nested(table: f.Table) -> f.Parser:
    def parse(value: Any, where: str) -> dict[str, Any]:
        return f.parse_table(value, table, where)

    return f.Parser(parse, f.schema_of(table))


_ROW: f.Table = {
    "category": f.TomlField(f.choice(*CATEGORIES)),
    "family": f.TomlField(f.choice(*get_args(Family))),
    "family_axes": f.TomlField(f.list_of(f.integer)),
    "flow": f.TomlField(_nested(_FLOW)),
    "range": f.TomlField(f.list_of(f.number)),
    "rigid": f.TomlField(f.list_of(f.slot)),
    "ignored": f.TomlField(f.list_of(f.slot)),
    "resource": f.TomlField(f.choice("read", "write", "handle")),
    "calls": f.TomlField(f.list_of(_nested(_CALL))),
    "carried": f.TomlField(f.truth),
    "zeros": f.TomlField(f.list_of(f.list_of(f.slot))),
    "positive": f.TomlField(f.list_of(f.slot)),
    "joins": f.TomlField(f.list_of(f.slot)),
    "adds": f.TomlField(f.list_of(f.slot)),
    "subtracts": f.TomlField(f.list_of(f.slot)),
    "mirror": f.TomlField(f.list_of(f.slot)),
    "fuses": f.TomlField(f.truth),
    "sources": f.TomlField(f.list_of(f.text), required=True),
    "notes": f.TomlField(f.list_of(f.text)),
    **{
        rule_kind: f.TomlField(f.list_of(_nested(table)))
        for rule_kind, (_, table) in _KINDS.items()
    },
}

# What a kind holds for when the row leaves it out, and where `types` comes from another key.
_DEFAULTS: Mapping[type[Rule], Mapping[str, Any]] = {
    FixedRule: {"held": "both"},
    PresentRule: {"absence": "either"},
    WeightRule: {"axis": None, "symmetric": True, "minimum": None, "scales": "any"},
    BiasRule: {
        "multiplier": 1.0,
        "type_option": "",
        "heeded": True,
        "counted": False,
        "compared": False,
    },
    WindowRule: {"form": "product", "multiplier": 1.0, "low": 0.0, "high": float("inf")},
}
_TYPES_FROM: Mapping[type[Rule], str] = {
    FixedRule: "labels",
    BiasRule: "bias_types",
    PresentRule: "bias_types",
}


def _rule(
    rule_kind: str, given: dict[str, Any], operator: str, row_sources: tuple[str, ...]
) -> Rule:
    record, _ = _KINDS[rule_kind]
    values = {**_DEFAULTS.get(record, {}), **given}
    part = values.pop("part", None)
    values.setdefault("sources", row_sources)
    values["types"] = frozenset(values.get("types") or values[_TYPES_FROM[record]])
    return record(id=f"{rule_kind}/{operator}" + (f"/{part}" if part else ""), **values)


def _clamp(name: str) -> WindowRule:
    """The bound of a fused activation in steps of the output, which kernels count with 32 bits."""
    return WindowRule(
        id=f"window/{name}/clamp",
        types=frozenset(ACTIVATION_TYPES),
        sources=(
            "litert:tflite/kernels/kernel_util.cc:427-444",
            "measured: LiteRT 2.3.0 and TFLM, x86-64",
        ),
        form="product",
        numerator=(),
        denominator=(SlotPattern("outputs", 0, 1),),
        multiplier=1.0,
        low=0.0,
        high=_COUNTED,
        fused=True,
    )


def _row(name: str, values: dict[str, Any], where: str) -> OperatorRow:
    rules: list[Rule] = []
    sources = values["sources"]
    for rule_kind in _KINDS:
        rules += [
            _rule(rule_kind, values_of_rule, name, sources)
            for values_of_rule in values.pop(rule_kind, ())
        ]
    if values.get("fuses"):
        rules.append(_clamp(name))
    ids = [rule.id for rule in rules]
    if len(set(ids)) != len(ids):
        raise RuleError(f"{where}: two constraints have one id; give each a `part`")
    if "flow" in values:
        values["flow"] = Flow(**values["flow"])
    if "range" in values:
        values["range"] = Range(*values["range"])
    values["calls"] = tuple(
        CallRow(option=c["option"], inputs=c.get("inputs"), outputs=c.get("outputs"))
        for c in values.get("calls", ())
    )
    return OperatorRow(name=name, rules=tuple(rules), **values)


def parse_operators(document: str, where: str = "operators.toml") -> dict[str, OperatorRow]:
    """Rows by operator name. Raises RuleError with file and key for anything unexpected."""
    outer: f.Table = {
        "format": f.TomlField(f.integer, required=True),
        "operator": f.TomlField(_any_table, required=True),
    }
    top = f.parse_document(document, outer, where)
    rows = {}
    for name, values in top["operator"].items():
        path = f"{where}: operator.{name}"
        rows[name] = _row(name, f.parse_table(values, _ROW, path), path)
    return rows


def _parse_any(value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise RuleError(f"{where}: expected a table, found {value!r}")
    return value


_any_table = f.Parser(_parse_any, {"type": "object", "additionalProperties": f.schema_of(_ROW)})


@cache
def load_operators() -> Mapping[str, OperatorRow]:
    """The shipped table; rows are read at their first use."""
    return Rows(read_data("operators.toml"), parse_operators)


def operators_schema() -> dict[str, Any]:
    """JSON Schema of schema/operators.toml, made from the same field tables."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "tflite_align operator rules",
        "type": "object",
        "additionalProperties": False,
        "required": ["format", "operator"],
        "properties": {"format": {"const": 1}, "operator": _any_table.schema},
    }
