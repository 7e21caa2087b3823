"""The table of report formats: the renderer for each file ending or output name.

A renderer takes the reports and the unreadable files and returns the text.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import PurePath

from ..errors import UsageError
from .concise import render_concise
from .github import render_github
from .gitlab import render_gitlab
from .json import render_json
from .model_explorer import render_model_explorer
from .report import Report, Unread
from .text import render_text

__all__ = ["FORMATS", "OUTPUTS", "Renderer", "renderer"]

Renderer = Callable[[Sequence[Report], Sequence[Unread]], str]


def _json(reports: Sequence[Report], unread: Sequence[Unread] = ()) -> str:
    """A JSON object for one report; a list of reports with the unreadable files otherwise.
    `unread`: files that could not be read.
    """
    alone = len(reports) == 1 and not unread
    return render_json(reports[0]) if alone else render_json(reports, unread)


def _text(reports: Sequence[Report], unread: Sequence[Unread] = ()) -> str:
    """Plain text; also for a run in which no model could be read. `reports`: one per file.
    `unread`: files that could not be read.
    """
    text = render_text(reports, unread=unread)
    return text if reports else f"tflite_align: no model could be read\n\n{text}"


def _sarif(reports: Sequence[Report], unread: Sequence[Unread] = ()) -> str:
    """SARIF 2.1.0. `reports`: one per file. `unread`: files that could not be read."""
    from .sarif import render_sarif  # noqa: PLC0415 - not needed for the other forms

    return render_sarif(reports, unread)


def _junit(reports: Sequence[Report], unread: Sequence[Unread] = ()) -> str:
    """JUnit XML. `reports`: one per file. `unread`: files that could not be read."""
    from .junit import render_junit  # noqa: PLC0415 - its library is not needed for the others

    return render_junit(reports, unread)


def _html(reports: Sequence[Report], unread: Sequence[Unread] = ()) -> str:
    """A self-contained HTML page. `reports`: one per file. `unread`: files that could not be read."""
    from .html.page import render_html  # noqa: PLC0415 - large scripts that the others do not need

    return render_html(reports, unread)


# File ending -> renderer.
FORMATS: Mapping[str, Renderer] = {
    ".html": _html,
    ".json": _json,
    ".me.json": render_model_explorer,
    ".sarif": _sarif,
    ".txt": _text,
    ".xml": _junit,
}
_EXPLORER = ".me.json"  # a double ending; `.json` alone is another format
_MANY = (".jsonl", ".parquet", ".sqlite")  # formats of runs over many models
# Name for --output-format -> renderer. "text" is missing: it is printed model by model.
OUTPUTS: Mapping[str, Renderer] = {
    "concise": render_concise,
    "github": render_github,
    "gitlab": render_gitlab,
    "json": _json,
    "junit": _junit,
    "sarif": _sarif,
}


def renderer(name: str) -> Renderer:
    """The renderer for a file name; `-` is JSON. Raises UsageError that lists the known endings."""
    if name == "-":
        return FORMATS[".json"]
    ending = PurePath(name).suffix.lower()
    if name.lower().endswith(_EXPLORER):
        ending = _EXPLORER
    if ending not in FORMATS:
        fault = f"unknown report format {ending!r}" if ending else "report name without an ending"
        many = f"{', '.join(_MANY)} are for many models"
        raise UsageError(f"{fault}: expected one of {', '.join(FORMATS)}; {many}")
    return FORMATS[ending]
