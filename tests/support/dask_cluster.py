"""A Dask scheduler and workers as real processes that tests may kill."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
WAIT = 60  # seconds, the limit for operations that take a few


class Cluster:
    """A scheduler and workers, each in a process started by the test."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self._folder, self._environment = folder, environment
        self._file = folder / "scheduler.json"
        self.scheduler = self._start("scheduler", "--port", "0", "--no-show", "--no-dashboard")
        self.workers: list[subprocess.Popen[bytes]] = []
        end = time.monotonic() + WAIT
        while not self._file.exists() or not self._file.read_text().strip().endswith("}"):
            assert time.monotonic() < end, "no scheduler"
            time.sleep(0.05)
        self.address = json.loads(self._file.read_text())["address"]

    def _start(
        self, what: str, *options: str, before: Sequence[str] = (), **environment: str
    ) -> subprocess.Popen[bytes]:
        module = f"distributed.cli.dask_{what}"
        command = [sys.executable, "-P", "-m", module, "--scheduler-file", str(self._file)]
        command += ["--host", "127.0.0.1"]
        with (self._folder / f"{what}.log").open("ab") as log:
            return subprocess.Popen(
                [*before, *command, *options],
                cwd=self._folder,
                env={**self._environment, **environment},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def add(self, *, before: Sequence[str] = (), **environment: str) -> subprocess.Popen[bytes]:
        """Start a worker with one thread under a nanny; `before`: code that it runs first."""
        options = ("--nthreads", "1", "--no-dashboard", "--local-directory", str(self._folder))
        self.workers.append(self._start("worker", *options, before=before, **environment))
        return self.workers[-1]

    def end(self) -> None:
        for process in (*self.workers, self.scheduler):
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(WAIT)


# With an editable installation the worker would find the project in any case.
HIDDEN = """
import sys

class Hide:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "tflite_align":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Hide())
"""


def environment_of(folder: Path, *, project: bool = True) -> dict[str, str]:
    """Environment variables of a worker: the path of the project, and Dask settings.

    Dask gives a task up after one killed worker.
    """
    paths = [str(folder / "site"), *([str(CHECKOUT)] if project else [])]
    (folder / "site").mkdir(exist_ok=True)
    if not project:
        (folder / "site" / "sitecustomize.py").write_text(HIDDEN, encoding="utf-8")
    return {
        **{name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
        "PYTHONPATH": os.pathsep.join(paths),
        "DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "0",
    }
