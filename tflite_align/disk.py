"""The only access to the disk: models are read, files are replaced completely or not at all.

Every function raises OSError with the caller's path in `filename`.
"""

from __future__ import annotations

import errno
import mmap
import os
import re
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
    import zipfile

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

# Windows cannot replace a mapped file and has no exclusive modes.
_WINDOWS = os.name == "nt"
_OPEN_FILES = "/proc/self/fd/{}"
# Smallest chunk that is written by a separate system call, in bytes.
_LARGE = 1 << 20
# Bytes that any archive of arrays may unpack to, however small it is.
_UNPACKED = 1 << 30
# Errors of copy_file_range for file systems that do not support it.
_NO_COPY = {errno.ENOSYS, errno.EXDEV, errno.EINVAL, errno.EOPNOTSUPP, errno.EPERM, errno.EBADF}
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)


@contextmanager
def _named(path: str | os.PathLike[str]) -> Iterator[None]:
    """Raise OSErrors with the user's path instead of that of a temporary file or a link's target."""
    try:
        yield
    except OSError as error:
        number = error.errno or errno.EIO
        raise OSError(number, error.strerror or os.strerror(number), os.fspath(path)) from error


# --- reading -----------------------------------------------------------------------------------


def read_model_file(path: str | os.PathLike[str]) -> bytes | mmap.mmap:
    """The file's bytes; memory-mapped on systems on which a mapped file can be replaced; b"" for an
    empty file.
    """
    with _named(path):
        if Path(path).is_dir():
            raise OSError(errno.EISDIR, "is a directory, not a model file")
        with _open_regular(path, "; - is standard input") as stream:
            if _WINDOWS or os.fstat(stream.fileno()).st_size == 0:
                return stream.read()
            return _Mapped.of(stream.fileno())


def _open_regular(path: str | os.PathLike[str], hint: str = "") -> BinaryIO:
    """Open a regular file. Raises OSError for pipes and devices, whose reading might never end."""
    wrong = OSError(errno.EINVAL, f"is a pipe or a device, not a file{hint}")
    if not stat.S_ISREG(Path(path).stat().st_mode):
        raise wrong
    # Non-blocking: the path may have been replaced by a pipe since it was examined.
    opened = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    stream = os.fdopen(opened, "rb")
    if not stat.S_ISREG(os.fstat(opened).st_mode):
        stream.close()
        raise wrong
    return stream


class _Mapped(mmap.mmap):
    """A memory-mapped file with its descriptor, `source`.

    Unchanged bytes can then be copied between files by the kernel, without being read into this
    process.
    """

    source: int

    @classmethod
    def of(cls, descriptor: int) -> _Mapped:
        """Map the file behind a descriptor."""
        mapped = cls(descriptor, 0, access=mmap.ACCESS_READ)
        mapped.source = os.dup(descriptor)
        weakref.finalize(mapped, os.close, mapped.source)
        return mapped

    def offset(self, part: memoryview) -> int:
        """The byte offset in the file of a view of it."""
        import numpy as np  # noqa: PLC0415 - only calibration needs it

        first, here = (np.frombuffer(one, np.uint8).ctypes.data for one in (self, part))
        return int(here - first)


def read_whole_file(path: str | os.PathLike[str]) -> bytes:
    """A copy of the file's bytes, independent of later changes to the file."""
    with _named(path):
        if Path(path).is_dir():
            raise OSError(errno.EISDIR, "is a directory, not a model file")
        with _open_regular(path) as stream:
            return stream.read()


def read_text_file(path: str | os.PathLike[str]) -> str:
    """The text of a small file; raises UnicodeDecodeError where it is not UTF-8."""
    with _named(path), _open_regular(path) as stream:
        return stream.read().decode("utf-8")


def read_beginning(path: str | os.PathLike[str], size: int) -> bytes:
    """The first bytes of a file, at most `size`."""
    with _named(path), _open_regular(path) as stream:
        return stream.read(size)


def read_arrays(path: str | os.PathLike[str]) -> dict[str | int, np.ndarray[Any, Any]]:
    """Calibration data by input name or position.

    A .npz file or a folder of .npy files holds one array per input, under its name or position
    (`arr_0` is position 0); a .npy file holds the only input's. Any other file is an OSError.
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
    """The position that an array's name stands for (`arr_0`, `0`), else the name."""
    number = name.removeprefix("arr_")
    return int(number) if re.fullmatch(r"[0-9]{1,9}", number) else name


def _load(path: Path, called: str) -> Any:
    """The content of a file: an array (.npy), or a dict of arrays (.npz). `called`: beginning of
    the error message.
    """
    import numpy as np  # noqa: PLC0415 - only calibration needs it

    wrong = OSError(errno.EINVAL, f"{called}not a .npy or .npz file of numbers")
    with _open_regular(path) as stream:
        if stream.read(4) not in (b"\x93NUM", b"PK\x03\x04", b"PK\x05\x06"):
            raise wrong
        stream.seek(0)
        try:
            loaded = np.load(stream, allow_pickle=False)
            if not isinstance(loaded, np.ndarray):
                _check_unpacked_size(loaded.zip.infolist(), os.fstat(stream.fileno()).st_size)
                return {name: loaded[name] for name in loaded.files}
        except (OSError, MemoryError):
            raise
        except Exception:  # noqa: BLE001 - numpy, zipfile and tokenize raise a dozen kinds
            raise wrong from None
    return loaded


def _check_unpacked_size(members: Iterable[zipfile.ZipInfo], size: int) -> None:
    """Raise OSError for an archive of `size` bytes that claims to unpack to many times its size."""
    unpacked, most = sum(member.file_size for member in members), _UNPACKED + 8 * size
    if unpacked > most:
        excess = f"its arrays unpack to {unpacked:,} bytes, above the {most:,} allowed for its size"
        raise OSError(errno.EFBIG, f"{excess}: give fewer samples, or a .npy file")


# --- writing -----------------------------------------------------------------------------------


class _Staged(Record, frozen=True):
    """A file's new content, in a temporary file beside it, before it is moved into place.

    `temporary` is None if it is written directly into the destination.
    """

    given: str | os.PathLike[str]
    target: Path
    temporary: Path | None
    chunks: Chunks = ()


def _end(path: str | os.PathLike[str]) -> Path:
    """The file to which a link leads; the path itself for a pipe behind /dev/stdout."""
    given = Path(path)
    return given if given.exists() and not given.is_file() else Path(os.path.realpath(given))


def check_destination(path: str | os.PathLike[str]) -> None:
    """Raise OSError if the file cannot be written, before any work is done."""
    with _named(path):
        target = _end(path)
        if target.is_dir():
            raise OSError(errno.EISDIR, "is a directory, not a file to write")
        if target.is_symlink():
            raise OSError(errno.ELOOP, "is part of a loop of symbolic links")
        if not target.parent.is_dir():
            raise OSError(errno.ENOENT, "its folder does not exist; create it first")
        if not os.access(target if target.exists() else target.parent, os.W_OK):
            raise OSError(errno.EACCES, "no permission to write it")


def check_folder(path: str | os.PathLike[str]) -> None:
    """Raise OSError if the path is no folder and none can be created there."""
    with _named(path):
        place = Path(os.path.realpath(path))
        if place.is_symlink():
            raise OSError(errno.ELOOP, "is part of a loop of symbolic links")
        if place.exists() and not place.is_dir():
            raise OSError(errno.ENOTDIR, "is a file, not a folder to write models in")
        while not place.exists():
            place = place.parent
        if not place.is_dir():
            raise OSError(errno.ENOTDIR, f"{place.name} is a file: no folder can be made below it")
        if not os.access(place, os.W_OK):
            raise OSError(errno.EACCES, "no permission to write in it")


def make_folder(path: str | os.PathLike[str]) -> None:
    """Create the folder and its parents if they are missing."""
    with _named(path):
        Path(path).mkdir(parents=True, exist_ok=True)


def remove_file(path: str | os.PathLike[str]) -> None:
    """Remove the file if it exists."""
    with _named(path):
        Path(path).unlink(missing_ok=True)


def replace_file(path: str | os.PathLike[str], chunks: Chunks) -> None:
    """Give a file this content, completely or not at all.

    The content is written to a temporary file in the same folder and moved into place. The target
    of a link is replaced, not the link; the file keeps its owner, permission bits and extended
    attributes where the system allows it. On any failure, signals included, the old file is
    unchanged and no temporary file is left.
    """
    replace_files([(path, chunks)])


def replace_files(contents: Iterable[tuple[str | os.PathLike[str], Chunks]]) -> None:
    """As replace_file, for several files: all are written before the first is moved into place."""
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
    """Write one file's temporary. It is added to `staged` before it is created, so that callers can
    clean up.
    """
    target = _end(given)
    old = target.stat() if target.exists() else None
    if old is not None and not stat.S_ISREG(old.st_mode):
        # A device or pipe is written directly; replacing it would turn it into a file.
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
            # os.link would follow the link in /proc if it were given a folder's descriptor, even an
            # unused one.
            whole = _OPEN_FILES.format(nameless)
            os.link(whole, temporary, src_dir_fd=nameless, follow_symlinks=True)


def _resemble(new: int, target: Path, old: os.stat_result) -> None:
    """Give a new file (descriptor `new`) the owner, group, permission bits and extended attributes
    (ACLs included) of the file it replaces.

    Attributes that the system does not let us set remain those of a new file. If the group cannot
    be kept, the new group gets no more permissions than others have.
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
    """Let the kernel copy a chunk of the mapped file; returns the number of bytes copied.

    0 for a small chunk, a chunk in memory, or where the system does not support it.
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
                raise OSError(errno.EIO, "the model became shorter while it was read")
            break
        done += copied
    return done


def _open_nameless(folder: Path) -> int | None:
    """An unnamed temporary file, which disappears if the process is killed.

    None where the system or the file system does not support it.
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
    """Move a file that was written under a temporary name to its final path."""
    if one.temporary is not None:
        one.temporary.replace(one.target)
        return
    with one.target.open("wb") as stream:
        stream.writelines(one.chunks)
