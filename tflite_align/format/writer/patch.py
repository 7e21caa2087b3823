"""Overwritten byte ranges of the original, and the output as chunks around them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ...errors import UnsupportedError
from ...record import Record
from ..flatbuffer import BufferReader, Image
from ..model import Model

__all__ = ["Patches", "Written"]

_LONG = 1 << 20  # bytes: shortest constant that is not copied


class Written(Record, frozen=True, kw_only=True):
    """The output file, without a copy of unchanged bytes.

    `chunks`, joined in order, are the file: the new part (`prefix` bytes, a multiple of 64, 0 if
    there is none), then views of the original between the overwritten ranges and their new bytes.
    `patches`: the overwritten ranges as (offset in the original, length), ascending.
    """

    chunks: tuple[memoryview | bytes, ...]
    prefix: int
    patches: tuple[tuple[int, int], ...]

    def join(self) -> bytes:
        """The file's bytes."""
        return b"".join(self.chunks)

    def image(self, model: Model) -> Image:
        """The output for reading back, without a second copy of long constants.

        `model` is that of the original. Everything is copied except unchanged constants of `_LONG`
        bytes or more, which are views of the original.
        """
        constants = list(self._kept(model))
        if not constants:
            return Image(self.join(), ())
        # Memory pages of zeros that are never written take no memory.
        whole = np.zeros(sum(len(chunk) for chunk in self.chunks), np.uint8)
        end = 0
        for chunk in self.chunks:
            start, end = end, end + len(chunk)
            at = start
            for first, last, _ in constants:
                if start <= first and last <= end:
                    whole[at:first] = np.frombuffer(chunk, np.uint8)[at - start : first - start]
                    at = last
            whole[at:end] = np.frombuffer(chunk, np.uint8)[at - start :]
        return Image(whole.data, tuple(constants))

    def _kept(self, model: Model) -> Iterator[tuple[int, int, memoryview]]:
        """(first byte in the output, end, bytes) of long constants that no patch overwrites and
        that overlap no other constant, except those within them.
        """
        constants = {
            (buffer.start, buffer.start + len(buffer.data)): buffer.data
            for buffer in model.buffers
            if buffer.data is not None
        }
        joined: list[tuple[int, int]] = []  # ranges of constants that overlap
        for first, end in sorted(constants):
            if joined and first < joined[-1][1]:
                begun, reached = joined.pop()
                joined.append((begun, max(reached, end)))
            else:
                joined.append((first, end))
        for first, end in joined:
            data = constants.get((first, end))
            if data is None or len(data) < _LONG:
                continue
            if not any(pos < end and pos + size > first for pos, size in self.patches):
                yield self.prefix + first, self.prefix + end, data


class Patches:
    """Byte ranges to overwrite, collected in any order; writing the bytes that are already there
    changes nothing.
    """

    def __init__(self, view: BufferReader) -> None:
        self._view = view
        self._ranges: dict[int, bytes] = {}

    def put(self, pos: int, data: bytes) -> None:
        """Overwrite the original from byte `pos` on with `data`."""
        if self._view.buf[pos : pos + len(data)] == data:
            self._ranges.pop(pos, None)
            return
        self._ranges[pos] = data

    def written(self, prefix: bytes) -> Written:
        """The output, with the new part `prefix` in front; raises UnsupportedError if two
        overwritten ranges overlap.
        """
        chunks: list[memoryview | bytes] = [prefix] if prefix else []
        ranges: list[tuple[int, int]] = []
        end = 0
        for pos in sorted(self._ranges):
            data = self._ranges[pos]
            if pos < end:
                msg = f"two edits need different bytes at {pos}: the file's tables overlap there"
                raise UnsupportedError(msg)
            if pos > end:
                chunks.append(self._view.buf[end:pos])
            chunks.append(data)
            end = pos + len(data)
            ranges.append((pos, len(data)))
        if end < self._view.size:
            chunks.append(self._view.buf[end:])
        return Written(chunks=tuple(chunks), prefix=len(prefix), patches=tuple(ranges))
