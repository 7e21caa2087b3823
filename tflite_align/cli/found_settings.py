"""Limits on a configuration file that was found by searching folders, not named by the user: it may
come from an untrusted source.

Such a file starts no judge and writes reports only below its own folder and only over existing
reports; the checks that it switches off are listed on stderr. docs/configuration.md defines trust.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from ..disk import read_beginning
from ..errors import UsageError
from ..store.urls import is_url, shown

if TYPE_CHECKING:
    from ..settings.config import Config

__all__ = ["is_trusted", "restrict"]

# Environment variable: folders, separated as in PATH, whose configuration files are trusted.
_TRUSTED_FOLDERS = "TFLITE_ALIGN_TRUSTED"
# File ending -> first bytes of a report of tflite_align in that format.
_BEGINNING = 1 << 14  # bytes read from the beginning of a file
_OURS = {
    ".html": re.compile(rb"<!DOCTYPE html>.*? - tflite_align</title>", re.DOTALL),
    ".json": re.compile(rb'\{\s*"format": \d+,\s*"tool": \{\s*"name": "tflite_align"'),
    ".jsonl": re.compile(rb'\{"format":\d+,"tool":\{"name":"tflite_align"'),
    ".sarif": re.compile(rb'\{\s*"\$schema".*?"driver": \{\s*"name": "tflite_align"', re.DOTALL),
    ".txt": re.compile(rb"tflite_align: |[^\n]*: [\d,]+ bytes?, [\d,]+ operators?, [\d,]+ tensors?; "),
    ".xml": re.compile(rb'<\?xml [^>]*>\s*<testsuites name="tflite_align"'),
}  # fmt: skip
_SHOWN_AT_MOST = 5


def is_trusted(path: str) -> bool:
    """Whether TFLITE_ALIGN_TRUSTED lists the folder of this configuration file, or one above it."""
    own_folder = Path(os.path.realpath(path)).parent
    trusted_folders = os.environ.get(_TRUSTED_FOLDERS, "").split(os.pathsep)
    folders = [Path(os.path.realpath(folder)) for folder in trusted_folders if folder]
    return any(own_folder.is_relative_to(folder) for folder in folders)


def restrict(ctx: click.Context, path: str, *, trusted: bool) -> list[str]:
    """Remove from the parsed values what the file at `path` may not set; return notes for stderr.

    The notes, one line each, also list the checks that the file switches off. Raises UsageError for
    a report that the file may not write. `trusted`: whether the file may start judges.
    """
    config: Config | None = ctx.params.get("config")
    if config is None:
        return []
    for report in _from_file(ctx, "report"):
        _check_report(path, report)
    notes = [] if trusted else _start_nothing(ctx)
    off = list(_switched_off(ctx, config))
    if off and not (trusted and ctx.params.get("quiet")):
        more = [f"{len(off) - _SHOWN_AT_MOST} more"] if len(off) > _SHOWN_AT_MOST else []
        listed = ", ".join([*off[:_SHOWN_AT_MOST], *more])
        notes.append(f"switches off {listed}; --isolated ignores the file")
    return notes


def _from_file(ctx: click.Context, key: str) -> tuple[Any, ...]:
    """Values of an option that come from the file, not from the command line. `key`: the option."""
    if ctx.get_parameter_source(key) != ParameterSource.DEFAULT_MAP:
        return ()
    value = ctx.params[key]
    return value if isinstance(value, tuple) else (value,)


# --- reports ------------------------------------------------------------------------------------


def _check_report(path: str, report: str) -> None:
    """Raise UsageError if the configuration file at `path` may not write this report."""
    if report == "-":
        return
    target_path = Path(os.path.realpath(report))
    folder = Path(os.path.realpath(path)).parent
    if is_url(report) or not target_path.is_relative_to(folder):
        raise UsageError(
            f"{path}: report {shown(report)} lies outside the file's own folder {folder}:"
            " name one below it, or give --report on the command line"
        )
    if os.path.lexists(target_path) and not _is_report(target_path):
        raise UsageError(
            f"{path}: report {report} would replace a file that is no report of tflite_align:"
            " remove that file, name another, or give --report on the command line"
        )


def _is_report(path: Path) -> bool:
    """Whether the file exists and begins as a report of ours does."""
    pattern = _OURS.get(path.suffix.lower())
    if pattern is None or not path.is_file():
        return False
    return pattern.match(read_beginning(path, _BEGINNING)) is not None


# --- judges -------------------------------------------------------------------------------------


def _start_nothing(ctx: click.Context) -> list[str]:
    """Drop judges that only the file names, and cap `jobs` at the number of processors.

    A judge that the file requires counts as missing. Returns notes for stderr.
    """
    named, required = _from_file(ctx, "judge"), _from_file(ctx, "require")
    settings = {
        name
        for key in ("judge", "require")
        if not _from_file(ctx, key)
        for name in ctx.params.get(key, ())
    }
    if named:
        ctx.params["judge"] = ()
    ctx.params["unasked"] = tuple(name for name in required if name not in settings)
    if _from_file(ctx, "jobs"):
        ctx.params["jobs"] = min(ctx.params["jobs"], os.cpu_count() or 1)
    keys = {"judge": named, "require": required}
    asking = [f"{key} ({', '.join(names)})" for key, names in keys.items() if names]
    if not asking:
        return []
    start = "starts" if len(asking) == 1 else "start"
    sentence = f"{' and '.join(asking)} {start} nothing, since the file was found and not named"
    return [f"{sentence}: --trust-config allows it, --isolated ignores the file"]


# --- what is switched off -----------------------------------------------------------------------


def _switched_off(ctx: click.Context, config: Config) -> Iterator[str]:
    """Descriptions of the settings that hide findings or accept refusals."""
    if selected := _from_file(ctx, "select"):
        yield f"all rules but {', '.join(selected)}"
    for rule in _from_file(ctx, "ignore"):
        yield rule
    for rule, word in config.severity.items():
        if word != "error":
            yield f"{rule} ({word})"
    for override in config.overrides:
        if override.severity in ("off", "warning"):
            yield f"{override.rule or 'all rules'} at {override} ({override.severity})"
    for baseline in _from_file(ctx, "baseline"):
        if baseline is not None:
            yield f"what {baseline} lists"
    for judge in _from_file(ctx, "allow_refused"):
        yield f"the refusal of {judge}"
    for repair in _from_file(ctx, "no_fix"):
        yield f"the repair {repair}"
