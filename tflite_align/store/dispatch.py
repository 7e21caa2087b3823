"""Runs chunks of models on an executor: any of `concurrent.futures`, on this machine or on others.

A chunk and its results are small: each process opens the files itself, and no model is sent between
processes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import (
    FIRST_COMPLETED,
    BrokenExecutor,
    Executor,
    Future,
    wait,
)

from ..record import Record, field, replace
from .chunk_work import Chunk, Result, failed
from .named_errors import Failure
from .worker_call import Answer, carried_out

__all__ = ["LOST", "Dispatch"]

# The message for a model whose process died twice, the second time with that model alone.
LOST = "its worker process ended without a result (out of memory?)"
# Names of exception classes: for a task whose worker died, and for a lost scheduler.
_GONE = {"CancelledError", "ClosedClientError", "CommClosedError", "FutureCancelledError"}
_KILLED = "KilledWorker"
_LISTEN = 1.0  # seconds between checks of the connection to the executor


class _Sent(Record, frozen=True):
    """A submitted chunk; `alone`: no other task runs meanwhile."""

    chunk: Chunk
    alone: bool  # one model, while no other task runs


class Dispatch(Record, kw_only=True):
    """Submits chunks to an executor, at most `ahead` of them at a time.

    When a process dies, other tasks of its pool or worker fail too. Their models are then run again
    one by one, with no other task running; a model whose process dies again is reported as lost.
    `pack` serializes a chunk to bytes.
    """

    executor: Executor
    pack: Callable[[Chunk], bytes]
    ahead: int
    _out: dict[Future[Answer], _Sent] = field(default_factory=dict)
    _again: deque[Chunk] = field(default_factory=deque)
    _broken: bool = False  # a process died, and the model that caused it is not known yet

    def results(self, chunks: Iterator[Chunk]) -> Generator[Result, None, None]:
        """The result of every model, as it finishes. Failure if the executor is lost, or a worker
        has another version or other rules.
        """
        while True:
            self._send(chunks)
            if not self._out:
                return
            done = wait(self._out, timeout=_LISTEN, return_when=FIRST_COMPLETED).done
            if not done:
                getattr(self.executor, "listen", bool)()
            for future in done:
                yield from self._heard(self._out.pop(future), future)

    def _send(self, chunks: Iterator[Chunk]) -> None:
        """Submit chunks up to the limit; after a process died, one at a time."""
        if self._broken and not self._out and not self._again:
            self._broken = False
        if self._broken:
            if not self._out:
                self._submit(_Sent(self._again.popleft(), alone=True))
            return
        while len(self._out) < self.ahead:
            chunk = next(chunks, None)
            if chunk is None:
                return
            self._submit(_Sent(chunk, alone=False))

    def _submit(self, sent: _Sent) -> None:
        """Submit one chunk. Raises Failure if the executor accepts no work."""
        call = getattr(self.executor, "call", carried_out)
        try:
            self._out[self.executor.submit(call, self.pack(sent.chunk))] = sent
        except RuntimeError as error:  # broken, or shut down
            raise Failure(f"the executor accepts no more work: {error}") from error

    def _heard(self, sent: _Sent, future: Future[Answer]) -> Iterator[Result]:
        """The results of a finished task; if its process died, the models are queued again or
        reported as lost.
        """
        error_name = "" if future.cancelled() else type(future.exception()).__name__
        if future.cancelled() or error_name in _GONE:
            getattr(self.executor, "listen", bool)()
            raise Failure("the executor cancelled the work")
        if error_name != _KILLED and not isinstance(future.exception(), BrokenExecutor):
            yield from _answer(future)
            return
        self._broken = True
        if sent.alone:
            yield from (failed(job, LOST) for job in sent.chunk.jobs)
        else:
            self._again.extend(_singles(sent.chunk))


def _singles(chunk: Chunk) -> Iterator[Chunk]:
    """One chunk for each model of a chunk."""
    for job in chunk.jobs:
        record = chunk.record.replace(".jsonl", f"-{job.number}.jsonl")
        yield replace(chunk, jobs=(job,), record=record)


def _answer(future: Future[Answer]) -> Iterator[Result]:
    """The results in a worker's answer. Raises Failure if it refused."""
    word, message = future.result()
    if word == "refused":
        raise Failure(str(message))
    yield from message
