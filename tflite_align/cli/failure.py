"""Errors that end a run: one line on stderr, exit status 2."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from .streams import say

__all__ = ["COULD_NOT", "ReaderGone", "reader_may_leave", "tell"]

COULD_NOT = 2


class ReaderGone(Exception):  # noqa: N818 - not an error: the pipe was closed
    """The reader of stdout closed the pipe. `status` is the exit status of the job up to then."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


def tell(message: str, path: str | bytes | int | None = None) -> int:
    """Print `tflite_align: <path>: <message>` as one line on stderr; return exit status 2."""
    from ..report.terminal_text import printable  # noqa: PLC0415 - only needed for errors

    parts = ["tflite_align"]
    if isinstance(path, (str, bytes)):
        parts.append(os.fsdecode(path))
    parts.append(" ".join(message.split()))
    say(printable(": ".join(parts)), err=True)
    return COULD_NOT


@contextmanager
def reader_may_leave(status: int) -> Iterator[None]:
    """Raise ReaderGone with `status` where the reader of stdout has closed the pipe."""
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        raise ReaderGone(status) from None
