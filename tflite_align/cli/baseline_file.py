"""Baseline files: reading, finding the entries of a model, writing."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from ..disk import read_text_file
from ..errors import UsageError
from ..report.report import Report
from ..settings.baseline import Accepted, Baseline, entry_of
from ..store.named_errors import Failure, about
from ..store.urls import is_url, local_path, shown

__all__ = ["accepted_for", "baseline_text", "read_baseline"]


def read_baseline(path: str | None) -> Baseline | None:
    """Read the baseline; None without a path. Raises Failure for a file that is no baseline."""
    if path is None:
        return None
    with about(path):
        try:
            return Baseline.parse(read_text_file(path))
        except UnicodeDecodeError:
            raise Failure(f"{path}: not a baseline: not UTF-8 text") from None
        except UsageError as error:
            raise Failure(f"{path}: {error}") from error


def _key(model: str, baseline: str) -> str:
    """The model's path as the baseline lists it: relative to the baseline's folder, with `/`."""
    if is_url(model):
        return shown(model)
    folder = Path(os.path.realpath(baseline)).parent
    try:
        return Path(os.path.relpath(os.path.realpath(local_path(model)), folder)).as_posix()
    except ValueError:  # Windows: the model is on another drive
        return Path(os.path.realpath(local_path(model))).as_posix()


def accepted_for(baseline: Baseline | None, path: str | None, model: str) -> tuple[Accepted, ...]:
    """The baseline entries of one model: the findings that it may have."""
    if baseline is None or path is None:
        return ()
    return baseline.models.get(_key(model, path), ())


def baseline_text(reports: Sequence[Report], path: str) -> str:
    """The text of a baseline that accepts every remaining finding of these reports."""
    models = {
        _key(report.name, path): tuple(entry_of(finding) for finding in report.remaining)
        for report in reports
    }
    return Baseline(models=models).text()
