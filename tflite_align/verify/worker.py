"""The child process of the judges: loads an interpreter, does one request, writes one answer.

Started by `process.call_worker` with the paths of a request and a response file; it imports nothing
else of the package. A request has a `task`:

several: do each of `jobs`, a request each; each has `seconds` (if the system keeps that limit), and
its answer, in `jobs`, is saved before the next begins.

accept: load `model` with `kernels`, allocate, invoke once on zeros.

run: with the first of `kernels` that can: accept the file `accept`, then run `model` on the samples
and save its outputs; with `part`, also if `accept` is refused: `model` is then the part of it that
can be run.

observe: run `model` on all samples and report the least and greatest value of each output.

stepwise: run `model` keeping all tensors, and run `recompute` on the actual inputs of each
operator.
"""

from __future__ import annotations

import json
import re
import signal
import time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from .engines import Engine, OverBudgetError, native_words, open_engine

__all__ = ["main"]

Array = npt.NDArray[Any]

_BINS = 64  # number of bins of a histogram
_BYTES = 256  # values of a type of one byte
_TELL_SECONDS = 0.5  # seconds between two progress messages
_OPERATOR = re.compile(r"Node number (\d+) \((?!TfLite)|Node \w+ \(number (\d+)f?\)|node #(\d+)")


def main(arguments: list[str]) -> int:
    """Do the request in the file `arguments[0]` and write the answer to the file `arguments[1]`;
    returns the exit status.
    """
    request = json.loads(Path(arguments[0]).read_text(encoding="utf-8"))
    answer: dict[str, Any] = {}

    def save() -> None:
        """Write the answer to its file, so that the caller has it if this process ends."""
        Path(arguments[1]).write_text(json.dumps(answer), encoding="utf-8")

    if request["task"] == "several":
        _several(request["jobs"], answer, save)
    else:
        _answer(request, answer, save)
    save()
    return 0


def _answer(request: dict[str, Any], answer: dict[str, Any], save: Any) -> None:
    """Do one request; adds its results, or the refusal, to `answer`. `save`: writes the answer so
    far.
    """
    tasks = {"accept": _accept, "run": _run, "observe": _observe, "stepwise": _stepwise}
    try:
        tasks[request["task"]](request, answer, save)
    except (RuntimeError, ValueError, MemoryError, OSError, OverBudgetError) as error:
        answer |= _refusal(error, request, "run_" if "status" in answer else "")


def _several(jobs: list[dict[str, Any]], answer: dict[str, Any], save: Any) -> None:
    """Run several jobs; `ended` in an answer marks it as complete. `save`: function that writes the
    answer to its file.
    """
    answer["jobs"] = []
    for job in jobs:
        if hasattr(signal, "setitimer"):  # its signal ends the process also inside native code
            signal.setitimer(signal.ITIMER_REAL, job["seconds"])
        mine: dict[str, Any] = {}
        answer["jobs"].append(mine)
        _answer(job, mine, save)
        mine["ended"] = True
        save()


def _refusal(error: Exception, request: dict[str, Any], stage: str) -> dict[str, Any]:
    """The answer for an exception: refused or skipped, with the reason. `stage`: prefix of its
    names. `request`: the job, see the module.
    """
    if isinstance(error, (MemoryError, OverBudgetError)):
        said = str(error) if isinstance(error, OverBudgetError) else f"out of memory: {error}"
        return {f"{stage}status": "skipped", f"{stage}reason": said}
    reason = " ".join(f"{error} {_last_words(request)}".split())
    answer: dict[str, Any] = {f"{stage}status": "refused", f"{stage}reason": reason}
    found = _OPERATOR.search(reason)
    if found:
        answer[f"{stage}operator"] = int(next(filter(None, found.groups())))
    return answer


def _last_words(request: dict[str, Any]) -> str:
    """The reason of a failure: TFLM prints it on stderr only, LiteRT puts it into the exception.
    `request`: the job, see the module.
    """
    if request.get("kernels") not in ("tflm", ["tflm"]):
        return ""
    noise = ("[Recording", "Input index", "Output index")
    lines = native_words().splitlines()
    return " ".join(line for line in lines if not line.startswith(noise))[-500:]


def _accept(request: dict[str, Any], answer: dict[str, Any], save: Any) -> Engine:
    """Load the model and invoke it once on zeros; adds the acceptance to `answer` and returns the
    engine. `request`: the job, see the module. `save`: function that writes the answer to its file.
    """
    engine = open_engine(request["model"], request["kernels"], threads=request["threads"])
    for index, spec in enumerate(engine.inputs):
        engine.feed(index, np.zeros(spec.shape, spec.dtype))
    engine.invoke()
    answer |= {"status": "accepted", "facts": engine.facts()}
    save()
    return engine


# --- run ---------------------------------------------------------------------------------------


def _run(request: dict[str, Any], answer: dict[str, Any], save: Any) -> None:
    """Run the samples on the first kernel set that can. `request`: the job, see the module. `save`:
    function that writes the answer to its file.
    """
    *alternatives, last = request["kernels"]
    for kernels in alternatives:
        try:
            _run_on(kernels, request, answer, save)
        except (RuntimeError, ValueError):
            answer.clear()
        else:
            return
    _run_on(last, request, answer, save)


def _run_on(kernels: str, request: dict[str, Any], answer: dict[str, Any], save: Any) -> None:
    """Run the samples on one kernel set and save the outputs. `request`: the job, see the module."""
    request = {**request, "kernels": kernels}
    try:
        engine = _accept({**request, "model": request["accept"]}, answer, save)
    except (RuntimeError, ValueError) as error:
        if not request["part"]:
            raise
        answer |= _refusal(error, request, "")
        engine = None
    if request["accept"] != request["model"] or request["stateful"]:
        engine = None  # the engine has another model, or state from earlier inputs
    samples = [_Samples(record) for record in request["inputs"]]
    kept = _Kept(request["sequences"][-1][1])
    for first, last in request["sequences"]:
        if engine is None or request["stateful"]:
            engine = open_engine(request["model"], kernels, threads=request["threads"])
        for sample in range(first, last):
            for index, spec in enumerate(engine.inputs):
                engine.feed(index, samples[index].value(sample, spec))
            engine.invoke()
            kept.take(sample, engine)
    kept.save(Path(request["outputs"]))
    answer |= {"run_status": "accepted", "count": len(kept.outputs)}


class _Kept:
    """The compared elements of each output, [samples, elements]."""

    def __init__(self, samples: int) -> None:
        self._samples = samples
        self.outputs: list[Array] = []

    def take(self, sample: int, engine: Engine) -> None:
        """Store the outputs of one sample."""
        for index in range(engine.output_count):
            values = engine.kept_output(index)
            if sample == 0:
                self.outputs.append(np.empty((self._samples, values.size), np.float32))
            if self.outputs[index].shape[1:] == values.shape:
                self.outputs[index][sample] = values
            else:
                # the output's size depends on its values
                self.outputs[index] = np.zeros((0, 0), np.float32)

    def save(self, folder: Path) -> None:
        """Write one file per output."""
        for index, rows in enumerate(self.outputs):
            np.save(folder / f"{index}.npy", rows)


class _Samples:
    """The samples of one graph input, in the original's type."""

    def __init__(self, record: dict[str, Any]) -> None:
        self.array: Array = np.load(record["file"], mmap_mode="r")
        self.scale: float | None = record["scale"]
        self.zero_point: int = record["zero_point"]
        self._tables: dict[Any, Array] = {}

    def value(self, sample: int, spec: Any) -> Array:
        """One sample, converted to the type of a variant's input. `sample`: its index; `spec`: the
        input's type and parameters.
        """
        stored = np.asarray(self.array[sample])
        if stored.shape != tuple(spec.shape) and stored.size == int(np.prod(spec.shape)):
            stored = stored.reshape(spec.shape)
        if self.scale is None and stored.dtype == spec.dtype:
            return stored
        if stored.dtype.itemsize == 1 and stored.size > _BYTES:
            return self._table(spec)[stored.view(np.uint8)]
        return self._converted(stored, spec)

    def _table(self, spec: Any) -> Array:
        """For a one-byte stored type: the converted value of each of the 256 byte values."""
        key = (spec.dtype.str, spec.scale, spec.zero_point)
        if key not in self._tables:
            every = np.arange(_BYTES, dtype=np.uint8).view(self.array.dtype)
            self._tables[key] = self._converted(every, spec)
        return self._tables[key]

    def _converted(self, stored: Array, spec: Any) -> Array:
        """Stored values in the type of a variant's input."""
        real: Array = stored.astype(np.float64)
        if self.scale is not None:
            if (spec.scale, spec.zero_point) == (self.scale, self.zero_point):
                return stored.astype(spec.dtype)
            real = (real - self.zero_point) * self.scale
        return spec.quantize(real)  # type: ignore[no-any-return]


# --- observe -----------------------------------------------------------------------------------


def _observe(request: dict[str, Any], answer: dict[str, Any], save: Any) -> None:
    """Record the least (`low`) and greatest (`high`) value of each output over the samples, and the
    fraction `done`. `request`: the job, see the module. `save`: function that writes the answer to
    its file.
    """
    samples = [_Samples(record) for record in request["inputs"]]
    engine = open_engine(request["model"], request["kernels"], threads=request["threads"])
    low = np.full(engine.output_count, np.inf)
    high = -low
    last_saved = time.monotonic()
    for sample in range(request["count"]):
        for index, spec in enumerate(engine.inputs):
            engine.feed(index, samples[index].value(sample, spec))
        engine.invoke()
        for index in range(engine.output_count):
            values = engine.output(index)
            if values.size:  # NaN stays NaN, and is detected by the caller
                low[index] = np.minimum(low[index], values.min())
                high[index] = np.maximum(high[index], values.max())
        if time.monotonic() - last_saved > _TELL_SECONDS:
            last_saved = time.monotonic()
            answer["done"] = sample + 1
            save()
    answer |= {"status": "accepted", "low": low.tolist(), "high": high.tolist()}
    save()


# --- operator by operator ------------------------------------------------------------------------


def _stepwise(request: dict[str, Any], answer: dict[str, Any], save: Any) -> None:
    """Record for each checked output the largest deviation in LSB over the samples (99.9th
    percentile) and its figures: signal and noise power, largest deviation, histogram of arriving
    values. `request`: the job, see the module. `save`: function that writes the answer to its file.
    """
    samples = [_Samples(record) for record in request["inputs"]]
    real = open_engine(request["model"], request["kernels"], threads=request["threads"], keep=True)
    again = open_engine(request["recompute"], "litert", threads=request["threads"])
    worst = [0.0] * len(request["checks"])
    figures = [_Figures(check) for check in request["checks"]]
    for first, last in request["sequences"]:
        for sample in range(first, last):
            for index, spec in enumerate(real.inputs):
                real.feed(index, samples[index].value(sample, spec))
            real.invoke()
            for index, source in enumerate(request["sources"]):
                again.feed(index, _real_values(real.tensor(source["tensor"]), source))
            again.invoke()
            for number, check in enumerate(request["checks"]):
                actual = _real_values(real.tensor(check["tensor"]), check)
                expected = again.output(check["output"])
                worst[number] = max(worst[number], _deviation(actual, expected, check))
                figures[number].take(actual, expected)
    sums = [one.as_json() for one in figures]
    answer |= {"status": "accepted", "worst": worst, "figures": sums}
    save()


def _real_values(raw: Array, record: dict[str, Any]) -> Array:
    """Real values of a tensor's stored values, by the record's parameters. `raw`: the stored
    values.
    """
    if record["scale"] is None:
        return raw
    real = (raw.astype(np.float64) - record["zero_point"]) * record["scale"]
    return np.asarray(real, np.float32)


def _deviation(actual: Array, expected: Array, check: dict[str, Any]) -> float:
    """|actual - expected| in LSB of the output (99.9th percentile), with `expected` clipped to the
    type's range; infinite for different sizes. `check`: the record of the output.
    """
    if actual.size != expected.size:
        return float("inf")
    low = (check["lowest"] - check["zero_point"]) * check["scale"]
    high = (check["highest"] - check["zero_point"]) * check["scale"]
    clipped = np.clip(expected.reshape(-1).astype(np.float64), low, high)
    off = np.abs(actual.reshape(-1) - clipped) / check["scale"]
    off = off[np.isfinite(off)]
    return float(np.quantile(off, 0.999)) if off.size else 0.0


class _Arriving:
    """A histogram of values over a tensor's range, with the counts below and above."""

    def __init__(self, held: dict[str, Any]) -> None:
        self.low = (held["lowest"] - held["zero_point"]) * held["scale"]
        self.high = (held["highest"] - held["zero_point"]) * held["scale"]
        self.half = held["scale"] / 2
        self.counts: Array = np.zeros(_BINS, np.int64)
        self.below = self.above = 0

    def take(self, real: Array) -> None:
        """Count the values of one sample, real values."""
        below, above = real < self.low - self.half, real > self.high + self.half
        self.below += int(below.sum())
        self.above += int(above.sum())
        inside = real[~(below | above)].clip(self.low, self.high)
        self.counts += np.histogram(inside, _BINS, (self.low, self.high))[0]

    def as_json(self) -> list[Any]:
        """[low, high, count below, count above, counts of the bins]."""
        return [self.low, self.high, self.below, self.above, self.counts.tolist()]


class _Figures:
    """Figures of one compared output, summed over the samples."""

    def __init__(self, check: dict[str, Any]) -> None:
        self.scale = check["scale"]
        self.signal = self.noise = self.largest = 0.0
        self.arriving = [_Arriving(held) for held in (check, check.get("was")) if held]

    def take(self, actual: Array, expected: Array) -> None:
        """Add one sample: real values of the output, and of its recomputation. `actual`: real
        values of the output; `expected`: of its recomputation.
        """
        if actual.size != expected.size:
            return
        real = expected.reshape(-1).astype(np.float64)
        off = np.abs(actual.reshape(-1) - real)
        known = np.isfinite(off)
        real, off = real[known], off[known]
        if not real.size:
            return
        self.signal += float(np.square(real).sum())
        self.noise += float(np.square(off).sum())
        self.largest = max(self.largest, float(off.max()) / self.scale)
        for one in self.arriving:
            one.take(real)

    def as_json(self) -> dict[str, Any]:
        """The figures as JSON. `arrives`: low, high, counts below and above, and counts of the
        bins.
        """
        arrives = [one.as_json() for one in self.arriving]
        sums = {"signal": self.signal, "noise": self.noise, "largest": self.largest}
        return {**sums, "arrives": arrives}
