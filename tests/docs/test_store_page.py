"""The scheduler examples of docs/store.md are run as the schedulers would run them, as far as
possible.
"""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.support.model_folder import lines
from tests.support.models import concat_example
from tests.support.pages import BASH, CHECKOUT, Block, blocks
from tflite_align.cli import main as cli

PAGE = CHECKOUT / "docs" / "store.md"
BLOCKS = list(blocks(PAGE))
WAIT = 120  # seconds; it takes a few

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
    variables = {**os.environ, "PYTHONPATH": str(CHECKOUT), "PATH": programs, **(environment or {})}
    ran = subprocess.run(
        ["bash", "-eu", "-c", command], cwd=folder, env=variables, timeout=WAIT, check=False
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


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory, sample: bytes, sample_origin: bytes) -> Path:
    """A folder with two Parquet reports for the page's queries: this week's, and last week's with
    one finding less.
    """
    pytest.importorskip("pyarrow", reason="pyarrow is not installed (extra `parquet`)")
    folder = tmp_path_factory.mktemp("tables")
    (folder / "models").mkdir()
    for name, data in {
        "a.tflite": sample_origin, "b.tflite": concat_example(), "good.tflite": sample_origin,
        "bad.tflite": b"no model",
    }.items():  # fmt: skip
        (folder / "models" / name).write_bytes(data)
    ask = "python -m tflite_align check models -q --target tflm"
    run(f"{ask} --report last-week.parquet", folder, status=2)
    (folder / "models" / "a.tflite").write_bytes(sample)
    run(f"{ask} --judge tflm --report zoo.parquet --report zoo.sqlite", folder, status=2)
    align = "python -m tflite_align models aligned --no-verify -q --report aligned.parquet"
    run(align, folder, status=2)
    return folder


def _asked(place: Path, asked: Block) -> list[tuple[Any, ...]]:
    if asked.words == ("sqlite",):
        with closing(sqlite3.connect(place / "zoo.sqlite")) as base:
            return base.execute(asked.text).fetchall()
    duckdb = pytest.importorskip("duckdb", reason="DuckDB is not installed (extra `test`)")
    with duckdb.connect() as base:
        base.execute(f"SET file_search_path = '{place}'")
        found: list[tuple[Any, ...]] = base.execute(asked.text).fetchall()
        return found


def test_the_five_sql_queries_return_rows(tables: Path) -> None:
    questions = [block for block in BLOCKS if block.language == "sql"]
    rule, refused, regressed, cost, operators = (_asked(tables, one) for one in questions)
    assert rule[0][0] == "same/CONCATENATION"
    assert sum(count for _, count, _ in rule) == 5
    assert refused == [] or all(path.endswith(".tflite") for path, _ in refused)
    assert regressed == [("a.tflite", "passes", "fails")]
    assert [row[0] for row in cost] == ["a.tflite", "b.tflite"]
    assert all(isinstance(row[1], int) and row[3] > 0 for row in cost)
    assert {row[0] for row in operators} >= {"CONCATENATION"}
    assert {row[2] for row in operators} == {0}, "numbers are numbers, and nothing is left"


def test_database_tables_equal_the_json_lines(tables: Path) -> None:
    with closing(sqlite3.connect(tables / "zoo.sqlite")) as base:
        models = base.execute("SELECT path, outcome, errors FROM models ORDER BY path").fetchall()
        assert models == [
            ("a.tflite", "fails", 4),
            ("b.tflite", "fails", 1),
            ("bad.tflite", "could not be done", None),
            ("good.tflite", "passes", 0),
        ]
        kinds = base.execute("SELECT DISTINCT typeof(offset), typeof(remains) FROM findings")
        assert kinds.fetchall() == [("integer", "integer")]


def test_a_parquet_report_without_the_library_says_what_to_install(
    models: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    monkeypatch.chdir(models)
    assert cli.main(["check", "models", "--report", "x.parquet"]) == 2
    assert "needs the extra `parquet`" in capsys.readouterr().err
