"""Where the rules room reads its data: text files below resources.data_root()."""

from __future__ import annotations

from ..errors import RuleError
from ..resources import data_root

__all__ = ["data_files", "read_data"]


def read_data(name: str) -> str:
    """Text of a file under schema/; RuleError when the installation lacks it."""
    path = data_root() / name
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise RuleError(f"schema/{name} cannot be read: {error.strerror}") from None


def data_files(folder: str, ending: str) -> list[str]:
    """Names of the files in a folder under schema/ that end so, sorted."""
    return sorted(entry.name for entry in (data_root() / folder).glob(f"*{ending}"))
