"""Resuming a stopped batch: finished models whose result is still valid are not processed again."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

import tflite_align
from tests.support.model_folder import MODELS, lines, put, recorded, tree
from tests.support.models import concat_example
from tflite_align.cli import main as cli
from tflite_align.store.model_listing import RECORD

CHECKOUT = Path(__file__).resolve().parents[2]
FAST = "--no-verify"


def run(*arguments: str) -> int:
    return cli.main(["zoo", "out", FAST, *arguments])


def resumed(*arguments: str) -> dict[str, bool]:
    run("-q", "--report", "again.jsonl", *arguments)
    return {line["path"]: line["resumed"] for line in lines("again.jsonl")}


@pytest.mark.promise(
    "The record of finished models in OUT (`.tflite_align`) is believed if the digests of input,"
    " settings and output in it are right, also if somebody else wrote it: whoever can write to OUT"
    " can have a model of theirs taken for the aligned one."
)
@pytest.mark.promise(
    "`--isolated` reads no configuration file and no such record, so that every model is aligned"
    " again: **use it in a folder that you do not trust.**"
)
def test_a_forged_record_is_believed_unless_isolated(zoo_folder: Path) -> None:
    assert run("-q") == 0
    honest = tree("out")
    forged = Path("out", MODELS[0])
    (record,) = [path for path in Path("out", RECORD).iterdir() if MODELS[0] in path.read_text()]
    digest = hashlib.sha256(forged.read_bytes()).hexdigest()
    forged.write_bytes(b"anything")
    text = record.read_text().replace(digest, hashlib.sha256(b"anything").hexdigest())
    record.write_text(text)
    assert resumed()[MODELS[0]]
    assert forged.read_bytes() == b"anything"
    assert not any(resumed("--isolated").values())
    assert tree("out") == honest
    assert all(resumed().values())


def test_finished_models_are_not_processed_again(
    zoo_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("--report", "r.json", "--report", "r.xml", "--report", "r.txt") == 0
    reports = {name: Path(name).read_bytes() for name in ("r.json", "r.xml", "r.txt")}
    written = {path: Path("out", path).stat().st_mtime_ns for path in MODELS}
    record = recorded("out")
    capsys.readouterr()
    assert resumed() == dict.fromkeys(MODELS, True)
    assert run("--report", "r.json", "--report", "r.xml", "--report", "r.txt") == 0
    assert "; 3 were done in an earlier run -> out" in capsys.readouterr().out
    assert {path: Path("out", path).stat().st_mtime_ns for path in MODELS} == written
    assert recorded("out") == record
    assert {name: Path(name).read_bytes() for name in reports} == reports


def test_modification_times_do_not_matter(zoo_folder: Path) -> None:
    run("-q")
    for path in MODELS:
        os.utime(Path("zoo", path), (1, 1))
        os.utime(Path("out", path), (2, 2))
    assert resumed() == dict.fromkeys(MODELS, True)


def _input(sample: bytes) -> None:
    put("zoo/a.tflite", concat_example())


def _output_altered(sample: bytes) -> None:
    put("out/a.tflite", sample)


def _output_gone(sample: bytes) -> None:
    Path("out/a.tflite").unlink()


def _record_damaged(sample: bytes) -> None:
    """Remove the findings from the record's first line, that of a.tflite; add a line that is no
    result and half a line.
    """
    (file,) = Path("out", RECORD).iterdir()
    first, *rest = file.read_text().splitlines(keepends=True)
    other = json.loads(first)
    del other["report"]["findings"]
    put(str(file), "".join([json.dumps(other) + "\n", "[]\n", *rest, first[:300]]).encode())


@pytest.mark.parametrize("change", [_input, _output_altered, _output_gone, _record_damaged])
def test_changed_files_are_processed_again(zoo_folder: Path, sample: bytes, change: Any) -> None:
    run("-q")
    change(sample)
    assert resumed() == {**dict.fromkeys(MODELS, True), "a.tflite": False}
    assert resumed() == dict.fromkeys(MODELS, True)
    expected = tflite_align.align(
        Path("zoo/a.tflite").read_bytes(), tflite_align.AlignOptions(verify=False)
    )
    assert Path("out/a.tflite").read_bytes() == expected.data
    assert len(recorded("out")) == 3, "what is superseded is taken out of the record"


@pytest.mark.parametrize(
    "option",
    [["--io", "free"], ["--target", "tflm"], ["--prefer", "precision"], ["--fail-on", "warning"]],
)
def test_other_options_process_all_models_again(zoo_folder: Path, option: list[str]) -> None:
    run("-q")
    assert resumed(*option) == dict.fromkeys(MODELS, False)
    assert resumed(*option) == dict.fromkeys(MODELS, True)


def test_another_version_processes_all_models_again(
    zoo_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("-q")
    monkeypatch.setattr(tflite_align, "__version__", "99")
    assert resumed() == dict.fromkeys(MODELS, False)


def test_a_changed_baseline_processes_its_models_again(zoo_folder: Path) -> None:
    assert cli.main(["check", "zoo/a.tflite", "--write-baseline", "b.json", "-q"]) == 0
    run("-q")
    assert resumed("--baseline", "b.json") == {**dict.fromkeys(MODELS, True), "a.tflite": False}


def test_failed_models_are_processed_again(zoo_folder: Path) -> None:
    put("zoo/bad.tflite", b"")
    assert run("-q") == 2
    put("zoo/bad.tflite", concat_example())
    assert resumed() == {**dict.fromkeys(MODELS, True), "bad.tflite": False}


@pytest.mark.skipif(os.name == "nt", reason="signals are POSIX's")
@pytest.mark.usefixtures("interruptible")
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGKILL"])
@pytest.mark.parametrize("jobs", ["1", "2"])
def test_an_interrupted_batch_resumes_where_it_stopped(
    zoo_folder: Path, name: str, jobs: str, sample: bytes
) -> None:
    """The main process gets the signal `name` after the first models are written; a second run does
    the others only.
    """
    for count in range(60):
        put(f"zoo/more/{count:03}.tflite", sample)
    command = [sys.executable, "-m", "tflite_align", "zoo", "out", FAST, "--jobs", jobs]
    environment = {**os.environ, "PYTHONPATH": str(CHECKOUT)}
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE) as process:
        try:
            end = time.monotonic() + 60
            while not Path("out/more/003.tflite").exists() and time.monotonic() < end:
                time.sleep(0.01)
            process.send_signal(signal.Signals[name])
            _, errors = process.communicate(timeout=60)
        finally:
            process.kill()
    done = len(tree("out"))
    assert 0 < done < 63
    assert not list(Path("out").rglob("*.tmp"))
    if name != "SIGKILL":
        assert process.returncode == 128 + signal.Signals[name]
        assert errors.count(b"\n") == 1
        assert errors.endswith(b" of 63 models are done; run the same command again to resume\n")
    again = resumed("--jobs", jobs)
    assert sum(again.values()) >= done - 32, "a chunk in hand may be written and not recorded"
    written = tree("out")
    alone = tflite_align.align(sample, tflite_align.AlignOptions(verify=False)).data
    assert len(written) == 63
    assert {data for path, data in written.items() if path.startswith("more/")} == {alone}
