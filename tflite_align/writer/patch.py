"""Byte ranges of the original that are overwritten, and the output as chunks around them."""

from __future__ import annotations

from dataclasses import dataclass

from tflite_align.errors import UnsupportedError
from tflite_align.tables import View

__all__ = ["Patches", "Written"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """The output, without a copy of the untouched bytes.

    `chunks` in order make the file: the grown part (`prefix` bytes, a multiple of 64, 0 when
    nothing grew), then views of the original between the overwritten ranges and their new bytes.
    `patches` lists those ranges as (offset in the original, length), ascending.
    """

    chunks: tuple[memoryview | bytes, ...]
    prefix: int
    patches: tuple[tuple[int, int], ...]

    def join(self) -> bytes:
        return b"".join(self.chunks)


class Patches:
    """Overwrites of the original, collected in any order; writing what is there is no patch."""

    def __init__(self, view: View) -> None:
        self._view = view
        self._ranges: dict[int, bytes] = {}

    def put(self, pos: int, data: bytes) -> None:
        """Overwrite the original from byte `pos` on."""
        if self._view.buf[pos : pos + len(data)] == data:
            self._ranges.pop(pos, None)
            return
        self._ranges[pos] = data

    def written(self, prefix: bytes) -> Written:
        """The output; raises UnsupportedError where two overwritten ranges overlap."""
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
