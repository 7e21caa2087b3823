"""Reports of shards: a head line with the shard's number, then one line per model; and merging of
such reports.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from ..errors import UsageError
from ..record import Record
from .report import FORMAT
from .terminal_text import plural
from .values import tool

__all__ = ["Shard", "ShardHead", "merged", "shard_head"]

_NAMED = 5  # paths that an error message lists


class Shard(Record, frozen=True):
    """Shard `number` of `count`, counted from 1: the models that one of several runs processes."""

    number: int
    count: int

    def has(self, path: str) -> bool:
        """Whether the model belongs to this shard, by a digest of its path below the folder."""
        digest = hashlib.sha256(path.encode("utf-8", "surrogateescape")).digest()
        return int.from_bytes(digest[:8], "big") % self.count == self.number - 1

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"

    @classmethod
    def parse(cls, text: str) -> Shard:
        """Parse `K/N`. Raises UsageError for any other text."""
        shard_number, slash, count = text.partition("/")
        if (
            slash
            and shard_number.isdecimal()
            and count.isdecimal()
            and 1 <= int(shard_number) <= int(count)
        ):
            return cls(int(shard_number), int(count))
        raise UsageError(f"--shard {text}: expected K/N with K from 1 to N, such as 3/20")


class ShardHead(Record, frozen=True, kw_only=True):
    """The first line of the report of shard `shard` of `shards`; `models`: number of models in it.

    `settings_sha256`: digest of the options, rules and versions of the run.
    """

    shard: int
    shards: int
    models: int
    settings_sha256: str


class _File:
    """One report as JSON lines; stores byte offsets of the lines, not the parsed lines."""

    def __init__(self, name: str, data: Any) -> None:
        self.name, self.data = name, data
        self.head: ShardHead | None = None
        self.places: list[tuple[str, int, int]] = []  # path, start and end offset of the line
        self.settings: set[str] = set()
        self.tools: set[str] = set()
        start = 0
        while (end := data.find(b"\n", start) + 1) > 0:
            self._add(data[start:end], start, end)
            start = end
        if start < len(data):
            raise UsageError(
                f"{name}: byte {start}: the last line has no newline; the file may be truncated"
            )

    def _add(self, line: bytes, start: int, end: int) -> None:
        """Note one line, given its byte range. Raises UsageError if it is no line of such a report.
        `start`, `end`: first byte and the byte behind.
        """
        try:
            value = json.loads(line)
            if value["format"] != FORMAT:
                raise UsageError(
                    f"{self.name}: byte {start}: format {value['format']}, expected {FORMAT}:"
                    " write the report again with this version"
                )
            self.tools.add(str(value["tool"]["version"]))
            if "shards" in value:
                del value["format"], value["tool"]
                self.head = ShardHead(**value)
                self.settings.add(self.head.settings_sha256)
                return
            self.places.append((str(value["path"]), start, end))
            self.settings.update({str(value["settings_sha256"])} - {""})
        except (ValueError, TypeError, KeyError, OverflowError, RecursionError) as error:
            raise UsageError(
                f"{self.name}: byte {start}: no line of a report of many models (.jsonl)"
            ) from error


def shard_head(head: ShardHead) -> bytes:
    """The head as a JSON line."""
    document = {"format": FORMAT, "tool": tool(), **_fields(head)}
    return json.dumps(document, separators=(",", ":")).encode() + b"\n"


def _fields(head: ShardHead) -> dict[str, Any]:
    """The head's fields, name -> value."""
    return {name: getattr(head, name) for name in ShardHead.__struct_fields__}


def merged(files: Iterable[tuple[str, Any]]) -> Iterator[bytes]:
    """Merge reports of one run, given as (name, bytes); yields their lines sorted by path.

    Raises UsageError before the first line: for a file that is no such report, a model in two
    reports, missing or repeated shards, and differing settings or versions.
    """
    shard_files = [_File(name, data) for name, data in files]
    _of_one_kind(shard_files)
    heads = [file for file in shard_files if file.head is not None]
    if heads:
        _complete(shard_files)
    lines = sorted(
        (path, file_index, start, end)
        for file_index, file in enumerate(shard_files)
        for path, start, end in file.places
    )
    counted = Counter(path for path, *_ in lines)
    if twice := [path for path, times in counted.items() if times > 1]:
        raise UsageError(f"{_some(twice)}: in more than one of the reports")
    return (bytes(shard_files[file_index].data[start:end]) for _, file_index, start, end in lines)


def _of_one_kind(shard_files: Sequence[_File]) -> None:
    """Raise UsageError unless all files are of one version and have the same settings."""
    first = shard_files[0]
    for file in shard_files:
        for what, ours, theirs in (
            ("another version of tflite_align", first.tools, file.tools),
            ("other settings, rules or versions", first.settings, file.settings),
        ):
            if len(ours | theirs) > 1:
                differs = file if file is not first else first
                raise UsageError(
                    f"{differs.name}: made with {what} than {first.name}: run it again"
                    if differs is not first
                    else f"{first.name}: its lines were made with {what} than one another"
                )


def _complete(shard_files: Sequence[_File]) -> None:
    """Raise UsageError unless the files are all shards of one run, each once."""
    counts = {file.head.shards if file.head else 0 for file in shard_files}
    if len(counts) > 1:
        whole = [file.name for file in shard_files if file.head is None]
        problem = (
            f"{_some(whole)}: not written with --shard" if whole else "shards of different counts"
        )
        raise UsageError(f"{problem}: only the shards of one run can be merged")
    (count,) = counts
    present = Counter(file.head.shard for file in shard_files if file.head)
    if missing := [
        str(shard_number) for shard_number in range(1, count + 1) if shard_number not in present
    ]:
        noun = "shard" if len(missing) == 1 else "shards"
        raise UsageError(f"{noun} {_some(missing)} of {count}: missing")
    if twice := [str(shard_number) for shard_number, times in present.items() if times > 1]:
        raise UsageError(f"shard {_some(twice)} of {count}: given more than once")
    for file in shard_files:
        assert file.head is not None
        if len(file.places) != file.head.models:
            models = plural(len(file.places), "model")
            raise UsageError(f"{file.name}: {models} where its head says {file.head.models:,}")
        shard = Shard(file.head.shard, file.head.shards)
        if foreign := [path for path, *_ in file.places if not shard.has(path)]:
            raise UsageError(f"{file.name}: {_some(foreign)}: not of shard {shard}")


def _some(names: Sequence[str]) -> str:
    """The first names as text, followed by the number of others."""
    more = f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more
