"""Runs the judge `mlir` on many models in one process, which is restarted after a crash."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tflite_align.verdicts import Acceptance
from tflite_align.verify import mlir
from tflite_align.verify.process import Ended

RUNNER = Path(__file__).with_name("mlir_runner.py")


def judge_batch(models: Mapping[str, bytes], folder: Path) -> dict[str, Acceptance]:
    """The verdict of `judge_file` by name, without the operator's address. `models`: files by name."""
    stems = {name: f"{index:04}" for index, name in enumerate(models)}
    for name, stem in stems.items():
        (folder / f"{stem}.tflite").write_bytes(models[name])
    command = [sys.executable, str(RUNNER), str(folder)]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    return {name: _verdict(folder / f"{stems[name]}.said", models[name]) for name in models}


def _verdict(said: Path, data: bytes) -> Acceptance:
    printed, _, code = said.read_text(encoding="utf-8").rpartition("\n")
    ended = Ended(code=int(code), errors=printed, answer={}, seconds_allowed=0)
    return mlir.verdict(ended, data)
