"""The forms a report can be written in: one entry a form."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import PurePath

from ..errors import UsageError
from .json import render_json
from .record import Report
from .text import render_text

__all__ = ["FORMATS", "renderer"]

Renderer = Callable[[Sequence[Report]], str]


def _json(reports: Sequence[Report]) -> str:
    """One model's report stands alone; several come as a list."""
    return render_json(reports[0] if len(reports) == 1 else reports)


# The file's ending -> what writes it.
FORMATS: Mapping[str, Renderer] = {".json": _json, ".txt": render_text}


def renderer(name: str) -> Renderer:
    """The function for a file of that name; `-` is JSON. UsageError names the forms there are."""
    if name == "-":
        return FORMATS[".json"]
    ending = PurePath(name).suffix.lower()
    if ending not in FORMATS:
        told = f"the ending {ending!r}" if ending else "a name without an ending"
        raise UsageError(f"no report has {told}; there are {', '.join(FORMATS)}")
    return FORMATS[ending]
