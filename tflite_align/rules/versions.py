"""Reader of schema/versions.toml: the version of an operator that its integer types need."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from ..format.model import Operator
from ..record import Record, field
from . import fields as f
from .known_names import check_option_names
from .rows import SlotPattern
from .store import Rows, read_data

__all__ = ["VersionRow", "load_versions", "parse_versions", "versions_schema"]


class VersionRow(Record, frozen=True, kw_only=True):
    """The versions that one operator needs. `versions`: the least version by the type of the
    operand in `slot`. `only`: values that these options must have for the row to apply.
    """

    name: str
    slot: SlotPattern
    versions: Mapping[str, int]
    only: Mapping[str, int] = field(default_factory=dict)

    def holds(self, operator: Operator) -> bool:
        """Whether the row applies to an operator."""
        return all(operator.options.get(key, 0) == value for key, value in self.only.items())


class _VersionTable(f.TomlTable, frozen=True, kw_only=True):
    """One `[operator.NAME]` table, as written in the file."""

    slot: f.SlotText
    versions: dict[f.QuantizedType, int]
    only: dict[str, int] = f.LEFT_OUT


class _VersionsDocument(f.TomlTable, frozen=True, kw_only=True):
    """The fields of schema/versions.toml."""

    format: int
    sources: f.Texts
    operator: dict[str, _VersionTable]


def parse_versions(document: str, where: str) -> Mapping[str, VersionRow]:
    """The rows by operator; RuleError with file and key for anything unexpected. `document`: the
    TOML text.
    """
    values = f.parse_document(document, _VersionsDocument, where)
    for name, row in values["operator"].items():
        check_option_names(row.get("only", ()), f"{where}: operator.{name}.only")
    return {name: VersionRow(name=name, **row) for name, row in values["operator"].items()}


@cache
def load_versions() -> Mapping[str, VersionRow]:
    """The shipped rows by operator name, each parsed at its first use."""
    path = "versions.toml"
    return Rows(read_data(path), lambda part: parse_versions(part, path), path)


def versions_schema() -> dict[str, Any]:
    """JSON Schema of schema/versions.toml."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "tflite_align operator versions",
        **f.schema_of(_VersionsDocument),
    }
