"""How a run that could not do its job says so: one line on stderr, exit status 2."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from ..errors import AlignError, UsageError
from .streams import say

__all__ = [
    "COULD_NOT",
    "Failure",
    "ReaderGone",
    "about",
    "internal",
    "reader_may_leave",
    "tell",
    "why_not",
]

COULD_NOT = 2


class Failure(Exception):  # noqa: N818 - a word of the contract: the job could not be done
    """The whole line after the tool's name."""


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


def internal(error: Exception) -> str:
    """An error that nobody raised on purpose; with TFLITE_ALIGN_DEBUG=1 its traceback too."""
    if os.environ.get("TFLITE_ALIGN_DEBUG") == "1":
        import traceback  # noqa: PLC0415 - for those who look for a fault of ours

        traceback.print_exception(error)
    said = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    return f"internal error: {said}; please report"


def why_not(error: Exception, path: str) -> str:
    """What kept the job from being done on one of several files, without that file's name."""
    if isinstance(error, Failure):
        return str(error).removeprefix(f"{path}: ")
    if isinstance(error, AlignError):
        return str(error)
    return "out of memory" if isinstance(error, MemoryError) else internal(error)


@contextmanager
def about(path: str) -> Iterator[None]:
    """Whatever goes wrong in here is a Failure that names this file."""
    try:
        yield
    except (UsageError, Failure):
        raise  # about the command line, or named already
    except AlignError as error:
        raise Failure(f"{path}: {error}") from error
    except MemoryError as error:
        raise Failure(f"{path}: out of memory") from error
    except OSError as error:
        told = error.filename if isinstance(error.filename, str) else path
        raise Failure(f"{told}: {error.strerror or error}") from error
    except Exception as error:
        raise Failure(f"{path}: {internal(error)}") from error


@contextmanager
def reader_may_leave(status: int) -> Iterator[None]:
    """Nobody reading what is printed in here does not change what the job has come to."""
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        raise ReaderGone(status) from None
