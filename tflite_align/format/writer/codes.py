"""Operator codes: the existing ones, and those that edits need."""

from __future__ import annotations

from collections.abc import Mapping

from ...errors import UnsupportedError, UsageError
from ..enums import operator_code
from ..model import Model, OperatorId
from .nodes import NewTable, Value, make_table

__all__ = ["Codes"]

_PLACEHOLDER = 127  # what the old byte field says of a code that only the new field can hold


class Codes:
    """`made`: new codes, numbered after the existing ones. `altered`: existing codes that get
    another version; `used`: existing codes that operators are given.
    """

    def __init__(self, model: Model) -> None:
        self.model = model
        self.made: list[NewTable] = []
        self.altered: dict[int, int] = {}
        self.used: set[int] = set()
        self._known: dict[tuple[str, int], int] = {}

    def index(self, name: str, version: int) -> int:
        """Index of the operator code with exactly this name and version, old or new."""
        known = self._known.get((name, version))
        if known is not None:
            return known
        for code in self.model.operator_codes:
            same = (code.name, code.version) == (name, version) and code.custom_code is None
            if same and code.index not in self.altered:
                self._known[name, version] = code.index
                self.used.add(code.index)
                return code.index
        self.made.append(_table(name, version))
        index = len(self.model.operator_codes) + len(self.made) - 1
        self._known[name, version] = index
        return index

    def alter(self, of: Mapping[OperatorId, int], wanted: Mapping[OperatorId, int]) -> None:
        """Give codes another version if all their operators need it. Runtimes check every code in a
        file, also unused ones.

        `of`: the code of each operator that stays; `versions`: the needed version by operator.
        """
        versions: dict[int, set[int | None]] = {}
        for operator_id, code in of.items():
            versions.setdefault(code, set()).add(wanted.get(operator_id))
        for code, requested in versions.items():
            version = next(iter(requested))
            if len(requested) == 1 and version is not None and code not in self.used:
                self.altered[code] = version


def _table(name: str, version: int) -> NewTable:
    try:
        code = operator_code(name)
    except (KeyError, ValueError):
        raise UsageError(f"{name!r} is no builtin operator") from None
    if name == "CUSTOM":
        raise UnsupportedError("a custom operator cannot be added")
    fields: dict[str, Value] = {
        "deprecated_builtin_code": min(code, _PLACEHOLDER),
        "version": version,
        "builtin_code": code,
    }
    return make_table("OperatorCode", fields)
