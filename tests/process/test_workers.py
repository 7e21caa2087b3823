"""The pool of local processes, some of which are killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import BrokenExecutor
from pathlib import Path

import pytest

from tests.support.dying import work
from tflite_align.store.local_pool import LocalPool, processes

CHECKOUT = Path(__file__).resolve().parents[2]
WAIT = 60  # seconds; it takes one


def test_submitted_work_is_answered() -> None:
    with LocalPool(2) as pool:
        assert list(pool.map(work, "abc")) == ["a done", "b done", "c done"]


def test_a_broken_pool_is_replaced() -> None:
    with LocalPool(2) as pool:
        with pytest.raises(BrokenExecutor):
            pool.submit(work, "!").result()
        assert pool.submit(work, "a").result() == "a done"
        with pytest.raises(BrokenExecutor):
            pool.submit(work, "!").result()


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
from tests.support.dying import work
from tflite_align.store.local_pool import LocalPool
if __name__ == "__main__":
    with LocalPool(2) as pool:
        list(pool.map(work, ["+" + name for name in sys.argv[1:]]))
"""


@pytest.mark.skipif(os.name == "nt", reason="signals are POSIX's")
@pytest.mark.usefixtures("interruptible")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_processes_end_with_their_caller(tmp_path: Path, number: signal.Signals) -> None:
    """Workers end when the main process ends, by whichever signal and whatever they are doing."""
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
