"""The record of finished work: a file for each finished chunk, a line for each of its models.

Files are never appended to, since object stores cannot append and a run on several machines has
several writers. Damaged lines are ignored; of several lines of one model the latest is used.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable
from typing import Self

from ..report.shard_lines import Shard
from .spool import Spool
from .urls import shown
from .whole_files import is_there, join, names_below, read, remove, write

__all__ = ["DoneRecord"]

_LINES = ".jsonl"
_FEW = 4  # number of files up to which one run's files are not merged


class DoneRecord:
    """The record of finished work, from which a stopped run over many models can be resumed.

    Reads the report lines of models that earlier runs finished, and names a new file for each chunk
    (the models that one process handles at a time). `folder`: where the files are; "": nothing is
    recorded. Use as a context manager, once.
    """

    def __init__(self, folder: str, shard: Shard | None = None) -> None:
        self._folder = folder
        # The time comes first: sorted names are sorted by age.
        self._run = f"{time.time_ns():019}-{os.urandom(4).hex()}"
        self._own = f"{shard.number}-of-{shard.count}-" if shard else "all-"
        self._places: dict[str, tuple[int, int]] = {}
        self._spool = Spool()

    def __enter__(self) -> Self:
        self._spool.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._spool.__exit__()

    def name(self, chunk_number: int) -> str:
        """The file name for the lines of a chunk."""
        return join(self._folder, f"{self._file(chunk_number)}") if self._folder else ""

    def _file(self, chunk_number: int) -> str:
        """The name of a chunk's file, without folder."""
        return f"{self._run}-{self._own}{chunk_number:07}{_LINES}"

    def read(self, paths: Iterable[str]) -> None:
        """Read the recorded lines of the models with these paths. Files of one shard are merged and
        superseded ones deleted. Raises OSError.
        """
        if not self._folder or not is_there(self._folder):
            return
        selected = set(paths)
        names = sorted(names_below(self._folder, _LINES))
        own_names = [name for name in names if f"-{self._own}" in name]
        lines = 0
        for name in names:
            for line in bytes(read(join(self._folder, name))).splitlines(keepends=True):
                lines += name in own_names
                path = _path(line)
                if path and (path in selected or name in own_names):
                    self._places[path] = self._spool.add(line)
        if len(own_names) > _FEW or (len(own_names) == len(names) and lines > len(self._places)):
            self._join(own_names)

    def line(self, path: str) -> bytes:
        """The recorded line of a model; b"" for none."""
        start, end = self._places.get(path, (0, 0))
        return self._spool.part(start, end) if end else b""

    def _join(self, own_names: list[str]) -> None:
        """Merge the files with these names. The merged file is written before its parts are
        deleted, so that a killed run loses no line.
        """
        write(self.name(0), map(self.line, self._places))
        for name in own_names:
            remove(join(self._folder, name))

    def __str__(self) -> str:
        return shown(self._folder)


def _path(line: bytes) -> str:
    """The path of the model that a line is about; "" for a damaged line."""
    try:
        return str(json.loads(line)["path"]) if line.endswith(b"\n") else ""
    except (ValueError, TypeError, KeyError, RecursionError):
        return ""
