"""One file checked, and many: in this process, or in several."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Any

from ..disk import read_model_file
from ..pipeline.checking import check
from ..record import Record
from ..report.report import Report, Unread
from ..settings.options import AlignOptions
from .failure import Failure, about, why_not
from .paths import STREAM
from .streams import read_stdin

__all__ = ["CheckJob", "checked"]


class CheckJob(Record, frozen=True, kw_only=True):
    """A file to check, and how. `why`: it names no file at all."""

    name: str
    options: AlignOptions
    why: str = ""


def checked(orders: Sequence[CheckJob], jobs: int) -> Generator[Report | Unread, None, None]:
    """What came of each file, in the order of the orders; `jobs` as the option has it."""
    if len(orders) < 2 or jobs == 1 or any(order.name == STREAM for order in orders):
        yield from map(_one, orders)
        return
    from .workers import in_order, outcomes, processes  # noqa: PLC0415 - one file needs no other process

    yield from in_order(outcomes(_one, orders, min(processes(jobs), len(orders)), _lost))


def _lost(order: CheckJob) -> Unread:
    from .workers import LOST  # noqa: PLC0415 - as above

    return Unread(name=order.name, message=LOST)


def _one(order: CheckJob) -> Report | Unread:
    try:
        return _report(order)
    except Exception as error:  # noqa: BLE001 - one file's fault must not end the others' check
        return Unread(name=order.name, message=why_not(error, order.name))


def _report(order: CheckJob) -> Report:
    if order.why:
        raise Failure(f"{order.name}: {order.why}")
    with about(order.name):
        stream = order.name == STREAM
        data: Any = read_stdin() if stream else read_model_file(order.name)
        name = "<stdin>" if stream else order.name
        return check(memoryview(data), order.options, name=name)
