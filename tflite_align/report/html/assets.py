"""The scripts and the style that go into the page, as text."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from importlib.resources import files

__all__ = ["LIBRARIES", "asset", "csp_hash", "library"]

# Script -> its licence; both stand in vendor/ and both reach the page.
LIBRARIES = {"cytoscape.min.js": "cytoscape.LICENSE"}


@cache
def asset(name: str) -> str:
    """A file beside this module."""
    folder = files(__package__)
    for part in name.split("/"):
        folder = folder.joinpath(part)
    return folder.read_text(encoding="utf-8")


@cache
def library(name: str) -> str:
    """A library's script, its licence as a comment in front."""
    licence = asset(f"vendor/{LIBRARIES[name]}").replace("*/", "* /").rstrip()
    return f"/*!\n{licence}\n*/\n{asset(f'vendor/{name}')}"


def csp_hash(script: str) -> str:
    """What a Content-Security-Policy calls an inline script by."""
    digest = hashlib.sha256(script.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"
