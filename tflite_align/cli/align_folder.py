"""`align IN_DIR OUT_DIR`: every model below a folder, to the same place below another.

A run that is stopped is gone on with by the same command: OUT_DIR holds a record of what is done.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from ..disk import make_folder
from ..errors import UsageError
from ..record import replace
from ..report.batch_lines import Tally
from ..rules.targets import load_target
from ..store.chunk_work import Result
from ..store.door import run
from ..store.model_listing import RECORD, ModelFile, pairs
from ..store.settings_digest import settings_digest
from ..store.urls import is_url, local_path, shown
from .baseline_file import accepted_for, read_baseline
from .click_options import Given, given
from .failure import reader_may_leave
from .many import Outcomes, check_reports, chosen, executor, follow, listed, show_list
from .paths import STREAM, prepare
from .summary import show_sections

__all__ = ["run_folder"]


def run_folder(source: str, out: str, values: dict[str, Any]) -> int:
    """The whole folder; returns the exit status: 2 where a model could not be done, else 1 where
    findings remain or the target refuses the file. Failure, AlignError, OSError: nothing could be done.
    """
    options, asked = given(values)
    # Strategies are priced for single models: asking for a report must not change the settings.
    options = replace(options, compare=False)
    _refuse(source, asked)
    for name in options.targets:
        load_target(name)
    everything = pairs(source, out, listed(values["files_from"]))
    found, shard = chosen(everything, values["shard"])
    if values["list"]:
        return show_list(found)
    _prepare(everything, out, asked)
    settings = settings_digest("align", options, keep_going=asked.keep_going)
    known = read_baseline(asked.baseline)
    tally = Tally(rows=asked.rows)

    def hear(result: Result) -> None:
        tally.add(result.line)

    with (
        Outcomes(shard, settings) as outcomes,
        executor(values["jobs"], len(found), values["executor"]) as workers,
    ):
        results = run(
            "align",
            found,
            out,
            options,
            executor=workers,
            shard=shard,
            write=not asked.dry_run,
            keep_going=asked.keep_going,
            accepted=lambda model: accepted_for(known, asked.baseline, model.source),
        )
        try:
            with closing(results):
                follow(results, len(found), outcomes, hear, quiet=asked.quiet)
        except BaseException as error:
            told = f"{len(outcomes):,} of {len(found):,} models are done"
            then = "" if asked.dry_run else "; the same command goes on from there"
            error.add_note(f"{told}{then}")
            raise
        outcomes.write(asked.reports)
    if not asked.quiet:
        where = " (dry run: nothing written)" if asked.dry_run else f" -> {shown(out)}"
        last, err = tally.closing(where), STREAM in asked.reports
        with reader_may_leave(tally.exit_status):
            show_sections([tally.section()], last, tally.exit_status, err=err)
    return tally.exit_status


def _refuse(source: str, asked: Given) -> None:
    """What belongs to one model."""
    if asked.lock is not None or asked.update_lock:
        raise UsageError(f"--lock holds one model, and {shown(source)} is a folder")
    if asked.emit_resolver is not None:
        raise UsageError(f"--emit-resolver is of one model, and {shown(source)} is a folder")
    if asked.calibration is not None:
        raise UsageError(f"--calibration holds one model's inputs, and {shown(source)} is a folder")
    check_reports(asked.reports)


def _prepare(found: Sequence[ModelFile], out: str, asked: Given) -> None:
    """Refuse what reports would overwrite; a report may lie in OUT, which is made for it."""
    place = Path(os.path.realpath(local_path(out)))
    for path in asked.reports:
        if is_url(path) or is_url(out):
            continue
        real = Path(os.path.realpath(path))
        if path != STREAM and real.is_relative_to(place / RECORD):
            raise UsageError(f"{path}: lies in the record of what is done; name another file")
        if path != STREAM and real.parent == place:
            make_folder(local_path(out))
    prepare([model.source for model in found], asked.reports)
