"""Names of configuration files and tables, and near misses of these names.

A file with a misspelled name would be ignored silently, and checks would run without its settings;
therefore it is an error.
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
    """Whether a file name is a near miss of a configuration file's."""
    if name in CONFIG_NAMES:
        return False
    hidden = name.startswith(".")
    stem, ending = PurePath(name.lstrip(".")).stem, PurePath(name.lstrip(".")).suffix.lower()
    # Without an ending it is as likely a program as settings, unless it is hidden as settings are.
    return _nearly(stem, TABLE) and (ending in _ENDINGS or (hidden and not ending))


def perhaps_ours(document: str) -> bool:
    """Whether the text of a pyproject.toml may contain our table, or one with a similar name.
    `document`: the text.
    """
    # A name can be written with escapes; most files hold neither, and need not be read.
    return _PERHAPS.search(document) is not None or "\\" in document


def speaks_of_us(document: str) -> bool:
    """Whether an invalid pyproject.toml seems to contain our table. `document`: the text."""
    return _SPELLED.search(document) is not None or "\\" in document


def misnamed_table(raw: Mapping[str, Any], name: str) -> None:
    """Raise UsageError if a table of a pyproject.toml has a near miss of the name
    [tool.tflite-align]. `raw`: the parsed document; `name`: of the file.
    """
    for key, value in raw.items():
        if _nearly(key, TABLE):
            raise _misnamed(name, key)
        if isinstance(value, dict) and (key == "tool" or _nearly(key, "tool", 0.85)):
            for inner in value:
                if _nearly(inner, TABLE) and (key, inner) != ("tool", TABLE):
                    raise _misnamed(name, f"{key}.{inner}")


def _misnamed(name: str, table: str) -> UsageError:
    """The error for a configuration table with a misspelled name. `name`: the file."""
    return UsageError(f"{name}: the table [{table}] is not read; rename it to [tool.{TABLE}]")


def _nearly(name: str, right: str, similarity: float = _ALIKE) -> bool:
    """Whether `name` differs from `right` only in case, hyphens, or by a typing error.
    `similarity`: least ratio, 0 to 1.
    """
    from difflib import SequenceMatcher  # noqa: PLC0415 - only beside what looks like ours

    squeezed, target = (re.sub(r"[\W_]", "", word.lower()) for word in (name, right))
    if squeezed == target:
        return True
    if abs(len(squeezed) - len(target)) > 2 or any(letter.isdigit() for letter in squeezed):
        return False  # tflite-align2.toml is somebody's copy
    return SequenceMatcher(None, squeezed, target).ratio() >= similarity
