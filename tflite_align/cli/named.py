"""Names on the command line: differences in case and hyphens are ignored, similar names are
suggested.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence

import click
from click.shell_completion import CompletionItem

from ..errors import UsageError, nearest

__all__ = [
    "file_words",
    "judge_names",
    "misspelled_command",
    "rule_names",
    "some_of",
    "target_names_given",
    "words",
]

Completer = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]


def _squeezed(name: str) -> str:
    """The name in lower case, without punctuation."""
    return re.sub(r"[\W_]", "", name.lower())


def understood(word: str, names: Sequence[str]) -> str:
    """The known name that equals `word` apart from case and punctuation; `word` itself if there is
    none or several.
    """
    if word in names:
        return word
    matches = [name for name in names if _squeezed(name) == _squeezed(word)]
    return matches[0] if len(matches) == 1 else word


def separated(values: Iterable[str], names: Sequence[str]) -> Iterator[str]:
    """Names separated by commas (`tflite,tflm`), each in its canonical spelling."""
    for value in values:
        for part in value.split(","):
            if part.strip():
                yield understood(part.strip(), names)


def some_of(table: Callable[[], Sequence[str]]) -> Callable[..., tuple[str, ...]]:
    """A click callback for an option that takes names of a table, separated by commas or repeated."""

    def callback(
        _ctx: click.Context, param: click.Parameter, value: Sequence[str]
    ) -> tuple[str, ...]:
        """The names in their usual spelling. Raises UsageError for an empty name."""
        if not value:
            return ()
        parts = tuple(separated(value, table()))
        if not parts:
            raise UsageError(f"{param.opts[0]}: expected a name, found an empty text")
        return parts

    return callback


def target_names_given() -> list[str]:
    """The names of the shipped targets."""
    from ..rules.targets import target_names  # noqa: PLC0415 - not needed for --help

    return target_names()


def judge_names() -> list[str]:
    """The names that --require takes: judges, `numbers` and `certified`."""
    from ..verify.judges import JUDGES  # noqa: PLC0415 - as above

    return [*JUDGES, "numbers", "certified"]


def rule_names() -> list[str]:
    """The ids of all rules."""
    from ..rules.rule_story import rule_ids  # noqa: PLC0415 - as above

    return rule_ids()


def file_words(
    _ctx: click.Context, _param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """A click completer that lets the shell complete file names. `incomplete`: the word typed so
    far.
    """
    return [CompletionItem(incomplete, type="file")]


def words(table: Callable[[], Sequence[str]]) -> Completer:
    """A click completer for an option that takes names of a table; it completes the last name of a
    comma-separated list.
    """

    def complete(
        _ctx: click.Context, _param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """The completions of an incomplete value."""
        before, comma, last = incomplete.rpartition(",")
        return [CompletionItem(f"{before}{comma}{n}") for n in table() if n.startswith(last)]

    return complete


def misspelled_command(word: str, commands: Iterable[str]) -> str | None:
    """The command that a misspelled word probably means; None for a file's name or an unrelated
    word.
    """
    if os.path.lexists(word) or not re.fullmatch(r"[A-Za-z]+", word):
        return None
    near = nearest(word.lower(), commands)
    return near[0] if near else None
