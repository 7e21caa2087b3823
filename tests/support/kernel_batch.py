"""Runs many small models in a runtime, in a process that is restarted when a model crashes it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Protocol

import numpy as np

from tests.rules.operators.operands import Array
from tflite_align.record import Record

RUNNER = Path(__file__).with_name("kernel_runner.py")
# A kernel that reads uninitialized memory must not find another model's values there:
# glibc fills new memory with this byte, which is not used as a parameter.
FILL = 0xA5


class Runnable(Protocol):
    @property
    def name(self) -> str: ...

    def model(self) -> bytes: ...

    def fed(self) -> list[Array]: ...


class Outcome(Record, frozen=True, kw_only=True):
    """The result of one model: outputs, or the runtime's message."""

    outputs: tuple[Array, ...] = ()
    error: str = ""
    aborted: bool = False


def run_batch(
    cases: Iterable[Runnable],
    runtime: str,
    folder: Path,
    models: Mapping[str, bytes] | None = None,
    *,
    fill: int = FILL,
) -> dict[str, Outcome]:
    """Results by case name. `models` are run instead of the cases' own models, if given.

    `fill`: the byte that fills new memory. `runtime`: name of the kernel set.
    """
    names = []
    for case in cases:
        names.append(case.name)
        data = (models or {}).get(case.name) or case.model()
        (folder / f"{case.name}.tflite").write_bytes(data)
        fed = {f"i{i}": value for i, value in enumerate(case.fed())}
        np.savez(folder / f"{case.name}.npz", **fed)  # type: ignore[arg-type]
    assert len(set(names)) == len(names), "two cases have one name"
    run = subprocess.run(
        [sys.executable, str(RUNNER), runtime, str(folder)],
        env={**os.environ, "MALLOC_PERTURB_": str(fill ^ 0xFF)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    return {name: _outcome(folder, name) for name in names}


def _outcome(folder: Path, name: str) -> Outcome:
    failed = folder / f"{name}.error"
    if failed.exists():
        words = failed.read_text(encoding="utf-8")
        return Outcome(error=words, aborted=words.startswith("ABORTED"))
    with np.load(folder / f"{name}.out.npz") as stored:
        return Outcome(outputs=tuple(stored[f"o{i}"] for i in range(len(stored.files))))
