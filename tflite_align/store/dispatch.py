"""Chunks carried out by an executor: any of `concurrent.futures`, on this machine or on others.

A chunk is a small value, and so is what comes of it: a process opens the files it is told of, and
no model goes from one process to another.
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

# What is said of a model whose process died, and died again with that model alone.
LOST = "the process that had it ended without an answer (out of memory?)"
# Raised, by the names of their classes: for a task that took its worker with it, and for one whose
# scheduler is not there any more.
_GONE = {"CancelledError", "ClosedClientError", "CommClosedError", "FutureCancelledError"}
_KILLED = "KilledWorker"
_LISTEN = 1.0  # seconds after which an executor is asked whether it is still there


class _Sent(Record, frozen=True):
    chunk: Chunk
    alone: bool  # one model, while nothing else is out


class Dispatch(Record, kw_only=True):
    """Chunks to an executor, at most `ahead` of them out at a time.

    A death may take others with it: a pool breaks, and a worker has tasks that wait for it. So what is
    hit is done again model by model, each while nothing else is out; one whose process dies then is
    told as lost. `pack` makes the bytes that are sent.
    """

    executor: Executor
    pack: Callable[[Chunk], bytes]
    ahead: int
    _out: dict[Future[Answer], _Sent] = field(default_factory=dict)
    _again: deque[Chunk] = field(default_factory=deque)
    _broken: bool = False  # a process died, and of which model is not known yet

    def results(self, chunks: Iterator[Chunk]) -> Generator[Result, None, None]:
        """What became of every model, as it comes. Raises Failure where the executor is gone, and
        where a worker is not fit for the work.
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
        call = getattr(self.executor, "call", carried_out)
        try:
            self._out[self.executor.submit(call, self.pack(sent.chunk))] = sent
        except RuntimeError as error:  # broken, or shut down
            raise Failure(f"the executor takes no more work: {error}") from error

    def _heard(self, sent: _Sent, future: Future[Answer]) -> Iterator[Result]:
        error_name = "" if future.cancelled() else type(future.exception()).__name__
        if future.cancelled() or error_name in _GONE:
            getattr(self.executor, "listen", bool)()
            raise Failure("the executor gave the work up")
        if error_name != _KILLED and not isinstance(future.exception(), BrokenExecutor):
            yield from _answer(future)
            return
        self._broken = True
        if sent.alone:
            yield from (failed(job, LOST) for job in sent.chunk.jobs)
        else:
            self._again.extend(_singles(sent.chunk))


def _singles(chunk: Chunk) -> Iterator[Chunk]:
    for job in chunk.jobs:
        record = chunk.record.replace(".jsonl", f"-{job.number}.jsonl")
        yield replace(chunk, jobs=(job,), record=record)


def _answer(future: Future[Answer]) -> Iterator[Result]:
    word, message = future.result()
    if word == "refused":
        raise Failure(str(message))
    yield from message
