"""Every error that a user can see: its message is one line, its place is available as data."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

__all__ = [
    "AlignError",
    "FormatError",
    "NotAlignedError",
    "RuleError",
    "UnsupportedError",
    "UsageError",
    "did_you_mean",
    "kind_of",
    "nearest",
]


class AlignError(Exception):
    """Base class of all deliberate errors; the command line prints it as one line and exits with
    status 2.
    """


class FormatError(AlignError):
    """The bytes are no TFLite model that can be read safely."""

    def __init__(self, message: str, *, offset: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.offset = offset

    def __str__(self) -> str:
        if self.offset is None:
            return self.message
        return f"byte {self.offset}: {self.message}"


class UnsupportedError(AlignError):
    """The model is readable but contains something that cannot be rewritten safely."""


class RuleError(AlignError):
    """A file of schema/, or a user's target file, is malformed; names the file and the key."""


class UsageError(AlignError):
    """A request for an object that does not exist (file, target, rule, tensor), or options that
    contradict each other.
    """


class NotAlignedError(AlignError):
    """The result of an alignment must not be used; `reasons` are sentences that say why."""

    def __init__(self, name: str, reasons: tuple[str, ...]) -> None:
        super().__init__(name, reasons)
        self.name = name
        self.reasons = reasons

    def __str__(self) -> str:
        return f"{self.name or 'model'}: not aligned: {'; '.join(self.reasons)}"


def kind_of(value: object) -> str:
    """Description of a wrong argument: `None`, `the class X`, `a value of type X`."""
    if value is None:
        return "None"
    if isinstance(value, type):
        return f"the class {value.__name__}"
    return f"a value of type {type(value).__name__}"


def nearest(word: str, known: Iterable[str], count: int = 1) -> list[str]:
    """The known words that a misspelled one resembles, best match first."""
    import difflib  # noqa: PLC0415 - only needed for errors

    return difflib.get_close_matches(word, list(known), n=count)


def did_you_mean(word: str, known: Mapping[str, str]) -> str:
    """`; did you mean ethos-u55 or ethos-u65?` for an unknown name; "" where no known name is
    similar.

    `known`: name -> its description, which is searched as well: `coral` finds a target described as
    Coral.
    """
    squeezed = {name: re.sub(r"[\W_]", "", name.lower()) for name in known}
    wanted = re.sub(r"[\W_]", "", word.lower())
    if not wanted:
        return ""
    found = [name for name in known if squeezed[name] == wanted]
    found = found or [
        name
        for name in known
        if squeezed[name].startswith(wanted) or wanted.startswith(squeezed[name])
    ]
    found = found or [name for name in known if word.lower() in known[name].lower()]
    found = found or nearest(word.lower(), known)
    if not found:
        return ""
    listed = found[0] if len(found) == 1 else f"{', '.join(found[:-1])} or {found[-1]}"
    return f"; did you mean {listed}?"
