"""Runs on Dask: a real scheduler and two real workers, some of which are killed."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.dask_cluster import CHECKOUT, WAIT, Cluster, environment_of
from tests.support.model_folder import MODELS, comparable, lines, put, recorded, tree
from tests.support.models import concat_example
from tflite_align.cli import main as cli

FAST = "--no-verify"

pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals are POSIX's")
distributed = pytest.importorskip("distributed", reason="Dask is not installed (extra `dask`)")

# A model whose name begins with `slain` kills its worker; `once` kills only the first one.
DEADLY = """
import os, signal
from pathlib import Path
from tflite_align.store import chunk_work
read = chunk_work.read
def deadly(name):
    place = Path(name)
    if place.name.startswith("slain") or (place.name.startswith("once") and not place.with_suffix(".hit").exists()):
        place.with_suffix(".hit").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return read(name)
chunk_work.read = deadly
"""


@pytest.fixture
def cluster(zoo_folder: Path) -> Iterator[Cluster]:
    folder = zoo_folder / "dask"
    folder.mkdir()
    made = Cluster(folder, environment_of(folder))
    try:
        made.add()
        made.add()
        yield made
    finally:
        made.end()


def test_workers_give_the_same_results_as_one_process(
    cluster: Cluster, capsys: pytest.CaptureFixture[str]
) -> None:
    """Results equal those of one process, also if the workers have other current directories and
    one of them is killed.
    """
    for count in range(12):
        put(f"zoo/more/{count:02}.tflite", concat_example())
    put("zoo/bad.tflite", b"no model")
    assert cli.main(["zoo", "out", FAST, "-q", "--report", "one.jsonl"]) == 2
    errors = capsys.readouterr().err
    dask = ["--executor", f"dask:{cluster.address}"]
    with subprocess.Popen(
        [
            sys.executable,
            "-m",
            "tflite_align",
            "zoo",
            "two",
            FAST,
            "-q",
            "--report",
            "two.jsonl",
            *dask,
        ],
        env={**os.environ, "PYTHONPATH": str(CHECKOUT)},
        stderr=subprocess.PIPE,
        text=True,
    ) as run:
        end = time.monotonic() + WAIT
        while not list(Path("two").rglob("*.tflite")) and time.monotonic() < end:
            time.sleep(0.01)
        os.killpg(cluster.workers[0].pid, signal.SIGKILL)
        said = run.communicate(timeout=WAIT)[1]
    assert run.returncode == 2
    assert said == errors
    assert tree("two") == tree("out")
    assert comparable("two.jsonl") == comparable("one.jsonl")
    assert cli.main(["check", "zoo", "-q", "--report", "one.json"]) == 2
    assert cli.main(["check", "zoo", "-q", "--report", "two.json", *dask]) == 2
    assert Path("two.json").read_bytes() == Path("one.json").read_bytes()


@pytest.mark.promise(
    "Dask's scheduler, its workers and their caller exchange pickles: **whoever reaches the"
    " scheduler can run code on the workers.**"
)
def test_whoever_can_reach_the_scheduler_can_run_code_on_its_workers(cluster: Cluster) -> None:
    with distributed.Client(cluster.address, set_as_default=False) as stranger:
        pids = {stranger.submit(os.getpid, pure=False).result(WAIT) for _ in range(2)}
    assert os.getpid() not in pids


def test_a_model_that_kills_its_worker_is_reported_and_skipped(
    zoo_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = zoo_folder / "dask"
    folder.mkdir()
    environment = environment_of(folder)
    (folder / "site" / "sitecustomize.py").write_text(DEADLY)
    made = Cluster(folder, environment)
    try:
        made.add()
        made.add()
        for name in ("once", "slain"):
            put(f"zoo/{name}.tflite", concat_example())
        command = ["zoo", "out", FAST, "-q", "--executor", f"dask:{made.address}"]
        assert cli.main(command) == 2
    finally:
        made.end()
    assert capsys.readouterr().err == (
        "tflite_align: zoo/slain.tflite: its worker process ended without a result"
        " (out of memory?)\n"
    )
    assert sorted(tree("out")) == sorted([*MODELS, "once.tflite"])


OTHER = """
import tflite_align
tflite_align.__version__ = "0.0.9"
"""


def copied(folder: Path) -> Path:
    """A copy of the project with a further row in its table of rules."""
    for name in ("tflite_align", "schema"):
        hidden = shutil.ignore_patterns("__pycache__")
        shutil.copytree(CHECKOUT / name, folder / name, ignore=hidden)
    table = folder / "schema" / "targets" / "tflm.toml"
    text = table.read_text(encoding="utf-8")
    table.write_text(
        text.replace('severity = "error"', 'severity = "warning"', 1), encoding="utf-8"
    )
    assert table.read_text(encoding="utf-8") != text
    return folder


@pytest.mark.promise(
    "A worker with another version of tflite_align or with other rules refuses the models that it"
    " gets."
)
def test_workers_with_another_version_or_other_rules_are_refused(
    zoo_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Workers without the package, with another version of it, or with other rules are refused,
    with the reason.
    """
    folder = zoo_folder / "dask"
    folder.mkdir()
    made = Cluster(folder, environment_of(folder, project=False))
    command = ["check", "zoo", "--executor", f"dask:{made.address}"]
    try:
        made.add()
        assert cli.main(command) == 2
        said = capsys.readouterr()
        assert (said.out, said.err.count("\n")) == ("", 1)
        assert "cannot import tflite_align (" in said.err
        assert said.err.endswith("install the caller's version there\n")
        os.killpg(made.workers[0].pid, signal.SIGKILL)
        (folder / "site" / "sitecustomize.py").write_text(OTHER)
        path = os.pathsep.join([str(folder / "site"), str(CHECKOUT)])
        made.add(PYTHONPATH=path)
        time.sleep(1)
        assert cli.main(command) == 2
        said = capsys.readouterr()
        assert said.out == ""
        assert said.err.endswith(" has tflite_align 0.0.9 where the caller has 0.1.0\n")
        os.killpg(made.workers[1].pid, signal.SIGKILL)
        (folder / "site" / "sitecustomize.py").unlink()
        made.add(PYTHONPATH=str(copied(folder / "other")))
        time.sleep(1)
        assert cli.main(command) == 2
        said = capsys.readouterr()
        assert (said.out, said.err.count("\n")) == ("", 1)
        assert re.search(r" has rules \w{12} where the caller has \w{12}\n$", said.err)
    finally:
        made.end()


def test_a_lost_scheduler_is_reported_and_the_run_can_be_resumed(cluster: Cluster) -> None:
    for count in range(20):
        put(f"zoo/more/{count:02}.tflite", concat_example())
    with subprocess.Popen(
        [sys.executable, "-m", "tflite_align", "zoo", "out", FAST, "-q",
         "--executor", f"dask:{cluster.address}"],
        env={**os.environ, "PYTHONPATH": str(CHECKOUT)},
        stderr=subprocess.PIPE,
        text=True,
    ) as run:  # fmt: skip
        end = time.monotonic() + WAIT
        while not list(Path("out").rglob("*.jsonl")) and time.monotonic() < end:
            time.sleep(0.01)
        os.killpg(cluster.scheduler.pid, signal.SIGKILL)
        said = run.communicate(timeout=WAIT)[1]
    if run.returncode:  # else it was done before
        assert run.returncode == 2
        assert said.count("\n") == 1
        assert "the scheduler is gone" in said
        assert not list(Path("out").rglob("*.tmp"))
    done = len(recorded("out"))
    assert cli.main(["zoo", "out", FAST, "-q", "--report", "r.jsonl"]) == 0
    assert sum(line["resumed"] for line in lines("r.jsonl")) >= done > 0


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (
            "slurm:here",
            "--executor slurm:here: expected dask:ADDRESS, such as dask:tcp://host:8786",
        ),
        ("dask:", "--executor dask:: expected dask:ADDRESS, such as dask:tcp://host:8786"),
    ],
)
def test_an_object_that_is_no_executor_is_refused(
    zoo_folder: Path, given: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["check", "zoo", "--executor", given]) == 2
    assert capsys.readouterr().err == f"tflite_align: {said}\n"
