"""Time and memory of align without judges, compared with other tools that read and write a file.

Each figure is the median of several runs. Compared programs run in turns, so that a busy machine
slows all of them; goals are therefore ratios.
"""

from __future__ import annotations

import json
import math
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import flatbuffers
from ai_edge_litert import schema_py_generated as fb

import synthetic
from tflite_align import AlignOptions, align

__all__ = ["in_turns", "object_api", "show", "speed_rows"]

ROOT = Path(__file__).resolve().parents[1]
RUNS = 5
OPERATORS = (100, 1_000, 10_000, 100_000)
CONSTANTS = (1_000_000, 30_000_000, 1_900_000_000)
MEGABYTE = 1e6
# A model of 4 MB and 100 operators: 60 convolutions of 250 and 500 channels to 250.
MIDDLE = {"operators": 100, "channels": 250}
# Number of blocks in ten without findings: none; nine, as in typical converter output; all, as a
# gate mostly reads.
SOUND = {0: "all blocks broken", 9: "one block in ten broken", 10: "nothing broken"}
_SLOW = 20.0  # seconds; if one run takes longer, only three runs are made

Row = dict[str, Any]

# Code of a separate process that prints its peak memory without pages of memory-mapped files.
_PEAK = """
import sys, threading, time
found = [0]
def watch():
    while True:
        for line in open("/proc/self/status"):
            if line.startswith("RssAnon"):
                found[0] = max(found[0], int(line.split()[1]))
        time.sleep(0.002)
threading.Thread(target=watch, daemon=True).start()
from tflite_align.cli.main import main
status = main(sys.argv[1:])
high = next(int(x.split()[1]) for x in open("/proc/self/status") if x.startswith("VmHWM"))
print(status, found[0] * 1024, high * 1024)
"""


def in_turns(*works: Callable[[], object]) -> list[float]:
    """Median seconds of each function, called in turns; a first round warms the caches."""
    taken: list[list[float]] = [[] for _ in works]
    for round_number in range(RUNS + 1):
        for work, times in zip(works, taken, strict=True):
            start = time.perf_counter()
            work()
            times.append(time.perf_counter() - start)
        if round_number >= 2 and sum(times[-1] for times in taken) > _SLOW:
            break
    return [statistics.median(times[1:]) for times in taken]


def object_api(data: bytes) -> bytes:
    """The bytes of a file, loaded with the generated object API and packed again."""
    builder = flatbuffers.Builder(len(data))
    model = fb.ModelT.InitFromObj(fb.Model.GetRootAs(data))
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _quantizer(path: Path) -> Callable[[], object] | str:
    """A function that reads and writes a file with ai-edge-quantizer; the reason as text if that is
    not installed.
    """
    try:
        from ai_edge_quantizer.utils import tfl_flatbuffer_utils as utils
    except ImportError as error:
        return f"skipped: {error}"
    out = path.with_suffix(".quantizer")
    write = utils.flatbuffer_utils.write_model
    return lambda: write(utils.read_model(str(path)), str(out))


def _row(what: str, figure: float, goal: float, **beside: Any) -> Row:
    """The row of one figure and whether it is at most the goal. `what`: what was measured;
    `figure`, `goal`: in the same unit, lower is better; `beside`: further columns.
    """
    held = figure <= goal
    return {"what": what, "figure": round(figure, 3), "goal": goal, "held": held, **beside}


def _in_process(name: str, data: bytes, goal: float, folder: Path) -> Iterator[Row]:
    """Rows (a): time of align in this process, relative to load + pack and to ai-edge-quantizer.
    `goal`: largest ratio.
    """
    options = AlignOptions(verify=False)
    ours, theirs = in_turns(lambda: align(data, options), lambda: object_api(data))
    beside = {"align, ms": round(ours * 1e3, 1), "peer, ms": round(theirs * 1e3, 1)}
    yield _row(f"a: align / object API, {name}", ours / theirs, goal, **beside)
    path = folder / "peer.tflite"
    path.write_bytes(data)
    quantizer = _quantizer(path)
    if isinstance(quantizer, str):
        yield {"what": f"a: align / ai-edge-quantizer, {name}", "skipped": quantizer}
        return
    ours, theirs = in_turns(lambda: align(data, options), quantizer)
    beside = {"align, ms": round(ours * 1e3, 1), "peer, ms": round(theirs * 1e3, 1)}
    yield _row(f"a: align / ai-edge-quantizer, {name}", ours / theirs, goal, **beside)


def _run(*arguments: str, compiled: Path | None = None) -> None:
    """Run a command. `compiled`: folder for bytecode, as an installed package has it beside its
    files.

    The command runs in that folder, so that no project's settings are read.
    """
    env = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    if compiled is not None:
        env["PYTHONPYCACHEPREFIX"] = str(compiled)
    command = [sys.executable, *arguments]
    where = ROOT if compiled is None else compiled.parent
    env["PYTHONPATH"] = str(ROOT)
    subprocess.run(command, cwd=where, check=True, capture_output=True, env=env)


def _command_line(folder: Path) -> Iterator[Row]:
    """Rows (b): time of the whole command on the shipped samples, relative to importing its
    modules.
    """
    out, compiled = str(folder / "out.tflite"), folder / "compiled"
    for title in ("origin", "dealigned"):
        sample = str(ROOT / "tests" / "data" / f"sample_{title}.tflite")
        command = ("-m", "tflite_align", sample, out, "--no-verify", "--quiet")
        ours, theirs = in_turns(
            lambda command=command: _run(*command, compiled=compiled),  # type: ignore[misc]
            lambda: _run("-c", "import numpy, flatbuffers", compiled=compiled),
        )
        beside = {"command, ms": round(ours * 1e3), "import, ms": round(theirs * 1e3)}
        yield _row(f"b: command / import numpy, flatbuffers, {title}", ours / theirs, 2.0, **beside)


def _exponent(sizes: Sequence[int], seconds: Sequence[float]) -> float:
    """Slope of log time over log size (least squares). `sizes`: of the models, bytes; `seconds`:
    the times.
    """
    xs, ys = [math.log(size) for size in sizes], [math.log(taken) for taken in seconds]
    return statistics.linear_regression(xs, ys).slope


def _growth(largest: int) -> Iterator[Row]:
    """Rows (a) for each number of operators up to `largest`, and (c), the exponent with which time
    grows.
    """
    sizes = [size for size in OPERATORS if size <= largest]
    for sound, title in SOUND.items():
        taken = []
        for size in sizes:
            data = synthetic.build(size, sound=sound).data
            ours, theirs = in_turns(
                lambda data=data: align(data, AlignOptions(verify=False)),  # type: ignore[misc]
                lambda data=data: object_api(data),  # type: ignore[misc]
            )
            taken.append(ours)
            goal = 0.5 if size <= 100 else 0.7
            beside = {"align, s": round(ours, 3), "peer, s": round(theirs, 3), "bytes": len(data)}
            name = f"{size} operators, {title}"
            yield _row(f"a: align / object API, {name}", ours / theirs, goal, **beside)
        if len(sizes) > 1:
            yield _row(f"c: growth exponent, {title}", _exponent(sizes, taken), 1.1)


def _copied(source: Path, out: Path) -> None:
    """Copy the file and flush it to disk, as align does."""
    with source.open("rb") as given, out.open("wb") as stream:
        shutil.copyfileobj(given, stream, 1 << 20)
        stream.flush()
        os.fsync(stream.fileno())


def _constants(largest: int, folder: Path) -> Iterator[Row]:
    """Rows (c) and (d): time and memory for files with one large constant, aligned by the command
    line. `largest`: bytes.
    """
    for size in (size for size in CONSTANTS if size <= largest):
        source, out = folder / "big.tflite", folder / "out.tflite"
        synthetic.write_model(source, synthetic.build(100, channels=32, constant=size))
        command = ("-m", "tflite_align", str(source), str(out), "--no-verify", "--quiet")
        ours, copy = in_turns(lambda c=command: _run(*c), lambda s=source, o=out: _copied(s, o))  # type: ignore[misc]
        name = f"constant of {size / MEGABYTE:g} MB"
        if size > 1e9:
            beside = {"align, s": round(ours, 2), "copy, s": round(copy, 2)}
            yield _row(f"c: command / copy, {name}", ours / copy, 2.0, **beside)
        found = subprocess.run(
            [sys.executable, "-c", _PEAK, *command[2:]],
            cwd=ROOT, check=True, capture_output=True, text=True,
        ).stdout.split()  # fmt: skip
        beside = {"peak resident, MB": round(int(found[2]) / MEGABYTE)}
        anonymous = int(found[1]) / MEGABYTE
        yield _row(f"d: memory beside mapped pages, MB, {name}", anonymous, 200.0, **beside)
        source.unlink()
        out.unlink()


def speed_rows(
    models: Sequence[tuple[str, bytes]], *, operators: int, constant: int, folder: Path | None
) -> Iterator[Row]:
    """Every figure, those that are measured fast first. `models`: (name, bytes) of further files
    for (a); `operators`, `constant`: the largest sizes to measure.
    """
    with tempfile.TemporaryDirectory(dir=folder) as made:
        place = Path(made)
        yield from _command_line(place)
        for sound, said in SOUND.items():
            middle = synthetic.build(sound=sound, **MIDDLE).data
            name = f"{len(middle) / MEGABYTE:.1f} MB and 100 operators, {said}"
            yield from _in_process(name, middle, 0.5, place)
        for title, data in models:
            yield from _in_process(title, data, 0.5, place)
        yield from _constants(constant, place)
        yield from _growth(operators)


def show(row: Row) -> None:
    """Print one row of figures."""
    print(json.dumps(row), flush=True)
