"""Names of configuration files and tables, and near misses.

A file under a nearly right name would be ignored without a word, and the gate would check nothing;
it is an error instead.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import PurePath
from typing import Any

from ..errors import UsageError

__all__ = [
    "CONFIG_NAMES",
    "TABLE",
    "misnamed_file",
    "misnamed_table",
    "perhaps_ours",
    "speaks_of_us",
]

# In the order in which they are looked for in one folder.
CONFIG_NAMES = ("tflite-align.toml", "pyproject.toml")
TABLE = "tflite-align"  # below [tool]

_ENDINGS = (".toml", ".tml", ".yaml", ".yml", ".ini", ".cfg", ".conf")
# Similarity of names that count as misspelled: one or two letters swapped, missing or added.
_ALIKE = 0.9
_PERHAPS = re.compile(r"tfl|lite|align", re.IGNORECASE)
_SPELLED = re.compile(r"tflite\W?_?align", re.IGNORECASE)


def misnamed_file(names: Iterable[str]) -> str | None:
    """The first of a folder's files whose name is a near miss of the configuration's,
    `tflite-align.toml`: `tflite_align.toml`, for example.
    """
    return next((name for name in sorted(names) if _is_misnamed(name)), None)


def _is_misnamed(name: str) -> bool:
    if name in CONFIG_NAMES:
        return False
    hidden = name.startswith(".")
    stem, ending = PurePath(name.lstrip(".")).stem, PurePath(name.lstrip(".")).suffix.lower()
    # Without an ending it is as likely a program as settings, unless it is hidden as settings are.
    return _nearly(stem, TABLE) and (ending in _ENDINGS or (hidden and not ending))


def perhaps_ours(document: str) -> bool:
    """Whether a pyproject.toml can hold a table of ours, or one that is nearly called so."""
    # A name can be written with escapes; most files hold neither, and need not be read.
    return _PERHAPS.search(document) is not None or "\\" in document


def speaks_of_us(document: str) -> bool:
    """Whether an invalid pyproject.toml seems to contain our table."""
    return _SPELLED.search(document) is not None or "\\" in document


def misnamed_table(raw: Mapping[str, Any], name: str) -> None:
    """UsageError for a table of a pyproject.toml that is nearly called [tool.tflite-align]."""
    for key, value in raw.items():
        if _nearly(key, TABLE):
            raise _misnamed(name, key)
        if isinstance(value, dict) and (key == "tool" or _nearly(key, "tool", 0.85)):
            for inner in value:
                if _nearly(inner, TABLE) and (key, inner) != ("tool", TABLE):
                    raise _misnamed(name, f"{key}.{inner}")


def _misnamed(name: str, table: str) -> UsageError:
    return UsageError(f"{name}: [{table}] is not read; the table is called [tool.{TABLE}]")


def _nearly(name: str, right: str, similarity: float = _ALIKE) -> bool:
    """Whether it is the name but for letters' case, hyphens, or a slip."""
    from difflib import SequenceMatcher  # noqa: PLC0415 - only beside what looks like ours

    squeezed, target = (re.sub(r"[\W_]", "", word.lower()) for word in (name, right))
    if squeezed == target:
        return True
    if abs(len(squeezed) - len(target)) > 2 or any(letter.isdigit() for letter in squeezed):
        return False  # tflite-align2.toml is somebody's copy
    return SequenceMatcher(None, squeezed, target).ratio() >= similarity
