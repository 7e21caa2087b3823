"""Where the shipped data is: rules, targets and JSON Schemas in `schema/`, the CMake module."""

from __future__ import annotations

from pathlib import Path

__all__ = ["cmake_dir", "data_root"]

_PACKAGE = Path(__file__).resolve().parent


def data_root() -> Path:
    """The folder shipped inside the package if it is there, else the checkout's `schema/`.

    A wheel has the first, an editable install and a bare checkout the second. The folder need
    not exist: who reads a file in it reports what is missing.
    """
    shipped = _PACKAGE / "schema"
    return shipped if shipped.is_dir() else _PACKAGE.parent / "schema"


def cmake_dir() -> Path:
    """The folder of TfliteAlign.cmake, for CMAKE_MODULE_PATH: shipped, or the checkout's."""
    shipped = _PACKAGE / "cmake"
    return shipped if shipped.is_dir() else _PACKAGE.parent / "scripts" / "cmake"
