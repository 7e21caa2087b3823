"""`check` of many files: the output does not depend on the number of processes and lists every
file.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.damage import damaged
from tflite_align.cli import main as cli

FORMS = ("a.json", "a.sarif", "a.txt", "a.xml")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fixtures_dir: Path) -> Path:
    """Forty models, some of them damaged beyond reading."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "zoo").mkdir()
    made = sorted(fixtures_dir.glob("*.tflite"))[:38]
    for path in made:
        (tmp_path / "zoo" / path.name).write_bytes(path.read_bytes())
    for number in range(2):
        broken = damaged(made[0].read_bytes(), number)[: 100 + number]
        (tmp_path / "zoo" / f"damaged{number}.tflite").write_bytes(broken)
    return tmp_path


def run(folder: Path, *arguments: str) -> tuple[int, str, str, dict[str, bytes]]:
    """(exit status, stdout, stderr, report files) of the command line in a separate process."""
    reports = [word for name in FORMS for word in ("--report", name)]
    ran = subprocess.run(
        [sys.executable, "-m", "tflite_align", "check", "zoo", *reports, *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
    )
    return ran.returncode, ran.stdout, ran.stderr, {f: (folder / f).read_bytes() for f in FORMS}


def test_forty_files_give_the_same_bytes_again_and_in_parallel(folder: Path) -> None:
    first = run(folder)
    assert first == run(folder)
    assert first == run(folder, "--jobs", "2")
    status, out, err, reports = first
    assert status == 2
    assert err.count("\n") == 2
    assert "38 files checked: " in out
    assert "; 2 could not be read" in out
    document = json.loads(reports["a.json"])
    assert len(document["reports"]) == 38
    assert [one["name"] for one in document["unread"]] == [
        "zoo/damaged0.tflite",
        "zoo/damaged1.tflite",
    ]


@pytest.mark.parametrize("form", ["json", "sarif", "junit", "github"])
def test_stdout_holds_only_the_requested_format(
    folder: Path, capsys: pytest.CaptureFixture[str], form: str
) -> None:
    names = sorted(str(path) for path in (folder / "zoo").iterdir())[-3:]
    cli.main(["check", *names, "--output-format", form])
    said = capsys.readouterr().out
    if form in ("json", "sarif"):
        json.loads(said)
    elif form == "junit":
        assert said.startswith("<?xml ")
    else:
        assert all(line.startswith("::") for line in said.splitlines())


def test_the_summary_is_a_table(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = ["zoo/classifier_int8.tflite", "zoo/damaged0.tflite"]
    assert cli.main(["check", *names]) == 2
    table = capsys.readouterr().out.splitlines()[-5:]
    assert [line.split()[0] for line in table if line] == [
        "file",
        "zoo/classifier_int8.tflite",
        "zoo/damaged0.tflite",
        "1",
    ]
    assert table[1].endswith("passes")
    assert table[2].endswith("could not be read")
