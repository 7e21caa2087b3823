"""The command `align IN OUT`."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from typing import Any

from ..disk import read_arrays
from ..pipeline.aligning import Aligned, align
from ..pipeline.session import Session
from ..record import replace
from ..report.sections import closing
from ..report.terminal_text import printable
from ..report.verification_section import shown_too_little
from ..settings.options import AlignOptions
from ..store.named_errors import about
from ..store.urls import shown
from ..store.whole_files import read, replace_all
from .baseline_file import accepted_for, read_baseline
from .click_options import Given, given
from .failure import COULD_NOT, reader_may_leave
from .lock_file import given_lock, new_lock, tell_lock
from .paths import STREAM, ReportFile, prepare, report_files
from .resolver_file import check_resolver, new_resolver
from .streams import read_stdin, say, write_stdout
from .summary import progress_bar, show, show_problems

__all__ = ["run_align"]


def run_align(source: str, out: str, values: dict[str, Any]) -> int:
    """Align one model and write OUT, the reports and the lock; return the exit status. `values`:
    the parsed options.

    Raises Failure, AlignError or OSError if the job cannot be done. `source`: path of IN; - is
    standard input.
    """
    options, request = given(values)
    reports = report_files(request.reports)
    Session.of(options)  # an unknown target or judge is an error before any file is read
    outputs = [report.path for report in reports]
    lock = given_lock(request)
    locks = [request.lock] if request.lock is not None and lock is None else []
    outputs += [request.certificate] if request.certificate is not None else []
    locks += check_resolver(request)
    prepare([source], outputs if request.dry_run else [out, *outputs, *locks], own=out)
    accepted = accepted_for(read_baseline(request.baseline), request.baseline, source)
    options = replace(_calibrated(options, request), accepted=accepted, lock=lock)
    result = _aligned(source, options, request)
    report = result.report
    write = not request.dry_run and (report.exit_status == 0 or request.keep_going)
    # Joining the output copies it into memory, so it is joined only to make a lock of it.
    new = (
        new_lock(request, lock, result.data) if locks and write and report.exit_status == 0 else []
    )
    more = [*new, *_certificate(result, request)] if write else []
    why = "; ".join(report.reasons) or "a dry run writes nothing"
    headers = new_resolver(request, result.data if write else None, source, why)
    _write(result, source, out if write else None, reports, [*more, *headers])
    tell_lock(request, lock, new, why)
    status = _tell_certificate(result, request, "" if write else why)
    # The summary goes to stderr where stdout carries the model or JSON.
    err = STREAM in (out, *outputs)
    last = closing(report, out=shown(out), dry_run=request.dry_run, written=write)
    with reader_may_leave(status):
        if not request.quiet:
            show(report, last, rows=request.rows, err=err)
        elif report.exit_status:
            show_problems(report, last, err=err)
        elif shown_too_little(report):
            say(last, err=True)
    return status


def _certificate(result: Aligned, request: Given) -> list[tuple[str, Any]]:
    """The certificate file to write, as (path, chunks); empty if none was requested."""
    if request.certificate is None or result.certificate is None:
        return []
    return [(request.certificate, ((json.dumps(result.certificate, indent=1) + "\n").encode(),))]


def _tell_certificate(result: Aligned, request: Given, why: str) -> int:
    """Print why the requested certificate is not written (`why`: the reason if nothing is written,
    else ""); return the exit status.

    It is that of the alignment, or `COULD_NOT` if everything except the certificate could be
    written.
    """
    status, summary = result.report.exit_status, result.report.certificate
    if request.certificate is None or (result.certificate is not None and not why):
        return status
    none = summary.why if summary is not None else "nothing was aligned"
    sentence = f"certificate not written: {why or none}"
    say(printable(f"tflite_align: {request.certificate}: {sentence}"), err=True)
    return status if why else max(status, COULD_NOT)


def _calibrated(options: AlignOptions, request: Given) -> AlignOptions:
    """The options with the arrays of the calibration file, if one is given."""
    if request.calibration is None:
        return options
    with about(request.calibration):
        return replace(options, calibration=read_arrays(request.calibration))


def _aligned(source: str, options: AlignOptions, request: Given) -> Aligned:
    """Read and align the model at a path, or from standard input. `source`: path of IN; - is
    standard input.
    """
    with about(shown(source)):
        if source == STREAM:
            data: Any = read_stdin()
        else:
            data = read(source)
        name = "<stdin>" if source == STREAM else shown(source)
        with progress_bar(wanted=not request.quiet) as progress:
            return align(memoryview(data), options, name=name, progress=progress)


def _write(
    result: Aligned,
    source: str,
    out: str | None,
    reports: tuple[ReportFile, ...],
    more: Sequence[tuple[str, Any]],
) -> None:
    """Write OUT, the reports and the files in `more`, (path, chunks): all of them or none.
    `source`: path of IN; - is standard input.
    """
    texts = {report.path: report.render([result.report], ()).encode() for report in reports}
    streamed: list[bytes | memoryview] = [texts.pop(STREAM)] if STREAM in texts else []
    files: list[tuple[str, Any]] = [(path, (text,)) for path, text in texts.items()]
    files += more
    if out == STREAM:
        streamed += result.chunks
    elif out is not None and not _is_there(result, source, out):
        files.insert(0, (out, result.chunks))
    replace_all(files)
    if streamed:
        write_stdout(streamed)


def _is_there(result: Aligned, source: str, out: str) -> bool:
    """Whether OUT is the input file itself and alignment changed nothing. `source`: path of IN; -
    is standard input.
    """
    untouched = result.report.outcome != "aligned"
    return untouched and source != STREAM and os.path.realpath(source) == os.path.realpath(out)
