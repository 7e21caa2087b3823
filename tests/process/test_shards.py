"""Runs over shards of a folder; merging and comparing their reports."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.model_folder import MODELS, comparable, lines, put, tree
from tests.support.models import concat_example
from tflite_align.cli import main as cli

FAST = "--no-verify"


@pytest.fixture
def many(zoo_folder: Path, sample: bytes) -> Path:
    """Thirteen models, one of them unreadable."""
    for count in range(9):
        put(f"zoo/more/{count}.tflite", concat_example())
    put("zoo/bad.tflite", sample[:200])
    return zoo_folder


VERBS = {"align": ["zoo", "out", FAST], "check": ["check", "zoo"]}


@pytest.mark.parametrize("verb", VERBS)
def test_three_merged_shards_equal_one_run(
    many: Path, verb: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main([*VERBS[verb], "-q", "--report", "one.jsonl", "--report", "one.sarif"]) == 2
    alone = tree("out")
    for number in (1, 2, 3):
        shard = ["--shard", f"{number}/3", "--report", f"shard-{number}.jsonl"]
        command = ["zoo", "out3", FAST] if verb == "align" else VERBS[verb]
        assert cli.main([*command, "-q", *shard]) in (0, 1, 2)
    assert tree("out3") == alone
    shards = [f"shard-{number}.jsonl" for number in (2, 1, 3)]
    capsys.readouterr()
    assert cli.main(["report", "merge", *shards, "--report", "all.jsonl"]) == 2
    assert comparable("all.jsonl") == comparable("one.jsonl")
    assert [line["path"] for line in lines("all.jsonl")] == sorted(
        [*MODELS, "bad.tflite", *(f"more/{count}.tflite" for count in range(9))]
    )
    last_line = capsys.readouterr().out.splitlines()[-1]
    assert last_line.startswith("13 models: ")
    assert cli.main(["report", "merge", *shards, "-q", "--report", "all.json"]) == 2
    document = json.loads(Path("all.json").read_text())
    assert (len(document["reports"]), len(document["unread"])) == (12, 1)


def test_a_merged_check_names_each_model_once(
    many: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each model has one line with its result, and the counts of the closing line match."""
    assert cli.main(["check", "zoo", "-q", "--report", "r.jsonl"]) == 2
    failing = [line for line in lines("r.jsonl") if line["outcome"] == "fails"]
    capsys.readouterr()
    assert cli.main(["report", "merge", "r.jsonl", "-v"]) == 2
    *table, closing = capsys.readouterr().out.splitlines()
    assert len(failing) > 1
    assert f"{len(failing)} fail," in closing
    for line in failing:
        (row,) = [text for text in table if text.split()[:1] == [line["path"]]]
        assert str(Path("zoo", line["path"])) not in row
        assert "error" in row


def test_the_list_option_prints_the_models(many: Path, capsys: pytest.CaptureFixture[str]) -> None:
    printed_lines = []
    for number in (1, 2):
        assert cli.main(["zoo", "out", "--list", "--shard", f"{number}/2"]) == 0
        printed_lines += capsys.readouterr().out.splitlines()
    assert len(printed_lines) == 13
    assert f"{Path('zoo', 'a.tflite')} -> {Path('out', 'a.tflite')}" in printed_lines
    assert not Path("out").exists()
    assert cli.main(["check", "zoo", "nothing", "--list"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 14


def test_a_stopped_check_resumes(many: Path) -> None:
    command = ["check", "zoo", "-q", "--record", "done", "--report", "r.jsonl"]
    assert cli.main(command) == 2
    first = lines("r.jsonl")
    put("zoo/more/3.tflite", Path("zoo/good.tflite").read_bytes())
    assert cli.main(command) == 2
    again = {line["path"]: line["resumed"] for line in lines("r.jsonl")}
    assert [path for path, resumed in again.items() if not resumed] == [
        "bad.tflite",
        "more/3.tflite",
    ]
    assert [line["report"] for line in first if line["path"] == "a.tflite"] == [
        line["report"] for line in lines("r.jsonl") if line["path"] == "a.tflite"
    ]


def test_a_shard_may_have_no_models(zoo_folder: Path) -> None:
    names = []
    for number in range(1, 9):
        names.append(f"{number}.jsonl")
        arguments = ["--shard", f"{number}/8", "--report", names[-1], "-q"]
        assert cli.main(["check", "zoo", *arguments]) in (0, 1)
        assert cli.main(["zoo", "out", FAST, *arguments[:2], "-q"]) == 0
    assert cli.main(["report", "merge", *names, "--report", "all.jsonl", "-q"]) == 1
    assert len(lines("all.jsonl")) == 3


def _missing(names: list[str]) -> str:
    names.remove("2.jsonl")
    return "shard 2 of 3: missing"


def _twice(names: list[str]) -> str:
    put("again.jsonl", Path("1.jsonl").read_bytes())
    names.append("again.jsonl")
    return "shard 1 of 3: given more than once"


def _settings(names: list[str]) -> str:
    cli.main(["check", "zoo", "-q", "--shard", "2/3", "--target", "tflm", "--report", "2.jsonl"])
    return "2.jsonl: made with other settings, rules or versions than 1.jsonl: run it again"


def _version(names: list[str]) -> str:
    text = Path("3.jsonl").read_text()
    put("3.jsonl", text.replace('"version":"0.1.0"', '"version":"0.0.9"').encode())
    return "3.jsonl: made with another version of tflite_align than 1.jsonl: run it again"


def _shorter(names: list[str]) -> str:
    text = Path("1.jsonl").read_text().splitlines(keepends=True)
    put("1.jsonl", "".join(text[:-1]).encode())
    held = len(text) - 2
    return f"1.jsonl: {held} models where its head says {held + 1}"


def _cut(names: list[str]) -> str:
    data = Path("1.jsonl").read_bytes()
    put("1.jsonl", data[:-10])
    return "the last line has no newline; the file may be truncated"


def _whole(names: list[str]) -> str:
    cli.main(["check", "zoo", "-q", "--report", "whole.jsonl"])
    names.append("whole.jsonl")
    return "whole.jsonl: not written with --shard: only the shards of one run can be merged"


def _no_report(names: list[str]) -> str:
    names.append("zoo/notes.txt")
    put("zoo/notes.txt", b"no report\n")
    return "zoo/notes.txt: byte 0: no line of a report of many models (.jsonl)"


@pytest.mark.parametrize(
    "spoil", [_missing, _twice, _settings, _version, _shorter, _cut, _whole, _no_report]
)
def test_reports_of_different_runs_are_not_merged(
    many: Path, spoil: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    names = ["1.jsonl", "2.jsonl", "3.jsonl"]
    for name in names:
        cli.main(["check", "zoo", "-q", "--shard", f"{name[0]}/3", "--report", name])
    said = spoil(names)
    capsys.readouterr()
    assert cli.main(["report", "merge", *names, "--report", "all.jsonl"]) == 2
    captured = capsys.readouterr()
    assert (captured.out, captured.err.count("\n")) == ("", 1)
    assert captured.err.rstrip("\n").endswith(said)
    assert not Path("all.jsonl").exists()


def test_reports_of_several_folders_are_merged(
    many: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cli.main(["check", "zoo/more", "-q", "--report", "more.jsonl"])
    cli.main(["check", "zoo/deep", "-q", "--report", "deep.jsonl"])
    capsys.readouterr()
    assert cli.main(["report", "merge", "more.jsonl", "deep.jsonl", "--report", "all.jsonl"]) == 1
    assert len(lines("all.jsonl")) == 10
    assert cli.main(["report", "merge", "more.jsonl", "more.jsonl"]) == 2
    assert "in more than one of the reports" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["0/3", "4/3", "3", "a/b", "1/0", "-1/3"])
def test_an_invalid_shard_is_refused(
    zoo_folder: Path, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["check", "zoo", f"--shard={text}"]) == 2
    assert capsys.readouterr().err == (
        f"tflite_align: --shard {text}: expected K/N with K from 1 to N, such as 3/20\n"
    )


def test_report_diff_lists_new_gone_and_worse(
    many: Path, sample: bytes, sample_origin: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    cli.main(["check", "zoo", "-q", "--report", "old.jsonl"])
    assert cli.main(["report", "diff", "old.jsonl", "old.jsonl"]) == 0
    put("zoo/a.tflite", sample_origin)
    put("zoo/good.tflite", sample)
    put("zoo/new.tflite", sample)
    Path("zoo/more/1.tflite").unlink()
    cli.main(["check", "zoo", "-q", "--report", "new.jsonl"])
    capsys.readouterr()
    assert cli.main(["report", "diff", "old.jsonl", "new.jsonl", "-v"]) == 1
    output = capsys.readouterr().out
    assert output.splitlines()[-1] == (
        "1 model new, 1 gone, 1 worse, 1 better; 4 findings new, 4 gone"
    )
    assert "good.tflite  passes -> fails" in output
    assert "a.tflite  fails -> passes" in output
    assert "same/CONCATENATION" in output
    assert cli.main(["report", "diff", "new.jsonl", "old.jsonl", "-q"]) == 1
    assert cli.main(["report", "diff", "old.jsonl"]) == 2


def test_a_report_of_an_earlier_version_can_be_compared(many: Path) -> None:
    cli.main(["check", "zoo", "-q", "--report", "new.jsonl"])
    old = []
    for line in lines("new.jsonl"):
        del line["baseline_sha256"]
        old.append(json.dumps(line))
    put("old.jsonl", ("\n".join(old) + "\n").encode())
    assert cli.main(["report", "diff", "old.jsonl", "new.jsonl"]) == 0
