"""Reader of schema/kernels/*.toml: KernelRow, the operand types and versions that a kernel set
supports.

Each row was measured on one-operator models of every type in the real runtime; tests repeat the
measurement.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, Literal

from ..errors import RuleError
from ..record import Record
from . import fields as f
from .operand_types import KNOWN_TYPES, OperandTypes, Pattern, PatternText
from .store import Rows, data_files, read_data

__all__ = [
    "KernelRow",
    "Outcome",
    "kernel_sets",
    "kernels_schema",
    "load_kernels",
    "measured_types",
    "parse_kernels",
]

Outcome = Literal["right", "wrong", "refused"]


class KernelRow(Record, frozen=True, kw_only=True):
    """The kernels of one operator in one kernel set. `takes`: operand types that are computed
    correctly.

    `wrong`: types that run with wrong values; all other types are refused or crash. `versions`:
    (first, last) registered version; empty if versions are not checked.
    """

    name: str
    takes: tuple[Pattern, ...]
    wrong: tuple[Pattern, ...] = ()
    versions: tuple[int, ...] = ()
    sources: tuple[str, ...] = ()
    note: str = ""

    def outcome(self, operand_types: OperandTypes) -> Outcome:
        """Whether an operator with these operand types is computed correctly (right), wrongly
        (wrong), or refused.
        """
        if any(pattern.matches(operand_types) for pattern in self.takes):
            return "right"
        return (
            "wrong" if any(pattern.matches(operand_types) for pattern in self.wrong) else "refused"
        )


class _KernelTable(f.TomlTable, frozen=True, kw_only=True):
    """One `[operator.NAME]` table, as written in the file."""

    takes: tuple[PatternText, ...]
    wrong: tuple[PatternText, ...] = f.LEFT_OUT
    versions: tuple[int, ...] = f.LEFT_OUT
    sources: f.Texts
    note: str = f.LEFT_OUT


class _KernelsDocument(f.TomlTable, frozen=True, kw_only=True):
    """The fields of a TOML file of kernel rows."""

    format: int
    title: str
    sources: f.Texts
    operator: dict[str, _KernelTable]


def parse_kernels(document: str, where: str) -> Mapping[str, KernelRow]:
    """The rows by operator; RuleError with file and key for anything unexpected. `document`: the
    TOML text.
    """
    values = f.parse_document(document, _KernelsDocument, where)
    rows = {name: KernelRow(name=name, **row) for name, row in values["operator"].items()}
    for name, row in rows.items():
        _check(row, f"{where}: operator.{name}")
    return rows


def _check(row: KernelRow, where: str) -> None:
    """Raise RuleError for operand types that are listed twice, or versions that are no range.
    `where`: the row's place.
    """
    seen: set[str] = set()
    for pattern in (*row.takes, *row.wrong):
        if pattern.text in seen:
            raise RuleError(
                f"{where}: the types {pattern.text!r} are listed twice in takes and wrong"
            )
        seen.add(pattern.text)
    if row.versions and (len(row.versions) != 2 or row.versions[0] > row.versions[1]):
        raise RuleError(f"{where}.versions: expected [first, last], found {list(row.versions)}")


def kernel_sets() -> list[str]:
    """Names of the kernel sets that have rows."""
    return [name.removesuffix(".toml") for name in data_files("kernels", ".toml")]


@cache
def load_kernels(name: str) -> Mapping[str, KernelRow]:
    """The shipped rows of one kernel set by operator name, each parsed at its first use."""
    path = f"kernels/{name}.toml"
    return Rows(read_data(path), lambda part: parse_kernels(part, path), path)


@cache
def measured_types(operator: str) -> frozenset[str]:
    """The types for which it is known how each kernel set treats this operator: those with which
    every operator was measured, and further ones that its rows name.
    """
    rows = [load_kernels(name).get(operator) for name in kernel_sets()]
    patterns = [pattern for row in rows if row is not None for pattern in row.takes]
    return KNOWN_TYPES.union(*(pattern.names for pattern in patterns))


def kernels_schema() -> dict[str, Any]:
    """JSON Schema of a file of kernel rows."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "tflite_align kernels",
        **f.schema_of(_KernelsDocument),
    }
