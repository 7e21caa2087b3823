"""Opens the value that a caller gives as a model or as calibration data."""

from __future__ import annotations

import io
import os
from collections.abc import Mapping
from typing import Any, Protocol

from ..disk import read_arrays, read_whole_file
from ..errors import UsageError, kind_of
from ..format.flatbuffer import Bytes
from ..record import Record
from .results import AlignResult

__all__ = ["Opened", "ReadableFile", "Source", "calibration_arrays", "opened"]


class ReadableFile(Protocol):
    """An open binary file: any object whose read() returns bytes."""

    def read(self) -> bytes: ...


# A path, bytes in any object with a buffer (mmap for example), or an open file.
Source = str | os.PathLike[str] | Bytes | ReadableFile


class Opened(Record, frozen=True, kw_only=True):
    """The bytes of a model, and its name: the path by which it was given, or ""."""

    data: Bytes
    name: str = ""


def opened(source: Source) -> Opened:
    """Read the bytes of a source. A file is read completely, so that later changes to it have no
    effect.

    Raises OSError for a file that cannot be read, UsageError for an object of another type.
    """
    if isinstance(source, (str, os.PathLike)):
        name = os.fspath(source)
        if not isinstance(name, str):
            raise UsageError("source: expected a path of text, found one of bytes")
        if not name:
            raise UsageError("source: the path is empty")
        if "\0" in name:
            raise UsageError("source: no path holds a zero character; bytes are given as bytes")
        return Opened(data=read_whole_file(name), name=name)
    if isinstance(source, bytes):
        return Opened(data=source)
    view = _viewed(source)
    if view is not None:
        return Opened(data=view)
    if not isinstance(source, type) and callable(getattr(source, "read", None)):
        return _read(source)
    if isinstance(source, AlignResult):
        raise UsageError("source: found an AlignResult; the aligned model is its `data`")
    raise UsageError(
        "source: expected a path, the bytes of a model or a file opened for reading them;"
        f" found {kind_of(source)}"
    )


def _viewed(source: Any) -> memoryview | None:
    """A view of an object's buffer; None for an object without one. `source`: the object."""
    try:
        view = memoryview(source)
    except TypeError:
        return None
    except ValueError:  # an mmap that is closed, a view that is released
        raise UsageError(f"source: found {kind_of(source)} that is closed") from None
    if view.itemsize != 1 or not view.c_contiguous:
        what = "with gaps" if view.itemsize == 1 else f"of {view.itemsize}-byte elements"
        raise UsageError(
            f"source: expected a contiguous buffer of bytes; found {kind_of(source)} {what}"
        )
    return view.cast("B")


def _read(source: Any) -> Opened:
    """The rest of an open file. Raises UsageError if it is not open for reading bytes. `source`:
    the object.
    """
    data = _bytes_of(source)
    if isinstance(data, str):
        raise UsageError("source: the file is open as text; open it with mode 'rb'")
    if not isinstance(data, bytes):
        raise UsageError(f"source: its read() gave {kind_of(data)} in place of bytes")
    name = getattr(source, "name", "")
    return Opened(data=data, name=name if isinstance(name, str) else "")  # int: descriptor


def _bytes_of(file: Any) -> Any:
    """The bytes of an open file from its current position."""
    if getattr(file, "closed", False) is True:
        raise UsageError("source: the file is closed")
    try:
        data = file.read()
    except io.UnsupportedOperation:
        raise UsageError(
            "source: the file is not open for reading; open it with mode 'rb'"
        ) from None
    if data == b"" and _stands_behind(file):
        raise UsageError("source: the file was read to its end before; seek(0) goes back")
    return data


def _stands_behind(file: Any) -> bool:
    """Whether the file's current position is behind its beginning."""
    try:
        return int(file.tell()) > 0
    except (AttributeError, OSError, TypeError, ValueError):
        return False


def calibration_arrays(arrays: Any) -> Any:
    """Arrays by input name or position, made from a mapping, an array, a list of arrays, or a path.

    Any other value is returned unchanged; AlignOptions rejects it.
    """
    if isinstance(arrays, (str, os.PathLike)):
        return read_arrays(arrays)
    if isinstance(arrays, Mapping) or arrays is None:
        return arrays
    if isinstance(arrays, (list, tuple)):
        return dict(enumerate(arrays))
    return {0: arrays} if hasattr(arrays, "shape") else arrays
