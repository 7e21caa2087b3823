"""A judge that does not answer is ended at its time limit, with all its child processes, and
reported.

A package `tflite_micro` that stands first on the path plays the judge: it starts a child and
sleeps. Processes, limit and report are real.
"""

from __future__ import annotations

import json
import math
import os
import sys
import time
from pathlib import Path

import pytest

from tests.support.models import Graph
from tflite_align import AlignOptions, align
from tflite_align.cli import main as cli
from tflite_align.verify.process import run_tool

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="looks processes up by signal 0")

HANGS = """
import pathlib, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
with pathlib.Path({pids!r}).open("a") as log:
    print(child.pid, file=log)
time.sleep(600)
"""
LIMIT = "6"  # seconds: long enough for a loaded machine to start Python twice


def alive(pid: int) -> bool:
    """Whether the process runs; a zombie does not count."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    status = Path(f"/proc/{pid}/stat")
    return not status.is_file() or status.read_text().rpartition(")")[2].split()[0] != "Z"


def gone(pids: list[int]) -> bool:
    for _ in range(100):
        if not any(alive(pid) for pid in pids):
            return True
        time.sleep(0.05)
    return False


def model(folder: Path) -> Path:
    graph = Graph()
    graph.activation("x", 0.05)
    graph.conv("x", "y", 1.5)
    path = folder / "model.tflite"
    path.write_bytes(graph.bytes(["x"], ["y"]))
    return path


@pytest.mark.promise(
    "elapsed time: `--judge-seconds`; then the judge is ended with every process it started"
)
def test_a_tool_is_ended_with_its_children(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    ended = run_tool(
        [sys.executable, "-c", HANGS.format(pids=str(pids))], tmp_path, seconds=float(LIMIT)
    )
    assert ended.code is None
    started = [int(line) for line in pids.read_text().split()]
    assert len(started) == 1
    assert gone(started)


@pytest.mark.parametrize("seconds", [1e12, math.inf])
def test_a_time_limit_of_years_is_no_limit(seconds: float, sample: bytes) -> None:
    """A time limit longer than the system's timers can count is the same as no limit."""
    verification = align(sample, AlignOptions(judge_seconds=seconds)).report.verification
    assert verification is not None
    assert verification.word == "verified", verification.why


@pytest.mark.promise(
    "A judge that crashes, is killed, hangs or runs out of memory is an answer in the report (*crashed*, *timeout*, *skipped: out of memory*), and never counts as verification."
)
def test_a_hanging_judge_is_reported_as_timeout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pids = tmp_path / "pids"
    stand_in = tmp_path / "path" / "tflite_micro"
    stand_in.mkdir(parents=True)
    (stand_in / "__init__.py").write_text(HANGS.format(pids=str(pids)))
    monkeypatch.setenv("PYTHONPATH", str(stand_in.parent))  # for the worker
    monkeypatch.syspath_prepend(stand_in.parent)  # for `available`, where it is not installed
    command = ["check", str(model(tmp_path)), "--require", "tflm", "--judge-seconds", LIMIT]
    assert cli.main([*command, "--report", "-"]) == 1
    report = json.loads(capsys.readouterr().out)
    (report,) = report.get("files", report.get("reports", [report]))
    (verdict,) = report["verification"]["judges"]
    assert (verdict["after"]["status"], verdict["after"]["reason"]) == (
        "timeout",
        f"no answer in {LIMIT} s",
    )
    assert report["reasons"] == [f"tflm is required, but timeout: no answer in {LIMIT} s"]
    started = [int(line) for line in pids.read_text().split()]
    assert started
    assert gone(started)
