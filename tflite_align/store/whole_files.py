"""Whole files read and written by name: a local path, or a URL of a store."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from ..disk import make_folder, read_model_file, remove_file, replace_file, replace_files
from ..interruption import stop_here
from .urls import is_url, local_path, looks_like_url

__all__ = [
    "is_folder",
    "is_there",
    "join",
    "names_below",
    "read",
    "remove",
    "replace_all",
    "write",
]


def join(folder: str, below: str) -> str:
    """The name of a file below a folder; `below` uses `/`."""
    if not looks_like_url(folder):
        return str(Path(folder) / below)
    head, chained, rest = folder.partition("::")
    between = "" if head.endswith("/") else "/"
    return f"{head}{between}{below}{chained}{rest}"


def read(name: str) -> Any:
    """The content of the file, as bytes or memory-mapped. Raises OSError with the name as it is
    shown.
    """
    if is_url(name):
        from .remote_files import read_object  # noqa: PLC0415 - the library of stores is an extra

        return read_object(name)
    return read_model_file(local_path(name))


def write(name: str, chunks: Iterable[bytes | memoryview]) -> None:
    """Write a file atomically; missing parent folders are created. `chunks`: its bytes in pieces."""
    if is_url(name):
        from .remote_files import write_object  # noqa: PLC0415 - as above

        write_object(name, chunks)
        return
    path = local_path(name)
    make_folder(os.path.dirname(path))  # noqa: PTH120 - as it was given
    replace_file(path, chunks)


def replace_all(contents: Sequence[tuple[str, Iterable[bytes | memoryview]]]) -> None:
    """Write several files: local files are moved into place after all are written, then objects in
    stores are written. `contents`: (path, bytes in pieces) of each.
    """
    stop_here()
    replace_files([(local_path(name), chunks) for name, chunks in contents if not is_url(name)])
    for name, chunks in contents:
        if is_url(name):
            write(name, chunks)


def remove(name: str) -> None:
    """Delete a file, if it exists."""
    if is_url(name):
        from .remote_files import remove_object  # noqa: PLC0415 - as above

        remove_object(name)
        return
    remove_file(local_path(name))


def is_folder(name: str) -> bool:
    """Whether a name is that of a folder, or of objects below a URL."""
    if is_url(name):
        from .remote_files import is_prefix  # noqa: PLC0415 - as above

        return is_prefix(name)
    return os.path.isdir(local_path(name))  # noqa: PTH112 - "-" is no path


def is_there(name: str) -> bool:
    """Whether a file or object exists."""
    if is_url(name):
        from .remote_files import exists  # noqa: PLC0415 - as above

        return exists(name)
    return os.path.lexists(local_path(name))


def names_below(folder: str, ending: str) -> Iterator[str]:
    """Names below a folder with this ending, with `/`, in no order. Links to folders are not followed,
    which avoids cycles; broken links to files are included.
    """
    if is_url(folder):
        from .remote_files import objects_below  # noqa: PLC0415 - as above

        yield from objects_below(folder, ending)
        return
    path = Path(local_path(folder))
    for found in path.rglob(f"*{ending}"):
        if found.is_file() or _dangles(found):
            yield found.relative_to(path).as_posix()


def _dangles(path: Path) -> bool:
    """Whether a path is a link to a missing file."""
    return path.is_symlink() and not os.path.exists(path)  # noqa: PTH110 - a loop raises there
