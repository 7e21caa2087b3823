"""Explanations within limits of memory and time, in a process of their own where they are large."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

from tests.support.model_rings import ring
from tests.support.models import concat_example
from tflite_align import AlignOptions
from tflite_align.cli import main as cli
from tflite_align.pipeline import explaining, view_of_model
from tflite_align.pipeline.explaining import ExplainResult, explain
from tflite_align.record import unpacked
from tflite_align.report.component_summary import Overview
from tflite_align.solver import prepare
from tflite_align.solver.exact import minimise_each
from tflite_align.solver.explanation import Explanation
from tflite_align.verify.apart import Outcome, run_apart

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX limits")
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="RLIMIT_AS and ru_maxrss of Linux")
CHECKOUT = Path(__file__).resolve().parents[2]
MIB = 1 << 20


def apart(data: bytes, place: str | None, **words: Any) -> ExplainResult:
    """The explanation from a process of its own, whatever its size."""
    return explain(data, place, AlignOptions(**words), small=-1)


@pytest.mark.parametrize("place", [None, "c1", "cat", "x", "c1.b", "y", "operator[2]/inputs[1]"])
@pytest.mark.parametrize("words", [{}, {"overlap": "forbid"}, {"overlap": "force"}])
def test_a_process_gives_the_same_explanation(place: str | None, words: dict[str, Any]) -> None:
    data = concat_example()
    here = explain(data, place, AlignOptions(**words))
    assert apart(data, place, **words) == here


@pytest.mark.promise("The answer of this process is read as MessagePack, which holds values only.")
def test_the_answer_is_unpacked_as_records(monkeypatch: pytest.MonkeyPatch) -> None:
    read = []

    def noted(kind: type[Any], data: bytes) -> Any:
        read.append(kind)
        return unpacked(kind, data)

    monkeypatch.setattr(explaining, "unpacked", noted)
    apart(concat_example(), "c1")
    apart(concat_example(), None)
    assert read == [Explanation, Overview]


@pytest.mark.promise("`explain` solves the component of a tensor once more for each other label.")
@pytest.mark.promise(
    "In its own process it does so for at most 2,000 pairs of labels that writers and readers can"
    " have, with at most 200 MB."
)
@LINUX
def test_small_components_take_little_memory(tmp_path: Path) -> None:
    names = []
    for count, labels in [(3, 8), (4, 6), (9, 3), (20, 2), (5, 5), (30, 2)]:
        names.append(f"{count}-{labels}.tflite")
        (tmp_path / names[-1]).write_bytes(ring(count, labels))
    script = """
import json, resource, sys
from tflite_align import explain
from tflite_align.verify import apart
apart.run_apart = None  # too large for this process
explain(open(sys.argv[1], "rb").read())
import highspy
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for name in sys.argv[1:]:
    for place in (None, "p0", "p1", "p2_1"):
        explain(open(name, "rb").read(), place)
print(json.dumps(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before))
"""
    done = subprocess.run(
        [sys.executable, "-c", script, *names],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(CHECKOUT)},
    )
    assert json.loads(done.stdout) * 1024 < 200 * MIB


@pytest.mark.promise(
    "More are solved in a process with the limits of a judge, but 60 seconds and, as address space,"
    " `--memory` and 1 GiB for the interpreter."
)
@pytest.mark.promise(
    "What it has found by then is shown, and the rest is *skipped: size* or *skipped: out of time*,"
    " with the number of pairs."
)
@pytest.mark.parametrize("place", [None, "p1"])
@LINUX
def test_an_explanation_beyond_its_memory_is_skipped(
    place: str | None,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("tflite_align.verify.apart._INTERPRETER", 300 * MIB)
    (folder / "ring.tflite").write_bytes(ring(70, 8))
    places = [] if place is None else [place]
    assert cli.main(["explain", "ring.tflite", *places, "--memory", "1"]) == 0
    told = capsys.readouterr().out
    assert "skipped: size: " in told
    assert " pairs of labels take more than the 1,048,576 bytes of --memory." in told
    assert cli.main(["explain", "ring.tflite", *places, "--memory", "1", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["overview" if place is None else "explanation"]["skipped"].startswith("size: ")


def test_an_explanation_beyond_its_time_is_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(explaining, "SECONDS", 0.01)
    told = apart(concat_example(), "c1")
    assert (
        told.lines()[1]
        == "It is not explained: skipped: out of time: 24 pairs of labels take more than 0.01 s."
    )


# Work of a process -> what is known of it.
WORK = {
    "slow": ("save(b'first'); time.sleep(600)", b"first", "time"),
    "large": ("save(b'first'); bytearray(3 << 30)", b"first", "memory"),
    "killed": ("save(b'first'); os.kill(os.getpid(), 9)", b"first", "exit status -9"),
    "wrong": ("raise ValueError(data.decode())", b"", "exit status 1: ValueError: model"),
    "limits": (
        "save(repr(resource.getrlimit(resource.RLIMIT_AS)[0]).encode())",
        b"%d" % (3 << 30),
        "",
    ),
    "values": ("save(b'first'); save(request + data)", b"requestmodel", ""),
}


@pytest.mark.parametrize("kind", WORK)
@LINUX
def test_the_process_is_limited_and_leaves_what_it_saved(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert explaining.SECONDS == 60
    work, saved, failure = WORK[kind]
    (tmp_path / "work").mkdir()
    code = f"import os, resource, time\n\ndef answered(request, data, save):\n    {work}\n"
    (tmp_path / "work" / "stand_in.py").write_text(code)
    (tmp_path / "tmp").mkdir()
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "work"))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    outcome = run_apart("stand_in", b"request", b"model", memory=2 << 30, seconds=20)
    assert outcome == Outcome(saved=saved, failure=failure)
    assert list((tmp_path / "tmp").iterdir()) == []


@pytest.mark.promise(
    "Reports explain what an alignment has solved and solve nothing again; the HTML page explains at"
    " most 400 tensors."
)
def test_a_report_solves_nothing_again(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    solved: list[int] = []

    def counted(problems: list[Any]) -> Any:
        solved.append(len(problems))
        return minimise_each(problems)

    monkeypatch.setattr(prepare, "minimise_each", counted)
    monkeypatch.setattr(prepare, "minimise", None)  # with it alternatives are solved
    (folder / "ring.tflite").write_bytes(ring(150, 2))
    command = ["ring.tflite", "o.tflite", "--no-verify", "-q"]
    assert cli.main(command) == 0
    alone = [*solved]
    assert cli.main([*command, "--report", "r.me.json", "--report", "r.html"]) == 0
    assert solved == alone * 2
    assert view_of_model._MOST == 400
