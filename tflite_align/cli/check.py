"""`check IN...`."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import click

from ..files import read_model_file, replace_files
from ..pipeline import AlignOptions, check
from ..report import Report
from ..report.plain import plural, printable
from ..report.sections import closing
from ..rules import load_target
from .failure import COULD_NOT, Failure, about, reader_may_leave, tell
from .files import STREAM, ReportFile, expand, prepare, report_files
from .options import Given, given
from .show import show

__all__ = ["run_check"]


def run_check(sources: Sequence[str], values: dict[str, Any]) -> int:
    """Judge every file; one that cannot be read does not keep the others from being judged.

    Returns the exit status. Reports are written only where every file could be read.
    """
    options, asked = given(values)
    forms = report_files(asked.reports)
    for name in options.targets:
        load_target(name)
    judges = tuple(dict.fromkeys((*values["judge"], *options.require)))
    _known(judges)
    found = list(expand(sources))
    prepare([name for name, why in found if not why], [form.path for form in forms])
    reports, unreadable = [], 0
    for name, why in found:
        try:
            report = _checked(name, why, options, judges)
        except Failure as error:
            unreadable += 1
            tell(str(error))
            continue
        reports.append(report)
        _show(report, asked, forms)
    status = COULD_NOT if unreadable else max(report.exit_status for report in reports)
    if not unreadable:
        _write(reports, forms)
    if len(found) > 1 and not asked.quiet:
        with reader_may_leave(status):
            click.echo(_total(reports, unreadable), err=_on_stderr(forms))
    return status


def _known(judges: Sequence[str]) -> None:
    """UsageError for a judge that does not exist, before any file is read."""
    named = [name for name in judges if name != "numbers"]
    if named:
        from ..verify import available  # noqa: PLC0415 - check runs nothing unless asked

        for name in named:
            available(name)


def _checked(name: str, why: str, options: AlignOptions, judges: tuple[str, ...]) -> Report:
    if why:
        raise Failure(f"{name}: {why}")
    with about(name):
        if name == STREAM:
            data: Any = sys.stdin.buffer.read()
        else:
            data = read_model_file(name)
        view = memoryview(data)
        report = check(view, options, name="<stdin>" if name == STREAM else name)
        return _judged(report, view, judges, options) if judges else report


def _judged(
    report: Report, data: memoryview, judges: tuple[str, ...], options: AlignOptions
) -> Report:
    """The report with what outside judges say of the file as it is."""
    from ..verify import prove  # noqa: PLC0415 - check runs nothing unless asked

    named = tuple(name for name in judges if name != "numbers")
    require = options.require
    proof = prove(data, data, judges=named, changed=False, judge_seconds=options.judge_seconds)
    reasons = []
    for verdict in proof.judges:
        said = verdict.after
        told = f"{said.status}: {said.reason}" if said.reason else said.status
        if verdict.judge in require and said.status != "accepted":
            reasons.append(f"{verdict.judge} is required, but {told}")
        elif said.status not in ("accepted", "skipped"):
            reasons.append(f"{verdict.judge} says no: {told}")
    if "numbers" in require:
        reasons.append("numbers are required, but check does not run the model: align does")
    return replace(report, proof=proof, reasons=(*report.reasons, *reasons))


def _on_stderr(forms: Sequence[ReportFile]) -> bool:
    """Stdout belongs to the JSON where that is asked for."""
    return any(form.path == STREAM for form in forms)


def _show(report: Report, asked: Given, forms: Sequence[ReportFile]) -> None:
    if asked.quiet:
        return
    with reader_may_leave(report.exit_status):
        show(report, closing(report), rows=asked.rows, err=_on_stderr(forms))
        click.echo(err=_on_stderr(forms))


def _write(reports: Sequence[Report], forms: Sequence[ReportFile]) -> None:
    texts = {form.path: form.render(reports) for form in forms}
    streamed = texts.pop(STREAM, "")
    replace_files([(path, (text.encode(),)) for path, text in texts.items()])
    click.echo(streamed, nl=False)


def _total(reports: Sequence[Report], unreadable: int) -> str:
    """`3 files checked: 1 clean, 2 with findings (4 errors, 1 warning)`."""
    severities = Counter(finding.severity for report in reports for finding in report.remaining)
    broken = sum(bool(report.remaining) for report in reports)
    parts = [f"{len(reports) - broken} clean"]
    if broken:
        named = [plural(severities[s], s) for s in ("error", "warning") if severities[s]]
        parts.append(f"{broken} with findings ({', '.join(named)})")
    told = f"{plural(len(reports), 'file')} checked: {', '.join(parts)}"
    return printable(told + (f"; {unreadable} could not be read" if unreadable else ""))
