"""Lines that are too many to be held: on disk, in a file without a name."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Self

__all__ = ["Spool"]


class Spool:
    """Lines on disk in a file without a name, gone after its `with` block and with the process.

    Raises OSError with the name of the folder.
    """

    def __enter__(self) -> Self:
        from tempfile import TemporaryFile, gettempdir  # noqa: PLC0415 - help needs none of it

        self._place = gettempdir()
        with self._named():
            self._stream = TemporaryFile()
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.close()

    def add(self, line: bytes) -> tuple[int, int]:
        """Where it begins and ends."""
        with self._named():
            start = self._stream.seek(0, os.SEEK_END)
            self._stream.write(line)
            return start, start + len(line)

    def part(self, start: int, end: int) -> bytes:
        """What was added there."""
        with self._named():
            self._stream.seek(start)
            return self._stream.read(end - start)

    @contextmanager
    def _named(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            code = error.errno or errno.EIO
            raise OSError(code, error.strerror or os.strerror(code), self._place) from error
