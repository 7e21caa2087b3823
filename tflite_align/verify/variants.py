"""Runs every variant of a model (twin, declared readings, real runs) on the same samples."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import as_completed
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..record import Record, replace
from ..verdicts import Acceptance
from .process import Ended, acceptance, call_jobs, children_pool
from .samples import Samples

__all__ = ["FLOAT_KERNELS", "RUN_SECONDS", "THREADS", "Form", "Ran", "run_forms", "sample_records"]

# XNNPACK's float kernels are several times faster; the builtin ones are used where it refuses.
FLOAT_KERNELS = ("xnnpack", "litert")
RUN_SECONDS = 1800.0
_WORKERS = 2
_LOADED = "?"  # suffix of the name of a form that is loaded but not run
# One thread: with more, LiteRT's float CONV_2D is wrong (2x2 input, 2x2 kernel, padding SAME), and two
# processes with two threads each are slower on two cores.
THREADS = 1


class Form(Record, frozen=True, kw_only=True):
    """One variant of a model to run: `data`, in the first of `kernels` that accepts it. `accept`:
    the file itself if `data` is an instrumented copy; its Acceptance is determined, too. `loaded`:
    the file is only loaded, no samples are run. `part`: `data` lacks a part of the file.

    `of`: variants that `data` computes together; its outputs are theirs, one variant after the
    other. They are run one by one if `data` cannot run. If integer kernels run `data`, each file of
    `of` is also loaded by itself, to know whether it is accepted.
    """

    name: str
    data: bytes | memoryview
    kernels: tuple[str, ...]
    accept: bytes | memoryview | None = None
    loaded: bool = False
    part: bool = False  # `data` lacks operators for which no interpreter here has a kernel
    of: tuple[Form, ...] = ()

    def apart(self, ran: Ran) -> dict[str, Ran]:
        """Split the result `ran` of a joined variant into results of the variants in
        `of`, by name.
        """
        if not self.of:
            return {self.name: ran}
        outputs = ran.outputs or ()
        share = len(outputs) // len(self.of)
        return {
            form.name: replace(ran, outputs=outputs[share * place : share * (place + 1)])
            for place, form in enumerate(self.of)
        }


class Ran(Record, frozen=True, kw_only=True):
    """The result of one variant. `outputs[i]`: [samples, compared elements], real values; None if
    it did not run (`why`). `log`: the process's output.
    """

    acceptance: Acceptance
    outputs: tuple[npt.NDArray[np.float32], ...] | None
    why: str = ""
    log: str = ""

    @property
    def refused(self) -> bool:
        """Whether the runtime did not accept the file."""
        return self.acceptance.status != "accepted"


def sample_records(samples: Samples, folder: Path) -> list[dict[str, Any]]:
    """Write the samples to files; returns the records with which a worker reads them."""
    records = []
    for position, (graph_input, array) in enumerate(
        zip(samples.inputs, samples.arrays, strict=True)
    ):
        path = folder / f"input{position}.npy"
        np.save(path, array)
        scale, zero_point = graph_input.label if graph_input.label is not None else (None, 0)
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
    separate: bool = False,
    companion: Mapping[str, Any] | None = None,
) -> tuple[dict[str, Ran], Ended | None]:
    """Run all variants, in two processes at a time: one for float kernels, one for LiteRT's, one
    for each other kernel set. Returns the results by name, and how `companion` ended.

    `done`: called with the name of each variant that ended. `seconds`: time limit per variant,
    default RUN_SECONDS. `companion`: a job that shares the first process. `separate`: a process for
    each variant and the companion, so that long ones share the processors evenly. `folder` must
    exist and gets files; `records` are those of `sample_records`. `forms`: the variants.
    """
    results: dict[str, Ran] = {}
    batch = _Batch(samples=samples, records=records, folder=folder, seconds=seconds or RUN_SECONDS)
    with children_pool(_WORKERS) as pool:
        waiting = []
        companions = [companion] if companion is not None else []
        for group in _groups(forms, separate=separate):
            waiting.append(pool.submit(_run, group, () if separate else companions, batch))
            if not separate:
                companions = []
        if companions:
            waiting.append(pool.submit(_run, (), companions, batch))
        for future in as_completed(waiting):  # so that `done` is called from this thread only
            for name, ran in future.result()[0].items():
                results[name] = ran
                done(name)
    return results, next((error for future in waiting for error in future.result()[1]), None)


def _groups(forms: Sequence[Form], *, separate: bool) -> list[list[Form]]:
    """The variants in groups that share a process. TFLM has a separate one, as it writes its
    reasons and its arena's size to the process's log. `forms`: the variants. `separate`: one
    process for each variant.
    """
    groups: dict[str, list[Form]] = {}
    for form in forms:
        if separate:
            name = form.name
        elif form.kernels == FLOAT_KERNELS:
            name = "float"
        else:
            name = form.name if "tflm" in form.kernels else "litert"
        groups.setdefault(name, []).append(form)
    return list(groups.values())


class _Batch(Record, frozen=True, kw_only=True):
    """Data that all variants of a run share: samples, folder, callback. `seconds`: time limit per
    variant.
    """

    samples: Samples
    records: list[dict[str, Any]]
    folder: Path
    seconds: float


def _run(
    forms: Sequence[Form], companions: Sequence[Mapping[str, Any]], batch: _Batch
) -> tuple[dict[str, Ran], list[Ended]]:
    """Run one group: (results by name, how the companions ended). A variant that crashes on one
    kernel set is tried on its next. `forms`: the variants.
    """
    folder = batch.folder / (forms[0].name.replace(":", "-") if forms else "companion")
    folder.mkdir()
    asked = [*_loaded(forms), *forms]
    jobs = [_job(form, batch) for form in asked]
    ended = call_jobs([*jobs, *companions], folder, seconds=batch.seconds)
    runs: dict[str, Ran] = {}
    loads: dict[str, Ran] = {}
    again: list[Form] = []
    for form, job, outcome in zip(asked, jobs, ended, strict=False):
        ran = _read(outcome, Path(job["outputs"]), form)
        if form.name.endswith(_LOADED):
            loads[form.name.removesuffix(_LOADED)] = ran
            continue
        mine = [loads[one.name] for one in form.of if one.name in loads]
        if form.of and (ran.outputs is None or any(one.refused for one in mine)):
            again += [replace(one, name=f"{one.name}~") for one in form.of]
            continue
        for name, part in form.apart(ran).items():
            accepted = loads[name].acceptance if name in loads else part.acceptance
            runs[name] = replace(part, acceptance=accepted)
        if outcome.code != 0 and len(form.kernels) > 1:
            again.append(replace(form, name=f"{form.name}~", kernels=form.kernels[1:]))
    if again:
        remaining, _ = _run(again, (), batch)
        runs |= {name.removesuffix("~"): ran for name, ran in remaining.items()}
    return runs, ended[len(jobs) :]


def _loaded(forms: Sequence[Form]) -> list[Form]:
    """Variants that only load a file, one for each file whose acceptance cannot be seen from a
    joined variant. `forms`: the variants to run.
    """
    return [
        Form(
            name=f"{one.name}{_LOADED}",
            data=one.accept or one.data,
            kernels=one.kernels,
            loaded=True,
        )
        for form in forms
        if form.kernels != FLOAT_KERNELS
        for one in form.of
    ]


def _job(form: Form, batch: _Batch) -> dict[str, Any]:
    """The worker's request for one variant, after its files are written."""
    folder = batch.folder / f"{form.name.replace(':', '-').replace(_LOADED, '-loaded')}-files"
    folder.mkdir()
    model, true = folder / "model.tflite", folder / "accept.tflite"
    model.write_bytes(form.data)
    if form.accept is not None:
        true.write_bytes(form.accept)
    if form.loaded:
        (kernels,) = form.kernels
        request = {"task": "accept", "model": str(model), "kernels": kernels, "threads": THREADS}
        return {**request, "outputs": str(folder)}
    return {
        "task": "run",
        "model": str(model),
        "accept": str(true) if form.accept is not None else str(model),
        "part": form.part,
        "kernels": list(form.kernels),
        "threads": THREADS,
        "inputs": batch.records,
        "sequences": batch.samples.sequences,
        "stateful": batch.samples.stateful,
        "outputs": str(folder),
    }


def _read(ended: Ended, outputs: Path, form: Form) -> Ran:
    """The result of one variant. `outputs`: the folder with its output files."""
    found = acceptance(ended)
    whole = found.status == "accepted" or (form.part and found.status == "refused")
    if whole and ended.answer.get("run_status") == "accepted":
        count = int(ended.answer["count"])
        arrays = tuple(np.load(outputs / f"{output}.npy") for output in range(count))
        return Ran(acceptance=found, outputs=arrays, log=ended.errors)
    why = ended.answer.get("run_reason") or found.reason or found.status
    copied = form.accept is not None and ended.answer.get("status") == "accepted"
    if (
        copied and found.status != "accepted"
    ):  # the copy that is run ended the process, not the file itself
        found = Acceptance(status="accepted")
    return Ran(acceptance=found, outputs=None, why=why, log=ended.errors)
