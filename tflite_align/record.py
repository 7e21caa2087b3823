"""Record: an immutable value with named fields, with functions to change and compare records.

A faster replacement for dataclasses, based on msgspec: a large model has some ten thousand records,
and each run defines 150 record types before it reads the first byte.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, ClassVar, TypeVar

from msgspec import Struct, field, msgpack
from msgspec import to_builtins as plain
from msgspec.structs import force_setattr
from msgspec.structs import replace as _replace

__all__ = [
    "PartlyCompared",
    "Record",
    "brief",
    "compared",
    "field",
    "is_record",
    "packed",
    "plain",
    "remember",
    "replace",
    "unpacked",
    "values",
]

Record = Struct

_R = TypeVar("_R", bound=Struct)

_SHOWN = 240  # longest value in a record's repr


class PartlyCompared(Struct, frozen=True, eq=False):
    """Record whose equality ignores the fields in `uncompared` (file positions, caches).

    `replace()` resets the fields in `caches`, which are computed from the others.
    """

    uncompared: ClassVar[frozenset[str]] = frozenset({"pos"})
    caches: ClassVar[Mapping[str, Any]] = {}

    def _what(self) -> tuple[Any, ...]:
        """The values of the fields that comparisons use."""
        return tuple([getattr(self, name) for name in compared(type(self))])

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        assert isinstance(other, PartlyCompared)
        return self._what() == other._what()

    def __ne__(self, other: object) -> bool:
        # Defined here because msgspec.Struct has its own, which does not use __eq__.
        return not self == other

    def __hash__(self) -> int:
        return hash((type(self), *self._what()))


def brief(shown: str) -> str:
    """A short one-line repr, for notebooks and tracebacks."""
    line = " ".join(shown.split())
    return line if len(line) <= _SHOWN else f"{line[: _SHOWN - 4]}...>"


def values(record: Struct) -> tuple[Any, ...]:
    """The values of all fields, in field order."""
    return tuple([getattr(record, name) for name in type(record).__struct_fields__])


@cache
def compared(kind: type[Struct]) -> tuple[str, ...]:
    """The names of the fields that comparisons use, in field order."""
    aside = kind.uncompared if issubclass(kind, PartlyCompared) else frozenset()
    return tuple([name for name in kind.__struct_fields__ if name not in aside])


def is_record(thing: object) -> bool:
    """Whether the object is a record or a record type."""
    return isinstance(thing, Struct) or (isinstance(thing, type) and issubclass(thing, Struct))


def replace(record: _R, /, **changes: Any) -> _R:
    """A copy with other values in the fields named by keywords. Raises TypeError for an unknown
    field.
    """
    if isinstance(record, PartlyCompared) and record.caches:
        fresh = {name: start() for name, start in record.caches.items()}
        return _replace(record, **{**fresh, **changes})
    return _replace(record, **changes)


def packed(record: Struct) -> bytes:
    """The record as bytes (MessagePack), which hold values only."""
    return msgpack.encode(record)


def unpacked(kind: type[_R], data: bytes) -> _R:
    """The record of type `kind` in the bytes of packed(). Raises msgspec's errors, which are
    ValueErrors, for other bytes.
    """
    return msgpack.decode(data, type=kind)


def remember(record: Struct, name: str, value: object) -> None:
    """Store a cached value in a record. The value must not affect comparisons."""
    force_setattr(record, name, value)
