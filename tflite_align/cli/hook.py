"""The console script `tflite-align-hook`: `check` for pre-commit, which appends file names to the
options.

A file name can look like an option (`--write-baseline=x.tflite`), and pre-commit puts no `--` in
front of the names. Here an argument that names an existing file is a file.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence

from .failure import tell
from .main import main as run

__all__ = ["main"]

_MODEL = ".tflite"


class _Ambiguous(Exception):  # noqa: N818 - printed as a message; nothing is run
    """An argument that is both an option and a file's name."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run `check` with these arguments (default: sys.argv) and return its exit status."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        return run(["check", *_told_apart(arguments)])
    except _Ambiguous as error:
        return tell(f"{error} is both an option and a file: rename the file")


def _told_apart(arguments: Sequence[str]) -> Iterator[str]:
    """Put `./` in front of model files whose names begin with `-`.

    Raises _Ambiguous for an option that is also the name of a file that is no model. `arguments`:
    options and file names.
    """
    for index, argument in enumerate(arguments):
        is_file = argument.startswith("-") and os.path.lexists(argument)
        if is_file and not argument.endswith(_MODEL):
            raise _Ambiguous(argument)
        if argument == "--":
            yield from arguments[index:]
            return
        yield os.path.join(os.curdir, argument) if is_file else argument  # noqa: PTH118 - Path drops the leading ./
