"""A folder of models and the folder their aligned ones go to: what is read and what is written."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from ..disk import check_folder
from ..errors import UsageError
from ..record import Record
from .failure import about
from .paths import STREAM, models_below

__all__ = ["RECORD", "Pair", "pairs"]

# In the folder that is written to: a line for each model that is done (schema/batch.schema.json).
RECORD = ".tflite_align.jsonl"


class Pair(Record, frozen=True, kw_only=True):
    """A model and where its aligned one goes; `path`: both, below their folders, with `/`."""

    path: str
    source: str
    out: str


def pairs(source: str, out: str) -> tuple[Pair, ...]:
    """Every model below a folder, in the order of their paths; what lies in OUT is none of them.

    Raises UsageError, Failure for folders that cannot be read or written so, and for a model that
    would be written over one that is read, over another, or through a link out of OUT.
    """
    if out == STREAM:
        raise UsageError(f"{source} is a folder: its models go to a folder, not to standard output")
    given, taken = os.path.realpath(source), os.path.realpath(out)
    if given == taken:
        raise UsageError(
            f"{out}: IN and OUT are one folder; name another one, so that the originals stay"
        )
    with about(out):
        check_folder(out)
    # A folder of results inside the folder that is read holds none of its models.
    left_out = taken if Path(taken).is_relative_to(given) else None
    found = tuple(_found(source, out, left_out))
    if not found:
        raise UsageError(f"{source}: no .tflite file in the folder")
    _apart(found)
    for place in (*(pair.out for pair in found), os.path.join(out, RECORD)):  # noqa: PTH118 - as it was given
        if not Path(os.path.realpath(place)).is_relative_to(taken):
            raise UsageError(f"{place}: a link leads out of {out}; nothing is written there")
    return found


def _found(source: str, out: str, left_out: str | None) -> Iterator[Pair]:
    for model in models_below(source):
        if left_out and Path(os.path.realpath(model.parent)).is_relative_to(left_out):
            continue
        below = model.relative_to(source)
        yield Pair(path=below.as_posix(), source=str(model), out=str(Path(out) / below))


def _apart(found: tuple[Pair, ...]) -> None:
    read = {os.path.realpath(pair.source): pair.source for pair in found}
    written: dict[str, str] = {}
    for pair in found:
        place = os.path.realpath(pair.out)
        if place in read:
            raise UsageError(f"{pair.out}: would overwrite {read[place]}, which is read")
        if place in written:
            raise UsageError(f"{pair.out}: two models would go to one place: {written[place]} too")
        written[place] = pair.out
