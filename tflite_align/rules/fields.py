"""Strict parsing of single TOML values, each with the JSON Schema that says the same.

A `Field` is one key: how to parse it, its schema, whether it must be there. A table is a dict of
them; `parse_table` refuses unknown keys and names the nearest known one.
"""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Callable, Mapping
from typing import Any

from ..errors import RuleError, nearest
from ..numerics import Label, to_float32, type_limits
from ..record import Record
from .rows import SlotPattern

__all__ = [
    "Parser",
    "Table",
    "TomlField",
    "at_least",
    "by_slot",
    "choice",
    "integer",
    "label",
    "list_of",
    "map_of",
    "number",
    "parse_document",
    "parse_slot",
    "parse_table",
    "schema_of",
    "slot",
    "text",
    "truth",
    "word",
]

_SLOT = re.compile(r"(inputs|outputs|intermediates)\[(\*|\d+:?)\]")


class Parser(Record, frozen=True):
    """Turns a TOML value into ours; raises RuleError naming the place."""

    parse: Callable[[Any, str], Any]
    schema: Mapping[str, Any]


class TomlField(Record, frozen=True):
    parser: Parser
    required: bool = False
    about: str = ""  # what editors show of the key


Table = Mapping[str, TomlField]


def _expect(value: object, expected: type | tuple[type, ...], where: str, name: str) -> None:
    if not isinstance(value, expected) or (isinstance(value, bool) and expected is not bool):
        raise RuleError(f"{where}: expected {name}, found {value!r}")


def _text(value: Any, where: str) -> str:
    _expect(value, str, where, "a string")
    return str(value)


def _integer(value: Any, where: str) -> int:
    _expect(value, int, where, "an integer")
    return int(value)


def _truth(value: Any, where: str) -> bool:
    _expect(value, bool, where, "true or false")
    return bool(value)


def _number(value: Any, where: str) -> float:
    """A number, or an exact expression: "1/256", "2^-10", "inf"."""
    if isinstance(value, str):
        try:
            return _expression(value)
        except (ValueError, ZeroDivisionError):
            raise RuleError(f"{where}: {value!r} is no number, fraction or power") from None
    _expect(value, (int, float), where, "a number")
    return float(value)


def _expression(expression: str) -> float:
    if expression in ("inf", "-inf"):
        return math.inf if expression == "inf" else -math.inf
    match = re.fullmatch(r"(-?\d+)([\^/])(-?\d+)", expression)
    if match is None:
        value = float(expression)
        if not math.isfinite(value):
            raise ValueError(expression)
        return value
    # Quotients of integers are rounded once, however large they are.
    first, second = int(match[1]), int(match[3])
    if match[2] == "/":
        return first / second
    return float(first**second) if second >= 0 else 1 / first**-second


def parse_slot(value: Any, where: str) -> SlotPattern:
    _expect(value, str, where, "a slot")
    match = _SLOT.fullmatch(value)
    if not match:
        raise RuleError(
            f"{where}: {value!r} is no slot; write inputs[0], inputs[*], inputs[1:], outputs[0]"
        )
    slot_kind, brackets = match[1], match[2]
    if brackets == "*":
        return SlotPattern(slot_kind, 0, None)  # type: ignore[arg-type]
    start = int(brackets.rstrip(":"))
    return SlotPattern(slot_kind, start, None if brackets.endswith(":") else start + 1)  # type: ignore[arg-type]


def _label(value: Any, where: str) -> Label:
    if not isinstance(value, list) or len(value) != 2:
        raise RuleError(f"{where}: expected [scale, zero_point], found {value!r}")
    return Label(
        to_float32(_number(value[0], f"{where}[0]")),
        _integer(value[1], f"{where}[1]"),
    )


text = Parser(_text, {"type": "string"})
integer = Parser(_integer, {"type": "integer"})
truth = Parser(_truth, {"type": "boolean"})
number = Parser(_number, {"type": ["number", "string"]})
slot = Parser(parse_slot, {"type": "string", "pattern": f"^{_SLOT.pattern}$"})
label = Parser(
    _label,
    {
        "type": "array",
        "prefixItems": [{"type": ["number", "string"]}, {"type": "integer"}],
        "minItems": 2,
        "maxItems": 2,
    },
)


def _word(value: Any, where: str) -> str:
    if not _text(value, where):
        raise RuleError(f"{where}: expected a string that is not empty")
    return str(value)


word = Parser(_word, {"type": "string", "minLength": 1})


def at_least(least: int) -> Parser:
    def parse(value: Any, where: str) -> int:
        if _integer(value, where) < least:
            raise RuleError(f"{where}: expected {least} or more, found {value}")
        return int(value)

    return Parser(parse, {"type": "integer", "minimum": least})


def choice(*words: str) -> Parser:
    def parse(value: Any, where: str) -> str:
        if value not in words:
            raise RuleError(f"{where}: expected one of {', '.join(words)}; found {value!r}")
        return str(value)

    return Parser(parse, {"enum": list(words)})


def list_of(item: Parser) -> Parser:
    def parse(value: Any, where: str) -> tuple[Any, ...]:
        _expect(value, list, where, "a list")
        return tuple(item.parse(element, f"{where}[{i}]") for i, element in enumerate(value))

    return Parser(parse, {"type": "array", "items": item.schema})


def map_of(item: Parser, *, keys_are_types: bool = True) -> Parser:
    def parse(value: Any, where: str) -> dict[str, Any]:
        _expect(value, dict, where, "a table")
        for key in value:
            if keys_are_types and type_limits(key) is None:
                raise RuleError(f"{where}: {key!r} is no quantized type")
        return {key: item.parse(inner, f"{where}.{key}") for key, inner in value.items()}

    return Parser(parse, {"type": "object", "additionalProperties": item.schema})


def by_slot(item: Parser) -> Parser:
    """A table whose keys are slots; read as pairs, in the file's order."""

    def parse(value: Any, where: str) -> tuple[tuple[SlotPattern, Any], ...]:
        _expect(value, dict, where, "a table")
        return tuple(
            (parse_slot(key, where), item.parse(inner, f"{where}.{key}"))
            for key, inner in value.items()
        )

    names = {"pattern": f"^{_SLOT.pattern}$"}
    return Parser(
        parse, {"type": "object", "propertyNames": names, "additionalProperties": item.schema}
    )


def parse_table(value: Any, table: Table, where: str) -> dict[str, Any]:
    """All given keys parsed; a missing required or an unknown key is a RuleError.

    `where` is the place of the table; "" for a whole document that the caller names.
    """
    at = f"{where}: " if where else ""
    inside = f"{where}." if where else ""
    _expect(value, dict, where, "a table")
    for key in value:
        if key not in table:
            near = nearest(key, table)
            hint = f"; did you mean {near[0]!r}?" if near else f"; known: {', '.join(table)}"
            raise RuleError(f"{at}unknown key {key!r}{hint}")
    for key, toml_field in table.items():
        if toml_field.required and key not in value:
            raise RuleError(f"{at}key {key!r} is missing")
    return {
        key: table[key].parser.parse(raw_value, f"{inside}{key}")
        for key, raw_value in value.items()
    }


def parse_document(document: str, table: Table, where: str) -> dict[str, Any]:
    """A table file of format 1 as parsed keys, `format` among them; RuleError with file and key
    for anything unexpected.
    """
    try:
        raw = tomllib.loads(document)
    except tomllib.TOMLDecodeError as error:
        raise RuleError(f"{where}: {error}") from None
    values = parse_table(raw, table, where)
    if values["format"] != 1:
        raise RuleError(f"{where}: format {values['format']} is unknown; this version reads 1")
    return values


def schema_of(table: Table) -> dict[str, Any]:
    """The JSON Schema of one table."""
    return {
        "type": "object",
        "additionalProperties": False,
        "required": [key for key, toml_field in table.items() if toml_field.required],
        "properties": {
            key: {
                **({"description": toml_field.about} if toml_field.about else {}),
                **toml_field.parser.schema,
            }
            for key, toml_field in table.items()
        },
    }
