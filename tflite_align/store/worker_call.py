"""The message to a worker: a chunk as bytes, and the function that unpacks and runs it."""

from __future__ import annotations

import pickle
import socket
from collections.abc import Callable
from typing import Any, Literal

from .chunk_work import Chunk, Result, carry_out
from .settings_digest import environment

__all__ = ["Answer", "bare_call", "carried_out", "packed"]

# ("done", results), or ("refused", the difference in versions or rules).
Answer = tuple[Literal["done", "refused"], Any]


def packed(chunk: Chunk, caller_environment: dict[str, str], *, judged: bool) -> bytes:
    """A chunk as bytes behind a header with versions, which the worker compares before it unpacks.
    `judged`: judges run, so that their packages' versions count.

    `caller_environment`: the caller's environment().
    """
    return pickle.dumps((caller_environment, judged, pickle.dumps(chunk)))


def carried_out(payload: bytes) -> Answer:
    """Run a packed chunk in the worker; the answer is a refusal if the caller has another version
    or other rules. `payload`: the pickled chunk.
    """
    expected, judged, chunk = pickle.loads(payload)  # noqa: S301 - the caller's own
    worker_environment = environment(judged=judged)
    wrong = [
        f"{name} {_short(worker_environment.get(name))} where the caller has {_short(expected.get(name))}"
        for name in sorted({*expected, *worker_environment})
        if expected.get(name) != worker_environment.get(name)
    ]
    if wrong:
        return "refused", f"the worker on {socket.gethostname()} has {', '.join(wrong)}"
    results: tuple[Result, ...] = carry_out(pickle.loads(chunk))  # noqa: S301 - as above
    return "done", results


def _short(version: str | None) -> str:
    """A version in full, or the first characters of a digest."""
    return "none" if version is None else version[:12] if len(version) == 64 else version


def bare_call() -> Callable[[bytes], Answer]:
    """A function like `carried_out` for workers and schedulers without this package: it is nested,
    so that it is pickled by value, not by name.
    """

    def call(payload: bytes) -> Any:
        """The answer to a packed chunk, or a refusal if this package is missing. `payload`: the
        pickled chunk.
        """
        import importlib  # noqa: PLC0415 - the function is pickled by value, without this module
        import socket  # noqa: PLC0415

        try:
            module = importlib.import_module("tflite_align.store.worker_call")
        except ImportError as error:
            message = f"the worker on {socket.gethostname()} cannot import tflite_align ({error})"
            return "refused", f"{message}: install the caller's version there"
        return module.carried_out(payload)

    return call
