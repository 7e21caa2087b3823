"""Overwriting bytes in place: adjacent, reverted and overlapping patches."""

from __future__ import annotations

import pytest

from tests.support.object_api import chain, pack
from tflite_align.errors import UnsupportedError
from tflite_align.format.flatbuffer import BufferReader
from tflite_align.format.writer.patch import Patches


@pytest.fixture
def data() -> bytes:
    return pack(chain())


def test_adjacent_ranges_are_all_written(data: bytes) -> None:
    patches = Patches(BufferReader(data))
    patches.put(20, b"\xffend")
    patches.put(16, b"\xffabc")
    written = patches.written(b"")
    assert written.patches == ((16, 4), (20, 4))
    assert written.prefix == 0
    assert written.join() == data[:16] + b"\xffabc\xffend" + data[24:]


def test_the_last_byte_may_be_overwritten_and_the_first(data: bytes) -> None:
    patches = Patches(BufferReader(data))
    last = bytes([data[-1] ^ 255])
    patches.put(len(data) - 1, last)
    patches.put(0, b"\xff")
    written = patches.written(b"new")
    assert written.prefix == 3
    assert written.join() == b"new\xff" + data[1:-1] + last
    assert [bytes(chunk) for chunk in written.chunks] == [b"new", b"\xff", data[1:-1], last]


def test_equal_bytes_give_no_patch_and_revert_an_earlier_one(data: bytes) -> None:
    patches = Patches(BufferReader(data))
    patches.put(32, data[32:36])
    patches.put(16, b"\xff\xff")
    patches.put(16, data[16:18])
    written = patches.written(b"")
    assert written.patches == ()
    assert [bytes(chunk) for chunk in written.chunks] == [data]


def test_the_last_patch_of_a_place_counts(data: bytes) -> None:
    patches = Patches(BufferReader(data))
    patches.put(16, b"\xff\xfe")
    patches.put(16, b"\xfd\xfc")
    assert patches.written(b"").join() == data[:16] + b"\xfd\xfc" + data[18:]


def test_two_edits_of_the_same_byte_are_refused(data: bytes) -> None:
    patches = Patches(BufferReader(data))
    patches.put(16, b"\xff\xfe\xfd")
    patches.put(18, b"\xff\xff")
    with pytest.raises(UnsupportedError) as raised:
        patches.written(b"")
    assert str(raised.value) == (
        "two edits need different bytes at 18: the file's tables overlap there"
    )
