"""`--lock FILE`: read before the alignment, written after it.

A missing lock file is created, with a message. With CI set in the environment it is an error: a
gate without its lock must not pass by creating one that is then thrown away.
"""

from __future__ import annotations

import os
from pathlib import Path

from ..disk import check_destination, read_model_file
from ..errors import UsageError
from ..format.flatbuffer import Bytes
from ..format.reader import read
from ..settings.lock import Lock as LockRecord
from ..settings.lock import lock_of, parse_lock, render_lock
from ..store.named_errors import Failure, about
from .click_options import Given
from .paths import STREAM
from .streams import say

__all__ = ["given_lock", "new_lock", "tell_lock"]

_NO = ("", "0", "false")


def given_lock(request: Given, files: int = 1) -> LockRecord | None:
    """The lock that the model has to match; None if none is used or it is to be written. `files`:
    number of models. Raises UsageError for several models, and for a missing lock in CI.
    """
    if request.lock is None:
        if request.update_lock:
            raise UsageError("--update-lock needs --lock FILE, the lock file to write")
        return None
    if files > 1:
        raise UsageError(f"--lock is for a single model, and {files} files are named: name one")
    path = Path(request.lock)
    if request.update_lock or not os.path.lexists(path):
        if not request.update_lock and os.environ.get("CI", "").lower() not in _NO:
            raise Failure(
                f"{request.lock}: lock file not found, and none is created in CI:"
                " run with --update-lock where the file can be committed"
            )
        with about(request.lock):
            check_destination(path)
        return None
    with about(request.lock):
        try:
            return parse_lock(memoryview(read_model_file(path)).tobytes())
        except UsageError as error:
            raise Failure(f"{request.lock}: {error}") from None


def new_lock(
    request: Given, lock: LockRecord | None, model: Bytes | str
) -> list[tuple[str, tuple[bytes]]]:
    """The lock file to write, as (path, chunks), made from a model's bytes or path.

    Empty if no lock is used, or the run checked one.
    """
    if request.lock is None or lock is not None:
        return []
    if model == STREAM:
        raise UsageError("--lock: no lock can be made from standard input: name a file as IN")
    with about(request.lock):
        data = read_model_file(model) if isinstance(model, str) else model
        return [(request.lock, (render_lock(lock_of(read(data))).encode(),))]


def tell_lock(request: Given, lock: LockRecord | None, written: object, why: str) -> None:
    """Print that a new lock was written, or that it was not and `why`: the user has to review and
    commit it.
    """
    if request.lock is not None and lock is None:
        sentence = "lock written" if written else f"lock not written: {why}"
        say(f"tflite_align: {request.lock}: {sentence}", err=True)
