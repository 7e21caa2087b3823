"""Operator codes of the written file: the existing ones and those that changes add."""

from __future__ import annotations

from collections.abc import Mapping

from ...errors import UnsupportedError, UsageError
from ..enums import operator_code
from ..model import Model, OperatorId
from .nodes import NewTable, Value, make_table

__all__ = ["Codes"]

_PLACEHOLDER = 127  # value of the old byte field for codes that need the new field


class Codes:
    """`made`: new codes, numbered after the existing ones. `altered`: new version of existing
    codes, by index. `used`: existing codes to which added operators refer.
    """

    def __init__(self, model: Model) -> None:
        self.model = model
        self.made: list[NewTable] = []
        self.altered: dict[int, int] = {}
        self.used: set[int] = set()
        self._numbers: dict[tuple[str, int], int] = {}  # of new codes, by name and version

    def index(self, name: str, version: int) -> int:
        """Index of the operator code with this name and version, existing or new."""
        for code in self.model.operator_codes:
            same = (code.name, code.version) == (name, version) and code.custom_code is None
            if same and code.index not in self.altered:
                self.used.add(code.index)
                return code.index
        if (name, version) not in self._numbers:
            self.made.append(_table(name, version))
            self._numbers[name, version] = len(self.model.operator_codes) + len(self.made) - 1
        return self._numbers[name, version]

    def alter(self, of: Mapping[OperatorId, int], wanted: Mapping[OperatorId, int]) -> None:
        """Change the version of codes all of whose operators need it, since runtimes check unused
        codes too.

        `of`: the code of each remaining operator; `wanted`: the needed version by operator.
        """
        versions: dict[int, set[int | None]] = {}
        for operator_id, code in of.items():
            versions.setdefault(code, set()).add(wanted.get(operator_id))
        for code, requested in versions.items():
            version = next(iter(requested))
            if len(requested) == 1 and version is not None and code not in self.used:
                self.altered[code] = version


def _table(name: str, version: int) -> NewTable:
    """The table of a new operator code. Raises UsageError for a name that is no builtin operator.
    `version`: of the operator.
    """
    try:
        code = operator_code(name)
    except (KeyError, ValueError):
        raise UsageError(f"{name!r} is not a builtin operator") from None
    if name == "CUSTOM":
        raise UnsupportedError("a custom operator cannot be added")
    fields: dict[str, Value] = {
        "deprecated_builtin_code": min(code, _PLACEHOLDER),
        "version": version,
        "builtin_code": code,
    }
    return make_table("OperatorCode", fields)
