"""Patterns of names with `*`, `?` and `[...]`, as in shells, within limits.

Python translates a pattern in time that grows with its length times its brackets, and looks through
folders once for each way to share their depth among several `**`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from fnmatch import fnmatchcase

from ..errors import UsageError

__all__ = ["check_pattern", "filtered", "matches"]

_LONGEST = 4096  # characters; the longest path of Linux
_MOST = 64  # wildcards in a pattern
_MOST_DEPTHS = 4  # `**` in a pattern
_WILD = re.compile(r"[*?\[]")
_SHOWN = 40  # characters of a refused pattern in the message


def check_pattern(pattern: str) -> None:
    """Raise UsageError if the pattern is beyond the limits. A name without wildcards has none."""
    wildcards = len(_WILD.findall(pattern))
    depths = pattern.count("**")
    if wildcards and (
        len(pattern) > _LONGEST or wildcards - depths > _MOST or depths > _MOST_DEPTHS
    ):
        shown = pattern if len(pattern) <= _SHOWN else f"{pattern[:_SHOWN]}..."
        raise UsageError(
            f"{shown}: the pattern has {len(pattern):,} characters, {wildcards - depths:,} wildcards"
            f" and {depths:,} of them `**`; use at most {_LONGEST:,}, {_MOST} and {_MOST_DEPTHS}"
        )


def matches(name: str, pattern: str) -> bool:
    """Whether the name matches the pattern. Raises UsageError for a pattern beyond the limits."""
    check_pattern(pattern)
    return fnmatchcase(name, pattern)


def filtered(names: Iterable[str], pattern: str) -> list[str]:
    """The names that match the pattern. Raises UsageError for a pattern beyond the limits."""
    check_pattern(pattern)
    return [name for name in names if fnmatchcase(name, pattern)]
