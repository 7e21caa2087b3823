"""Time of a verification, compared with bare runs of the same file.

Bare runs: the written file on LiteRT's builtin kernels and on its default delegate, 64 inputs each,
in one process on one thread, without Python's start-up. A verification runs that, the original, the
float twin and two declared readings. If every operator has a certificate, it computes only the
readings, which is measured for every model.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tflite_align import AlignOptions, align
from tflite_align.verify.verification import verify

__all__ = ["MODELS", "show", "verification_rows"]

# Names in the table and files of a corpus; broken ones, so that there is something to verify.
MODELS = {
    "kws": "dealigned/kws_ref_model.tflite",
    "unet": "violators/onnx2tf269_unet_int8.tflite",
    "vww": "dealigned/vww_96_int8.tflite",
    "person": "dealigned/person_detect.tflite",
    "resnet": "dealigned/pretrainedResnet_quant.tflite",
    "movenet": "dealigned/movenet_single_pose_lightning_ptq.tflite",
    "deeplab": "dealigned/deeplab_mobilenet_edgetpu_slim_cityscapes_quant.tflite",
}
INPUTS = 64
GOAL, STARTS = 2.5, 0.6  # goal: this multiple of the bare runs, plus seconds for starting processes
SHOWN_GOAL = 1.5  # goal with a certificate, as a multiple of the bare runs
SHOWN = frozenset({"litert", "xnnpack"})
RUNS = 3
_SLOW = 10.0  # seconds; if one verification takes longer, it is run once

# Measures both kernel sets, except those that refuse the file; prints seconds and their number.
_BARE = """
import sys, time
import numpy as np
from ai_edge_litert import interpreter as litert
path, count = sys.argv[1], int(sys.argv[2])
taken, ran = 0.0, 0
for kernels in ("BUILTIN_WITHOUT_DEFAULT_DELEGATES", "AUTO"):
    generator = np.random.default_rng(0)
    started = time.perf_counter()
    try:
        one = litert.Interpreter(
            model_path=path,
            num_threads=1,
            experimental_op_resolver_type=getattr(litert.OpResolverType, kernels),
        )
        one.allocate_tensors()
        for _ in range(count):
            for given in one.get_input_details():
                values = generator.integers(-100, 100, given["shape"])
                one.set_tensor(given["index"], values.astype(given["dtype"]))
            one.invoke()
            for made in one.get_output_details():
                one.get_tensor(made["index"])
    except (RuntimeError, ValueError):
        continue
    taken, ran = taken + time.perf_counter() - started, ran + 1
print(taken, ran)
"""


def _bare(model: Path) -> tuple[float, int]:
    """(seconds of the bare runs, number of the two kernel sets that accept the file)."""
    command = [sys.executable, "-c", _BARE, str(model), str(INPUTS)]
    found = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    return float(found[0]), int(found[1])


def _processor_seconds() -> float:
    """Processor seconds of this process and its finished children, which a busy machine does not
    distort.
    """
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def _measured(data: bytes, folder: Path) -> dict[str, Any]:
    """The row of one model: medians over runs in turns, so that a busy machine slows all of them."""
    aligned = align(data, AlignOptions(verify=False)).data
    model = folder / "aligned.tflite"
    model.write_bytes(aligned)
    bare, whole, processor, shown, used_shown = [], [], [], [], []
    for _ in range(RUNS):
        seconds, ran = _bare(model)
        bare.append(seconds)
        started, used = time.perf_counter(), _processor_seconds()
        found = verify(data, aligned, samples=INPUTS)
        whole.append(time.perf_counter() - started)
        processor.append(_processor_seconds() - used)
        started, used = time.perf_counter(), _processor_seconds()
        verify(data, aligned, samples=INPUTS, kernel_runtimes=SHOWN)
        shown.append(time.perf_counter() - started)
        used_shown.append(_processor_seconds() - used)
        if whole[-1] > _SLOW:
            break
    base, taken = statistics.median(bare), statistics.median(whole)
    allowed = GOAL * base + STARTS
    certified, most = statistics.median(shown), SHOWN_GOAL * base + STARTS
    return {
        "word": found.word,
        "inputs": found.samples,
        "kernel sets": ran,
        "bare, s": round(base, 3),
        "verification, s": round(taken, 2),
        "processor, s": round(statistics.median(processor), 2),
        "times": round(taken / base, 1) if base else None,
        "goal, s": round(allowed, 2),
        "holds": taken <= allowed,
        "certified, s": round(certified, 2),
        "certified processor, s": round(statistics.median(used_shown), 2),
        "certified goal, s": round(most, 2),
        "certified holds": certified <= most,
    }


def verification_rows(models: Sequence[tuple[str, Path]]) -> Iterator[dict[str, Any]]:
    """A row for each model; a broken file is aligned first, without judges."""
    with tempfile.TemporaryDirectory() as made:
        for name, path in models:
            yield {"model": name, **_measured(path.read_bytes(), Path(made))}


def show(row: dict[str, Any]) -> None:
    """Print one row of figures."""
    print(json.dumps(row), flush=True)
