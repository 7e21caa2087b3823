"""Files by name, read and written whole: a path of this machine, or a URL of another store."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from ..disk import make_folder, read_model_file, remove_file, replace_file, replace_files
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
    """The name of what lies below a folder; `below` with `/`."""
    if not looks_like_url(folder):
        return str(Path(folder) / below)
    head, chained, rest = folder.partition("::")
    between = "" if head.endswith("/") else "/"
    return f"{head}{between}{below}{chained}{rest}"


def read(name: str) -> Any:
    """The whole file, as bytes or mapped. Raises OSError with the name as it is shown."""
    if is_url(name):
        from .remote_files import read_object  # noqa: PLC0415 - the library of stores is an extra

        return read_object(name)
    return read_model_file(local_path(name))


def write(name: str, chunks: Iterable[bytes | memoryview]) -> None:
    """Give a file this content, whole or not at all; folders above it are made."""
    if is_url(name):
        from .remote_files import write_object  # noqa: PLC0415 - as above

        write_object(name, chunks)
        return
    path = local_path(name)
    make_folder(os.path.dirname(path))  # noqa: PTH120 - as it was given
    replace_file(path, chunks)


def replace_all(contents: Sequence[tuple[str, Iterable[bytes | memoryview]]]) -> None:
    """Several files: none of this machine is moved into place before all of them are written; those
    of other stores follow.
    """
    replace_files([(local_path(name), chunks) for name, chunks in contents if not is_url(name)])
    for name, chunks in contents:
        if is_url(name):
            write(name, chunks)


def remove(name: str) -> None:
    """Take a file away, if it is there."""
    if is_url(name):
        from .remote_files import remove_object  # noqa: PLC0415 - as above

        remove_object(name)
        return
    remove_file(local_path(name))


def is_folder(name: str) -> bool:
    if is_url(name):
        from .remote_files import is_prefix  # noqa: PLC0415 - as above

        return is_prefix(name)
    return os.path.isdir(local_path(name))  # noqa: PTH112 - "-" is no path


def is_there(name: str) -> bool:
    if is_url(name):
        from .remote_files import exists  # noqa: PLC0415 - as above

        return exists(name)
    return os.path.lexists(local_path(name))


def names_below(folder: str, ending: str) -> Iterator[str]:
    """What lies below a folder and has this ending, with `/`, in no order. Links to folders are not
    followed, so that none leads in a circle; a link to a file that is not there counts.
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
    return path.is_symlink() and not os.path.exists(path)  # noqa: PTH110 - a loop raises there
