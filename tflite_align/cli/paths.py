"""The files that a command writes: report formats, and protection against overwriting inputs."""

from __future__ import annotations

import os
from collections.abc import Sequence

from ..disk import check_destination
from ..errors import UsageError
from ..record import Record
from ..report.formats import Renderer, renderer
from ..store.model_listing import STREAM
from ..store.named_errors import about
from ..store.urls import is_url, local_path, shown

__all__ = ["STREAM", "ReportFile", "prepare", "report_files"]


class ReportFile(Record, frozen=True):
    """A report to write, and the renderer of its format."""

    path: str
    render: Renderer


def report_files(paths: Sequence[str]) -> tuple[ReportFile, ...]:
    """A renderer for each report path. Raises UsageError for an unknown format."""
    return tuple(ReportFile(path, renderer(path)) for path in dict.fromkeys(paths))


def prepare(sources: Sequence[str], destinations: Sequence[str], own: str | None = None) -> None:
    """Raise UsageError or Failure for a destination that cannot be written or would overwrite
    another file.

    `own`: the one destination that may equal a source, OUT.
    """
    used = {_place(path): path for path in sources if path != STREAM}
    owners: dict[str, str] = {}
    for path in destinations:
        real_path = _place(path)
        if real_path in owners:
            raise UsageError(f"{shown(path)}: two outputs have the same path; give different paths")
        if real_path in used and path is not own:
            raise UsageError(
                f"{shown(path)}: the report has the path of the model; give another path"
            )
        owners[real_path] = path
        if path != STREAM and not is_url(path):
            with about(path):
                check_destination(local_path(path))


def _place(path: str) -> str:
    """The path with symbolic links resolved; a URL or `-` unchanged."""
    return path if path == STREAM or is_url(path) else os.path.realpath(local_path(path))
