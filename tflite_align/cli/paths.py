"""What the commands read and write, beside the models: which files, in which form, without harm."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from ..disk import check_destination
from ..errors import UsageError
from ..record import Record
from ..report.formats import Renderer, renderer
from .failure import about

__all__ = ["STREAM", "ReportFile", "expand", "models_below", "prepare", "report_files"]

STREAM = "-"  # stdin or stdout


class ReportFile(Record, frozen=True):
    path: str
    render: Renderer


def report_files(paths: Sequence[str]) -> tuple[ReportFile, ...]:
    """Every report that was asked for; UsageError for a form that does not exist."""
    return tuple(ReportFile(path, renderer(path)) for path in dict.fromkeys(paths))


def prepare(sources: Sequence[str], destinations: Sequence[str], own: str | None = None) -> None:
    """Refuse what could not be written, and what would overwrite something else that is used.

    `own` is the destination that may be a source too: OUT.
    """
    used = {os.path.realpath(path): path for path in sources if path != STREAM}
    taken: dict[str, str] = {}
    for path in destinations:
        place = path if path == STREAM else os.path.realpath(path)
        if place in taken:
            raise UsageError(f"{path}: two outputs cannot go to one place")
        if place in used and path is not own:
            raise UsageError(f"{path}: a report would overwrite the model")
        taken[place] = path
        if path != STREAM:
            with about(path):
                check_destination(path)


def expand(sources: Sequence[str]) -> Iterator[tuple[str, str]]:
    """(file, "") for each file that is meant, once; (source, why) for one that names none.

    A folder means the .tflite files below it; a name with wildcards that is no file is a pattern.
    """
    seen = set()
    for source in sources:
        found = _meant(source)
        if not found:
            told = "no .tflite file in the folder" if Path(source).is_dir() else "matches no file"
            yield source, told
        for name in found:
            if os.path.realpath(name) not in seen:
                seen.add(os.path.realpath(name))
                yield name, ""


def _meant(source: str) -> list[str]:
    if source == STREAM:
        return [source]
    if Path(source).is_dir():
        return [str(path) for path in models_below(source)]
    if glob.has_magic(source) and not os.path.lexists(source):
        found = sorted(glob.glob(source, recursive=True))  # noqa: PTH207 - absolute patterns too
        return [name for name in found if not Path(name).is_dir()]
    return [source]


def models_below(folder: str) -> list[Path]:
    """The .tflite files below a folder, sorted. Links to folders are not followed, so none leads
    in a circle; a link to a file that is not there is one that cannot be read, and is told.
    """
    found = Path(folder).rglob("*.tflite")
    return sorted((path for path in found if path.is_file() or _dangles(path)), key=str)


def _dangles(path: Path) -> bool:
    return path.is_symlink() and not os.path.exists(path)  # noqa: PTH110 - a loop raises there
