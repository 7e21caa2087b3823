"""The processes of this machine as an executor: they end with it, and a pool that breaks is made anew."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor, Executor, Future, ProcessPoolExecutor
from contextlib import contextmanager, suppress
from multiprocessing import Pipe, active_children, get_context
from multiprocessing.connection import Connection
from typing import Any, ParamSpec, TypeVar

from ..interruption import Stopper, whole

__all__ = ["LocalPool", "processes"]

Asked = ParamSpec("Asked")
Answered = TypeVar("Answered")

_SAFE_PATH = "PYTHONSAFEPATH"  # as `python -P`
_GRACE = 2.0  # seconds after which a process that does not hear is ended
_CLEANING = 30.0  # and one that cleans up


def processes(requested: int) -> int:
    """As `--jobs` has it: 0 stands for as many as there are processors."""
    return requested or os.cpu_count() or 1


class LocalPool(Executor):
    """Processes that end with its `with` block, however it ends, and with this process.

    One that dies breaks the pool: what it and the others had in hand fails with BrokenExecutor, and
    what is submitted then gets a new pool.
    """

    local = True

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self._pool: _Processes | None = None

    def submit(
        self, fn: Callable[Asked, Answered], /, *args: Asked.args, **kwargs: Asked.kwargs
    ) -> Future[Answered]:
        try:
            return self._begun().submit(fn, *args, **kwargs)
        except BrokenExecutor:
            self.shutdown()
            return self._begun().submit(fn, *args, **kwargs)

    def _begun(self) -> _Processes:
        if self._pool is None:
            self._pool = _Processes(self.workers)
        return self._pool

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: ARG002, FBT001, FBT002 - Executor's
        """Always waits: what is half written is taken away by then."""
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.end()

    def __exit__(self, error_type: type[BaseException] | None, *_: object) -> None:
        if self._pool is not None and error_type is not None:
            self._pool.let_go()
        self.shutdown()


# --- the processes ------------------------------------------------------------------------------


class _Processes:
    """One pool, and what its processes hold on to: they end when it is closed."""

    def __init__(self, workers: int) -> None:
        self._leash, self._held = Pipe(duplex=False)
        self._broken = False
        # Not forked: threads of numpy's libraries do not survive that.
        self._pool = ProcessPoolExecutor(
            workers, mp_context=get_context("spawn"), initializer=_begin, initargs=(self._leash,)
        )

    def submit(self, work: Callable[..., Any], *args: Any, **named: Any) -> Future[Any]:
        """Begins a process, if there are too few. It hears no SIGINT until `_begin`: Ctrl-C reaches
        every process of a terminal, and in one that is not that far would print a traceback.
        """
        with _no_modules_from_here(), _deaf():
            future = self._pool.submit(_carry_out, work, args, named)
        future.add_done_callback(self._note)
        return future

    def _note(self, future: Future[Any]) -> None:
        if not future.cancelled() and isinstance(future.exception(), BrokenExecutor):
            self._broken = True

    def let_go(self) -> None:
        self._held.close()

    def end(self) -> None:
        begun = active_children()
        if self._broken:
            self.let_go()  # those that still wait for the dead would wait for ever
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._held.close()
        self._leash.close()
        # A pool that breaks does not wait for one that it has only just begun, which would miss
        # what this process takes away with itself, and say so.
        for child in begun:
            child.join(_GRACE + _CLEANING)


@contextmanager
def _deaf() -> Iterator[None]:
    """No SIGINT is heard, nor by a process that is begun meanwhile."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    with whole():
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            yield
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _no_modules_from_here() -> Iterator[None]:
    """Multiprocessing begins a process with `python -c`, which looks for modules in the current
    folder first, a stranger's pickle.py among them.
    """
    before = os.environ.get(_SAFE_PATH)
    os.environ[_SAFE_PATH] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[_SAFE_PATH]
        else:
            os.environ[_SAFE_PATH] = before


# In such a process: whether it has an order in hand.
_busy = threading.Event()


def _begin(leash: Connection) -> None:
    """In a new process. Ctrl-C reaches every process of a terminal: the first one decides."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    _stopper.install()
    threading.Thread(target=_follow, args=(leash,), daemon=True).start()


def _leave() -> BaseException:
    if _busy.is_set():
        return SystemExit(1)  # what is half written is taken away on the way out
    os._exit(1)


_stopper = Stopper({signal.SIGTERM: _leave})


def _follow(leash: Connection) -> None:
    """Leave when the other end is closed, be it that its process was killed."""
    with suppress(EOFError, OSError):
        leash.recv_bytes()
    if _busy.is_set() and hasattr(signal, "pthread_kill"):
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGTERM)
        time.sleep(_GRACE)
        if _stopper.begun:
            time.sleep(_CLEANING)  # it ends the process itself when it is done
    os._exit(1)


def _carry_out(
    work: Callable[..., Answered], args: tuple[Any, ...], named: dict[str, Any]
) -> Answered:
    try:
        try:
            _busy.set()
            return work(*args, **named)
        finally:
            _busy.clear()
            if _stopper.begun:
                os._exit(1)  # whatever became of the exception
    except SystemExit:
        # The pool would hand it back as an answer and go on with the next order.
        os._exit(1)
