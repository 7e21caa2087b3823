"""The command `align IN_DIR OUT_DIR`: aligns every model below a folder into the same place below
another.

The same command resumes a run that was stopped: OUT_DIR holds a record of the models that are done.
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
    """Align every model of a folder and return the exit status: 2 if a model could not be read or
    processed, else 1 if findings remain or a target refuses the file, else 0.

    `values`: the parsed options. Raises Failure, AlignError or OSError if the run cannot start.
    `source`: path of IN. `out`: path of OUT.
    """
    options, request = given(values)
    # Alignment strategies are compared for single models only, so that a report does not change the
    # settings digest.
    options = replace(options, compare=False)
    _refuse(source, request)
    for name in options.targets:
        load_target(name)
    everything = pairs(source, out, listed(values["files_from"]))
    models, shard = chosen(everything, values["shard"])
    if values["list"]:
        return show_list(models)
    _prepare(everything, out, request)
    settings = settings_digest("align", options, keep_going=request.keep_going)
    baseline = read_baseline(request.baseline)
    tally = Tally(rows=request.rows)

    def hear(result: Result) -> None:
        """Add one model's result to the totals."""
        tally.add(result.line)

    with (
        Outcomes(shard, settings) as outcomes,
        executor(values["jobs"], len(models), values["executor"]) as workers,
    ):
        results = run(
            "align",
            models,
            out,
            options,
            executor=workers,
            shard=shard,
            resume=not values["isolated"],
            write=not request.dry_run,
            keep_going=request.keep_going,
            accepted=lambda model: accepted_for(baseline, request.baseline, model.source),
        )
        try:
            with closing(results):
                follow(results, len(models), outcomes, hear, quiet=request.quiet)
        except BaseException as error:
            progress = f"{len(outcomes):,} of {len(models):,} models are done"
            then = "" if request.dry_run else "; run the same command again to resume"
            error.add_note(f"{progress}{then}")
            raise
        outcomes.write(request.reports)
    if not request.quiet:
        where = " (dry run: nothing written)" if request.dry_run else f" -> {shown(out)}"
        last, err = tally.closing(where), STREAM in request.reports
        with reader_may_leave(tally.exit_status):
            show_sections([tally.section()], last, tally.exit_status, err=err)
    return tally.exit_status


def _refuse(source: str, request: Given) -> None:
    """Raise UsageError for options that apply to one model only. `source`: path of IN."""
    if request.lock is not None or request.update_lock:
        raise UsageError(
            f"--lock is for a single model, and {shown(source)} is a folder: name a file"
        )
    if request.emit_resolver is not None:
        raise UsageError(
            f"--emit-resolver is for a single model, and {shown(source)} is a folder: name a file"
        )
    if request.calibration is not None:
        raise UsageError(
            f"--calibration is for a single model, and {shown(source)} is a folder: name a file"
        )
    check_reports(request.reports)


def _prepare(models: Sequence[ModelFile], out: str, request: Given) -> None:
    """Raise UsageError if a report would overwrite a model or the record. Creates the folder OUT
    for a report in it.
    """
    out_folder = Path(os.path.realpath(local_path(out)))
    for path in request.reports:
        if is_url(path) or is_url(out):
            continue
        real = Path(os.path.realpath(path))
        if path != STREAM and real.is_relative_to(out_folder / RECORD):
            raise UsageError(
                f"{path}: this folder records finished models; choose a path outside of it"
            )
        if path != STREAM and real.parent == out_folder:
            make_folder(local_path(out))
    prepare([model.source for model in models], request.reports)
