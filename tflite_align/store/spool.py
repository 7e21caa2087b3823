"""Lines on disk instead of in memory, in an unnamed temporary file."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Self

__all__ = ["Spool"]


class Spool:
    """Lines on disk in a file without a name, which disappears with its `with` block and with the
    process.

    Raises OSError with the name of the folder.
    """

    def __enter__(self) -> Self:
        from tempfile import TemporaryFile, gettempdir  # noqa: PLC0415 - not needed for --help

        self._place = gettempdir()
        with self._named():
            self._stream = TemporaryFile()
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.close()

    def add(self, line: bytes) -> tuple[int, int]:
        """Append bytes; returns their (start, end) offsets. `line`: the bytes."""
        with self._named():
            start = self._stream.seek(0, os.SEEK_END)
            self._stream.write(line)
            return start, start + len(line)

    def part(self, start: int, end: int) -> bytes:
        """The bytes between two offsets. `start`, `end`: the offsets."""
        with self._named():
            self._stream.seek(start)
            return self._stream.read(end - start)

    @contextmanager
    def _named(self) -> Iterator[None]:
        """Context manager: adds the folder's name to OSErrors."""
        try:
            yield
        except OSError as error:
            code = error.errno or errno.EIO
            raise OSError(code, error.strerror or os.strerror(code), self._place) from error
