"""Orders carried out in several processes: real ones, some of which die."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.dying import lost, work
from tflite_align.cli.workers import in_order, outcomes, processes

CHECKOUT = Path(__file__).resolve().parents[2]
WAIT = 60  # seconds, for what takes one


def run(orders: list[str], jobs: int) -> list[str]:
    return list(in_order(outcomes(work, orders, jobs, lost)))


@pytest.mark.parametrize("jobs", [1, 2])
def test_outcomes_are_those_of_their_orders(jobs: int) -> None:
    orders = [str(number) for number in range(30)]
    assert run(orders, jobs) == [f"{order} done" for order in orders]
    assert run([], jobs) == []


def test_a_process_that_dies_takes_nothing_with_it() -> None:
    orders = [*map(str, range(10)), "!", *map(str, range(10, 20)), "!"]
    told = [f"{order} lost" if order == "!" else f"{order} done" for order in orders]
    assert run(orders, 2) == told


def test_an_order_whose_process_was_killed_is_tried_again(tmp_path: Path) -> None:
    assert run(["a", str(tmp_path / "hit"), "b"], 2) == ["a done", "second", "b done"]


def test_orders_are_asked_for_as_they_are_needed() -> None:
    """Thousands of them are never there at once."""
    asked: list[int] = []

    def orders() -> Iterator[str]:
        for number in range(1000):
            asked.append(number)
            yield str(number)

    with closing(outcomes(work, orders(), 2, lost)) as found:
        next(found)
        assert len(asked) < 50


def _until(path: Path) -> int:
    end = time.monotonic() + WAIT
    while time.monotonic() < end:
        if path.exists() and path.read_text():
            return int(path.read_text())
        time.sleep(0.05)
    raise AssertionError(f"{path.name} was not written")


def _gone(process: int) -> bool:
    end = time.monotonic() + WAIT
    while time.monotonic() < end:
        try:
            os.kill(process, 0)
        except ProcessLookupError:
            return True
        if Path(f"/proc/{process}/stat").exists() and " Z " in _stat(process):
            return True
        time.sleep(0.05)
    return False


def _stat(process: int) -> str:
    try:
        return Path(f"/proc/{process}/stat").read_text()
    except OSError:
        return " Z "


CALLER = """
import sys
from tests.support.dying import lost, work
from tflite_align.cli.workers import outcomes
if __name__ == "__main__":
    list(outcomes(work, ["+" + name for name in sys.argv[1:]], 2, lost))
"""


@pytest.mark.skipif(os.name == "nt", reason="signals are POSIX's")
@pytest.mark.usefixtures("interruptible")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_processes_end_with_their_caller(tmp_path: Path, number: signal.Signals) -> None:
    """However it ends, and whatever they are doing."""
    caller = tmp_path / "caller.py"
    caller.write_text(CALLER)
    marks = [tmp_path / "first", tmp_path / "second"]
    with subprocess.Popen(
        [sys.executable, str(caller), *map(str, marks)],
        env={**os.environ, "PYTHONPATH": str(CHECKOUT)},
        stderr=subprocess.PIPE,
    ) as process:
        try:
            workers = [_until(mark) for mark in marks]
            process.send_signal(number)
            process.wait(WAIT)
        finally:
            process.kill()
    assert [_gone(worker) for worker in workers] == [True, True]


def test_as_many_processes_as_there_are_processors() -> None:
    assert processes(3) == 3
    assert processes(0) == (os.cpu_count() or 1)
