"""Data behind the model that is addressed from the file's start: positions are adjusted when the
file grows.
"""

from __future__ import annotations

import io
import struct
import zipfile

import pytest

from tests.support.object_api import chain, load, pack
from tflite_align.errors import UnsupportedError
from tflite_align.format.flatbuffer import BufferReader
from tflite_align.format.model import QuantParams
from tflite_align.format.reader import read
from tflite_align.format.writer.edits import AddTensor, SetQuant
from tflite_align.format.writer.patch import Patches
from tflite_align.format.writer.splice import splice
from tflite_align.format.writer.tail import absolute_offsets, flatbuffer_end, move

ADDED = AddTensor(subgraph=0, index=5, like=1, name="new", type="int8", quant=None)


def files_found(data: bytes, comment: int = 0) -> int:
    """The number of files in the zip at the end, found by the stored offsets, which the module
    zipfile would correct silently. `comment`: length of the zip's comment in bytes.
    """
    end = len(data) - 22 - comment
    count, size, offset = struct.unpack_from("<10xHLL", data, end)
    assert offset + size == end
    for _ in range(count):
        lengths = struct.unpack_from("<28x3H", data, offset)
        (header,) = struct.unpack_from("<42xL", data, offset)
        assert data[header : header + 4] == b"PK\3\4"
        offset += 46 + sum(lengths)
    return int(count)


def test_every_file_of_an_appended_zip_moves() -> None:
    data, zipped, files = zipped_chain()
    edit = AddTensor(subgraph=0, index=5, like=1, name="new", type="int8", quant=None)
    out = splice(zipped, read(zipped), [edit]).join()
    assert len(out) > len(zipped)
    with zipfile.ZipFile(io.BytesIO(out)) as archive:
        assert archive.testzip() is None
        assert {name: archive.read(name) for name in archive.namelist()} == files
        first = min(entry.header_offset for entry in archive.infolist())
    assert first == len(out) - len(zipped) + len(data)
    assert files_found(out) == 3


def test_a_zip_is_not_moved_beyond_what_its_offsets_can_hold() -> None:
    _, zipped, _ = zipped_chain()
    view, model = BufferReader(zipped), read(zipped)
    directory = zipped.index(b"PK\1\2")
    move(view, absolute_offsets(view, model), Patches(view), 2**32 - 2 - directory, ())
    with pytest.raises(
        UnsupportedError,
        match=r"^the appended zip would move beyond the 4 GiB that its offsets can hold$",
    ):
        move(view, absolute_offsets(view, model), Patches(view), 2**32 - 1 - directory, ())


def zipped_chain() -> tuple[bytes, bytes, dict[str, bytes]]:
    """The chain, the chain with an appended zip, and the files in the zip."""
    data = pack(chain())
    content = io.BytesIO(data)
    files = {"a": b"first", "labels.txt": b"cat\ndog", "vocabulary/long.txt": bytes(300)}
    with zipfile.ZipFile(content, "a") as archive:
        for name, held in files.items():
            info = zipfile.ZipInfo(name)
            info.comment = b"of " + name.encode()
            info.extra = b"\x99\x99\x04\x00more"  # an extra field of unknown kind
            archive.writestr(info, held)
    return data, content.getvalue(), files


@pytest.mark.parametrize("length", [0, 1, 65535])
def test_a_zip_with_a_comment_moves(length: int) -> None:
    content = io.BytesIO(pack(chain()))
    with zipfile.ZipFile(content, "a") as archive:
        archive.writestr("a", b"first")
        archive.comment = b"c" * length
    zipped = content.getvalue()
    out = splice(zipped, read(zipped), [ADDED]).join()
    assert files_found(zipped, length) == files_found(out, length) == 1


def test_a_zip_inside_a_zip_moves_with_it() -> None:
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as archive:
        archive.writestr("a", b"first")
    content = io.BytesIO(pack(chain()))
    with zipfile.ZipFile(content, "a") as archive:
        archive.writestr("inner.zip", inner.getvalue())
        archive.writestr("b", b"second")
    zipped = content.getvalue()
    out = splice(zipped, read(zipped), [ADDED]).join()
    assert files_found(zipped) == files_found(out) == 2
    with zipfile.ZipFile(io.BytesIO(out)) as archive:
        assert archive.read("inner.zip") == inner.getvalue()


@pytest.mark.parametrize("tail", [b"PK\5\6", b"PK\5\6" + bytes(17), b"PK\5\6" + bytes(18)])
def test_the_end_of_a_zip_without_one_is_left_alone(tail: bytes) -> None:
    data = pack(chain()) + tail
    written = splice(data, read(data), [ADDED])
    assert written.prefix > 0
    assert written.join().endswith(tail)


def end_of_zip(count: int, size: int, offset: int) -> bytes:
    return struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, count, count, size, offset, 0)


def test_an_invalid_zip_directory_is_unchanged() -> None:
    """The zip's magic numbers can also occur by chance in other data, which must stay as it is."""
    data, zipped, _ = zipped_chain()
    directory = zipped.index(b"PK\1\2")
    size = len(zipped) - 22 - directory
    for tail in (
        zipped[len(data) : -22] + end_of_zip(3, size, directory + 1),
        zipped[len(data) : -22] + end_of_zip(4, size, directory),
        zipped[len(data) : -22].replace(b"PK\3\4", b"PK\3\5") + end_of_zip(3, size, directory),
        zipped[len(data) : -22].replace(b"PK\1\2", b"PK\1\3") + end_of_zip(3, size, directory),
        b"PK\1\2" + end_of_zip(1, 4, len(data)),
        b"PK\1\2" + bytes(41) + end_of_zip(1, 45, len(data)),
    ):
        whole = data + tail
        assert splice(whole, read(whole), [ADDED]).join().endswith(tail)


def test_a_zip_that_is_not_at_the_end_is_left_alone() -> None:
    """A zip's comment, after its last record, is shorter than 64 KiB."""
    data, zipped, _ = zipped_chain()
    whole = zipped + bytes(0xFFFF + 1)
    assert splice(whole, read(whole), [ADDED]).join().endswith(whole[len(data) :])


def test_a_zip_entry_without_a_name_moves() -> None:
    local = b"PK\3\4" + bytes(26)
    data = pack(chain())
    entry = b"PK\1\2" + bytes(38) + struct.pack("<L", len(data))
    zipped = data + local + entry + end_of_zip(1, 46, len(data) + 30)
    assert files_found(splice(zipped, read(zipped), [ADDED]).join()) == 1


@pytest.mark.parametrize("where", ["locator", "entry"])
def test_a_zip64_is_refused_when_it_would_have_to_move(where: str) -> None:
    data = pack(chain())
    if where == "locator":
        data += struct.pack("<4sLQL", b"PK\6\7", 0, 0, 1) + end_of_zip(0, 0, 0)
    else:
        entry = b"PK\1\2" + bytes(38) + struct.pack("<L", 0xFFFFFFFF)
        data += entry + end_of_zip(1, 46, len(data))
    message = r"^the file carries an appended zip64 archive, whose offsets cannot be moved$"
    with pytest.raises(UnsupportedError, match=message):
        splice(data, read(data), [ADDED])
    in_place = SetQuant(subgraph=0, tensor=1, quant=QuantParams(scale=(0.25,), zero_point=(1,)))
    assert splice(data, read(data), [in_place]).prefix == 0


def test_data_outside_references_may_move_far() -> None:
    """The 2 GiB limit applies to the tables, which references address, not to the data behind them."""
    data, zipped, _ = zipped_chain()
    for file in (zipped, data):
        view = BufferReader(file)
        assert flatbuffer_end(view, absolute_offsets(view, read(file))) == len(data)
    made = chain()
    made.subgraphs[0].operators[0].largeCustomOptionsOffset = len(data) + 64
    made.buffers[1].data, made.buffers[1].offset, made.buffers[1].size = None, len(data) + 80, 4
    file = pack(made).ljust(len(data) + 84, b"\0")
    view = BufferReader(file)
    assert flatbuffer_end(view, absolute_offsets(view, read(file))) == len(data) + 64


@pytest.mark.parametrize("offset", [0, 1, 2, 3])
def test_an_offset_that_is_a_position_moves(offset: int) -> None:
    """0 and 1 are placeholders, not positions."""
    made = chain()
    made.subgraphs[0].operators[0].largeCustomOptionsOffset = offset
    made.buffers[2].data = None
    made.buffers[2].offset, made.buffers[2].size = offset, 1
    data = pack(made)
    written = splice(data, read(data), [ADDED])
    after = load(written.join())
    moved = offset + (written.prefix if offset > 1 else 0)
    assert after.subgraphs[0].operators[0].largeCustomOptionsOffset == moved
    assert after.buffers[2].offset == moved
