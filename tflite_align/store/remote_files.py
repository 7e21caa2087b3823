"""Files in other stores, by fsspec's URLs (s3://, gs://, zip://a::b.zip ...).

Credentials come from the store's environment variables and configuration; credentials in a URL are
never shown. Every function raises OSError with the name as it is shown.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from ..errors import UsageError
from .urls import shown

__all__ = [
    "exists",
    "is_prefix",
    "matching",
    "objects_below",
    "read_object",
    "remove_object",
    "write_object",
]

# Stores with atomic writes: an object is visible only when it is complete.
_WHOLE = {"abfs", "abfss", "adl", "az", "gcs", "gs", "memory", "s3", "s3a"}
_MAGIC = re.compile(r"[*?\[]")
_BY_NAME = {"FileNotFoundError": errno.ENOENT, "PermissionError": errno.EACCES}


@contextmanager
def _named(name: str) -> Iterator[None]:
    """Turn exceptions of a store's library into an OSError with the file's name, without secrets."""
    try:
        yield
    except UsageError:
        raise
    except Exception as error:
        if isinstance(error, MemoryError):
            raise
        code = getattr(error, "errno", None) or _BY_NAME.get(type(error).__name__)
        message = os.strerror(code) if code else f"{type(error).__name__}: {_clean(error, name)}"
        raise OSError(code or errno.EIO, message, shown(name)) from None


def _clean(error: Exception, name: str) -> str:
    """A library's message on one line, without the secrets in the URL."""
    message = " ".join(str(error).split())
    for part in re.split(r"[:@/?&=]+", name):
        if len(part) > 3 and part not in shown(name):
            message = message.replace(part, "***")
    return (
        shown(message)
        if "://" not in message
        else re.sub(r"\S+://\S+", lambda m: shown(m[0]), message)
    )


def _opened(name: str) -> tuple[Any, str]:
    """(file system, path in it) of a URL."""
    try:
        from fsspec.core import url_to_fs  # noqa: PLC0415 - optional dependency
    except ImportError:
        raise UsageError(
            f"{shown(name)}: a URL needs the extra `store`: pip install 'tflite-align[store]'"
        ) from None
    try:
        store, path = url_to_fs(name)
    except (ImportError, ValueError) as error:
        raise UsageError(f"{shown(name)}: {_clean(error, name)}") from None
    return store, path


def read_object(name: str) -> bytes:
    """The content of the object, read in one request."""
    with _named(name):
        store, path = _opened(name)
        content: bytes = store.cat_file(path)
        return content


def write_object(name: str, chunks: Iterable[bytes | memoryview]) -> None:
    """Write an object in one request; in stores that show partial files, to a temporary name that
    is then moved. `chunks`: its bytes in pieces.
    """
    with _named(name):
        store, path = _opened(name)
        data = b"".join(chunks)
        kinds = store.protocol if isinstance(store.protocol, tuple) else (store.protocol,)
        if _WHOLE.intersection(kinds):
            store.pipe_file(path, data)
            return
        parent = store._parent(path)  # noqa: SLF001 - the library has no public name for it
        store.makedirs(parent, exist_ok=True)
        temporary = f"{parent}/.tflite_align-{os.urandom(8).hex()}.tmp"
        try:
            store.pipe_file(temporary, data)
            store.mv(temporary, path)
        finally:
            if store.exists(temporary):
                store.rm_file(temporary)


def remove_object(name: str) -> None:
    """Delete an object, if it exists."""
    with _named(name):
        store, path = _opened(name)
        if store.exists(path):
            store.rm_file(path)


def exists(name: str) -> bool:
    """Whether the object exists."""
    with _named(name):
        store, path = _opened(name)
        store.invalidate_cache()
        return bool(store.exists(path))


def is_prefix(name: str) -> bool:
    """Whether an object exists below this URL."""
    with _named(name):
        store, path = _opened(name)
        store.invalidate_cache()
        return bool(store.isdir(path))


def objects_below(name: str, ending: str) -> Iterator[str]:
    """Names below a URL, with `/`; listed page by page, and only names are kept in memory.
    `ending`: only names that end so.
    """
    with _named(name):
        store, path = _opened(name)
        store.invalidate_cache()
        head = path.rstrip("/")
        for folder, _, files in store.walk(path):
            below = folder.rstrip("/").removeprefix(head).strip("/")
            for file in files:
                if file.endswith(ending):
                    yield f"{below}/{file}" if below else file


def matching(pattern: str) -> Iterator[tuple[str, str]]:
    """(path below the part without wildcards, URL) of each object that a pattern matches."""
    from fsspec.utils import glob_translate  # noqa: PLC0415 - optional dependency

    link, chained, rest = pattern.partition("::")
    wild = _MAGIC.search(link)
    assert wild is not None
    cut = link.rindex("/", 0, wild.start()) + 1
    base, target_pattern = link[:cut], re.compile(glob_translate(link[cut:]))
    for path in objects_below(base + chained + rest, ""):
        if target_pattern.match(path):
            yield path, f"{base}{path}{chained}{rest}"
