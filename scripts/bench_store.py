"""Throughput and memory of runs over many models, and the gain from a second Dask worker.

Memory is that of the command's main process, sampled during the run. It counts as flat if the
maximum of the last quarter is at most 10 % above that of the second quarter. Dask: a real scheduler
and workers, each pinned to a core (Linux), with judges, on the same models.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.support.dask_cluster import Cluster, environment_of

__all__ = ["store_rows"]

ROOT = Path(__file__).resolve().parents[1]
SMALL = ROOT / "tests" / "data" / "sample_origin.tflite"
BROKEN = ROOT / "tests" / "data" / "sample_dealigned.tflite"
GOAL_SECONDS, GOAL_MEMORY, GOAL_TIMES = (
    600.0,
    300.0,
    1.7,
)  # goals: seconds for 100,000 files, MB, gain
_FOLDER = 1000  # number of files in one folder


def store_rows(files: int, aligned: int, folder: Path | None) -> list[dict[str, Any]]:
    """The rows for this many checked files and aligned models; 0: leave that row out."""
    with tempfile.TemporaryDirectory(dir=folder) as place:
        rows = [checked(Path(place), files)] if files else []
        if aligned:
            rows.append(shared(Path(place), aligned))
    return rows


def checked(place: Path, files: int) -> dict[str, Any]:
    """Run `check --jobs 2` with a .jsonl report on `files` files, one in ten with findings. Returns
    the row of speed and memory.
    """
    zoo = place / "zoo"
    small, broken = SMALL.read_bytes(), BROKEN.read_bytes()
    for number in range(files):
        folder = zoo / f"{number // _FOLDER:03}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{number:06}.tflite").write_bytes(broken if number % 10 == 0 else small)
    command = ["check", "zoo", "--jobs", "2", "-q", "--report", "r.jsonl"]
    begin, memory = time.perf_counter(), list[float]()
    with subprocess.Popen(
        [sys.executable, "-m", "tflite_align", *command],
        cwd=place,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
    ) as run:
        while run.poll() is None:
            memory.append(_resident(run.pid))
            time.sleep(0.2)
    seconds = time.perf_counter() - begin
    quarter = max(len(memory) // 4, 1)
    second, last = max(memory[quarter : 2 * quarter]), max(memory[-quarter - 1 : -1] or memory)
    shutil.rmtree(zoo)
    return {
        "files": files,
        "exit status": run.returncode,
        "seconds": round(seconds, 1),
        "files a second": round(files / seconds, 1),
        "highest MB": round(max(memory), 1),
        "second and last quarter, MB": [round(second, 1), round(last, 1)],
        "in time": seconds <= GOAL_SECONDS * files / 100_000,
        "below the goal's memory": max(memory) < GOAL_MEMORY,
        "flat": last <= 1.1 * second,
    }


def _resident(process: int) -> float:
    """Resident memory of a process in MB; 0 if the process has ended."""
    try:
        text = Path(f"/proc/{process}/status").read_text(encoding="utf-8")
    except OSError:
        return 0.0
    found = [line for line in text.splitlines() if line.startswith("VmRSS:")]
    return int(found[0].split()[1]) / 1024 if found else 0.0


def shared(place: Path, models: int) -> dict[str, Any]:
    """The row of seconds with one pinned worker and with two. `models`: their number; `place`: the
    folder.
    """
    zoo = place / "broken"
    zoo.mkdir()
    for number in range(models):
        shutil.copy(BROKEN, zoo / f"{number:04}.tflite")
    took = [_aligned(place, workers) for workers in (1, 2)]
    times = took[0] / took[1]
    return {
        "models": models,
        "one worker, seconds": round(took[0], 1),
        "two workers, seconds": round(took[1], 1),
        "times": round(times, 2),
        "as fast as the goal": times >= GOAL_TIMES,
    }


def _aligned(place: Path, workers: int) -> float:
    """Seconds of an alignment of all models by this many Dask workers."""
    folder = place / f"dask-{workers}"
    folder.mkdir()
    cluster = Cluster(folder, environment_of(folder))
    pin = shutil.which("taskset")
    try:
        for core in range(workers):
            cluster.add(before=[pin, "-c", str(core)] if pin else [])
        command = [
            sys.executable, "-m", "tflite_align", "broken", f"out-{workers}", "-q",
            "--executor", f"dask:{cluster.address}",
        ]  # fmt: skip
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        time.sleep(5)  # until the workers are connected
        begin = time.perf_counter()
        subprocess.run(command, cwd=place, env=environment, check=True)
        return time.perf_counter() - begin
    finally:
        cluster.end()
