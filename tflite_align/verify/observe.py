"""The range of values that calibration inputs give each activation, measured in the float twin."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Mapping
from concurrent.futures import wait
from pathlib import Path
from typing import Any

from ..errors import UnsupportedError
from ..format.model import TensorId
from ..record import Record, field
from .calibration import Calibration
from .case import LARGEST_MODEL
from .frontier import frontier
from .judges import available
from .object_api import parse
from .process import Ended, acceptance, answer_so_far, call_worker, children_pool, workspace
from .samples import Samples, make_samples
from .twin import open_twin
from .variants import FLOAT_KERNELS, RUN_SECONDS, THREADS, sample_records

__all__ = ["Observed", "observe"]

_POLL_SECONDS = 0.2

Data = bytes | memoryview
Progress = Callable[[str, float], None]
Ranges = Mapping[TensorId, tuple[float, float]]


class Observed(Record, frozen=True, kw_only=True):
    """Ranges of values in the float twin. `ranges`: (subgraph, tensor) -> (least, greatest) real
    value over `samples` inputs. `why`: the reason if there are none. A tensor is missing if it was
    not computed or had values that are not finite.
    """

    ranges: Ranges = field(default_factory=dict)
    why: str = ""
    samples: int = 0


def observe(data: Data, calibration: Calibration, *, progress: Progress | None = None) -> Observed:
    """Measure the least and greatest value of each quantized activation of subgraph 0 in the float
    twin, over all calibration inputs ([samples, *shape] by input name or position), in their order.

    A model with variables processes them as one sequence, without a reset. `progress`: called with
    (stage, fraction done). Raises UsageError for calibration that does not fit the model; any other
    failure is the record's `why`.
    """
    report = progress or (lambda _stage, _fraction: None)
    report("observe calibration", 0.0)
    try:
        samples = _samples(data, calibration)
        twin, tensors = open_twin(data, frontier(parse(data)))
    except UnsupportedError as error:
        return Observed(why=f"no float twin: {error}")
    missing = available("litert")
    if missing is not None:
        return Observed(why=missing)
    ranges = _of_inputs(data, samples)
    if tensors:
        ended = _run(twin, samples, lambda done: report("observe calibration", done))
        found = acceptance(ended)
        if found.status != "accepted":
            return Observed(why=f"the float twin does not run: {found.status}: {found.reason}")
        ranges |= _finite(tensors, ended.answer)
    report("observe calibration", 1.0)
    return Observed(ranges=ranges, samples=samples.count)


def _samples(data: Data, calibration: Calibration) -> Samples:
    """All calibration inputs. Raises UnsupportedError for a file that is too large."""
    if len(data) > LARGEST_MODEL:
        msg = f"size: the model has {len(data)} bytes; models above {LARGEST_MODEL} are not run"
        raise UnsupportedError(msg)
    return make_samples(
        parse(data), calibration=calibration, count=sys.maxsize, seed=0, topped=False
    )


def _of_inputs(data: Data, samples: Samples) -> dict[TensorId, tuple[float, float]]:
    """Ranges of the quantized graph inputs, from their values rounded to the input's integers."""
    ranges = {}
    places = parse(data).subgraphs[0].inputs
    for tensor, graph_input, array in zip(places, samples.inputs, samples.arrays, strict=True):
        if graph_input.label is not None:
            scale, zero_point = graph_input.label
            low, high = int(array.min()) - zero_point, int(array.max()) - zero_point
            ranges[TensorId(0, tensor)] = (low * scale, high * scale)
    return ranges


def _finite(
    tensors: tuple[int, ...], answer: Mapping[str, Any]
) -> dict[TensorId, tuple[float, float]]:
    """Ranges of the tensors whose least and greatest value are finite; `answer`: the worker's, in
    the order of `tensors`.
    """
    rows = zip(tensors, answer["low"], answer["high"], strict=True)
    return {
        TensorId(0, tensor): (float(low), float(high))
        for tensor, low, high in rows
        if math.isfinite(low) and math.isfinite(high)
    }


def _run(twin: bytes, samples: Samples, report: Callable[[float], None]) -> Ended:
    """Run the twin in a worker process, with the first float kernel set that can run it. `report`:
    called with the fraction done.
    """
    with workspace() as folder:
        model = folder / "model.tflite"
        model.write_bytes(twin)
        request = {
            "task": "observe",
            "model": str(model),
            "threads": THREADS,
            "inputs": sample_records(samples, folder),
            "count": samples.count,
        }
        for kernels in FLOAT_KERNELS:
            subfolder = folder / kernels
            subfolder.mkdir()
            ended = _watched({**request, "kernels": kernels}, subfolder, samples.count, report)
            if acceptance(ended).status == "accepted":
                break
    return ended


def _watched(
    request: Mapping[str, Any], folder: Path, count: int, report: Callable[[float], None]
) -> Ended:
    """Like call_worker, while `report` is called in this thread with the fraction done (0 to 1).
    `count`: number of samples; `request`: the worker's request.
    """
    with children_pool(1) as pool:
        future = pool.submit(call_worker, request, folder, seconds=RUN_SECONDS)
        while wait([future], timeout=_POLL_SECONDS).not_done:
            report(answer_so_far(folder).get("done", 0) / count)
        return future.result()
