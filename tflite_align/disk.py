"""The only access to the disk: models are read, files replaced whole or not at all.

Every function raises OSError with the given name in `filename`.
"""

from __future__ import annotations

import errno
import mmap
import os
import stat
import sys
import weakref
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from io import BufferedWriter
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from .record import Record

if TYPE_CHECKING:
    import numpy as np

__all__ = [
    "check_destination",
    "check_folder",
    "make_folder",
    "read_arrays",
    "read_beginning",
    "read_model_file",
    "read_text_file",
    "read_whole_file",
    "remove_file",
    "replace_file",
    "replace_files",
]

Chunks = Iterable[bytes | memoryview]

# Windows does not replace a file that is mapped, and has no exclusive modes to set.
_WINDOWS = os.name == "nt"
_OPEN_FILES = "/proc/self/fd/{}"
# From this size on a chunk is worth a system call of its own.
_LARGE = 1 << 20
# What copy_file_range says where it cannot copy between these files at all.
_NO_COPY = {errno.ENOSYS, errno.EXDEV, errno.EINVAL, errno.EOPNOTSUPP, errno.EPERM, errno.EBADF}
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)


@contextmanager
def _named(path: str | os.PathLike[str]) -> Iterator[None]:
    """An OSError names the path the user gave, not a temporary file or a link's end."""
    try:
        yield
    except OSError as error:
        number = error.errno or errno.EIO
        raise OSError(number, error.strerror or os.strerror(number), os.fspath(path)) from error


# --- reading -----------------------------------------------------------------------------------


def read_model_file(path: str | os.PathLike[str]) -> bytes | mmap.mmap:
    """The file's bytes, mapped where the system can replace a mapped file; b"" when empty."""
    with _named(path):
        if Path(path).is_dir():
            raise OSError(errno.EISDIR, "is a directory, not a model file")
        with _open_regular(path, "; - is standard input") as stream:
            if _WINDOWS or os.fstat(stream.fileno()).st_size == 0:
                return stream.read()
            return _Mapped.of(stream.fileno())


def _open_regular(path: str | os.PathLike[str], hint: str = "") -> BinaryIO:
    """A file that has an end: opening a pipe waits for who writes it, and reading a device may never
    end. Raises OSError for these.
    """
    wrong = OSError(errno.EINVAL, f"is a pipe or a device, not a file{hint}")
    if not stat.S_ISREG(Path(path).stat().st_mode):
        raise wrong
    # What became a pipe in between does not hold the run up.
    opened = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    stream = os.fdopen(opened, "rb")
    if not stat.S_ISREG(os.fstat(opened).st_mode):
        stream.close()
        raise wrong
    return stream


class _Mapped(mmap.mmap):
    """A mapped file that keeps its descriptor: what is written as it was read can then go from file
    to file in the kernel, and its pages never count as this process's.
    """

    source: int

    @classmethod
    def of(cls, descriptor: int) -> _Mapped:
        mapped = cls(descriptor, 0, access=mmap.ACCESS_READ)
        mapped.source = os.dup(descriptor)
        weakref.finalize(mapped, os.close, mapped.source)
        return mapped

    def offset(self, part: memoryview) -> int:
        """Where in the file a view of it begins."""
        import numpy as np  # noqa: PLC0415 - as below

        first, here = (np.frombuffer(one, np.uint8).ctypes.data for one in (self, part))
        return int(here - first)


def read_whole_file(path: str | os.PathLike[str]) -> bytes:
    """The file's bytes, copied: whatever becomes of it afterwards, they stay."""
    with _named(path):
        if Path(path).is_dir():
            raise OSError(errno.EISDIR, "is a directory, not a model file")
        with _open_regular(path) as stream:
            return stream.read()


def read_text_file(path: str | os.PathLike[str]) -> str:
    """A small text file; raises UnicodeDecodeError for what is no UTF-8."""
    with _named(path), _open_regular(path) as stream:
        return stream.read().decode("utf-8")


def read_beginning(path: str | os.PathLike[str], size: int) -> bytes:
    """Its first bytes, at most `size`."""
    with _named(path), _open_regular(path) as stream:
        return stream.read(size)


def read_arrays(path: str | os.PathLike[str]) -> dict[str | int, np.ndarray[Any, Any]]:
    """Calibration data by input name or position.

    A .npz file or a folder of .npy files holds one array an input, under its name or position
    (`arr_0` is position 0); a .npy file is the only input's. Anything else is an OSError too.
    """
    place = Path(path)
    with _named(path):
        if place.is_dir():
            files = sorted(place.glob("*.npy"))
            if not files:
                raise OSError(errno.EINVAL, "there is no .npy file in the folder")
            return {_key(file.stem): _load(file, f"{file.name}: ") for file in files}
        loaded = _load(place, "")
    if isinstance(loaded, Mapping):
        return {_key(name): array for name, array in loaded.items()}
    return {0: loaded}


def _key(name: str) -> str | int:
    number = name.removeprefix("arr_")
    return int(number) if number.isascii() and number.isdigit() else name


def _load(path: Path, called: str) -> Any:
    """An array (.npy), or a dict of arrays (.npz)."""
    import zipfile  # noqa: PLC0415 - as numpy: only calibration needs them
    import zlib  # noqa: PLC0415

    import numpy as np  # noqa: PLC0415

    wrong = OSError(errno.EINVAL, f"{called}no .npy or .npz file of numbers")
    with _open_regular(path) as stream:
        if stream.read(4) not in (b"\x93NUM", b"PK\x03\x04", b"PK\x05\x06"):
            raise wrong
        stream.seek(0)
        try:
            loaded = np.load(stream, allow_pickle=False)
            if not isinstance(loaded, np.ndarray):
                return {name: loaded[name] for name in loaded.files}
        except (ValueError, EOFError, zipfile.BadZipFile, zlib.error, KeyError):
            raise wrong from None
    return loaded


# --- writing -----------------------------------------------------------------------------------


class _Staged(Record, frozen=True):
    """Bytes on disk beside their destination; `temporary` None: they go straight into it."""

    given: str | os.PathLike[str]
    target: Path
    temporary: Path | None
    chunks: Chunks = ()


def _end(path: str | os.PathLike[str]) -> Path:
    """The file itself, where the name is a link to it; a pipe behind /dev/stdout has no other."""
    given = Path(path)
    return given if given.exists() and not given.is_file() else Path(os.path.realpath(given))


def check_destination(path: str | os.PathLike[str]) -> None:
    """Raise OSError for a destination that cannot be written, before the work is done."""
    with _named(path):
        target = _end(path)
        if target.is_dir():
            raise OSError(errno.EISDIR, "is a directory, not a file to write")
        if target.is_symlink():
            raise OSError(errno.ELOOP, "is a link that leads to itself")
        if not target.parent.is_dir():
            raise OSError(errno.ENOENT, "the folder to write it in does not exist")
        if not os.access(target if target.exists() else target.parent, os.W_OK):
            raise OSError(errno.EACCES, "no permission to write it")


def check_folder(path: str | os.PathLike[str]) -> None:
    """Raise OSError for what is no folder, and where none could be made of that name."""
    with _named(path):
        place = Path(os.path.realpath(path))
        if place.is_symlink():
            raise OSError(errno.ELOOP, "is a link that leads to itself")
        if place.exists() and not place.is_dir():
            raise OSError(errno.ENOTDIR, "is a file, not a folder to write models in")
        while not place.exists():
            place = place.parent
        if not place.is_dir():
            raise OSError(errno.ENOTDIR, f"{place.name} is a file: no folder can be made below it")
        if not os.access(place, os.W_OK):
            raise OSError(errno.EACCES, "no permission to write in it")


def make_folder(path: str | os.PathLike[str]) -> None:
    """The folder, and those above it, where they are not there yet."""
    with _named(path):
        Path(path).mkdir(parents=True, exist_ok=True)


def remove_file(path: str | os.PathLike[str]) -> None:
    """Take it away, if it is there."""
    with _named(path):
        Path(path).unlink(missing_ok=True)


def replace_file(path: str | os.PathLike[str], chunks: Chunks) -> None:
    """Give a file this content, whole or not at all.

    The content is written beside the destination and moved into place; a link keeps pointing at
    the file that is replaced, and that file keeps its owner, permission bits and extended attributes
    where the system lets it. On any failure, a signal
    that raises among them, the old file is as it was and nothing else is left.
    """
    replace_files([(path, chunks)])


def replace_files(contents: Iterable[tuple[str | os.PathLike[str], Chunks]]) -> None:
    """As replace_file for several files: none is moved into place before all are written."""
    staged: list[_Staged] = []
    try:
        for path, chunks in contents:
            check_destination(path)
            with _named(path):
                _stage(path, chunks, staged)
        for one in staged:
            with _named(one.given):
                _commit(one)
    finally:
        for one in staged:
            if one.temporary is not None:
                one.temporary.unlink(missing_ok=True)


def _stage(given: str | os.PathLike[str], chunks: Chunks, staged: list[_Staged]) -> None:
    """Appends to `staged` before anything is created, so that the caller can always clean up."""
    target = _end(given)
    old = target.stat() if target.exists() else None
    if old is not None and not stat.S_ISREG(old.st_mode):
        # A device or a pipe is written to; replacing it would turn it into a file.
        staged.append(_Staged(given, target, None, chunks))
        return
    temporary = target.parent / f".tflite_align-{os.urandom(8).hex()}.tmp"
    staged.append(_Staged(given, target, temporary))
    nameless = _open_nameless(target.parent)
    opened = os.open(temporary, _CREATE, 0o666) if nameless is None else nameless
    with os.fdopen(opened, "wb") as stream:
        for chunk in chunks:
            stream.write(chunk[_copied(chunk, stream) :])
        stream.flush()
        if old is not None and not _WINDOWS:
            _resemble(stream.fileno(), target, old)
        os.fsync(stream.fileno())
        if nameless is not None:
            # With a folder's descriptor, even an unused one, os.link follows the link in /proc.
            whole = _OPEN_FILES.format(nameless)
            os.link(whole, temporary, src_dir_fd=nameless, follow_symlinks=True)


def _resemble(new: int, target: Path, old: os.stat_result) -> None:
    """Owner, group, permission bits and extended attributes (ACLs among them) of what is replaced.

    What the system does not let be set is left as it is for a new file, and a group that cannot
    be kept has no more of the file than all others have.
    """
    made, mode = os.fstat(new), stat.S_IMODE(old.st_mode)
    for uid, gid in ((old.st_uid, -1), (-1, old.st_gid)):
        if (uid, gid) not in ((made.st_uid, -1), (-1, made.st_gid)):
            with suppress(OSError):
                os.fchown(new, uid, gid)
    made = os.fstat(new)
    if (made.st_uid, made.st_gid) != (old.st_uid, old.st_gid):
        mode &= 0o777
    if made.st_gid != old.st_gid:
        mode = mode & 0o707 | (mode & 0o007) << 3
    os.fchmod(new, mode)
    if not hasattr(os, "listxattr"):
        return
    with suppress(OSError):
        for name in os.listxattr(target):
            if made.st_gid == old.st_gid or not name.startswith("system.posix_acl"):
                with suppress(OSError):
                    os.setxattr(new, name, os.getxattr(target, name))


def _copied(chunk: bytes | memoryview, stream: BufferedWriter) -> int:
    """Bytes of the chunk, from its first, that the kernel copied from the mapped file they are of.

    None of a small chunk, or of memory, or where the system or these file systems do not do it.
    """
    if not (isinstance(chunk, memoryview) and chunk.nbytes >= _LARGE and chunk.contiguous):
        return 0
    given = chunk.obj
    if not (isinstance(given, _Mapped) and hasattr(os, "copy_file_range")):
        return 0
    stream.flush()
    start, done = given.offset(chunk), 0
    while done < chunk.nbytes:
        left = chunk.nbytes - done
        try:
            copied = os.copy_file_range(given.source, stream.fileno(), left, start + done)
        except OSError as error:
            if error.errno in _NO_COPY:
                break
            raise
        if not copied:
            if os.fstat(given.source).st_size < start + chunk.nbytes:
                raise OSError(errno.EIO, "the model that is read became shorter meanwhile")
            break
        done += copied
    return done


def _open_nameless(folder: Path) -> int | None:
    """A file without a name: a run that is killed before it is whole leaves nothing of it.

    None where the system or this file system has none.
    """
    if sys.platform != "linux" or not Path(_OPEN_FILES.format("")).is_dir():
        return None
    try:
        return os.open(folder, os.O_TMPFILE | os.O_WRONLY, 0o666)
    except OSError as error:
        if error.errno in (errno.EOPNOTSUPP, errno.EISDIR, errno.ENOENT, errno.EINVAL):
            return None
        raise


def _commit(one: _Staged) -> None:
    if one.temporary is not None:
        one.temporary.replace(one.target)
        return
    with one.target.open("wb") as stream:
        stream.writelines(one.chunks)
