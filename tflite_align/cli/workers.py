"""Orders carried out: in this process, or in several.

An order is a small value, and so is what comes of it: a process opens the files it is told of, and
no model goes from one process to another.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from itertools import islice
from multiprocessing import Pipe, active_children, get_context
from multiprocessing.connection import Connection
from typing import TypeVar

from ..interruption import Stopper, whole

__all__ = ["LOST", "in_order", "outcomes", "processes"]

Order = TypeVar("Order")
Outcome = TypeVar("Outcome")

# What is said of a file whose process died, and died again with that file alone.
LOST = "the process that had it ended without an answer (out of memory?)"
_AHEAD = 4  # orders a process is given before it asks; one that dies takes them with it
_SAFE_PATH = "PYTHONSAFEPATH"  # as `python -P`
_GRACE = 2.0  # seconds after which a process that does not hear is ended
_CLEANING = 30.0  # and one that cleans up


def processes(wanted: int) -> int:
    return wanted or os.cpu_count() or 1


def outcomes(
    work: Callable[[Order], Outcome],
    orders: Iterable[Order],
    jobs: int,
    lost: Callable[[Order], Outcome],
) -> Generator[tuple[int, Outcome], None, None]:
    """(place, outcome) of every order, as they come; `lost` answers for work that killed its process.

    `work` is a function of a module and raises nothing. The one place where orders meet those who
    carry them out: an executor of another kind, on other machines, would be chosen here.
    """
    if jobs < 2:
        yield from enumerate(map(work, orders))
    else:
        yield from _spread(work, orders, jobs, lost)


def in_order(found: Iterable[tuple[int, Outcome]]) -> Generator[Outcome, None, None]:
    """The outcomes in the order of the orders, each as soon as all before it are there."""
    early: dict[int, Outcome] = {}
    following = 0
    for place, outcome in found:
        early[place] = outcome
        while following in early:
            yield early.pop(following)
            following += 1


def _spread(
    work: Callable[[Order], Outcome],
    orders: Iterable[Order],
    jobs: int,
    lost: Callable[[Order], Outcome],
) -> Iterator[tuple[int, Outcome]]:
    """A process that dies breaks the pool: what it may have had in hand is done again, each order
    in a process of its own, and the rest gets a new pool.
    """
    numbered = enumerate(orders)
    hit: list[tuple[int, Order]] = []
    more = True
    while more:
        with _pool(jobs) as (pool, held):
            for entry, future in _answered(pool, work, numbered, _AHEAD * jobs):
                if _died(future):
                    hit.append(entry)
                else:
                    yield entry[0], future.result()
            more = bool(hit)
            if more:
                held.close()  # those that still wait for the dead would wait for ever
        for place, order in hit:
            yield place, _alone(work, order, lost)
        hit.clear()


def _answered(
    pool: ProcessPoolExecutor,
    work: Callable[[Order], Outcome],
    numbered: Iterator[tuple[int, Order]],
    ahead: int,
) -> Iterator[tuple[tuple[int, Order], Future[Outcome]]]:
    """Every order with its future, done; ends where there are no more orders or the pool broke."""
    waiting: dict[Future[Outcome], tuple[int, Order]] = {}
    broken = False
    while True:
        for entry in islice(numbered, 0 if broken else ahead - len(waiting)):
            try:
                waiting[_submitted(pool, work, entry[1])] = entry
            except BrokenProcessPool as error:
                broken = True
                refused: Future[Outcome] = Future()
                refused.set_exception(error)
                waiting[refused] = entry
                break
        if not waiting:
            return
        for future in wait(waiting, return_when=FIRST_COMPLETED).done:
            broken = broken or _died(future)
            yield waiting.pop(future), future


def _died(future: Future[Outcome]) -> bool:
    return isinstance(future.exception(), BrokenProcessPool)


def _alone(
    work: Callable[[Order], Outcome], order: Order, lost: Callable[[Order], Outcome]
) -> Outcome:
    with _pool(1) as (pool, _):
        try:
            return _submitted(pool, work, order).result()
        except BrokenProcessPool:
            return lost(order)


# --- the processes ------------------------------------------------------------------------------


@contextmanager
def _pool(workers: int) -> Iterator[tuple[ProcessPoolExecutor, Connection]]:
    """Processes that end with this block, however it ends, and with this process; and what they hold
    on to: they end when it is closed.
    """
    with _no_modules_from_here():
        leash, held = Pipe(duplex=False)
        # Not forked: threads of numpy's libraries do not survive that.
        pool = ProcessPoolExecutor(
            workers, mp_context=get_context("spawn"), initializer=_begin, initargs=(leash,)
        )
        try:
            yield pool, held
        except BaseException:
            held.close()
            raise
        finally:
            begun = active_children()
            pool.shutdown(wait=True, cancel_futures=True)
            held.close()
            leash.close()
            # A pool that breaks does not wait for one that it has only just begun, which would miss
            # what this process takes away with itself, and say so.
            for child in begun:
                child.join(_GRACE + _CLEANING)


def _submitted(
    pool: ProcessPoolExecutor, work: Callable[[Order], Outcome], order: Order
) -> Future[Outcome]:
    """Begins a process, if there are too few. It hears no SIGINT until `_begin`: Ctrl-C reaches every
    process of a terminal, and in one that is not that far would print a traceback.
    """
    if not hasattr(signal, "pthread_sigmask"):
        return pool.submit(_carry_out, work, order)
    with whole():
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            return pool.submit(_carry_out, work, order)
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


def _carry_out(work: Callable[[Order], Outcome], order: Order) -> Outcome:
    try:
        try:
            _busy.set()
            return work(order)
        finally:
            _busy.clear()
            if _stopper.begun:
                os._exit(1)  # whatever became of the exception
    except SystemExit:
        # The pool would hand it back as an answer and go on with the next order.
        os._exit(1)
