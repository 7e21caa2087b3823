"""Text from a model, made safe for a terminal."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from ..checks.checker import Finding

__all__ = ["counts", "follow_up", "plural", "printable", "shorten"]

_LONG = 48  # longest name in a table


def printable(text: str) -> str:
    r"""Text with control, direction and unassigned characters written as `\\x1b`."""
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode("ascii")
        for character in text
    )


def shorten(text: str, most: int = _LONG) -> str:
    """Text in which each word longer than `most` characters is cut in the middle."""
    return re.sub(rf"\S{{{most + 1},}}", lambda match: _shortened(match[0], most), text)


def _shortened(word: str, most: int) -> str:
    """A word of at most `most` characters, with dots in place of its middle."""
    end = (most - 3) // 2
    return f"{word[: most - 3 - end]}...{word[-end:]}"


def plural(count: int, noun: str) -> str:
    """A count with its noun: `1 error`, `2 errors`."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def follow_up(finding: Finding) -> str:
    """The notes of a finding, each preceded by a semicolon; "" without notes."""
    return "".join(f"; {note}" for note in finding.notes)


def counts(findings: Sequence[Finding]) -> str:
    """Counts of findings: `2 errors, 1 warning`, or `no findings`."""
    severities = Counter(finding.severity for finding in findings)
    named = [plural(severities[s], s) for s in ("error", "warning") if severities[s]]
    return ", ".join(named) or "no findings"
