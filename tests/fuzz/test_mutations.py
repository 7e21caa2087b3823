"""For any bytes the result is a model or an AlignError: no other exception, no hang, no partial
file.

A few hundred damaged files in the normal run, 20,000 with `-m fuzz`. TFLITE_ALIGN_FUZZ sets the
number, TFLITE_ALIGN_FUZZ_SEED the first seed.
"""

from __future__ import annotations

import os
import sys
import time
import warnings
from collections import Counter
from pathlib import Path
from typing import Literal

import pytest

from tests.support.damage import damaged
from tests.support.grown_graphs import grown
from tests.support.structured_damage import absurd, strained
from tflite_align import AlignOptions, FormatError, UnsupportedError, align, check
from tflite_align.cli import main as cli
from tflite_align.format.reader import read
from tflite_align.record import replace

PLAIN = AlignOptions(verify=False)
FIRST = int(os.environ.get("TFLITE_ALIGN_FUZZ_SEED", "0"))
MANY = int(os.environ.get("TFLITE_ALIGN_FUZZ", "20000"))
MOST_SECONDS = 10.0
ENDS = {"refused", "exit 0", "exit 1"}
DATA = Path(__file__).parents[1] / "data"


@pytest.fixture
def models(sample: bytes, sample_origin: bytes, fixtures_dir: Path) -> list[bytes]:
    """The files that are damaged, small ones first; each has another structure."""
    made = sorted(fixtures_dir.glob("*.tflite"), key=lambda path: (path.stat().st_size, path.name))
    return [sample, sample_origin, *(path.read_bytes() for path in made[:24])]


def _survive(data: bytes, options: AlignOptions = PLAIN) -> str:
    """Align in this process and return the outcome. Fails if a written file has findings that were
    not reported, if it changes when aligned again, or if NumPy warns.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            result = align(data, options)
        except (FormatError, UnsupportedError):  # the file is the cause, as no option was given
            return "refused"
    report = result.report
    if report.outcome == "aligned":
        assert check(result.data, options).findings == report.remaining
        tensors = [graph.tensors for graph in read(result.data).subgraphs]
        for change in report.changes:
            assert change.name == tensors[change.subgraph][change.tensor].name
        assert len(result.data) < 4 * len(data) + 65536
        assert align(result.data, options).data == result.data, "a second run changes something"
    else:
        assert result.data == data
    return f"exit {report.exit_status}"


@pytest.mark.parametrize("block", range(4))
def test_damaged_files_end_in_a_result_or_an_error(models: list[bytes], block: int) -> None:
    ends: Counter[str] = Counter()
    for seed in range(block * 100, block * 100 + 100):
        ends[_survive(damaged(models[seed % len(models)], seed))] += 1
    assert set(ends) <= ENDS
    assert ends["refused"] > 10, "the damage must be seen"
    assert ends["exit 0"] > 10, "and not all of it fatal"


@pytest.fixture
def graphs(models: list[bytes]) -> list[bytes]:
    """The files whose parameters are changed; each has many kinds of operators."""
    return [*models[:12], *(grown(seed, operators=12).data for seed in range(12))]


def test_a_shared_buffer_of_wrong_size_raises_no_traceback() -> None:
    """Buffer 0, which all activations have, states seven bytes of external data."""
    options = replace(PLAIN, targets=("litert", "xnnpack"), io="free")
    assert _survive(absurd(grown(10, operators=12).data, 98), options) in ENDS


# Regressions, from a search of 20,000: (graph, seed, targets, io).
FOUND = {
    "types fitted beside a bias of another type": (0, 102376, ("tflm", "ethos-u55"), "keep"),
    "two steps put in and taken out again": (22, 402158, ("litert", "xnnpack"), "keep"),
    "an unknown version of an operator without operands": (
        21,
        611690,
        ("litert", "xnnpack"),
        "free",
    ),
    "a SPLIT without outputs": (12, 116180, ("litert", "xnnpack"), "keep"),
}


@pytest.mark.parametrize("name", FOUND)
def test_known_absurd_files_raise_no_traceback(name: str) -> None:
    graph, seed, targets, io = FOUND[name]
    options = replace(PLAIN, targets=targets, io=io)
    assert _survive(absurd(grown(graph, operators=12).data, seed), options) in ENDS


def test_too_many_zero_points_of_a_bias_raise_no_traceback() -> None:
    data = absurd((DATA / "unet_onnx2tf.tflite").read_bytes(), 113607)
    for targets in (("tflite",), ("tflm", "ethos-u55"), ("litert", "xnnpack")):
        assert _survive(data, replace(PLAIN, targets=targets)) in ENDS


@pytest.mark.parametrize("block", range(4))
def test_absurd_files_end_in_a_result_or_an_error(graphs: list[bytes], block: int) -> None:
    ends: Counter[str] = Counter()
    for seed in range(block * 50, block * 50 + 50):
        ends[_survive(absurd(graphs[seed % len(graphs)], seed))] += 1
    assert set(ends) == ENDS


TARGETS: tuple[tuple[str, ...], ...] = (("tflite",), ("tflm", "ethos-u55"), ("litert", "xnnpack"))


def _strain(seed: int) -> str:
    """The outcome for the random graph `seed` with extreme parameters; targets and options vary
    with the seed.
    """
    io: Literal["keep", "free"] = "free" if seed % 4 == 0 else "keep"
    options = replace(PLAIN, targets=TARGETS[seed % 3], io=io, optimize=seed % 5 == 0)
    return _survive(strained(grown(seed, operators=12).data, seed), options)


@pytest.mark.parametrize("block", range(4))
def test_a_second_alignment_of_extreme_files_changes_nothing(block: int) -> None:
    """A repair can put another operator's multiplier out of range; that is repaired in the same
    run.
    """
    ends = Counter(_strain(seed) for seed in range(block * 40, block * 40 + 40))
    assert set(ends) == {"exit 0", "exit 1"}


@pytest.mark.fuzz
def test_a_second_alignment_of_many_extreme_files_changes_nothing() -> None:
    for seed in range(FIRST, FIRST + MANY // 6):
        assert _strain(seed) in ENDS, seed


def _run(folder: Path, data: bytes, capsys: pytest.CaptureFixture[str]) -> tuple[int, float]:
    """(exit status, processor seconds) of the command line on one file that is also its output."""
    (folder / "in.tflite").write_bytes(data)
    (folder / "out.tflite").write_bytes(b"old")
    start = time.process_time()
    status = cli.main(["in.tflite", "out.tflite", "--no-verify", "--report", "r.json"])
    seconds = time.process_time() - start
    said = capsys.readouterr()
    assert "Traceback" not in said.out + said.err
    assert "internal error" not in said.err
    written = (folder / "out.tflite").read_bytes()
    assert status in (0, 1, 2)
    assert (written == b"old") == (status != 0)
    if status == 2:
        assert said.err.startswith("tflite_align: in.tflite: ")
        assert said.err.count("\n") == 1
    left = {path.name for path in folder.iterdir()}
    assert left <= {"in.tflite", "out.tflite", "r.json"}
    (folder / "r.json").unlink(missing_ok=True)
    return status, seconds


def test_the_command_line_handles_damaged_files(
    models: list[bytes],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    seen = {
        _run(tmp_path, damaged(models[n % len(models)], 10_000 + n), capsys)[0] for n in range(120)
    }
    assert seen == {0, 1, 2}


@pytest.mark.fuzz
def test_many_damaged_files(
    models: list[bytes],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Exit status 0, 1 or 2, no traceback, at most ten processor seconds, no temporary file."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONWARNINGS", "error")
    ends: Counter[int] = Counter()
    slowest = 0.0
    for seed in range(FIRST, FIRST + MANY):
        status, seconds = _run(tmp_path, damaged(models[seed % len(models)], seed), capsys)
        ends[status] += 1
        slowest = max(slowest, seconds)
        assert seconds < MOST_SECONDS, f"seed {seed}: {seconds:.1f} s"
    with capsys.disabled():
        sys.stdout.write(f"{MANY} files: {dict(sorted(ends.items()))}, slowest {slowest:.2f} s\n")


@pytest.mark.fuzz
@pytest.mark.parametrize("targets", TARGETS)
def test_many_absurd_files(graphs: list[bytes], targets: tuple[str, ...]) -> None:
    """Graphs with random parameters give a model or an AlignError; `_survive` has the conditions."""
    for seed in range(FIRST, FIRST + MANY // 6):
        io: Literal["keep", "free"] = "free" if seed % 3 == 0 else "keep"
        options = replace(PLAIN, targets=targets, io=io, optimize=seed % 5 == 0)
        assert _survive(absurd(graphs[seed % len(graphs)], seed), options) in ENDS, seed


@pytest.mark.parametrize("path", sorted((DATA / "fuzz").iterdir()), ids=lambda path: path.name)
def test_regression_files_end_in_a_result_or_an_error(path: Path) -> None:
    """Files for which an earlier version failed; their names say how."""
    for targets in (("tflite",), ("tflite", "tflm", "ethos-u55")):
        assert _survive(path.read_bytes(), replace(PLAIN, targets=targets)) in ENDS
