"""`tflite-align-hook`: `check` as pre-commit calls it, its options and then the names of files.

A file may be called as an option is (`--write-baseline=x.tflite`), and nothing stands between the
hook's arguments and the names: a file that is there is a file.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence

from .failure import tell
from .main import main as run

__all__ = ["main"]

_MODEL = ".tflite"


class _Ambiguous(Exception):  # noqa: N818 - told, and nothing is run
    pass


def main(argv: Sequence[str] | None = None) -> int:
    """`check` with these arguments (default: the process's); returns its exit status."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        return run(["check", *_told_apart(arguments)])
    except _Ambiguous as error:
        return tell(f"{error} is an option and a file's name: rename the file")


def _told_apart(arguments: Sequence[str]) -> Iterator[str]:
    """Names of models that begin as options do are led by `./`. An option that some other file is
    called by could be either: _Ambiguous.
    """
    for index, argument in enumerate(arguments):
        is_file = argument.startswith("-") and os.path.lexists(argument)
        if is_file and not argument.endswith(_MODEL):
            raise _Ambiguous(argument)
        if argument == "--":
            yield from arguments[index:]
            return
        yield os.path.join(os.curdir, argument) if is_file else argument  # noqa: PTH118 - Path drops it
