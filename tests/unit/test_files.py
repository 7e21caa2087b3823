"""Files are replaced completely or not at all."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.models import concat_example
from tflite_align.cli import main as cli
from tflite_align.disk import (
    check_destination,
    read_arrays,
    read_model_file,
    replace_file,
    replace_files,
)

POSIX = pytest.mark.skipif(os.name == "nt", reason="permission bits and links are POSIX's")


def failing(error: BaseException) -> Iterator[bytes]:
    yield b"half"
    raise error


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_new_file_holds_all_its_chunks(tmp_path: Path) -> None:
    replace_file(tmp_path / "out", [b"ab", memoryview(b"cd")])
    assert (tmp_path / "out").read_bytes() == b"abcd"
    assert names(tmp_path) == ["out"]


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_failure_leaves_the_old_file_and_nothing_else(tmp_path: Path, error: BaseException) -> None:
    out = tmp_path / "out"
    out.write_bytes(b"old")
    with pytest.raises(type(error)):
        replace_file(out, failing(error))
    assert out.read_bytes() == b"old"
    assert names(tmp_path) == ["out"]


def test_failure_creates_no_file(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No space left") as raised:
        replace_file(tmp_path / "out", failing(OSError(28, "No space left on device")))
    assert raised.value.filename == str(tmp_path / "out")
    assert names(tmp_path) == []


@pytest.mark.promise(
    "If a run has several outputs (OUT, reports, lock), none is moved to its place "
    "before all are written."
)
def test_several_files_are_all_replaced_or_none(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    first.write_bytes(b"old")
    with pytest.raises(ValueError, match="broken"):
        replace_files([(first, [b"new"]), (second, failing(ValueError("broken")))])
    assert first.read_bytes() == b"old"
    assert names(tmp_path) == ["first"]


@POSIX
def test_a_link_stays_and_its_target_is_replaced(tmp_path: Path) -> None:
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    (folder / "real").write_bytes(b"old")
    link = tmp_path / "link"
    link.symlink_to(folder / "real")
    replace_file(link, [b"new"])
    assert link.is_symlink()
    assert (folder / "real").read_bytes() == b"new"
    assert names(folder) == ["real"]


@POSIX
def test_link_to_a_file_that_is_not_there_yet(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "real")
    replace_file(tmp_path / "link", [b"new"])
    assert (tmp_path / "real").read_bytes() == b"new"


@POSIX
def test_permission_bits_are_kept(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.write_bytes(b"old")
    out.chmod(0o640)
    replace_file(out, [b"new"])
    assert stat.S_IMODE(out.stat().st_mode) == 0o640


KEPT = pytest.mark.promise(
    "A file that is replaced keeps its owner, permission bits and extended attributes"
    " if the system permits it."
)


@KEPT
@POSIX
def test_owner_and_group_are_kept(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.write_bytes(b"old")
    if os.geteuid():
        groups = [group for group in os.getgroups() if group != out.stat().st_gid]
        if not groups:
            pytest.skip("neither root nor in a second group: nothing can be given away")
        owner, group = os.getuid(), groups[0]
    else:
        owner, group = 65534, 65533
    os.chown(out, owner, group)
    out.chmod(0o2640)
    replace_file(out, [b"new"])
    found = out.stat()
    assert (found.st_uid, found.st_gid) == (owner, group)
    assert stat.S_IMODE(found.st_mode) == 0o2640


@POSIX
@pytest.mark.parametrize(("mode", "left"), [(0o640, 0o600), (0o674, 0o644), (0o4664, 0o644)])
def test_losing_the_group_adds_no_permissions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: int, left: int
) -> None:
    """The system refuses to give the new file the old file's group. The group that it has instead
    gets no more permissions than others have, and the set-user-ID bit is dropped.
    """

    def refused(*_: object) -> None:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    if os.geteuid():
        pytest.skip("only root can give a file to a group that is nobody's here")
    out = tmp_path / "out"
    out.write_bytes(b"old")
    os.chown(out, -1, 65533)
    out.chmod(mode)
    monkeypatch.setattr(os, "fchown", refused)
    replace_file(out, [b"new"])
    assert stat.S_IMODE(out.stat().st_mode) == left


@KEPT
def test_extended_attributes_are_kept(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.write_bytes(b"old")
    try:
        os.setxattr(out, "user.origin", b"trained on Monday")
    except (AttributeError, OSError):
        pytest.skip("no extended attributes here")
    replace_file(out, [b"new"])
    assert out.read_bytes() == b"new"
    assert os.getxattr(out, "user.origin") == b"trained on Monday"


@POSIX
def test_new_file_honours_umask(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        replace_file(tmp_path / "out", [b"new"])
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "out").stat().st_mode) == 0o640


@POSIX
def test_mapped_input_may_be_its_own_output(tmp_path: Path) -> None:
    path = tmp_path / "model"
    path.write_bytes(b"0123456789")
    data = memoryview(read_model_file(path))
    replace_file(path, [b"new ", data[5:], data[:5]])
    assert path.read_bytes() == b"new 5678901234"
    assert bytes(data) == b"0123456789"


def _large(tmp_path: Path) -> tuple[memoryview, bytes]:
    """A memory-mapped file of 5 MB and its bytes after a change: a new beginning, and other bytes
    in place of the third MB.
    """
    data = np.random.default_rng(3).bytes(5 << 20)
    (tmp_path / "model").write_bytes(data)
    mapped = memoryview(read_model_file(tmp_path / "model"))
    return mapped, b"new " + data[5 : 2 << 20] + b"between" + data[3 << 20 :]


def _parts(mapped: memoryview) -> list[bytes | memoryview]:
    return [b"new ", mapped[5 : 2 << 20], b"between", mapped[3 << 20 :]]


def _never(*_: int) -> int:
    raise OSError(errno.EXDEV, "not between these two")


def _a_little(*given: int, copy: Callable[..., int] = os.copy_file_range) -> int:
    source, out, count, start = given
    return copy(source, out, min(count, 300_000), start)


def _then_nothing(*given: int) -> int:
    source, out, count, start = given
    return 0 if start > 1 << 20 else _a_little(source, out, count, start)


@pytest.mark.skipif(not hasattr(os, "copy_file_range"), reason="only Linux copies in the kernel")
@pytest.mark.parametrize("copy", [None, _never, _a_little, _then_nothing])
def test_files_are_complete_with_and_without_kernel_copy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, copy: Callable[..., int] | None
) -> None:
    mapped, wanted = _large(tmp_path)
    if copy is not None:
        monkeypatch.setattr(os, "copy_file_range", copy)
    replace_file(tmp_path / "out", _parts(mapped))
    assert (tmp_path / "out").read_bytes() == wanted
    replace_file(tmp_path / "model", _parts(mapped))
    assert (tmp_path / "model").read_bytes() == wanted


@pytest.mark.skipif(not hasattr(os, "copy_file_range"), reason="only Linux copies in the kernel")
def test_a_model_file_that_shrinks_while_read_is_an_error(tmp_path: Path) -> None:
    mapped, _ = _large(tmp_path)
    os.truncate(tmp_path / "model", 4 << 20)
    (tmp_path / "out").write_bytes(b"old")
    with pytest.raises(OSError, match="became shorter"):
        replace_file(tmp_path / "out", _parts(mapped))
    assert (tmp_path / "out").read_bytes() == b"old"


@POSIX
def test_a_mapped_model_closes_its_file_descriptor() -> None:
    sample = Path(__file__).resolve().parents[1] / "data" / "sample_origin.tflite"
    numbers = set()
    for _ in range(50):
        memoryview(read_model_file(sample))
        with sample.open("rb") as stream:
            numbers.add(stream.fileno())
    assert len(numbers) == 1


@POSIX
def test_device_is_written_to_not_replaced(tmp_path: Path) -> None:
    replace_file(os.devnull, [b"gone"])
    assert stat.S_ISCHR(Path(os.devnull).stat().st_mode)


def test_impossible_destinations_are_refused(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError, match="is a directory, not a file to write"):
        check_destination(tmp_path)
    with pytest.raises(FileNotFoundError, match="its folder does not exist; create it first"):
        check_destination(tmp_path / "no" / "out")
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(FileNotFoundError, match="its folder does not exist; create it first"):
        check_destination(tmp_path / "file" / "out")


def test_model_files_are_read_and_folders_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "model").write_bytes(b"content")
    assert read_model_file(tmp_path / "empty") == b""
    assert bytes(memoryview(read_model_file(tmp_path / "model"))) == b"content"
    with pytest.raises(IsADirectoryError, match="is a directory, not a model file"):
        read_model_file(tmp_path)
    with pytest.raises(FileNotFoundError):
        read_model_file(tmp_path / "missing")


def test_arrays_are_read_from_files_and_folders(tmp_path: Path) -> None:
    one, two = np.zeros((3, 2), np.float32), np.ones((3, 4), np.int8)
    np.savez(tmp_path / "named.npz", image=one, mask=two)
    np.savez(tmp_path / "placed.npz", one, two)
    np.save(tmp_path / "single.npy", one)
    folder = tmp_path / "folder"
    folder.mkdir()
    np.save(folder / "image.npy", one)
    np.save(folder / "1.npy", two)
    assert sorted(read_arrays(tmp_path / "named.npz")) == ["image", "mask"]
    assert sorted(read_arrays(tmp_path / "placed.npz")) == [0, 1]
    assert read_arrays(tmp_path / "single.npy")[0].shape == (3, 2)
    assert {str(key): array.shape for key, array in read_arrays(folder).items()} == {
        "1": (3, 4),
        "image": (3, 2),
    }


@pytest.mark.parametrize("content", [b"", b"\x89PNG", b"PK\x03\x04 and no more", b"\x93NUMPY"])
def test_files_without_arrays_are_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "data.npz").write_bytes(content)
    with pytest.raises(OSError, match=r"not a \.npy or \.npz file of numbers"):
        read_arrays(tmp_path / "data.npz")


@pytest.mark.promise("Calibration arrays are read without pickle.")
def test_pickled_arrays_are_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "data.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(OSError, match=r"not a \.npy or \.npz file of numbers"):
        read_arrays(tmp_path / "data.npy")


@pytest.mark.promise(
    "Pipes and devices are refused wherever a file is read; `-` is standard input."
)
@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names here")
def test_pipes_and_devices_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing writes into the pipe, so a run that opened it would never end."""
    monkeypatch.chdir(tmp_path)
    os.mkfifo("pipe")
    Path("in.tflite").write_bytes(concat_example())
    Path("link.tflite").symlink_to("/dev/zero")
    message = "is a pipe or a device, not a file"
    for name in ("pipe", "/dev/zero", "link.tflite"):
        for command in ((name, "out"), ("check", name), ("explain", name)):
            assert cli.main([*command]) == 2
            assert (
                capsys.readouterr().err == f"tflite_align: {name}: {message}; - is standard input\n"
            )
        for option in ("--config", "--baseline", "--lock"):
            assert cli.main(["check", "in.tflite", option, name]) == 2
            assert f"{name}: {message}" in capsys.readouterr().err
        assert cli.main(["in.tflite", "out", "--calibration", name]) == 2
        assert f"{name}: {message}" in capsys.readouterr().err
    assert not Path("out").exists()


def _npy(shape: str, data: bytes = b"") -> bytes:
    header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}}}\n".encode()
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + data


STRANGE_ARRAYS = {
    "a header without an end": ("a.npy", _npy("(" * 9000)),
    "more elements than a long has": ("a.npy", _npy(f"({10**30},)")),
    "a negative extent": ("a.npy", _npy("(-1,)")),
}


@pytest.mark.parametrize("name", STRANGE_ARRAYS)
def test_malformed_arrays_are_refused(tmp_path: Path, name: str) -> None:
    file, content = STRANGE_ARRAYS[name]
    (tmp_path / file).write_bytes(content)
    with pytest.raises(OSError, match=r"not a \.npy or \.npz file of numbers"):
        read_arrays(tmp_path / file)


# Offset in the zip's local header, offset in its central directory, the 16-bit value put there.
@pytest.mark.parametrize(("local", "central", "word"), [(6, 8, 1), (8, 10, 99)])
def test_encrypted_and_unknown_archives_are_refused(
    tmp_path: Path, local: int, central: int, word: int
) -> None:
    np.savez(tmp_path / "data.npz", np.zeros((1, 2), np.float32))
    content = bytearray((tmp_path / "data.npz").read_bytes())
    content[local] = content[content.find(b"PK\x01\x02") + central] = word
    (tmp_path / "data.npz").write_bytes(content)
    with pytest.raises(OSError, match=r"not a \.npy or \.npz file of numbers"):
        read_arrays(tmp_path / "data.npz")


@pytest.mark.promise(
    "An archive of them (`.npz`) that claims to unpack to more than 1 GiB and eight times its size"
    " is refused."
)
def test_a_small_archive_of_huge_arrays_is_refused(tmp_path: Path) -> None:
    """The directory of a small .npz states 3 GiB as the unpacked size of an array."""
    np.savez(tmp_path / "data.npz", np.zeros((1, 2), np.float32))
    content = bytearray((tmp_path / "data.npz").read_bytes())
    directory = content.find(b"PK\x01\x02")
    content[directory + 24 : directory + 28] = (3 << 30).to_bytes(4, "little")
    (tmp_path / "data.npz").write_bytes(content)
    with pytest.raises(OSError, match="its arrays unpack to 3,221,225,472 bytes, above the"):
        read_arrays(tmp_path / "data.npz")


def test_an_array_name_of_very_many_digits_is_no_index(tmp_path: Path) -> None:
    arrays: dict[str, Any] = {"arr_" + "9" * 5000: np.zeros((1, 2), np.float32)}
    np.savez(tmp_path / "data.npz", **arrays)
    assert [*read_arrays(tmp_path / "data.npz")] == ["arr_" + "9" * 5000]
