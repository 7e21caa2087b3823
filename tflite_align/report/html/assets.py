"""The scripts and styles of the page, as text."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from importlib.resources import files

__all__ = ["LIBRARIES", "asset", "csp_hash", "library"]

# Script in vendor/ -> its licence file; the page contains both.
LIBRARIES = {"cytoscape.min.js": "cytoscape.LICENSE"}


@cache
def asset(name: str) -> str:
    """The text of a file in this module's folder; `name`: path with `/`."""
    folder = files(__package__)
    for part in name.split("/"):
        folder = folder.joinpath(part)
    return folder.read_text(encoding="utf-8")


@cache
def library(name: str) -> str:
    """The text of a library, preceded by its licence as a comment."""
    licence = asset(f"vendor/{LIBRARIES[name]}").replace("*/", "* /").rstrip()
    return f"/*!\n{licence}\n*/\n{asset(f'vendor/{name}')}"


def csp_hash(script: str) -> str:
    """The hash source of an inline script for a Content-Security-Policy."""
    digest = hashlib.sha256(script.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"
