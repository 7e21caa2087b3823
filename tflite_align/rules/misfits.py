"""Error messages for values of a TOML or JSON document that do not match their type: place,
expected, found.

msgspec's error path lacks the keys of tables with free keys; they are found by trying the entries.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from ..errors import nearest
from ..record import is_record

__all__ = ["explained"]

_ERROR = re.compile(r"(?P<what>.*?)(?: - at `(?P<key>key` in `)?\$(?P<path>[^`]*)`)?", re.DOTALL)
_STEP = re.compile(r"\.([^.\[]+)|\[(\d+|\.\.\.)\]")
_KEY = re.compile(r"Object (contains unknown|missing required) field `(.*)`", re.DOTALL)
# msgspec's messages about its own types; other messages come from our types.
_OWN = re.compile(r"Expected `|Invalid enum value ")

_CALLED = {
    str: "a string",
    int: "an integer",
    float: "a number",
    bool: "true or false",
    tuple: "a list",
    frozenset: "a list",
    dict: "a table",
}

Fits = Callable[[Any, Any], bool]


def explained(error: str, value: Any, annotation: Any, where: str, fits: Fits) -> str:
    """The message for msgspec's `error` when converting `value`, found at the place `where`, to the
    type `annotation`. `fits`: tests a value and a type.
    """
    match = _ERROR.fullmatch(error)
    assert match is not None
    what = match["what"]
    for step in _STEP.finditer(match["path"] or ""):
        value, annotation, name = _inside(step[1] or step[2], value, annotation, fits)
        where = f"{where}{name}" if where else name.removeprefix(".")
    at = f"{where}: " if where else ""
    if match["key"]:
        return at + _misfit_key(value, get_args(_bare(annotation))[0], fits)
    key = _KEY.fullmatch(what)
    if key is not None:
        return at + (
            _unknown(key[2], annotation) if "unknown" in key[1] else f"key {key[2]!r} is missing"
        )
    return at + (_expected(value, annotation) if _OWN.match(what) else what)


def _inside(step: str, value: Any, annotation: Any, fits: Fits) -> tuple[Any, Any, str]:
    """One step of the error's path into the value: (inner value, its type, its place in the
    message). `annotation`: the expected type.
    """
    annotation = _bare(annotation)
    if is_record(annotation):
        return value[step], _fields(annotation)[step], f".{step}"
    types = get_args(annotation)
    if step == "...":
        name = next(key for key, entry in value.items() if not fits(entry, types[1]))
        return value[name], types[1], f".{name}"
    index = int(step)
    is_pair = get_origin(annotation) is tuple and Ellipsis not in types
    return value[index], types[index] if is_pair else types[0], f"[{index}]"


def _fields(table: Any) -> Mapping[str, Any]:
    """The types of a table's fields by key."""
    hints = get_type_hints(table, include_extras=True)
    names = zip(table.__struct_encode_fields__, table.__struct_fields__, strict=True)
    return {key: hints[attribute] for key, attribute in names}


def _bare(annotation: Any) -> Any:
    """The type behind `Annotated[...]` and `... | None`. `annotation`: the expected type."""
    if get_origin(annotation) is Annotated:
        return _bare(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        return _bare(next(one for one in get_args(annotation) if one is not type(None)))
    return annotation


def _unknown(key: str, table: Any) -> str:
    """The message for an unknown key. `table`: the record class with the known keys."""
    known = list(_fields(_bare(table)))
    near = nearest(key, known)
    hint = f"; did you mean {near[0]!r}?" if near else f"; known: {', '.join(known)}"
    return f"unknown key {key!r}{hint}"


def _misfit_key(value: Any, annotation: Any, fits: Fits) -> str:
    """The message for a key that is not allowed. `annotation`: the expected type."""
    key = next(key for key in value if not fits(key, annotation))
    return f"{key!r} is not a valid {_metadata(annotation)['called']}"


def _metadata(annotation: Any) -> dict[str, Any]:
    """Bounds and descriptions in the type's annotations, by name."""
    extras: dict[str, Any] = {}
    for meta in getattr(annotation, "__metadata__", ()):
        extras.update(meta.extra or {})
        bounds = {name: getattr(meta, name) for name in ("ge", "gt", "min_length")}
        extras.update({name: bound for name, bound in bounds.items() if bound is not None})
    return extras


def _expected(value: Any, annotation: Any) -> str:
    """The message for a value of a wrong type or outside its bounds. `annotation`: the expected
    type.
    """
    extras, plain = _metadata(annotation), _bare(annotation)
    origin = get_origin(plain) or plain
    if "called" in extras:
        return f"{value!r} is not a valid {extras['called']}"
    if value == "" and "min_length" in extras:
        return "expected a string that is not empty"
    if value == [] and "min_length" in extras:
        return "expected at least one entry"
    if origin is Literal:
        words = ", ".join(str(word) for word in get_args(plain) if word != "")
        return f"expected one of {words}; found {value!r}"
    called = "a table" if is_record(plain) else _CALLED.get(origin, "something else")
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if "ge" in extras and isinstance(value, int) and is_number:
        called = f"{extras['ge']} or more"
    elif "gt" in extras:
        called = f"a number above {extras['gt']}"
    return f"expected {called}, found {value!r}"
