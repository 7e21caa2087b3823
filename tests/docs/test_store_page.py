"""What docs/store.md shows for schedulers, run as they would run it, as far as that can be had here."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.support.model_folder import lines
from tests.support.models import concat_example
from tests.support.pages import BASH, CHECKOUT, Block, blocks

PAGE = CHECKOUT / "docs" / "store.md"
BLOCKS = list(blocks(PAGE))
WAIT = 120  # seconds, for what takes a few

pytestmark = BASH


def block(language: str, beginning: str) -> Block:
    (found,) = (b for b in BLOCKS if b.language == language and beginning in b.text)
    return found


@pytest.fixture
def models(tmp_path: Path, sample: bytes, sample_origin: bytes) -> Path:
    folder = tmp_path / "models"
    folder.mkdir()
    for number in range(6):
        (folder / f"{number}.tflite").write_bytes(concat_example())
    (folder / "a.tflite").write_bytes(sample)
    (folder / "good.tflite").write_bytes(sample_origin)
    return tmp_path


def run(
    command: str, folder: Path, environment: dict[str, str] | None = None, *, status: int = 0
) -> None:
    programs = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    told = {**os.environ, "PYTHONPATH": str(CHECKOUT), "PATH": programs, **(environment or {})}
    ran = subprocess.run(
        ["bash", "-eu", "-c", command], cwd=folder, env=told, timeout=WAIT, check=False
    )
    assert ran.returncode == status


def merged(folder: Path, names: str) -> list[str]:
    run(f"python -m tflite_align report merge {names} --report all.jsonl -q", folder, status=1)
    here = Path.cwd()
    os.chdir(folder)
    try:
        return [line["path"] for line in lines("all.jsonl")]
    finally:
        os.chdir(here)


EVERY = [*(f"{number}.tflite" for number in range(6)), "a.tflite", "good.tflite"]


def test_a_slurm_array_checks_every_model(models: Path) -> None:
    script = block("sh", "#SBATCH").text
    for task in "1234":
        run(script, models, {"SLURM_ARRAY_TASK_ID": task, "SLURM_ARRAY_TASK_COUNT": "4"})
    assert merged(models, "shard-*.jsonl") == EVERY


def test_a_kubernetes_job_checks_every_model(models: Path) -> None:
    yaml = pytest.importorskip("yaml", reason="PyYAML is not installed")
    job = yaml.safe_load(block("yaml", "kind: Job").text)["spec"]
    assert (job["completionMode"], job["completions"]) == ("Indexed", 4)
    (container,) = job["template"]["spec"]["containers"]
    (models / "reports").mkdir()
    for index in range(job["completions"]):
        names = {"MODELS": "models", "OUT": "reports", "JOB_COMPLETION_INDEX": str(index)}
        run(container["args"][0], models, names)
    assert merged(models, "reports/shard-*.jsonl") == EVERY


def test_a_matrix_of_jobs_checks_every_model(models: Path) -> None:
    yaml = pytest.importorskip("yaml", reason="PyYAML is not installed")
    jobs: dict[str, Any] = yaml.safe_load(block("yaml", "matrix:").text)["jobs"]
    for shard in jobs["check"]["strategy"]["matrix"]["shard"]:
        run(jobs["check"]["steps"][0]["run"].replace("${{ matrix.shard }}", str(shard)), models)
    run(jobs["merge"]["steps"][0]["run"], models, status=1)
    assert (models / "zoo.xml").is_file()
    assert merged(models, "shard-*.jsonl") == EVERY


def test_the_commands_for_dask_align_every_model(models: Path) -> None:
    pytest.importorskip("distributed", reason="Dask is not installed (extra `dask`)")
    scheduler, worker, align = block("sh", "dask scheduler").text.splitlines()
    environment = {
        **os.environ,
        "PYTHONPATH": str(CHECKOUT),
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]),
    }
    begun = []
    try:
        for command in (scheduler, worker):
            line = ["bash", "-c", f"exec python -m distributed.cli.dask_{command[5:-2].strip()}"]
            begun.append(
                subprocess.Popen(
                    line, cwd=models, env=environment, start_new_session=True,
                    stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                )
            )  # fmt: skip
            time.sleep(1)
        run(f"{align} --no-verify", models)
    finally:
        for process in begun:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(WAIT)
    assert sorted(path.name for path in (models / "aligned").glob("*.tflite")) == EVERY


def test_the_program_of_the_page_runs(models: Path) -> None:
    program = block("python", "store.run").text
    guarded = "\n".join(f"    {line}" for line in program.splitlines())
    (models / "program.py").write_text(f"if __name__ == '__main__':\n{guarded}\n")
    run("python program.py", models)
    assert len(list((models / "aligned").glob("*.tflite"))) == 8
