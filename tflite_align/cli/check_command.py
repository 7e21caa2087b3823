"""`check IN...`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from typing import Any

import click

from ..disk import replace_files
from ..record import replace
from ..report.formats import OUTPUTS
from ..report.report import Report, Unread
from ..report.sections import closing as last_line
from ..report.terminal_text import plural, printable
from ..rules.targets import load_target
from ..settings.options import AlignOptions
from .baseline_file import accepted_for, baseline_text, read_baseline
from .check_job import CheckJob, checked
from .click_options import Given, given
from .failure import COULD_NOT, reader_may_leave, tell
from .lock_file import given_lock, new_lock, tell_lock
from .paths import STREAM, ReportFile, expand, prepare, report_files
from .streams import say, write_stdout
from .summary import aside, progress_bar, show, show_problems, show_table

__all__ = ["run_check"]


def run_check(sources: Sequence[str], values: dict[str, Any]) -> int:
    """Check every file; one that cannot be read does not keep the others from being checked.

    Returns the exit status. Reports hold what could not be read too.
    """
    options, asked = given(values)
    forms = report_files(asked.reports)
    _known(options)
    baseline, form = asked.baseline, values["output_format"]
    known = read_baseline(baseline)
    found = list(expand(sources))
    held = given_lock(asked, len(found))
    options = replace(options, lock=held)
    locks = [asked.lock] if asked.lock is not None and held is None else []
    written = [asked.write_baseline] if asked.write_baseline else []
    prepare(
        [name for name, why in found if not why], [*(one.path for one in forms), *written, *locks]
    )
    orders = [
        CheckJob(name=name, why=why, options=_with(options, accepted_for(known, baseline, name)))
        for name, why in found
    ]
    reports, unread = _run(orders, values["jobs"], asked, forms, shown=form == "text")
    status = COULD_NOT if unread else max(report.exit_status for report in reports)
    baselines = []
    if asked.write_baseline and not unread:
        status = 0
        text = baseline_text(reports, asked.write_baseline)
        baselines = [(asked.write_baseline, (text.encode(),))]
    new = new_lock(asked, held, found[0][0]) if status == 0 else []
    _write(reports, unread, forms, [*baselines, *new])
    _tell_baseline(asked, reports, unread)
    tell_lock(asked, held, new, _why(reports, unread))
    with reader_may_leave(status):
        if form != "text":
            click.echo(OUTPUTS[form](reports, unread), nl=False)
        elif len(found) > 1 and not asked.quiet:
            _show_total(reports, unread, err=_on_stderr(forms))
    return status


def _tell_baseline(asked: Given, reports: Sequence[Report], unread: Sequence[Unread]) -> None:
    """What was written, or why nothing was."""
    if not asked.write_baseline:
        return
    listed = sum(len(report.remaining) for report in reports)
    held = f"{plural(listed, 'finding')} of {plural(len(reports), 'file')}"
    told = f"not written: {_why((), unread)}" if unread else f"written: {held}"
    say(f"tflite_align: {asked.write_baseline}: baseline {told}", err=True)


def _why(reports: Sequence[Report], unread: Sequence[Unread]) -> str:
    """Why what is written only after a clean run is not."""
    if unread:
        return f"{plural(len(unread), 'file')} could not be read"
    return "; ".join(reason for report in reports for reason in report.reasons)


def _with(options: AlignOptions, accepted: Any) -> AlignOptions:
    return replace(options, accepted=accepted) if accepted else options


def _known(options: AlignOptions) -> None:
    """UsageError for a target or a judge that does not exist, before any file is read."""
    for name in options.targets:
        load_target(name)
    named = [name for name in (*options.judges, *options.require) if name != "numbers"]
    if named:
        from ..verify.judges import available  # noqa: PLC0415 - check runs nothing unless asked

        for name in named:
            available(name)


def _run(
    orders: Sequence[CheckJob], jobs: int, asked: Given, forms: Sequence[ReportFile], *, shown: bool
) -> tuple[list[Report], list[Unread]]:
    """Every file's outcome, told as it comes."""
    reports: list[Report] = []
    unread: list[Unread] = []
    wanted = len(orders) > 1 and not asked.quiet
    with progress_bar(wanted=wanted) as progress, closing(checked(orders, jobs)) as outcomes:
        for number, outcome in enumerate(outcomes):
            if isinstance(outcome, Unread):
                unread.append(outcome)
                with aside(progress):
                    tell(f"{outcome.name}: {outcome.message}")
            else:
                reports.append(outcome)
                if shown:
                    with aside(progress):
                        _show(outcome, asked, forms)
            if progress is not None:
                done = number + 1
                progress(f"{done:,} of {len(orders):,}", done / len(orders))
    return reports, unread


def _on_stderr(forms: Sequence[ReportFile]) -> bool:
    """Stdout belongs to the JSON where that is asked for."""
    return any(form.path == STREAM for form in forms)


def _show(report: Report, asked: Given, forms: Sequence[ReportFile]) -> None:
    err = _on_stderr(forms)
    with reader_may_leave(report.exit_status):
        if asked.quiet:
            show_problems(report, err=err)
        else:
            show(report, last_line(report), rows=asked.rows, err=err)
            say("", err=err)


def _write(
    reports: Sequence[Report],
    unread: Sequence[Unread],
    forms: Sequence[ReportFile],
    more: Sequence[tuple[str, Any]],
) -> None:
    texts = {form.path: form.render(reports, unread) for form in forms}
    streamed = texts.pop(STREAM, "")
    replace_files([*((path, (text.encode(),)) for path, text in texts.items()), *more])
    if streamed:
        write_stdout([streamed.encode()])


def _show_total(reports: Sequence[Report], unread: Sequence[Unread], *, err: bool) -> None:
    """A line a file, and `3 files checked: 1 clean, 2 with findings (4 errors, 1 warning)`."""
    head = ("file", "errors", "warnings", "accepted", "judges", "")
    rows = [_row(report) for report in reports]
    rows += [(one.name, "", "", "", "", "could not be read") for one in unread]
    severities = Counter(finding.severity for report in reports for finding in report.open)
    broken = sum(bool(report.open) for report in reports)
    parts = [f"{len(reports) - broken} clean"]
    if broken:
        named = [plural(severities[s], s) for s in ("error", "warning") if severities[s]]
        parts.append(f"{broken} with findings ({', '.join(named)})")
    told = f"{plural(len(reports), 'file')} checked: {', '.join(parts)}"
    told += f"; {len(unread)} could not be read" if unread else ""
    show_table(head, [tuple(map(printable, row)) for row in rows], err=err)
    say(f"\n{printable(told)}", err=err)


def _row(report: Report) -> tuple[str, ...]:
    found = Counter(finding.severity for finding in report.open)
    judges = report.verification.judges if report.verification is not None else ()
    said = Counter(verdict.after.status for verdict in judges)
    told = ", ".join(f"{count} {status}" for status, count in sorted(said.items()))
    counted = (found["error"], found["warning"], len(report.accepted))
    word = "fails" if report.exit_status else "passes"
    return (report.name, *(str(count) if count else "" for count in counted), told, word)
