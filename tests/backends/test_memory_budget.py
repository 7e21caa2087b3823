"""A model that needs more than the memory budget is not run and reported as skipped."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.models import Graph
from tflite_align import AlignOptions, align, check
from tflite_align.verify.footprint import footprint
from tflite_align.verify.object_api import parse

MOST_MIB = 300  # bytes, for a file of less than 1 kB
MEASURED = """
import resource, sys
from tflite_align.cli.main import main
status = main(sys.argv[1:])
peak = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
print("peak", peak // 1024)
sys.exit(status)
"""


def broken_reshape(extent: int) -> bytes:
    """RELU and RESHAPE of a tensor [1, extent, extent, 1]; the RESHAPE's scales differ."""
    shape = (1, extent, extent, 1)
    graph = Graph()
    graph.activation("x", 0.1, shape=shape)
    graph.activation("r", 0.2, shape=shape)
    graph.activation("y", 0.1, shape=shape)
    graph.add("RELU", ["x"], ["r"])
    graph.constant("shape", shape, "int32")
    graph.add("RESHAPE", ["r", "shape"], ["y"], ("ReshapeOptions", {"newShape": shape}))
    return graph.bytes(["x"], ["y"])


def test_the_footprint_is_the_peak_over_operators() -> None:
    found = footprint(parse(broken_reshape(100)))
    assert found.place == "subgraph[0]/operator[0] RELU"
    assert (found.stored, found.floats) == (20_000, 80_000)


@pytest.mark.backends
@pytest.mark.promise(
    "the model's own tensors: `--memory` (2 GiB unless given); a model whose shapes say that it takes"
    " more is not run, and reported as *skipped*"
)
@pytest.mark.skipif(sys.platform != "linux", reason="ru_maxrss is in KiB on Linux alone")
def test_a_small_file_of_huge_tensors_takes_little_memory(tmp_path: Path) -> None:
    data = broken_reshape(40_000)
    assert len(data) < 2048
    (tmp_path / "huge.tflite").write_bytes(data)
    ran = subprocess.run(
        [sys.executable, "-c", MEASURED, "huge.tflite", "out.tflite"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert "size: subgraph[0]/operator[0] RELU holds 3,200,000,000 bytes at once" in ran.stdout
    *_, last, peak = ran.stdout.splitlines()
    assert last.startswith("aligned: 1 tensor moved, not verified (skipped): litert: size: ")
    assert int(peak.split()[1]) < MOST_MIB


@pytest.mark.backends
def test_the_memory_option_sets_the_budget() -> None:
    data = broken_reshape(400)
    verification = align(data, AlignOptions(memory=1 << 20)).report.verification
    assert verification is not None
    assert verification.word == "skipped"
    assert verification.why.startswith("numbers not judged: size: "), "the float twin is larger"
    assert all(judge.after.status == "accepted" for judge in verification.judges)
    little = align(data, AlignOptions(memory=1 << 17)).report.verification
    assert little is not None
    assert all(judge.after.status == "skipped" for judge in little.judges)
    enough = align(data, AlignOptions()).report.verification
    assert enough is not None
    assert enough.word == "verified"


@pytest.mark.backends
def test_a_judge_that_is_skipped_for_size_is_missing_where_it_is_required() -> None:
    options = AlignOptions(memory=1 << 17, require=("litert",))
    report = check(broken_reshape(400), options)
    assert report.exit_status == 1
