"""The command `check IN...`."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from typing import Any

import click

from ..pipeline.session import Session
from ..record import replace
from ..report.check_tally import CHECK_HEAD, CheckTally
from ..report.formats import OUTPUTS
from ..report.report import Report, Unread
from ..report.sections import closing as last_line
from ..report.text import more_rows
from ..settings.options import AlignOptions
from ..store.chunk_work import Result
from ..store.door import run
from ..store.model_listing import ModelFile, models_of
from ..store.settings_digest import settings_digest
from .baseline_file import accepted_for, baseline_text, read_baseline
from .click_options import Given, given
from .failure import reader_may_leave
from .lock_file import given_lock, new_lock, tell_lock
from .many import Outcomes, check_reports, chosen, executor, follow, named, show_list
from .paths import STREAM, prepare
from .resolver_file import check_resolver, new_resolver
from .streams import read_stdin, say
from .summary import show, show_problems, show_table

__all__ = ["run_check"]


def run_check(sources: Sequence[str], values: dict[str, Any]) -> int:
    """Check every file and return the exit status. An unreadable file does not stop the others.
    `values`: the parsed options.

    Reports list the unreadable files as well. `sources`: paths and patterns.
    """
    options, request = given(values)
    check_reports(request.reports)
    _known(options)
    models, shard = chosen(list(models_of(named(sources, values))), values["shard"])
    if values["list"]:
        return show_list(models)
    lock = given_lock(request, len(models))
    options = replace(options, lock=lock)
    _prepare(models, request, new_lock=request.lock is not None and lock is None)
    settings = settings_digest("check", options, keep_going=False)
    with Outcomes(shard, settings) as outcomes:
        tally = _checked(models, options, values, request, outcomes)
        status = tally.exit_status
        baselines = []
        if request.write_baseline and status < 2:
            status = 0
            text = baseline_text(outcomes.found()[0], request.write_baseline)
            baselines = [(request.write_baseline, (text.encode(),))]
        new = new_lock(request, lock, models[0].source) if models and status == 0 else []
        model = models[0].source if models and status == 0 else None
        headers = new_resolver(request, model, model or "", tally.why)
        outcomes.write(tuple(dict.fromkeys(request.reports)), [*baselines, *new, *headers])
        _tell_baseline(request, tally)
        tell_lock(request, lock, new, tally.why)
        with reader_may_leave(status):
            if values["output_format"] != "text":
                click.echo(OUTPUTS[values["output_format"]](*outcomes.found()), nl=False)
            elif len(models) > 1 and not request.quiet:
                _show_total(tally, err=_on_stderr(request))
    return status


def _tell_baseline(request: Given, tally: CheckTally) -> None:
    """Print whether the baseline was written, or why not."""
    if not request.write_baseline:
        return
    outcome = f"not written: {tally.why}" if tally.exit_status == 2 else f"written: {tally.listed}"
    say(f"tflite_align: {request.write_baseline}: baseline {outcome}", err=True)


def _known(options: AlignOptions) -> None:
    """Raise UsageError for an unknown target, rule or judge before any file is read."""
    Session.of(options)
    named = [name for name in (*options.judges, *options.require) if name != "numbers"]
    if named:
        from ..verify.judges import available  # noqa: PLC0415 - check runs judges only on request

        for name in named:
            available(name)


def _prepare(models: Sequence[ModelFile], request: Given, *, new_lock: bool) -> None:
    """Raise UsageError or Failure if a report, baseline, lock or header cannot be written.
    `models`: those to check.
    """
    written = [
        path for path in (request.write_baseline, request.lock if new_lock else None) if path
    ]
    reports = tuple(dict.fromkeys(request.reports))
    written += check_resolver(request, len(models))
    prepare([model.source for model in models if not model.why], [*reports, *written])


def _checked(
    models: Sequence[ModelFile],
    options: AlignOptions,
    values: dict[str, Any],
    request: Given,
    outcomes: Outcomes,
) -> CheckTally:
    """Check the models, print each result as it arrives, and return the totals. `outcomes` stores
    the results.
    """
    baseline, tally = read_baseline(request.baseline), CheckTally(rows=request.rows)

    def hear(result: Result) -> None:
        """Add one model's result to the totals and print it."""
        report = result.report()
        if report is None:
            tally.add(Unread(name=result.name, message=result.line.message))
            return
        tally.add(report)
        if values["output_format"] == "text":
            _show(report, request, alone=len(models) == 1)

    jobs = 1 if any(model.source == STREAM for model in models) else values["jobs"]
    with (
        executor(jobs, len(models), values["executor"]) as workers,
        closing(
            run(
                "check",
                models,
                None,
                options,
                executor=workers,
                shard=values["shard"],
                record=values["record"] or "",
                accepted=lambda model: accepted_for(baseline, request.baseline, model.source),
                stdin=read_stdin,
            )
        ) as results,
    ):
        follow(results, len(models), outcomes, hear, quiet=request.quiet)
    return tally


def _on_stderr(request: Given) -> bool:
    """Whether the summary is printed on stderr, because a report is written to stdout."""
    return STREAM in request.reports


def _show(report: Report, request: Given, *, alone: bool) -> None:
    """Print a report, and an empty line after it unless it is the only one (`alone`)."""
    err = _on_stderr(request)
    with reader_may_leave(report.exit_status):
        if request.quiet:
            show_problems(report, err=err)
        else:
            show(report, last_line(report), rows=request.rows, err=err)
            if not alone:
                say("", err=err)


def _show_total(tally: CheckTally, *, err: bool) -> None:
    """Print a table with one row per file, and the totals. `err`: on stderr instead of stdout."""
    rows, hidden = tally.table()
    show_table(CHECK_HEAD, rows, err=err)
    if hidden:
        say(f"  {more_rows(hidden)}", err=err)
    say(f"\n{tally.closing()}", err=err)
