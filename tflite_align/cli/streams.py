"""The standard streams, which the caller may have closed."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterable
from pathlib import Path

__all__ = ["open_closed", "read_stdin", "say", "write_stdout"]

_CLOSED = os.strerror(errno.EBADF)


def open_closed() -> None:
    """Let what is closed lead nowhere: else the next file that is opened becomes stdout, and what
    a library prints becomes a part of it.
    """
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115


def read_stdin() -> bytes:
    """All of it; raises OSError where the caller has closed it."""
    if sys.stdin is None:
        raise OSError(errno.EBADF, _CLOSED, "standard input")
    return sys.stdin.buffer.read()


def say(text: str, *, err: bool = False, nl: bool = True) -> None:
    """Print for a person, in the encoding that the stream has: click.echo takes ASCII for a mistake
    and writes UTF-8.
    """
    stream = sys.stderr if err else sys.stdout
    stream.write(f"{text}\n" if nl else text)
    stream.flush()


def write_stdout(chunks: Iterable[bytes | memoryview]) -> None:
    """Raises OSError where the caller has closed it, or it cannot take them all."""
    if sys.__stdout__ is None:
        raise OSError(errno.EBADF, _CLOSED, "standard output")
    sys.stdout.flush()
    sys.stdout.buffer.writelines(chunks)
    sys.stdout.buffer.flush()
