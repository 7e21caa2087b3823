"""Reader of schema/shapes.toml: the function that gives the shapes of each operator's outputs."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from ..errors import RuleError
from ..record import Record
from . import fields as f
from .known_names import check_patterns
from .rows import SlotPattern
from .store import read_data

__all__ = ["ShapeRow", "load_shapes", "parse_shapes", "shapes_schema"]


class ShapeRow(Record, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The shape function of some operators. `function`: its name; `operand`: the input that it
    uses, if an operator has several.

    Of the function `named sizes`: `inputs` and `outputs` name the sizes of each operand ("" if
    nothing is known of it), and `options` the options that are such sizes.
    """

    function: str
    operators: tuple[str, ...]
    sources: tuple[str, ...]
    operand: f.SlotText = SlotPattern("inputs", 0, 1)
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    options: tuple[str, ...] = ()


class _ShapesDocument(f.TomlTable, frozen=True, kw_only=True):
    """The fields of schema/shapes.toml."""

    format: int
    shape: tuple[ShapeRow, ...]


def parse_shapes(document: str, where: str) -> Mapping[str, ShapeRow]:
    """The rows by operator; RuleError with file and key for anything unexpected. `document`: the
    TOML text.
    """
    values = f.parse_document(document, _ShapesDocument, where)
    rows: dict[str, ShapeRow] = {}
    for index, shape_row in enumerate(values["shape"]):
        with f.placed(where, document):
            check_patterns(shape_row.operators, f"shape[{index}].operators")
            for name in shape_row.operators:
                if name in rows:
                    raise RuleError(f"shape[{index}]: {name} has two rows; remove one of them")
                rows[name] = shape_row
    return rows


@cache
def load_shapes() -> Mapping[str, ShapeRow]:
    """The shipped rows by operator name."""
    return parse_shapes(read_data("shapes.toml"), "shapes.toml")


def shapes_schema() -> dict[str, Any]:
    """JSON Schema of schema/shapes.toml."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "tflite_align shapes",
        **f.schema_of(_ShapesDocument),
    }
