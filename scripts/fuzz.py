#!/usr/bin/env python3
"""Coverage-guided fuzzing of reader, checker, solver, planner and writer, with atheris.

    scripts/fuzz.py CORPUS_DIR [libFuzzer options: -max_total_time=3600 -jobs=2 ...]

CORPUS_DIR contains small model files to start with, and receives inputs that reach new code. Half
of the new inputs are random changes of bytes, most of which the reader refuses; the others are
damaged as in tests/fuzz and reach checker and solver. Install atheris with `pip install -e
'.[fuzz]'`.

`scripts/fuzz.py crash-FILE` runs one input. Once its cause is known, keep it in tests/data/fuzz
under a name that says what was wrong: a test aligns every file there. The search ends, and leaves
the input as crash-* (timeout-* after minutes without a result), on an exception that is no
AlignError, a warning, a run of more than ten seconds of processor time, a file that bulk reading
and single reading read differently, or a file that a second alignment changes. The limit does not
depend on the machine's load.
"""

from __future__ import annotations

import random
import sys
import time
import warnings
from pathlib import Path

import atheris

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

with atheris.instrument_imports(include=["tflite_align"]):
    from tflite_align import AlignError, AlignOptions, align, check
    from tflite_align.format import flatbuffer_bulk as columns
    from tflite_align.format.reader import read

from tests.support.damage import damaged
from tests.support.structured_damage import absurd, strained

_MOST_SECONDS = 10.0  # processor seconds of one input, independent of the machine's load
_HANGS = 600  # wall seconds after which libFuzzer ends the run

_PLAIN = AlignOptions(verify=False, targets=("tflite", "tflm", "ethos-u55"))


def _read(data: bytes, many: int) -> tuple[str, ...]:
    """The model as texts, since a NaN does not equal itself; empty for a refused file. `many`:
    number of tables from which they are read in bulk.
    """
    columns._MANY = many  # noqa: SLF001 - few tables are read by columns otherwise
    try:
        model = read(data)
    except AlignError:
        return ()
    return (repr(model.subgraphs), *[repr(bytes(b.data or b"")) for b in model.buffers])


def _holds(data: bytes) -> None:
    """Align the input. Fails unless the result has no unreported finding and stays the same when
    aligned again, or an AlignError is raised.
    """
    assert _read(data, 1 << 30) == _read(data, 1)
    try:
        result = align(data, _PLAIN)
    except AlignError:
        return
    if result.report.outcome != "aligned":
        assert result.data == data
        return
    read(result.data)
    found = check(result.data, AlignOptions(targets=_PLAIN.targets)).findings
    assert result.report.remaining == found
    assert align(result.data, _PLAIN).data == result.data, "a second run changes something"


def one(data: bytes) -> None:
    """Process one input within the time limit."""
    start = time.process_time()
    _holds(data)
    seconds = time.process_time() - start
    assert seconds < _MOST_SECONDS, f"{seconds:.1f} s of processor time"


def mutated(data: bytes, most: int, seed: int) -> bytes:
    """The next input: `data` changed, at most `most` bytes; the same for the same seed."""
    damage = random.Random(seed).choice((None, None, None, damaged, absurd, strained))  # noqa: S311
    if damage is not None:
        try:
            made = damage(data, seed)
        except Exception:  # noqa: BLE001 - the schema's own reader trusts every offset
            made = b""
        if 0 < len(made) <= most:
            return made
    return bytes(atheris.Mutate(data, most))


def main() -> None:
    """Run the command line."""
    warnings.simplefilter("error")
    limits = [f"-timeout={_HANGS}", f"-report_slow_units={_HANGS}", "-rss_limit_mb=1024"]
    options = [*limits, "-max_len=65536", *sys.argv[1:]]
    atheris.Setup([sys.argv[0], *options], one, custom_mutator=mutated)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
