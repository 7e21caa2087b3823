"""`align IN_DIR OUT_DIR`: every model below a folder, to the same place below another.

A run that is stopped is gone on with by the same command: OUT_DIR holds a record of what is done.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing, nullcontext
from importlib import metadata
from pathlib import Path
from typing import Any

from ..disk import (
    Spool,
    append_line,
    make_folder,
    read_model_file,
    read_text_file,
    replace_file,
    replace_files,
)
from ..errors import UsageError
from ..record import replace, values
from ..report.batch_lines import Tally, parse_line
from ..report.formats import renderer
from ..report.report import Report, Unread
from ..report.values import tool_version
from ..resources import data_root
from ..rules.targets import load_target
from ..settings.options import AlignOptions
from .baseline_file import accepted_for, read_baseline
from .batch_folders import RECORD, Pair, pairs
from .batch_job import BatchJob, BatchResult, carry_out, lost
from .click_options import Given, given
from .failure import about, reader_may_leave, tell
from .paths import STREAM, prepare
from .streams import write_stdout
from .summary import aside, progress_bar, show_sections
from .workers import in_order, outcomes, processes

__all__ = ["run_batch"]

_LINES = ".jsonl"  # the ending of the report that is a line a model
# What else a verification follows from.
_JUDGED_BY = ("ai-edge-litert", "ethos-u-vela", "tensorflow", "tensorflow-cpu", "tflite-micro")


def run_batch(source: str, out: str, values: dict[str, Any]) -> int:
    """The whole folder; returns the exit status: 2 where a model could not be done, else 1 where
    findings remain or the target refuses the file. Failure, AlignError, OSError: nothing could be done.
    """
    options, asked = given(values)
    # Strategies are priced for single models: asking for a report must not change the settings.
    options = replace(options, compare=False)
    _refuse(source, asked)
    for name in options.targets:
        load_target(name)
    found = pairs(source, out)
    _prepare(found, out, asked)
    known = read_baseline(asked.baseline)
    accepted = {pair.path: accepted_for(known, asked.baseline, pair.source) for pair in found}
    record = _DoneModels(out, keep=not asked.dry_run)
    orders = _orders(found, options, accepted, record, asked)
    tally = Tally(rows=asked.rows)
    with Spool() if asked.reports else nullcontext() as spool:
        try:
            with closing(_answers(orders, processes(values["jobs"]), record)) as answers:
                _follow(answers, found, tally, spool, asked)
        except BaseException as error:
            told = f"{tally.outcomes.total():,} of {len(found):,} models are done"
            then = "" if asked.dry_run else "; the same command goes on from there"
            error.add_note(f"{told}{then}")
            raise
        if spool is not None:
            _write(asked.reports, spool, found)
    if not asked.quiet:
        where = " (dry run: nothing written)" if asked.dry_run else f" -> {out}"
        last, err = tally.closing(where), STREAM in asked.reports
        with reader_may_leave(tally.exit_status):
            show_sections([tally.section()], last, tally.exit_status, err=err)
    return tally.exit_status


def _refuse(source: str, asked: Given) -> None:
    """What belongs to one model."""
    if asked.lock is not None or asked.update_lock:
        raise UsageError(f"--lock holds one model, and {source} is a folder")
    if asked.calibration is not None:
        raise UsageError(f"--calibration holds one model's inputs, and {source} is a folder")
    for path in asked.reports:
        if path.lower().endswith(".html"):
            raise UsageError(
                f"{path}: the page draws one model, and {source} is a folder:"
                " .jsonl .json .sarif .xml .txt are for many"
            )
        if not path.lower().endswith(_LINES):
            renderer(path)


def _prepare(found: Sequence[Pair], out: str, asked: Given) -> None:
    """Refuse what reports would overwrite; a report may lie in OUT, which is made for it."""
    place = Path(os.path.realpath(out))
    for path in asked.reports:
        real = Path(os.path.realpath(path))
        if path != STREAM and real == place / RECORD:
            raise UsageError(f"{path}: is the record of what is done; name another file")
        if path != STREAM and real.parent == place:
            make_folder(out)
    prepare([pair.source for pair in found], asked.reports)


# --- what is to be done ------------------------------------------------------------------------


class _DoneModels:
    """What is done: a line for each model that was written, later ones count. A line that is none
    (a run that was killed while it wrote it) counts for nothing.
    """

    def __init__(self, out: str, *, keep: bool) -> None:
        self._folder, self._path = out, os.path.join(out, RECORD)  # noqa: PTH118 - as it was given
        self._keep = keep
        self._places: dict[str, tuple[int, int]] = {}
        self._data: Any = b""
        if keep and os.path.lexists(self._path):
            with about(self._path):
                self._data = read_model_file(self._path)
                self._read()

    def _read(self) -> None:
        start = lines = 0
        while (end := self._data.find(b"\n", start) + 1) > 0:
            try:
                path = json.loads(self._data[start:end])["path"]
                self._places[str(path)] = (start, end)
            except (ValueError, TypeError, KeyError):
                pass
            start, lines = end, lines + 1
        if lines > len(self._places) or start < len(self._data):
            replace_file(self._path, map(self.line, self._places))

    def line(self, path: str) -> bytes:
        start, end = self._places.get(path, (0, 0))
        return bytes(self._data[start:end])

    def add(self, answer: BatchResult) -> None:
        if self._keep and answer.lasts:
            make_folder(self._folder)
            append_line(self._path, answer.text)


def _orders(
    found: Sequence[Pair],
    options: AlignOptions,
    accepted: dict[str, Any],
    record: _DoneModels,
    asked: Given,
) -> Iterator[BatchJob]:
    common = _settings(options, keep_going=asked.keep_going)
    for pair in found:
        passed = accepted[pair.path]
        own = hashlib.sha256(f"{common}{passed!r}".encode()).hexdigest() if passed else common
        yield BatchJob(
            pair=pair,
            options=replace(options, accepted=passed) if passed else options,
            settings=own,
            record=record.line(pair.path),
            write=not asked.dry_run,
            keep_going=asked.keep_going,
        )


def _settings(options: AlignOptions, *, keep_going: bool) -> str:
    """A digest of all that a result follows from, beside the model."""
    versions = {"tflite_align": tool_version(), **(_versions() if options.verify else {})}
    digest = hashlib.sha256(repr((values(options), keep_going, versions)).encode())
    root = data_root()
    for path in sorted((*root.glob("*.toml"), *root.glob("targets/*.toml"))):
        digest.update(read_text_file(path).encode())
    return digest.hexdigest()


def _versions() -> dict[str, str]:
    found = {}
    for name in _JUDGED_BY:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


# --- what came of it ---------------------------------------------------------------------------


def _answers(
    orders: Iterator[BatchJob], jobs: int, record: _DoneModels
) -> Generator[tuple[int, BatchResult], None, None]:
    """As they come; what is done is written down at once."""
    with closing(outcomes(carry_out, orders, jobs, lost)) as found:
        for place, answer in found:
            record.add(answer)
            yield place, answer


def _follow(
    answers: Iterator[tuple[int, BatchResult]],
    found: Sequence[Pair],
    tally: Tally,
    spool: Spool | None,
    asked: Given,
) -> None:
    """In the order of the models."""
    with progress_bar(wanted=not asked.quiet) as progress:
        for number, answer in enumerate(in_order(answers)):
            line = answer.line
            tally.add(line)
            if spool is not None:
                spool.add(answer.text)
            if line.exit_status == 2:
                with aside(progress):
                    tell(f"{found[number].source}: {line.message}")
            if progress is not None:
                done = number + 1
                progress(f"{done:,} of {len(found):,}", done / len(found))


def _write(paths: Sequence[str], spool: Spool, found: Sequence[Pair]) -> None:
    """Every report: the lines as they are, the other forms from the reports that are in them."""
    lines = [path for path in paths if path.lower().endswith(_LINES)]
    whole = [path for path in paths if path not in lines]
    reports, unread = _reports(spool, found) if whole else ((), ())
    texts = {path: renderer(path)(reports, unread).encode() for path in whole}
    streamed = texts.pop(STREAM, b"")
    files: list[tuple[str, Any]] = [(path, spool) for path in lines]
    replace_files([*files, *((path, (text,)) for path, text in texts.items())])
    if streamed:
        write_stdout([streamed])


def _reports(spool: Spool, found: Sequence[Pair]) -> tuple[tuple[Report, ...], tuple[Unread, ...]]:
    reports, unread = [], []
    for pair, text in zip(found, spool, strict=True):
        line = parse_line(text)
        if line.report is not None:
            reports.append(line.report)
        else:
            unread.append(Unread(name=pair.source, message=line.message))
    return tuple(reports), tuple(unread)
