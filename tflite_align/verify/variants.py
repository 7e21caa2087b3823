"""Runs every form of a model (twin, declared readings, real runs) on the same samples."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import as_completed
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..record import Record
from ..verdicts import Acceptance
from .process import Ended, acceptance, call_worker, children_pool
from .samples import Samples

__all__ = ["FLOAT_KERNELS", "RUN_SECONDS", "THREADS", "Form", "Ran", "run_forms", "sample_records"]

# XNNPACK's float kernels are several times faster; the builtin ones serve where it refuses.
FLOAT_KERNELS = ("xnnpack", "litert")
RUN_SECONDS = 1800.0
_WORKERS = 2
# Two processes with two threads each get in each other's way on two cores: 1.5 times slower.
THREADS = max(1, min(4, (os.cpu_count() or 2) // _WORKERS))


class Form(Record, frozen=True, kw_only=True):
    """`data` is run with the first of `kernels` that takes it; `accept` are the true bytes of the
    file, for an Acceptance, where `data` is an instrumented copy of them.
    """

    name: str
    data: bytes | memoryview
    kernels: tuple[str, ...]
    accept: bytes | memoryview | None = None
    part: bool = False  # `data` lacks operators for which no interpreter here has a kernel


class Ran(Record, frozen=True, kw_only=True):
    """`outputs[i]`: [samples, kept elements], real values; None when it did not run (`why`)."""

    acceptance: Acceptance
    outputs: tuple[npt.NDArray[np.float32], ...] | None
    why: str = ""
    log: str = ""


def sample_records(samples: Samples, folder: Path) -> list[dict[str, Any]]:
    """Writes the samples to files; returns what a worker needs to read them."""
    records = []
    for number, (one, array) in enumerate(zip(samples.inputs, samples.arrays, strict=True)):
        path = folder / f"input{number}.npy"
        np.save(path, array)
        scale, zero_point = one.label if one.label is not None else (None, 0)
        records.append({"file": str(path), "scale": scale, "zero_point": zero_point})
    return records


def run_forms(
    forms: Sequence[Form],
    samples: Samples,
    records: list[dict[str, Any]],
    folder: Path,
    done: Callable[[str], None],
    *,
    seconds: float | None = None,
) -> dict[str, Ran]:
    """Runs all forms, two processes at a time. `done` hears the name of each one that ended.
    `seconds`: the time limit of each process, default RUN_SECONDS.

    `folder` must exist and is filled; `records` are those of `sample_records`.
    """

    def one(form: Form) -> Ran:
        place = folder / form.name.replace(":", "-")
        return _run(form, samples, records, place, seconds or RUN_SECONDS)

    results: dict[str, Ran] = {}
    with children_pool(_WORKERS) as pool:
        waiting = {pool.submit(one, form): form.name for form in forms}
        for future in as_completed(waiting):  # so that `done` is called from this thread only
            results[waiting[future]] = future.result()
            done(waiting[future])
    return results


def _run(
    form: Form,
    samples: Samples,
    records: list[dict[str, Any]],
    folder: Path,
    seconds: float,
) -> Ran:
    folder.mkdir()
    model, true = folder / "model.tflite", folder / "accept.tflite"
    model.write_bytes(form.data)
    if form.accept is not None:
        true.write_bytes(form.accept)
    ran = None
    for kernels in form.kernels:
        outputs = folder / kernels
        outputs.mkdir()
        request = {
            "task": "run",
            "model": str(model),
            "accept": str(true) if form.accept is not None else str(model),
            "part": form.part,
            "kernels": kernels,
            "threads": THREADS,
            "inputs": records,
            "sequences": samples.sequences,
            "stateful": samples.stateful,
            "outputs": str(outputs),
        }
        ran = _read(call_worker(request, folder, seconds=seconds), outputs, form)
        if ran.outputs is not None:
            break
    model.unlink()
    assert ran is not None, "a form names at least one kernel set"
    return ran


def _read(ended: Ended, outputs: Path, form: Form) -> Ran:
    found = acceptance(ended)
    whole = found.status == "accepted" or (form.part and found.status == "refused")
    if whole and ended.answer.get("run_status") == "accepted":
        count = int(ended.answer["count"])
        arrays = tuple(np.load(outputs / f"{number}.npy") for number in range(count))
        return Ran(acceptance=found, outputs=arrays, log=ended.errors)
    why = ended.answer.get("run_reason") or found.reason or found.status
    copied = form.accept is not None and ended.answer.get("status") == "accepted"
    if copied and found.status != "accepted":  # the copy went down, not the file itself
        found = Acceptance(status="accepted")
    return Ran(acceptance=found, outputs=None, why=why, log=ended.errors)
