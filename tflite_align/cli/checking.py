"""One file checked, and many: in this process, or in several."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from typing import Any

from ..errors import AlignError
from ..files import read_model_file
from ..pipeline import AlignOptions, check
from ..record import Record
from ..report import Report, Unread
from .failure import Failure, about, internal
from .files import STREAM
from .streams import read_stdin

__all__ = ["Order", "checked"]


class Order(Record, frozen=True, kw_only=True):
    """A file to check, and how. `why`: it names no file at all."""

    name: str
    options: AlignOptions
    why: str = ""


def checked(orders: Sequence[Order], jobs: int) -> Iterator[Report | Unread]:
    """What came of each file, in the order of the orders, whatever `jobs` is."""
    if jobs < 2 or len(orders) < 2 or any(order.name == STREAM for order in orders):
        yield from map(_one, orders)
        return
    pool = _pool(min(jobs, len(orders)))
    try:
        waiting = [pool.submit(_one, order) for order in orders]
        for order, future in zip(orders, waiting, strict=True):
            yield _outcome(order, future)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _pool(workers: int) -> ProcessPoolExecutor:
    # Not forked: threads of numpy's libraries do not survive that.
    return ProcessPoolExecutor(workers, mp_context=get_context("spawn"))


def _outcome(order: Order, future: Future[Report | Unread]) -> Report | Unread:
    """A process that dies takes the others' work with it: each file gets a process of its own."""
    try:
        return future.result()
    except BrokenProcessPool:
        with _pool(1) as alone:
            try:
                return alone.submit(_one, order).result()
            except BrokenProcessPool:
                why = "the process that checked it ended without an answer (out of memory?)"
                return Unread(name=order.name, message=why)


def _one(order: Order) -> Report | Unread:
    try:
        return _report(order)
    except Failure as error:
        return Unread(name=order.name, message=str(error).removeprefix(f"{order.name}: "))
    except AlignError as error:
        return Unread(name=order.name, message=str(error))
    except MemoryError:
        return Unread(name=order.name, message="out of memory")
    except Exception as error:  # noqa: BLE001 - one file's fault must not end the others' check
        return Unread(name=order.name, message=internal(error))


def _report(order: Order) -> Report:
    if order.why:
        raise Failure(f"{order.name}: {order.why}")
    with about(order.name):
        stream = order.name == STREAM
        data: Any = read_stdin() if stream else read_model_file(order.name)
        name = "<stdin>" if stream else order.name
        return check(memoryview(data), order.options, name=name)
