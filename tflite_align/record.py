"""Records: immutable values with named fields, and how they are changed and compared.

What dataclasses are elsewhere. A model of thousands of operators is some ten thousand records, and
each run defines a hundred and fifty kinds of them before it reads the first byte: msgspec makes,
changes and defines them in a fraction of the time.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, ClassVar, TypeVar

from msgspec import Struct, field
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
    "plain",
    "remember",
    "replace",
    "values",
]

Record = Struct

_R = TypeVar("_R", bound=Struct)

_SHOWN = 240  # characters that a record of many values shows of itself


class PartlyCompared(Struct, frozen=True, eq=False):
    """Record whose equality ignores the fields in `uncompared` (file positions, caches).

    `replace()` resets the fields in `caches`, which are computed from the others.
    """

    uncompared: ClassVar[frozenset[str]] = frozenset({"pos"})
    caches: ClassVar[Mapping[str, Any]] = {}

    def _what(self) -> tuple[Any, ...]:
        return tuple([getattr(self, name) for name in compared(type(self))])

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        assert isinstance(other, PartlyCompared)
        return self._what() == other._what()

    def __ne__(self, other: object) -> bool:
        # Not left to Python: a Struct has one of its own, which would tell objects apart.
        return not self == other

    def __hash__(self) -> int:
        return hash((type(self), *self._what()))


def brief(shown: str) -> str:
    """What a record shows of itself in a notebook or a traceback: one short line."""
    line = " ".join(shown.split())
    return line if len(line) <= _SHOWN else f"{line[: _SHOWN - 4]}...>"


def values(record: Struct) -> tuple[Any, ...]:
    """All its values, in the order of its fields."""
    return tuple([getattr(record, name) for name in type(record).__struct_fields__])


@cache
def compared(kind: type[Struct]) -> tuple[str, ...]:
    """The names of the fields that make a record what it is, in their order."""
    aside = kind.uncompared if issubclass(kind, PartlyCompared) else frozenset()
    return tuple([name for name in kind.__struct_fields__ if name not in aside])


def is_record(thing: object) -> bool:
    """Whether it is a record, or a kind of them."""
    return isinstance(thing, Struct) or (isinstance(thing, type) and issubclass(thing, Struct))


def replace(record: _R, /, **changes: Any) -> _R:
    """The record with other values in some fields; TypeError for a name that is no field."""
    if isinstance(record, PartlyCompared) and record.caches:
        fresh = {name: start() for name, start in record.caches.items()}
        return _replace(record, **{**fresh, **changes})
    return _replace(record, **changes)


def remember(record: Struct, name: str, value: object) -> None:
    """Note in a record what was found out about it: nothing that would make it another one."""
    force_setattr(record, name, value)
