"""Random damage to model files; the same seed gives the same bytes.

Damage is directed at FlatBuffers structure: references, vector lengths, vtables. Half of it
overwrites aligned 4-byte words with values that matter as references, lengths or numbers.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Callable

__all__ = ["damaged"]

_WORDS = (0, 1, 4, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0xFFFFFFFC)
_FLOATS = (0.0, -0.0, 1e-45, 1.1754944e-38, 3.4e38, float("inf"), float("-inf"), float("nan"), -1.0)
# Tensor and buffer tables are at the start of most files, constants at the end: prefer the tables.
_NEAR = 4096


def damaged(data: bytes, seed: int) -> bytes:
    """The file with one to eight random changes."""
    chance = random.Random(seed)  # noqa: S311 - damage, not secrets
    hurt = bytearray(data)
    for _ in range(chance.choice((1, 1, 1, 2, 3, 8))):
        if hurt:
            chance.choice(_HURTS)(hurt, chance)
    return bytes(hurt)


def _place(hurt: bytearray, chance: random.Random, size: int) -> int:
    """A random position for `size` bytes: anywhere, near the file's start, or near its end."""
    last = max(len(hurt) - size, 0)
    low, high = chance.choice(((0, last), (0, min(last, _NEAR)), (max(last - _NEAR, 0), last)))
    return chance.randint(low, high)


def _bit(hurt: bytearray, chance: random.Random) -> None:
    hurt[_place(hurt, chance, 1)] ^= 1 << chance.randrange(8)


def _byte(hurt: bytearray, chance: random.Random) -> None:
    hurt[_place(hurt, chance, 1)] = chance.randrange(256)


def _word(hurt: bytearray, chance: random.Random) -> None:
    at = _place(hurt, chance, 4) & ~3
    _put(hurt, at, struct.pack("<I", chance.choice(_WORDS)))


def _nudge(hurt: bytearray, chance: random.Random) -> None:
    """Add a small number to a reference, or let it point to another table."""
    at = _place(hurt, chance, 4) & ~3
    if at + 4 <= len(hurt):
        (old,) = struct.unpack_from("<I", hurt, at)
        moved = old + chance.choice((-64, -8, -4, -2, -1, 1, 2, 4, 8, 64, len(hurt)))
        _put(hurt, at, struct.pack("<I", moved & 0xFFFFFFFF))


def _swap(hurt: bytearray, chance: random.Random) -> None:
    """Swap two words, so that valid values are in wrong places."""
    first, second = (_place(hurt, chance, 4) & ~3 for _ in range(2))
    a, b = bytes(hurt[first : first + 4]), bytes(hurt[second : second + 4])
    if len(a) == len(b) == 4:
        _put(hurt, first, b)
        _put(hurt, second, a)


def _float(hurt: bytearray, chance: random.Random) -> None:
    """Overwrite a word nearby that looks like a scale, if there is one."""
    start = _place(hurt, chance, 4) & ~3
    for at in range(start, min(start + 2048, len(hurt) - 3), 4):
        (value,) = struct.unpack_from("<f", hurt, at)
        if 1e-6 < value < 1e3:
            _put(hurt, at, struct.pack("<f", chance.choice(_FLOATS)))
            return


def _cut(hurt: bytearray, chance: random.Random) -> None:
    del hurt[_place(hurt, chance, 1) :]


def _remove(hurt: bytearray, chance: random.Random) -> None:
    at = _place(hurt, chance, 1)
    del hurt[at : at + chance.choice((1, 2, 4, 16, 256))]


def _repeat(hurt: bytearray, chance: random.Random) -> None:
    at, size = _place(hurt, chance, 1), chance.choice((1, 4, 16, 64, 1024))
    hurt[at:at] = hurt[at : at + size]


def _put(hurt: bytearray, at: int, new: bytes) -> None:
    """Overwrite bytes without changing the file's length. `at`: first byte."""
    room = max(len(hurt) - at, 0)
    hurt[at : at + len(new)] = new[:room]


_HURTS: tuple[Callable[[bytearray, random.Random], None], ...] = (
    _bit,
    _byte,
    _word,
    _word,
    _word,
    _nudge,
    _nudge,
    _nudge,
    _swap,
    _swap,
    _float,
    _float,
    _cut,
    _remove,
    _repeat,
)
