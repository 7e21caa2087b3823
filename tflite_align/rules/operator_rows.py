"""Reader of schema/operators.toml: operator rows with their rules. The only reader of that table."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, Literal

from ..errors import RuleError
from ..format.type_groups import ACTIVATION_TYPES
from ..numerics import Range
from . import fields as f
from .families import Family
from .known_names import check_option_names
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

__all__ = ["CATEGORIES", "RULE_KINDS", "load_operators", "operators_schema", "parse_operators"]

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

if TYPE_CHECKING:
    Category = str
else:
    Category = Literal[CATEGORIES]

# Steps that fit 32 bits with any zero point.
_COUNTED = 2147450000.0


class _RuleTable(f.TomlTable, frozen=True, kw_only=True):
    """Keys that the table of any rule in operators.toml may have."""

    part: str = f.LEFT_OUT
    sources: f.Texts = f.LEFT_OUT
    note: str = f.LEFT_OUT
    when: f.SlotText = f.LEFT_OUT
    unless: f.SlotText = f.LEFT_OUT
    beside: tuple[f.SlotText, ...] = f.LEFT_OUT
    where: dict[str, f.TensorTypes] = f.LEFT_OUT  # slot -> types


class _SlotsTable(_RuleTable, frozen=True, kw_only=True):
    """The keys of a rule on several slots in operators.toml: same, zero, power."""

    types: f.TensorTypes
    slots: tuple[f.SlotText, ...]


class _FixedTable(_RuleTable, frozen=True, kw_only=True):
    """The keys of a FixedRule in operators.toml."""

    slot: f.SlotText
    labels: dict[f.QuantizedType, tuple[f.LabelPair, ...]]
    held: Literal["both", "scale", "zero_point"] = f.LEFT_OUT


class _WeightTable(_RuleTable, frozen=True, kw_only=True):
    """The keys of a WeightRule in operators.toml."""

    types: f.TensorTypes
    slot: f.SlotText
    axis: int = f.LEFT_OUT
    symmetric: bool = f.LEFT_OUT
    minimum: int = f.LEFT_OUT
    scales: Literal["any", "one", "several"] = f.LEFT_OUT


class _BiasTable(_RuleTable, frozen=True, kw_only=True):
    """The keys of a BiasRule in operators.toml."""

    slot: f.SlotText
    factors: tuple[f.SlotText, ...]
    multiplier: f.Number = f.LEFT_OUT
    bias_types: dict[f.QuantizedType, f.TensorTypes]
    type_option: str = f.LEFT_OUT
    heeded: bool = f.LEFT_OUT
    counted: bool = f.LEFT_OUT
    compared: bool = f.LEFT_OUT
    unscaled: bool = f.LEFT_OUT
    apart: f.Number = f.LEFT_OUT


class _WindowTable(_RuleTable, frozen=True, kw_only=True):
    """The keys of a WindowRule in operators.toml."""

    types: f.TensorTypes
    form: Literal["product", "maximum", "square", "each"] = f.LEFT_OUT
    numerator: tuple[f.SlotText, ...]
    denominator: tuple[f.SlotText, ...]
    multiplier: f.Number = f.LEFT_OUT
    low: f.Number = f.LEFT_OUT
    high: f.Number = f.LEFT_OUT


class _PresentTable(_RuleTable, frozen=True, kw_only=True):
    """The keys of a PresentRule in operators.toml."""

    slot: f.SlotText
    factors: tuple[f.SlotText, ...]
    bias_types: dict[f.TensorType, f.TensorType]
    axis: int
    absence: Literal["either", "left_out", "minus_one"] = f.LEFT_OUT


_KINDS: Mapping[str, type[Rule]] = {
    "same": SameRule,
    "fixed": FixedRule,
    "zero": ZeroPointRule,
    "weight": WeightRule,
    "bias": BiasRule,
    "window": WindowRule,
    "power": PowerRule,
    "present": PresentRule,
}
# The first parts of the ids of operators' rules.
RULE_KINDS = frozenset(_KINDS)


class _FlowTable(f.TomlTable, frozen=True, kw_only=True):
    """The keys of a Flow in operators.toml."""

    kind: Literal["copy", "average"]
    inputs: tuple[f.SlotText, ...]
    outputs: tuple[f.SlotText, ...]
    taps: Literal["window", "axes", "neighbours"] = f.LEFT_OUT


class _CallTable(f.TomlTable, frozen=True, kw_only=True):
    """The keys of a CallRow in operators.toml."""

    option: str
    inputs: f.SlotText = f.LEFT_OUT
    outputs: f.SlotText = f.LEFT_OUT


class _OperatorTable(f.TomlTable, frozen=True, kw_only=True):
    """The keys of one operator's table in operators.toml."""

    category: Category = f.LEFT_OUT
    family: Family = f.LEFT_OUT
    family_axes: tuple[int, ...] = f.LEFT_OUT
    flow: _FlowTable = f.LEFT_OUT
    range: tuple[f.Number, ...] = f.LEFT_OUT
    rigid: tuple[f.SlotText, ...] = f.LEFT_OUT
    ignored: tuple[f.SlotText, ...] = f.LEFT_OUT
    resource: Literal["read", "write", "handle"] = f.LEFT_OUT
    calls: tuple[_CallTable, ...] = f.LEFT_OUT
    carried: bool = f.LEFT_OUT
    zeros: tuple[tuple[f.SlotText, ...], ...] = f.LEFT_OUT
    positive: tuple[f.SlotText, ...] = f.LEFT_OUT
    scaled: tuple[f.SlotText, ...] = f.LEFT_OUT
    channels: tuple[f.SlotText, ...] = f.LEFT_OUT
    joins: tuple[f.SlotText, ...] = f.LEFT_OUT
    adds: tuple[f.SlotText, ...] = f.LEFT_OUT
    subtracts: tuple[f.SlotText, ...] = f.LEFT_OUT
    mirror: tuple[f.SlotText, ...] = f.LEFT_OUT
    fuses: bool = f.LEFT_OUT
    sources: f.Texts
    notes: f.Texts = f.LEFT_OUT
    same: tuple[_SlotsTable, ...] = f.LEFT_OUT
    fixed: tuple[_FixedTable, ...] = f.LEFT_OUT
    zero: tuple[_SlotsTable, ...] = f.LEFT_OUT
    weight: tuple[_WeightTable, ...] = f.LEFT_OUT
    bias: tuple[_BiasTable, ...] = f.LEFT_OUT
    window: tuple[_WindowTable, ...] = f.LEFT_OUT
    power: tuple[_SlotsTable, ...] = f.LEFT_OUT
    present: tuple[_PresentTable, ...] = f.LEFT_OUT


class _OperatorsDocument(f.TomlTable, frozen=True, kw_only=True):
    """The keys of operators.toml. Operators' tables are converted one by one."""

    format: int
    operator: dict[str, dict[str, Any]]


# Default types by kind of rule; and kinds whose `types` are given by another key.
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
        "unscaled": False,
        "apart": 0.0,
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
    """The rule of kind `rule_kind` in the parsed table `given` of an operator. `row_sources`: its
    sources if the table has none.
    """
    record = _KINDS[rule_kind]
    values = {**_DEFAULTS.get(record, {}), **given}
    part = values.pop("part", None)
    values.setdefault("sources", row_sources)
    if "where" in values:
        pairs = values["where"].items()
        values["where"] = tuple((f.parse_slot(slot), types) for slot, types in pairs)
    values["types"] = frozenset(values.get("types") or values[_TYPES_FROM[record]])
    return record(id=f"{rule_kind}/{operator}" + (f"/{part}" if part else ""), **values)


def _clamp(name: str) -> WindowRule:
    """The window rule of operator `name` that the limit of a fused activation, in steps of the
    output, fits the 32 bits with which kernels compute it.
    """
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
    """The operator's row from its converted table."""
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
    options = [rule.type_option for rule in rules if isinstance(rule, BiasRule)]
    check_option_names(filter(None, options), f"{where}.bias")
    check_option_names((call["option"] for call in values.get("calls", ())), f"{where}.calls")
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
    """Rows by operator name. Raises RuleError with file and key for anything unexpected.
    `document`: the TOML text.
    """
    top = f.parse_document(document, _OperatorsDocument, where)
    rows = {}
    for name, values in top["operator"].items():
        path = f"{where}: operator.{name}"
        rows[name] = _row(name, f.parse_table(values, _OperatorTable, path), path)
    return rows


@cache
def load_operators() -> Mapping[str, OperatorRow]:
    """The shipped rows by operator name, each parsed at its first use."""
    return Rows(read_data("operators.toml"), parse_operators, "operators.toml")


def operators_schema() -> dict[str, Any]:
    """JSON Schema of schema/operators.toml, made from the tables that its reader uses."""
    rows = {"type": "object", "additionalProperties": f.schema_of(_OperatorTable)}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "tflite_align operator rules",
        "type": "object",
        "additionalProperties": False,
        "required": ["format", "operator"],
        "properties": {"format": {"const": 1}, "operator": rows},
    }
