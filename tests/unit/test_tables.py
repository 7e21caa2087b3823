from __future__ import annotations

import mmap
import struct

import pytest

from tests.support.object_api import chain, pack
from tflite_align.errors import FormatError
from tflite_align.format.flatbuffer import BufferReader
from tflite_align.format.schema import table_layout

MODEL = table_layout("Model")


def _patched(data: bytes, pos: int, code: str, value: int) -> bytes:
    out = bytearray(data)
    struct.pack_into(code, out, pos, value)
    return bytes(out)


@pytest.fixture(scope="module")
def data() -> bytes:
    return pack(chain())


def test_reads_scalars_references_and_strings(data: bytes) -> None:
    view = BufferReader(data)
    pos = view.root()
    plan, values = view.table(MODEL, pos)
    assert values[MODEL.by_name["version"].id] == 3
    description = view.target(plan, pos, values, MODEL.by_name["description"].id)
    assert view.string(description) == "a chain"
    buffers = view.target(plan, pos, values, MODEL.by_name["buffers"].id)
    assert len(view.references(buffers)) == 3
    assert view.target(plan, pos, values, MODEL.by_name["external_buffers"].id) == 0


def test_any_buffer_object_can_be_read(data: bytes) -> None:
    with mmap.mmap(-1, len(data)) as mapped:
        mapped[:] = data
        for buffer in (data, bytearray(data), memoryview(data)):
            assert BufferReader(buffer).root() == BufferReader(data).root()
        view = BufferReader(mapped)
        assert view.root() == BufferReader(data).root()
        del view  # so that the memory map can be closed


def test_absent_reads_as_empty(data: bytes) -> None:
    view = BufferReader(data)
    assert view.scalars(0, "i") == ()
    assert view.references(0) == []
    assert view.string(0) == ""
    assert bytes(view.blob(0)) == b""


@pytest.mark.parametrize("count", [0, 1, 15, 16, 1000])
def test_scalar_vectors_of_every_length(count: int) -> None:
    numbers = tuple(range(-1, count - 1))
    view = BufferReader(struct.pack(f"<I{count}q", count, *numbers))
    assert view.scalars(0 + view.size * 0, "q") == ()
    padded = BufferReader(bytes(4) + struct.pack(f"<I{count}q", count, *numbers))
    assert padded.scalars(4, "q") == numbers


def test_a_string_that_is_no_utf8_is_shown_escaped() -> None:
    assert BufferReader(bytes(4) + struct.pack("<I3s", 3, b"a\xffb")).string(4) == "a\\xffb"


def test_an_unknown_field_is_seen() -> None:
    # A vtable of 14 fields, while Model has 10 in the schema; the last field is present.
    fields = [0] * 13 + [4]
    vtable = struct.pack("<16H", 32, 8, *fields)
    view = BufferReader(vtable + struct.pack("<iI", 32, 7))
    plan, values = view.table(MODEL, 32)
    assert plan.extra == ((13, 4),)
    assert values[0] == 0


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda d, _: _patched(d, 0, "<I", len(d)), "root table at .* lies outside the file"),
        (lambda d, r: _patched(d, r, "<i", 1 << 30), "vtable of a Model table lies outside"),
        (lambda d, r: _patched(d, r, "<i", -(1 << 30)), "vtable of a Model table lies outside"),
    ],
)
def test_malformed_tables_are_refused(data: bytes, build: object, message: str) -> None:
    root = BufferReader(data).root()
    view = BufferReader(build(data, root))  # type: ignore[operator]
    with pytest.raises(FormatError, match=message):
        view.table(MODEL, view.root())


def test_malformed_vtables_are_refused(data: bytes) -> None:
    root = BufferReader(data).root()
    vtable = root - struct.unpack_from("<i", data, root)[0]
    for pos, value, message in (
        (vtable, 3, "vtable of a Model table is malformed"),
        (vtable, 7, "vtable of a Model table is malformed"),
        (vtable, 65534, "vtable of a Model table is malformed"),
        (vtable + 2, 2, "vtable of a Model table is malformed"),
        (vtable + 2, 65535, "runs past the end|over another field"),
        (vtable + 4, 2, "vtable places Model.version over another field or outside"),
        (vtable + 4, 60000, "vtable places Model.version over another field or outside"),
    ):
        with pytest.raises(FormatError, match=message):
            BufferReader(_patched(data, pos, "<H", value)).table(MODEL, root)


def test_vectors_longer_than_the_file_are_refused() -> None:
    view = BufferReader(bytes(4) + struct.pack("<I", 1 << 30) + bytes(8))
    for read in (
        lambda: view.scalars(4, "q"),
        lambda: view.references(4),
        lambda: view.string(4),
        lambda: view.blob(4),
    ):
        with pytest.raises(FormatError, match="byte 4: vector of 1073741824 elements runs past"):
            read()


def test_a_reference_to_itself() -> None:
    view = BufferReader(bytes(4) + struct.pack("<III", 2, 8, 0))
    with pytest.raises(FormatError, match="byte 8: element 0 of a vector points outside"):
        view.references(4)
    view = BufferReader(bytes(4) + struct.pack("<III", 2, 4, 0))
    with pytest.raises(FormatError, match="byte 12: element 1 of a vector points outside"):
        view.references(4)


def test_shared_content_is_limited() -> None:
    view = BufferReader(bytes(4) + struct.pack("<I", 1000) + bytes(4000))

    def forever() -> None:
        while True:
            view.scalars(4, "i")

    with pytest.raises(FormatError, match="many times more content than it has bytes"):
        forever()
