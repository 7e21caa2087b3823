"""The standard streams; the caller may have closed any of them."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterable
from pathlib import Path

__all__ = ["open_closed", "read_stdin", "say", "write_stdout"]

_CLOSED = os.strerror(errno.EBADF)


def open_closed() -> None:
    """Open the null device for each closed standard stream.

    Otherwise the next opened file would get the descriptor of stdout, and a library's output would
    be written into that file.
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
    """Read standard input to its end. Raises OSError if it is closed."""
    if sys.stdin is None:
        raise OSError(errno.EBADF, _CLOSED, "standard input")
    return sys.stdin.buffer.read()


def say(text: str, *, err: bool = False, nl: bool = True) -> None:
    """Print text on stdout, or stderr with `err`, in the stream's own encoding; click.echo would
    replace an ASCII encoding by UTF-8. `nl`: with a final newline.
    """
    stream = sys.stderr if err else sys.stdout
    stream.write(f"{text}\n" if nl else text)
    stream.flush()


def write_stdout(chunks: Iterable[bytes | memoryview]) -> None:
    """Write bytes to standard output. Raises OSError if it is closed or does not accept all of
    them. `chunks`: the bytes in pieces.
    """
    if sys.__stdout__ is None:
        raise OSError(errno.EBADF, _CLOSED, "standard output")
    sys.stdout.flush()
    sys.stdout.buffer.writelines(chunks)
    sys.stdout.buffer.flush()
