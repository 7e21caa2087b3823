"""Errors that end a run, as one line with the file's name."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from ..errors import AlignError, UsageError

__all__ = ["Failure", "about", "internal", "why_not"]


class Failure(Exception):  # noqa: N818 - public name: a job that could not be done
    """An error that ends the run; its message is the whole line after the tool's name."""


def internal(error: Exception) -> str:
    """The message of an unexpected exception; with TFLITE_ALIGN_DEBUG=1 its traceback too."""
    if os.environ.get("TFLITE_ALIGN_DEBUG") == "1":
        import traceback  # noqa: PLC0415 - only needed for internal errors

        traceback.print_exception(error)
    message = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    return f"internal error: {message}; please report"


def why_not(error: Exception, path: str) -> str:
    """The message of an error about one of several files, without the file's name `path`."""
    if isinstance(error, Failure):
        return str(error).removeprefix(f"{path}: ")
    if isinstance(error, AlignError):
        return str(error)
    return "out of memory" if isinstance(error, MemoryError) else internal(error)


@contextmanager
def about(path: str) -> Iterator[None]:
    """Turn exceptions in the block into a Failure that names the file `path`."""
    try:
        yield
    except (UsageError, Failure):
        raise  # an error of the command line, or one that names its file
    except AlignError as error:
        raise Failure(f"{path}: {error}") from error
    except MemoryError as error:
        raise Failure(f"{path}: out of memory") from error
    except OSError as error:
        name = error.filename if isinstance(error.filename, str) else path
        raise Failure(f"{name}: {error.strerror or error}") from error
    except Exception as error:
        raise Failure(f"{path}: {internal(error)}") from error
