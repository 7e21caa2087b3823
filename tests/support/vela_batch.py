"""Compiles many small models with Vela in one process, which is restarted after a crash."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tflite_align.record import Record
from tflite_align.verify.vela import ACCELERATORS

RUNNER = Path(__file__).with_name("vela_runner.py")


class Compiled(Record, frozen=True, kw_only=True):
    """The result of one model. `cpu`: (operator, its first output, reason) for each operator on the
    CPU.

    `program`: a digest of the compiled program; equal for two models that compute the same.
    """

    error: str = ""
    npu: int = 0
    program: str = ""
    cpu: tuple[tuple[str, str, str], ...] = ()


def compile_batch(models: Mapping[str, bytes], target: str, folder: Path) -> dict[str, Compiled]:
    """Results by name, for the accelerator of that target. `models`: files by name; `target`: name."""
    for name, data in models.items():
        (folder / f"{name}.tflite").write_bytes(data)
    while True:
        run = subprocess.run(
            [sys.executable, str(RUNNER), ACCELERATORS[target], str(folder)],
            capture_output=True,
            text=True,
            check=False,
        )
        if run.returncode == 0:
            return {name: _outcome(folder / f"{name}.vela.json") for name in models}
        culprit = folder / "current"
        assert culprit.exists(), run.stderr
        failed = folder / f"{culprit.read_text(encoding='utf-8')}.vela.json"
        assert not failed.exists(), run.stderr
        failed.write_text(json.dumps({"error": f"ended {run.returncode}"}), encoding="utf-8")


def _outcome(path: Path) -> Compiled:
    found = json.loads(path.read_text(encoding="utf-8"))
    found["cpu"] = tuple((operator, output, why) for operator, output, why in found.get("cpu", ()))
    return Compiled(**found)
