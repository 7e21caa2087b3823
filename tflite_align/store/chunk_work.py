"""One chunk of models (those that one process handles), run in one process: each result is taken
from the record of an earlier run or computed.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Generator, Iterable
from typing import Any, Literal

from ..pipeline.aligning import align
from ..pipeline.checking import check
from ..record import Record, replace
from ..report.batch_lines import BatchLine, Digests, done_line, failed_line, parse_line
from ..report.json import render_line
from ..report.report import Report
from ..settings.baseline import Accepted
from ..settings.options import AlignOptions
from .model_listing import STREAM, ModelFile
from .named_errors import Failure, about, why_not
from .settings_digest import accepted_digest
from .urls import is_url, local_path
from .whole_files import read, write

__all__ = ["Chunk", "Job", "Result", "Verb", "carry_out", "failed", "in_order", "outcomes"]

Verb = Literal["align", "check"]


class Job(Record, frozen=True, kw_only=True):
    """A model and its index among all of them, from 0.

    `accepted`: findings that a baseline accepts. `known`: the model's line of an earlier run, b""
    for none.
    """

    number: int
    model: ModelFile
    accepted: tuple[Accepted, ...] = ()
    known: bytes = b""


class Chunk(Record, frozen=True, kw_only=True):
    """Models that one process handles in sequence, with their settings.

    `settings`: the digest of the options, rules and versions. `record`: the file for the finished
    lines, "" for none. `place`: the caller's current folder, to which relative names refer.
    `stdin`: reads standard input.
    """

    verb: Verb
    jobs: tuple[Job, ...]
    options: AlignOptions
    settings: str
    record: str = ""
    write: bool = True
    keep_going: bool = False
    place: str = ""  # folder to which relative names refer
    stdin: Callable[[], bytes] | None = None  # reads the input `-`

    def at(self, name: str) -> str:
        """The name, or a relative path joined to `place` in a process with another current folder."""
        if is_url(name) or not self.place or os.getcwd() == self.place:  # noqa: PTH109 - as text
            return name
        return os.path.join(self.place, local_path(name))  # noqa: PTH118 - as it was given


class Result(Record, frozen=True, kw_only=True):
    """The result of one model. `name`: its path or URL without secrets. `line`: the result without its
    report. `text`: the result with its report as a line of JSON. `drawn`: the report with data for
    plots and graphs, where an HTML page needs it.
    """

    number: int
    name: str
    line: BatchLine
    text: bytes
    drawn: Report | None = None

    def report(self) -> Report | None:
        """The model's report; None where the model could not be processed."""
        return self.drawn if self.drawn is not None else parse_line(self.text).report


def in_order(results: Iterable[Result]) -> Generator[Result, None, None]:
    """Results in the order of the models, each as soon as its predecessors are finished."""
    early: dict[int, Result] = {}
    following = 0
    for result in results:
        early[result.number] = result
        while following in early:
            yield early.pop(following)
            following += 1


def carry_out(chunk: Chunk) -> tuple[Result, ...]:
    """Run a chunk and return one result for each model; for a model that fails, the result holds the
    error. OSError if the record of finished models cannot be written.
    """
    return tuple(outcomes(chunk))


def outcomes(chunk: Chunk) -> Generator[Result, None, None]:
    """The results as they finish; on any exception the finished ones are recorded."""
    bodies: list[bytes] = []
    try:
        for job in chunk.jobs:
            result = _outcome(chunk, job)
            if _lasts(chunk, result.line):
                bodies.append(result.text)
            yield result
    finally:
        if chunk.record and bodies:
            write(chunk.at(chunk.record), bodies)


def failed(job: Job, why: str) -> Result:
    """The result of a model that could not be processed, with the reason. `why`: the reason."""
    return _result(job, failed_line(job.model.path, why), page_drawn=False)


def _lasts(chunk: Chunk, line: BatchLine) -> bool:
    """Whether the result in a report line is final, so that a later run may reuse it."""
    if line.resumed or line.exit_status == 2:
        return False
    return chunk.verb == "check" or bool(line.output_sha256)


def _outcome(chunk: Chunk, job: Job) -> Result:
    """The result of one model; an exception becomes its message."""
    name = job.model.name
    try:
        return _result(job, _line(chunk, job), page_drawn=chunk.options.view)
    except Exception as error:  # noqa: BLE001 - an error of one model must not stop the others
        return failed(job, why_not(error, name))


def _result(job: Job, line: BatchLine, *, page_drawn: bool) -> Result:
    """The result with this line. `page_drawn`: with the report's data for drawings."""
    return Result(
        number=job.number,
        name=job.model.name,
        line=replace(line, report=None),
        text=render_line(line).encode(),
        drawn=line.report if page_drawn else None,
    )


def _line(chunk: Chunk, job: Job) -> BatchLine:
    """Process one model, or take its line from the record."""
    start, name = time.perf_counter(), job.model.name
    if job.model.why:
        raise Failure(f"{name}: {job.model.why}")
    with about(name):
        stream = job.model.source == STREAM and chunk.stdin is not None
        data: Any = chunk.stdin() if stream and chunk.stdin else read(chunk.at(job.model.source))
        digests = Digests(
            given=_sha256([data]),
            settings=chunk.settings,
            baseline=accepted_digest(job.accepted),
        )
        before = _before(chunk, job, digests)
        if before is not None:
            return before
        options = replace(chunk.options, accepted=job.accepted)
        called = "<stdin>" if stream else name
        report, chunks = _done(chunk.verb, memoryview(data), options, called)
        written, size = _written(chunk, job, report, chunks)
    digests = replace(digests, written=written)
    seconds = time.perf_counter() - start
    return done_line(job.model.path, report, digests, (len(data), size), seconds)


def _done(verb: Verb, data: memoryview, options: AlignOptions, name: str) -> tuple[Report, Any]:
    """(report, chunks of the output file) of one model; no chunks for `check`."""
    if verb == "check":
        return check(data, options, name=name), ()
    result = align(data, options, name=name)
    return result.report, result.chunks


def _written(chunk: Chunk, job: Job, report: Report, chunks: Any) -> tuple[str, int]:
    """(SHA-256 in hexadecimal, bytes) of the written file; ("", the size it would have) if none is
    written. `chunks`: the file's bytes in pieces.
    """
    size = sum(len(chunk) for chunk in chunks)
    if not chunk.write or not job.model.out or (report.exit_status and not chunk.keep_going):
        return "", size
    write(chunk.at(job.model.out), chunks)
    return _sha256(chunks), size


def _before(chunk: Chunk, job: Job, digests: Digests) -> BatchLine | None:
    """The earlier result if it is still valid: same input, same settings, and an output file with
    the recorded digest.
    """
    if not job.known:
        return None
    try:
        line = parse_line(job.known)
        known_digests = (line.input_sha256, line.settings_sha256, line.baseline_sha256)
        if known_digests != (digests.given, digests.settings, digests.baseline):
            return None
        if job.model.out and _sha256([read(chunk.at(job.model.out))]) != line.output_sha256:
            return None
    except (OSError, ValueError):
        return None
    named = replace(line.report, name=job.model.name) if line.report is not None else None
    return replace(line, path=job.model.path, report=named, resumed=True)


def _sha256(chunks: Iterable[Any]) -> str:
    """SHA-256 of the joined chunks, in hexadecimal."""
    digest = hashlib.sha256()
    for chunk in chunks:
        digest.update(chunk)
    return digest.hexdigest()
