"""Conversion of TOML and JSON documents to typed values by msgspec, with their JSON Schemas.

A `TomlTable` is one table: annotations define its keys, keys with a default are optional, unknown
keys are refused. Types that msgspec does not know (slots, labels, fractions) are classes of
`Reading`. A value that does not fit raises RuleError with the place, what was expected and what was
found (`misfits.py`).
"""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, TypeVar

import msgspec
from msgspec import Meta, defstruct

from ..errors import RuleError
from ..format.enums import TENSOR_TYPES
from ..numerics import INTEGER_LIMITS, Label, to_float32
from ..record import Record, field
from .rows import SlotPattern

__all__ = [
    "IN_ORDER",
    "LEFT_OUT",
    "AtLeastOne",
    "LabelPair",
    "Natural",
    "No",
    "Number",
    "QuantizedType",
    "Reading",
    "SlotText",
    "TensorType",
    "TensorTypes",
    "Texts",
    "TomlTable",
    "Word",
    "Words",
    "Yes",
    "about",
    "convert",
    "field",
    "list_of",
    "parse_document",
    "parse_slot",
    "parse_table",
    "placed",
    "schema_of",
    "table_of",
]

T = TypeVar("T")

# Value of a missing optional key; only present keys are returned.
LEFT_OUT: Any = None
# Key in a type's schema: allowed words in a meaningful order.
IN_ORDER = "inOrder"

# The entry of an array of tables with which a message begins: `support[3].limits`.
_ENTRY = re.compile(r"(\w+)\[(\d+)\]")
_SLOT = re.compile(r"(inputs|outputs|intermediates)\[(\*|\d+:?)\]")


class TomlTable(Record, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of tables that become dicts of the present keys; unknown keys are refused."""


class Reading(type):
    """Metaclass of types that msgspec does not know.

    `form`: the type in the document; `called`: its description; `read`: converts a value or raises
    ValueError with the reason. `schema`: the JSON Schema, if it is more specific than the form's.
    """

    form: Any
    called: str = ""
    schema: Mapping[str, Any] | None = None
    read: Callable[[Any], Any]

    def __instancecheck__(cls, value: object) -> bool:
        return True  # msgspec checks the type of the result, which `read` guarantees


def about(text: str | None = None, *, called: str = "", schema: Mapping[str, Any] = {}) -> Meta:
    """An annotation for `Annotated`: `text` describes a key for editors, `called` the allowed
    words; `schema`: additions to the JSON Schema.
    """
    return Meta(
        description=text,
        extra={"called": called} if called else None,
        extra_json_schema=dict(schema) or None,
    )


def list_of(annotation: Any, *, least: int = 0) -> Any:
    """The type of a list with at least `least` entries of a type that is only known at run time.
    `annotation`: the type.
    """
    return (
        Annotated[tuple[annotation, ...], Meta(min_length=least)]
        if least
        else tuple[annotation, ...]
    )


# --- types of single values ---------------------------------------------------------------------


def parse_slot(value: str) -> SlotPattern:
    """The slot pattern that a text such as `inputs[1:]` describes; ValueError for another text."""
    match = _SLOT.fullmatch(value)
    if not match:
        raise ValueError(
            f"{value!r} is not a slot; write inputs[0], inputs[*], inputs[1:], outputs[0]"
        )
    slot_kind, brackets = match[1], match[2]
    if brackets == "*":
        return SlotPattern(slot_kind, 0, None)  # type: ignore[arg-type]
    start = int(brackets.rstrip(":"))
    return SlotPattern(slot_kind, start, None if brackets.endswith(":") else start + 1)  # type: ignore[arg-type]


def _number(value: float | str) -> float:
    """A number, or an exact expression: "1/256", "2^-10", "inf"."""
    if not isinstance(value, str):
        return float(value)
    try:
        return _expression(value)
    except (ValueError, ZeroDivisionError):
        raise ValueError(f"{value!r} is not a number, fraction or power") from None


def _expression(expression: str) -> float:
    """The value of "1/256", "2^-10", "inf" or a decimal number. ValueError for another text.
    `expression`: the text.
    """
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


def _only(expected: object) -> Callable[[Any], Any]:
    """A function that returns its argument if it is `expected`, and raises ValueError otherwise."""

    def read(value: Any) -> Any:
        """Return the value if it equals the expected one; ValueError otherwise."""
        if value is not expected:
            raise ValueError(f"expected {str(expected).lower()}, found {value!r}")
        return value

    return read


Word = Annotated[str, Meta(min_length=1)]
AtLeastOne = Annotated[int, Meta(ge=1)]
Natural = Annotated[int, Meta(ge=0)]
Texts = tuple[str, ...]
Words = tuple[Word, ...]

if TYPE_CHECKING:
    SlotText = SlotPattern
    LabelPair = Label
    Number = float
    Yes = bool
    No = bool
    QuantizedType = str
    TensorType = str
else:

    class SlotText(metaclass=Reading):
        """The field type of a slot pattern."""

        form = str
        schema: ClassVar[Any] = {"type": "string", "pattern": f"^{_SLOT.pattern}$"}
        called = "a slot"
        read = staticmethod(parse_slot)

    class Number(metaclass=Reading):
        """The field type of a number or an exact expression."""

        form = float | str
        called = "a number"
        read = staticmethod(_number)

    class LabelPair(metaclass=Reading):
        """The field type of a label, [scale, zero point]."""

        form = tuple[Number, int]
        called = "[scale, zero_point]"
        read = staticmethod(lambda pair: Label(to_float32(pair[0]), pair[1]))

    class Yes(metaclass=Reading):
        """The field type that allows only `true`."""

        form = Any
        schema: ClassVar[Any] = {"const": True}
        read = staticmethod(_only(True))

    class No(metaclass=Reading):
        """The field type that allows only `false`."""

        form = Any
        schema: ClassVar[Any] = {"const": False}
        read = staticmethod(_only(False))

    # Types of table keys, which msgspec does not convert by `Reading`.
    QuantizedType = Annotated[Literal[tuple(INTEGER_LIMITS)], about(called="quantized type")]
    TensorType = Annotated[Literal[TENSOR_TYPES], about(called="tensor type")]

TensorTypes = tuple[TensorType, ...]


# --- conversion ---------------------------------------------------------------------------------


def table_of(name: str, keys: Mapping[str, Any]) -> type[TomlTable]:
    """A table type whose keys are only known at run time, all optional; `keys`: key -> its type."""
    attributes = {key: key.replace("-", "_") for key in keys}
    made = defstruct(
        name,
        [(attributes[key], annotation, None) for key, annotation in keys.items()],
        bases=(TomlTable,),
        rename={attribute: key for key, attribute in attributes.items()},
        kw_only=True,
        frozen=True,
        forbid_unknown_fields=True,
    )
    assert issubclass(made, TomlTable)
    return made


def _read(annotation: Any, value: Any) -> Any:
    """The value of a type made with `Reading`; ValueError if it does not fit, to which msgspec adds
    the place. `annotation`: the type.
    """
    assert isinstance(annotation, Reading)
    try:
        plain = msgspec.convert(value, annotation.form, dec_hook=_read)
    except msgspec.ValidationError:
        raise ValueError(f"expected {annotation.called}, found {value!r}") from None
    return annotation.read(plain)


def fits(value: Any, annotation: Any) -> bool:
    """Whether the value can be converted to the type. `annotation`: the type."""
    try:
        msgspec.convert(value, annotation, dec_hook=_read)
    except msgspec.ValidationError:
        return False
    return True


def convert(value: Any, annotation: type[T], where: str) -> T:
    """The value converted to the type. RuleError for a value that does not fit, a missing or an
    unknown key.

    `where`: the place of the value for messages; "" for a whole document that the caller names.
    """
    try:
        return msgspec.convert(value, annotation, dec_hook=_read)
    except msgspec.ValidationError as error:
        from .misfits import explained  # noqa: PLC0415 - only needed for errors

        raise RuleError(explained(str(error), value, annotation, where, fits)) from None
    except UnicodeEncodeError as error:
        lone = ascii(error.object[error.start])
        raise RuleError(
            f"{where or 'document'}: expected Unicode text, found half of a surrogate pair ({lone})"
        ) from None


def given(table: TomlTable, document: Mapping[str, Any]) -> dict[str, Any]:
    """The keys of the document with their converted values, in its order, including nested tables.
    `table`: the converted document.
    """
    attributes = dict(zip(table.__struct_encode_fields__, table.__struct_fields__, strict=True))
    return {key: _given(getattr(table, attributes[key]), raw) for key, raw in document.items()}


def _given(value: Any, raw: Any) -> Any:
    """A converted value reduced to the keys that the document (`raw`) has."""
    if isinstance(value, TomlTable):
        return given(value, raw)
    if type(value) is tuple and isinstance(raw, list):
        return tuple(_given(*pair) for pair in zip(value, raw, strict=True))
    if isinstance(value, dict):
        return {key: _given(item, raw[key]) for key, item in value.items()}
    return value


def parse_table(value: Any, table: type[TomlTable], where: str) -> dict[str, Any]:
    """The keys that a table has, with their converted values. `where`: its place for messages."""
    return given(convert(value, table, where), value)


@contextmanager
def placed(where: str, document: str) -> Iterator[None]:
    """Put the file's name before the message of a RuleError, and the line of an entry `NAME[INDEX]`
    with which the message begins. `where`: the file's name; `document`: its TOML text.
    """
    try:
        yield
    except RuleError as error:
        sentence = str(error)
        line = ""
        if entry := _ENTRY.match(sentence):
            heads = list(re.finditer(rf"^\[\[{entry[1]}\]\]", document, re.MULTILINE))
            if int(entry[2]) < len(heads):
                line = f":{document.count(chr(10), 0, heads[int(entry[2])].start()) + 1}"
        raise RuleError(f"{where}{line}: {sentence}") from None


def parse_document(document: str, table: type[TomlTable], where: str) -> dict[str, Any]:
    """The keys of a TOML file of format 1, `format` among them, with their converted values;
    RuleError with file and key for anything unexpected. `where`: the file's name. `document`: the
    TOML text.
    """
    try:
        raw = tomllib.loads(document)
    except tomllib.TOMLDecodeError as error:
        raise RuleError(f"{where}: {error}") from None
    with placed(where, document):
        values = parse_table(raw, table, "")
    if values["format"] != 1:
        raise RuleError(f"{where}: format {values['format']} is unknown; this version reads 1")
    return values


# --- the schema ---------------------------------------------------------------------------------


def schema_of(annotation: Any) -> dict[str, Any]:
    """The JSON Schema of one table, without references. `annotation`: the type."""
    (schema,), parts = msgspec.json.schema_components((annotation,), schema_hook=_own_schema)
    plain = _inlined(schema, parts)
    assert isinstance(plain, dict)
    return plain


def _own_schema(annotation: Any) -> dict[str, Any]:
    """The JSON Schema of a type made with `Reading`. `annotation`: the type."""
    return schema_of(annotation.form) if annotation.schema is None else dict(annotation.schema)


def _inlined(schema: Any, parts: Mapping[str, Any]) -> Any:
    """The schema with the parts that it refers to, without defaults and names of classes."""
    if isinstance(schema, list):
        return [_inlined(entry, parts) for entry in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        named = parts[schema["$ref"].rpartition("/")[2]]
        return _inlined({**{k: v for k, v in schema.items() if k != "$ref"}, **named}, parts)
    if IN_ORDER in schema:
        schema = {"enum": schema[IN_ORDER]} | {
            key: value for key, value in schema.items() if key not in ("enum", IN_ORDER)
        }
    return {
        key: {name: _inlined(entry, parts) for name, entry in value.items()}
        if key == "properties"
        else _inlined(value, parts)
        for key, value in schema.items()
        if key not in ("default", "title")
    }
