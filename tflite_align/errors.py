"""Every error a user can meet. One line each, carrying the place and what to do as data."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = [
    "AlignError",
    "FormatError",
    "NotAlignedError",
    "RuleError",
    "UnsupportedError",
    "UsageError",
    "nearest",
]


class AlignError(Exception):
    """Base of all errors raised on purpose; the command line prints it as one line, exit status 2."""


class FormatError(AlignError):
    """The bytes are not a TFLite model that can be read safely."""

    def __init__(self, message: str, *, offset: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.offset = offset

    def __str__(self) -> str:
        if self.offset is None:
            return self.message
        return f"byte {self.offset}: {self.message}"


class UnsupportedError(AlignError):
    """The model is readable but holds something that cannot be rewritten without risk."""


class RuleError(AlignError):
    """A file under schema/ (or a user's target file) is malformed; names the file and the key."""


class UsageError(AlignError):
    """The caller asked for something that does not exist or contradicts itself."""


class NotAlignedError(AlignError):
    """An alignment whose result must not be used: `reasons` say why, a sentence each."""

    def __init__(self, name: str, reasons: tuple[str, ...]) -> None:
        super().__init__(name, reasons)
        self.name = name
        self.reasons = reasons

    def __str__(self) -> str:
        return f"{self.name or 'model'}: not aligned: {'; '.join(self.reasons)}"


def nearest(word: str, known: Iterable[str], count: int = 1) -> list[str]:
    """Words that a misspelled one was perhaps meant to be, the likeliest first."""
    import difflib  # noqa: PLC0415 - only who errs waits for it

    return difflib.get_close_matches(word, list(known), n=count)
