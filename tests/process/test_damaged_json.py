"""Reports and locks with values that no version writes: refused in one line, nothing written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tflite_align.cli import main as cli


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("outcome", 1.5),
        ("seconds", 10**400),
        ("report", []),
        ("findings_before", "x"),
        ("extra", 0),
    ],
)
def test_a_damaged_line_of_a_report_is_named(
    name: str, value: Any, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["check", "in.tflite", "in.tflite", "-q", "--report", "r.jsonl"]) == 1
    capsys.readouterr()
    line = json.loads((folder / "r.jsonl").read_text().splitlines()[-1])
    (folder / "r.jsonl").write_text(json.dumps({**line, name: value}) + "\n")
    assert cli.main(["report", "merge", "r.jsonl", "--report", "m.sarif"]) == 2
    told = capsys.readouterr().err
    assert told.startswith("tflite_align: 'in.tflite': the report's line on this model is damaged")
    assert told.count("\n") == 1
    assert not (folder / "m.sarif").exists()


@pytest.mark.parametrize("ending", ["sqlite", "parquet"])
def test_an_integer_beyond_a_column_is_refused(
    ending: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if ending == "parquet":
        pytest.importorskip("pyarrow", reason="pyarrow is not installed (extra `parquet`)")
    assert cli.main(["check", "in.tflite", "in.tflite", "-q", "--report", "r.jsonl"]) == 1
    capsys.readouterr()
    line = json.loads((folder / "r.jsonl").read_text().splitlines()[-1])
    (folder / "r.jsonl").write_text(json.dumps({**line, "input_bytes": 10**30}) + "\n")
    assert cli.main(["report", "merge", "r.jsonl", "--report", f"m.{ending}"]) == 2
    assert "input_bytes has more than 64 bits" in capsys.readouterr().err
    assert not (folder / f"m.{ending}").exists()


@pytest.mark.parametrize(
    ("name", "value"),
    [("verification", []), ("verification", 1.5), ("exit_status", float("inf"))],
)
def test_reports_with_strange_values_are_compared_or_refused(
    name: str, value: object, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["check", "in.tflite", "in.tflite", "-q", "--report", "r.jsonl"]) == 1
    line = json.loads((folder / "r.jsonl").read_text().splitlines()[-1])
    (folder / "s.jsonl").write_text(json.dumps({**line, name: value}) + "\n")
    assert cli.main(["report", "diff", "r.jsonl", "s.jsonl"]) in (0, 1, 2)
    assert "internal error" not in capsys.readouterr().err


def test_a_lock_with_half_a_surrogate_pair_is_refused(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["in.tflite", "o.tflite", "--no-verify", "-q", "--lock", "l.json"]
    assert cli.main([*command, "--update-lock"]) == 0
    lock = json.loads((folder / "l.json").read_text())
    lock["inputs"][0]["\ud800"] = 1
    (folder / "l.json").write_text(json.dumps(lock))
    assert cli.main(["check", "in.tflite", "--lock", "l.json"]) == 2
    assert "internal error" not in capsys.readouterr().err
