"""kill -9 of a worker, the scheduler or the caller at any moment: no partial file remains, and a
second run completes the report.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from tests.support.dask_cluster import CHECKOUT, WAIT, Cluster, environment_of
from tests.support.model_folder import comparable, put, recorded, tree
from tests.support.models import concat_example
from tflite_align.cli import main as cli

pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals are POSIX's")
FAST = "--no-verify"
KINDS = ("caller", "worker", "scheduler")


def command(*more: str) -> list[str]:
    return [sys.executable, "-m", "tflite_align", "zoo", "out", FAST, "-q", *more]


def killed(cluster: Cluster, kind: str, after: float) -> None:
    """Run in a cluster and kill a process (`kind`: worker, scheduler or caller) `after` seconds
    after the first output was written.
    """
    with subprocess.Popen(
        command("--executor", f"dask:{cluster.address}"),
        env={**os.environ, "PYTHONPATH": str(CHECKOUT)},
        stderr=subprocess.PIPE,
        text=True,
    ) as run:
        end = time.monotonic() + WAIT
        while not list(Path("out").rglob("*.tflite")) and time.monotonic() < end:
            time.sleep(0.005)
        time.sleep(after)
        hit = {
            "caller": run.pid,
            "worker": cluster.workers[0].pid,
            "scheduler": cluster.scheduler.pid,
        }[kind]
        with suppress(ProcessLookupError):
            if kind == "caller":
                os.kill(hit, signal.SIGKILL)
            else:
                os.killpg(hit, signal.SIGKILL)
        said = run.communicate(timeout=2 * WAIT)[1]
    assert "Traceback" not in said, said


def whole(alone: dict[str, bytes]) -> None:
    """Check that every output equals that of `alone` (name -> bytes) and that the record has only
    complete lines.
    """
    for path, data in tree("out").items():
        assert data == alone[path], path
    if Path("out").exists() and Path("out/.tflite_align").exists():
        assert all(line["output_sha256"] for line in recorded("out"))


def rounds(folder: Path, count: int, models: int) -> None:
    pytest.importorskip("distributed", reason="Dask is not installed (extra `dask`)")
    for number in range(models):
        put(f"zoo/more/{number:02}.tflite", concat_example())
    assert cli.main(["zoo", "alone", FAST, "-q", "--report", "alone.jsonl"]) == 0
    alone, expected = tree("alone"), comparable("alone.jsonl")
    chance = random.Random(7)  # noqa: S311 - not for secrets
    for turn in range(count):
        subprocess.run(["rm", "-rf", "out"], check=True)
        place = folder / f"dask-{turn}"
        place.mkdir()
        cluster = Cluster(place, environment_of(place))
        try:
            cluster.add()
            cluster.add()
            killed(cluster, KINDS[turn % 3], chance.random() * 0.3)
            whole(alone)
        finally:
            cluster.end()
        assert cli.main(["zoo", "out", FAST, "-q", "--report", "r.jsonl"]) == 0, turn
        assert comparable("r.jsonl") == expected
        assert tree("out") == alone


def test_a_killed_caller_leaves_nothing_half_written(zoo_folder: Path) -> None:
    """One kill of the caller; tests/process/test_dask.py kills workers and a scheduler."""
    rounds(zoo_folder, 1, 20)


@pytest.mark.kills
def test_twenty_kills_leave_nothing_half_written(zoo_folder: Path) -> None:
    rounds(zoo_folder, 20, 60)
