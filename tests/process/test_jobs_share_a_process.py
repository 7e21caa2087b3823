"""Jobs that share a worker process do not affect each other."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.models import Graph
from tflite_align.verify.process import acceptance, call_jobs

pytestmark = pytest.mark.skipif(
    sys.platform == "win32", reason="no signals and no timers of this kind on Windows"
)

KILLED = f"import os; os.kill(os.getpid(), {int(signal.SIGSEGV)})"
HANGS = "import time; time.sleep(600)"


def job(model: Path, kernels: str) -> dict[str, Any]:
    return {"task": "accept", "model": str(model), "kernels": kernels, "threads": 1}


@pytest.mark.promise(
    "If a run crashes or hangs, results of earlier runs are kept, and the remaining ones start in a"
    " new process."
)
@pytest.mark.parametrize(
    ("stand_in", "status", "seconds"), [(KILLED, "crashed", 60.0), (HANGS, "timeout", 3.0)]
)
def test_a_crashing_job_does_not_affect_other_jobs(
    stand_in: str, status: str, seconds: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "path" / "tflite_micro"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(stand_in)
    known = os.environ.get("PYTHONPATH", "")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, (str(tmp_path / "path"), known))))
    graph = Graph()
    graph.activation("x", 0.05)
    graph.conv("x", "y", 0.3)
    model = tmp_path / "model.tflite"
    model.write_bytes(graph.bytes(["x"], ["y"]))
    counts: list[int] = []
    jobs = [job(model, "litert"), job(model, "tflm"), job(model, "xnnpack")]
    ended = call_jobs(jobs, tmp_path, seconds=seconds, done=counts.append)
    assert [acceptance(one).status for one in ended] == ["accepted", status, "accepted"]
    assert counts == [2, 3]
