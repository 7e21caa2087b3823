"""Paths of shipped data: `schema/` (rules, targets, JSON Schemas) and the CMake module."""

from __future__ import annotations

from pathlib import Path

__all__ = ["cmake_dir", "data_root"]

_PACKAGE = Path(__file__).resolve().parent


def data_root() -> Path:
    """The data folder inside the package if it exists, else `schema/` of the checkout.

    A wheel has the first, an editable install or checkout the second. The folder may be missing;
    readers of its files report that.
    """
    shipped = _PACKAGE / "schema"
    return shipped if shipped.is_dir() else _PACKAGE.parent / "schema"


def cmake_dir() -> Path:
    """The folder of TfliteAlign.cmake for CMAKE_MODULE_PATH: inside the package, or in the
    checkout.
    """
    shipped = _PACKAGE / "cmake"
    return shipped if shipped.is_dir() else _PACKAGE.parent / "scripts" / "cmake"
