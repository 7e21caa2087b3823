"""One model of a batch: looked up, else aligned and written; in whatever process it comes to."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterable
from typing import Any

from ..disk import make_folder, read_model_file, replace_file
from ..pipeline.aligning import Aligned, align
from ..record import Record, replace
from ..report.batch_lines import BatchLine, Digests, done_line, failed_line, parse_line
from ..report.json import render_line
from ..settings.options import AlignOptions
from .batch_folders import Pair
from .failure import about, why_not
from .workers import LOST

__all__ = ["BatchJob", "BatchResult", "carry_out", "lost"]


class BatchJob(Record, frozen=True, kw_only=True):
    """A model to align, and how. `settings`: the digest of the options and all else the result
    follows from. `record`: what was written down of it before, b"" for nothing.
    """

    pair: Pair
    options: AlignOptions
    settings: str
    record: bytes
    write: bool
    keep_going: bool


class BatchResult(Record, frozen=True, kw_only=True):
    """`line`: without its report. `text`: the whole of it as a line of JSON. `lasts`: whether the next
    run need not do it again.
    """

    line: BatchLine
    text: bytes
    lasts: bool


def carry_out(order: BatchJob) -> BatchResult:
    """Raises nothing: what goes wrong is this model's line."""
    try:
        return _answer(_line(order), lasts=True)
    except Exception as error:  # noqa: BLE001 - one model's fault must not end the batch
        return _answer(failed_line(order.pair.path, why_not(error, order.pair.source)))


def lost(order: BatchJob) -> BatchResult:
    return _answer(failed_line(order.pair.path, LOST))


def _answer(line: BatchLine, *, lasts: bool = False) -> BatchResult:
    text = render_line(line).encode()
    kept = lasts and bool(line.output_sha256) and not line.resumed
    return BatchResult(line=replace(line, report=None), text=text, lasts=kept)


def _line(order: BatchJob) -> BatchLine:
    start = time.perf_counter()
    with about(order.pair.source):
        data: Any = read_model_file(order.pair.source)
        given = _sha256([data])
        before = _before(order, given)
        if before is not None:
            return before
        result = align(memoryview(data), order.options, name=order.pair.source)
        written, size = _written(order, result)
    digests = Digests(given=given, settings=order.settings, written=written)
    sizes = (len(data), size)
    seconds = time.perf_counter() - start
    return done_line(order.pair.path, result.report, digests, sizes, seconds)


def _written(order: BatchJob, result: Aligned) -> tuple[str, int]:
    """Digest and size of what was written; "" and the size it would have where nothing was."""
    size = sum(len(chunk) for chunk in result.chunks)
    if not order.write or (result.report.exit_status and not order.keep_going):
        return "", size
    make_folder(os.path.dirname(order.pair.out))  # noqa: PTH120 - as it was given
    replace_file(order.pair.out, result.chunks)
    return _sha256(result.chunks), size


def _before(order: BatchJob, given: str) -> BatchLine | None:
    """What became of the model before, where it still holds: the same input, the same settings,
    and an output that is there and is what was written.
    """
    if not order.record:
        return None
    try:
        line = parse_line(order.record)
        same = (line.input_sha256, line.settings_sha256) == (given, order.settings)
        if not same or _sha256([read_model_file(order.pair.out)]) != line.output_sha256:
            return None
    except (OSError, ValueError):
        return None
    named = replace(line.report, name=order.pair.source) if line.report is not None else None
    return replace(line, report=named, resumed=True)


def _sha256(chunks: Iterable[Any]) -> str:
    digest = hashlib.sha256()
    for chunk in chunks:
        digest.update(chunk)
    return digest.hexdigest()
