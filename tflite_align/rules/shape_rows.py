"""Reader of schema/shapes.toml: the function that gives the shapes of each operator's outputs, and the
sizes that its operands share.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any, TypeVar

from ..errors import RuleError
from ..record import Record
from . import fields as f
from .known_names import check_patterns
from .rows import SlotPattern
from .store import read_data

__all__ = [
    "OperandSizes",
    "ShapeRow",
    "load_operand_sizes",
    "load_shapes",
    "parse_operand_sizes",
    "parse_shapes",
    "shapes_schema",
]

# As the last text of a row of operands: further inputs are like the one before.
_REPEATED = "and so on"


class ShapeRow(Record, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The shape function of some operators. `function`: its name; `operand`: the input that it
    uses, if an operator has several; `outputs`: for the function `named sizes`, the names of each
    output's sizes (those of OperandSizes).
    """

    function: str
    operators: tuple[str, ...]
    sources: tuple[str, ...]
    operand: f.SlotText = SlotPattern("inputs", 0, 1)
    outputs: tuple[str, ...] = ()


class OperandSizes(Record, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Sizes that the inputs of some operators share: a text of names for each input, "" where any
    shape will do. `options`: names that are options of the operator.
    """

    operators: tuple[str, ...]
    inputs: tuple[str, ...]
    sources: tuple[str, ...]
    options: tuple[str, ...] = ()

    def text(self, index: int) -> str:
        """The names for the input at this position; "" if there are none."""
        last = len(self.inputs) - 1
        if self.inputs[last] == _REPEATED and index >= last:
            return self.inputs[last - 1]
        return self.inputs[index] if index <= last else ""


class _ShapesDocument(f.TomlTable, frozen=True, kw_only=True):
    """The fields of schema/shapes.toml."""

    format: int
    shape: tuple[ShapeRow, ...]
    operands: tuple[OperandSizes, ...] = ()


_Row = TypeVar("_Row", ShapeRow, OperandSizes)


def parse_shapes(document: str, where: str) -> Mapping[str, ShapeRow]:
    """The rows of shape functions by operator; RuleError with file and key for anything unexpected.
    `document`: the TOML text.
    """
    rows = f.parse_document(document, _ShapesDocument, where)["shape"]
    return _by_operator(rows, "shape", document, where)


def parse_operand_sizes(document: str, where: str) -> Mapping[str, OperandSizes]:
    """The rows of operands by operator; errors and `document` as in parse_shapes."""
    rows = f.parse_document(document, _ShapesDocument, where).get("operands", ())
    return _by_operator(rows, "operands", document, where)


def _by_operator(rows: Iterable[_Row], key: str, document: str, where: str) -> Mapping[str, _Row]:
    """The rows by the operators that they name; RuleError for an unknown operator, or one with two
    rows. `key`: the rows' name in the file.
    """
    by_operator: dict[str, _Row] = {}
    for index, row in enumerate(rows):
        with f.placed(where, document):
            check_patterns(row.operators, f"{key}[{index}].operators")
            for name in row.operators:
                if name in by_operator:
                    raise RuleError(f"{key}[{index}]: {name} has two rows; remove one of them")
                by_operator[name] = row
    return by_operator


@cache
def load_shapes() -> Mapping[str, ShapeRow]:
    """The shipped rows of shape functions by operator name."""
    return parse_shapes(read_data("shapes.toml"), "shapes.toml")


@cache
def load_operand_sizes() -> Mapping[str, OperandSizes]:
    """The shipped rows of operands by operator name."""
    return parse_operand_sizes(read_data("shapes.toml"), "shapes.toml")


def shapes_schema() -> dict[str, Any]:
    """JSON Schema of schema/shapes.toml."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "tflite_align shapes",
        **f.schema_of(_ShapesDocument),
    }
