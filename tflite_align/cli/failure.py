"""How a run that could not do its job says so: one line on stderr, exit status 2."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from .streams import say

__all__ = ["COULD_NOT", "ReaderGone", "reader_may_leave", "tell"]

COULD_NOT = 2


class ReaderGone(Exception):  # noqa: N818 - nobody's error
    """Who read stdout has left; `status` is what the job had come to by then."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


def tell(message: str, path: str | bytes | int | None = None) -> int:
    """Print `tflite_align: <path>: <message>` as one line on stderr; the exit status 2."""
    from ..report.terminal_text import printable  # noqa: PLC0415 - not needed where all goes well

    parts = ["tflite_align"]
    if isinstance(path, (str, bytes)):
        parts.append(os.fsdecode(path))
    parts.append(" ".join(message.split()))
    say(printable(": ".join(parts)), err=True)
    return COULD_NOT


@contextmanager
def reader_may_leave(status: int) -> Iterator[None]:
    """Nobody reading what is printed in here does not change what the job has come to."""
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        raise ReaderGone(status) from None
