"""Operator codes: the old ones, and those that edits ask for."""

from __future__ import annotations

from ...errors import UnsupportedError, UsageError
from ..enums import operator_code
from ..model import Model
from .nodes import NewTable, Value, make_table

__all__ = ["Codes"]

_PLACEHOLDER = 127  # what the old byte field says of a code that only the new field can hold


class Codes:
    """`made` holds the new ones, which are numbered on from the old ones."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.made: list[NewTable] = []
        self._known: dict[tuple[str, int], int] = {}

    def index(self, name: str, version: int) -> int:
        """Index of the operator code with exactly this name and version, old or new."""
        known = self._known.get((name, version))
        if known is not None:
            return known
        for code in self.model.operator_codes:
            if (code.name, code.version) == (name, version) and code.custom_code is None:
                self._known[name, version] = code.index
                return code.index
        self.made.append(_table(name, version))
        index = len(self.model.operator_codes) + len(self.made) - 1
        self._known[name, version] = index
        return index


def _table(name: str, version: int) -> NewTable:
    try:
        number = operator_code(name)
    except (KeyError, ValueError):
        raise UsageError(f"{name!r} is no builtin operator") from None
    if name == "CUSTOM":
        raise UnsupportedError("a custom operator cannot be added")
    fields: dict[str, Value] = {
        "deprecated_builtin_code": min(number, _PLACEHOLDER),
        "version": version,
        "builtin_code": number,
    }
    return make_table("OperatorCode", fields)
