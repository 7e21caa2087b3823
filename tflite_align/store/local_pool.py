"""An executor of local processes that end with it; a broken pool is replaced by a new one."""

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

_SAFE_PATH = "PYTHONSAFEPATH"  # environment variable with the effect of `python -P`
_GRACE = 2.0  # seconds until an unresponsive process is killed
_CLEANING = 30.0  # seconds until a process that cleans up is killed


def processes(requested: int) -> int:
    """The number of processes for `--jobs`: 0 means one per processor. `requested`: the option's
    value.
    """
    return requested or os.cpu_count() or 1


class LocalPool(Executor):
    """An executor whose processes end with the `with` block, also on an exception, and with this
    process.

    When a process dies the pool is broken: running and queued tasks fail with BrokenExecutor, and
    the next task starts a new pool.
    """

    local = True

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self._pool: _Processes | None = None

    def submit(
        self, fn: Callable[Asked, Answered], /, *args: Asked.args, **kwargs: Asked.kwargs
    ) -> Future[Answered]:
        """Run a function call in a process. `fn`: the function; `args`, `kwargs`: its arguments."""
        try:
            return self._begun().submit(fn, *args, **kwargs)
        except BrokenExecutor:
            self.shutdown()
            return self._begun().submit(fn, *args, **kwargs)

    def _begun(self) -> _Processes:
        """The pool, started if there is none."""
        if self._pool is None:
            self._pool = _Processes(self.workers)
        return self._pool

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: ARG002, FBT001, FBT002 - Executor's
        """Wait for the processes to end: they delete partial files first. `cancel_futures`: drop
        tasks that have not started.
        """
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.end()

    def __exit__(self, error_type: type[BaseException] | None, *_: object) -> None:
        if self._pool is not None and error_type is not None:
            self._pool.let_go()
        self.shutdown()


# --- the processes ------------------------------------------------------------------------------


class _Processes:
    """One pool, and a pipe whose closing makes its processes end."""

    def __init__(self, workers: int) -> None:
        self._leash, self._held = Pipe(duplex=False)
        self._broken = False
        # Not forked: threads of numpy's libraries do not survive a fork. The pool's queues start a process,
        # multiprocessing's resource tracker.
        with _no_modules_from_here(), _deaf():
            self._pool = ProcessPoolExecutor(
                workers,
                mp_context=get_context("spawn"),
                initializer=_begin,
                initargs=(self._leash,),
            )

    def submit(self, work: Callable[..., Any], *args: Any, **named: Any) -> Future[Any]:
        """Submit a task, and start a process if there are too few. SIGINT is blocked until
        `_begin`, since Ctrl-C during start-up would print a traceback. `work`: the function;
        `args`, `named`: its arguments.
        """
        with _no_modules_from_here(), _deaf():
            future = self._pool.submit(_carry_out, work, args, named)
        future.add_done_callback(self._note)
        return future

    def _note(self, future: Future[Any]) -> None:
        """Note whether a task failed because a process died. `future`: of the task."""
        if not future.cancelled() and isinstance(future.exception(), BrokenExecutor):
            self._broken = True

    def let_go(self) -> None:
        """Close the pipe, so that the processes end."""
        self._held.close()

    def end(self) -> None:
        """End the processes and wait for them."""
        begun = active_children()
        if self._broken:
            self.let_go()  # processes waiting for a dead one would wait for ever
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._held.close()
        self._leash.close()
        # A broken pool does not wait for a process that it has just started, which would miss
        # resources that end with this process, and print an error.
        for child in begun:
            child.join(_GRACE + _CLEANING)


@contextmanager
def _deaf() -> Iterator[None]:
    """Block SIGINT in this process and in processes started within the block."""
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
    """Exclude the current folder from module search: multiprocessing starts `python -c`, which would
    import a file such as pickle.py from there.
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


# In a worker process: whether a task is running.
_busy = threading.Event()


def _begin(leash: Connection) -> None:
    """Set up a new process. It ignores Ctrl-C, which a terminal sends to all: the parent handles it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    _stopper.install()
    threading.Thread(target=_follow, args=(leash,), daemon=True).start()


def _leave() -> BaseException:
    """The exception with which a process ends: at once if it is idle, else after partial files are
    deleted.
    """
    if _busy.is_set():
        return SystemExit(1)  # partial files are deleted while the exception propagates
    os._exit(1)


_stopper = Stopper({signal.SIGTERM: _leave})


def _follow(leash: Connection) -> None:
    """End this process when the parent closes its end of the pipe or dies."""
    with suppress(EOFError, OSError):
        leash.recv_bytes()
    if _busy.is_set() and hasattr(signal, "pthread_kill"):
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGTERM)
        time.sleep(_GRACE)
        if _stopper.begun:
            time.sleep(_CLEANING)  # cleaning ends the process itself when it is finished
    os._exit(1)


def _carry_out(
    work: Callable[..., Answered], args: tuple[Any, ...], named: dict[str, Any]
) -> Answered:
    """Do one task in a process. `work`: the function; `args`, `named`: its arguments."""
    try:
        try:
            _busy.set()
            return work(*args, **named)
        finally:
            _busy.clear()
            if _stopper.begun:
                os._exit(1)  # also where the exception was swallowed
    except SystemExit:
        # The pool would return it as a result and go on with the next task.
        os._exit(1)
