"""Access to the data files below resources.data_root()."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

from ..errors import RuleError
from ..format.enums import OPERATOR_NAMES
from ..resources import data_root
from .known_names import unknown_operator

__all__ = ["Rows", "data_files", "read_data"]

R = TypeVar("R")

# The head of a table, with the name of its operator.
_HEADER = re.compile(r"^\[+(?:operator\.(\w+))?", re.MULTILINE)


def read_data(name: str) -> str:
    """The text of a file under schema/; RuleError if the installation lacks it."""
    path = data_root() / name
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise RuleError(f"schema/{name} cannot be read: {error.strerror}") from None


def data_files(folder: str, ending: str) -> list[str]:
    """Names of the files in a folder under schema/ with this ending, sorted."""
    return sorted(path.name for path in (data_root() / folder).glob(f"*{ending}"))


class Rows(Mapping[str, R]):
    """The rows of a table by the name in `[operator.NAME]`, each parsed on first access.

    A model has a dozen of the operators; parsing all rows takes longer than aligning it. All lines
    of one name must be together; `parse` gets them with the lines before the first row, and returns
    the rows. `where`: the file's name. RuleError for a name that is no builtin operator: its row
    would never be read.
    """

    def __init__(self, document: str, parse: Callable[[str], Mapping[str, R]], where: str) -> None:
        places = list(_HEADER.finditer(document))
        self._document = document
        self._head = document[: places[0].start()] if places else document
        self._parse = parse
        self._known: dict[str, R] = {}
        self._texts: dict[str, str] = {}
        ends = [match.start() for match in places[1:]] + [len(document)]
        for match, end in zip(places, ends, strict=True):
            name = match[1]
            if name not in OPERATOR_NAMES:
                raise _misnamed(document, match.start(), name, where)
            self._texts[name] = self._texts.get(name, "") + document[match.start() : end]

    def __getitem__(self, name: str) -> R:
        if name not in self._known:
            try:
                self._known[name] = self._parse(self._head + self._texts[name])[name]
            except RuleError:
                self._parse(self._document)  # gives the line number in the whole file
                raise
        return self._known[name]

    def get(self, name: str, default: Any = None) -> Any:
        """As for any mapping; as fast as a dict once a row is parsed. `default`: returned for a
        missing name.
        """
        row = self._known.get(name)
        if row is not None:
            return row
        return self[name] if name in self._texts else default

    def __contains__(self, name: object) -> bool:
        return name in self._texts

    def __iter__(self) -> Iterator[str]:
        return iter(self._texts)

    def __len__(self) -> int:
        return len(self._texts)


def _misnamed(document: str, start: int, name: str | None, where: str) -> RuleError:
    """The error for the head of a table that names no builtin operator. `start`: its place in the
    document; `name`: the name, if the head has one; `where`: the file's name.
    """
    line = document.count("\n", 0, start) + 1
    head = document[start:].partition("\n")[0]
    wrong = unknown_operator(name) if name else "expected [operator.NAME]"
    return RuleError(f"{where}:{line}: {head}: {wrong}")
