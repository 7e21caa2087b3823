"""The Edge TPU compiler as a judge, played by a script.

The compiler is closed source and not installed here. A script of its name prints logs in the format
of public threads (google-coral/edgetpu issues) and writes files as the compiler does. Tested is how
it is started and how its log is parsed, not what it would answer.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from tests.support.models import concat_example
from tflite_align.verify import edgetpu
from tflite_align.verify.edgetpu import parse_log
from tflite_align.verify.judges import judge_file

SUMMARY = """\
Edge TPU Compiler version 16.0.384591198
Started a compilation timeout timer of 180 seconds.

Model compiled successfully in 96 ms.

Input model: model.tflite
Input size: 7.02MiB
Output model: compiled/model_edgetpu.tflite
Output size: 7.14MiB
On-chip memory used for caching model parameters: 80.00KiB
On-chip memory remaining for caching model parameters: 6.04MiB
Off-chip memory used for streaming uncached model parameters: 0.00B
Number of Edge TPU subgraphs: 1
Total number of operations: 4
Operation log: compiled/model_edgetpu.log

Model successfully compiled but not all operations are supported by the Edge TPU.
Number of operations that will run on Edge TPU: 3
Number of operations that will run on CPU: 1
"""
TABLE = """\
Operator                       Count      Status

CONV_2D                        2          Mapped to Edge TPU
CONCATENATION                  1          Mapped to Edge TPU
HARD_SWISH                     1          Operation not supported
"""
FACTS = (
    ("version", "16.0.384591198"),
    ("subgraphs", "1"),
    ("operators", "4"),
    ("operators on Edge TPU", "3"),
    ("operators on CPU", "1"),
    ("on-chip memory", "80.00KiB"),
    ("on-chip memory left", "6.04MiB"),
    ("off-chip memory", "0.00B"),
    ("CONCATENATION: Mapped to Edge TPU", "1"),
    ("CONV_2D: Mapped to Edge TPU", "2"),
    ("HARD_SWISH: Operation not supported", "1"),
)


def test_the_log_is_parsed_wherever_its_table_begins() -> None:
    assert parse_log(SUMMARY + "\n" + TABLE) == FACTS
    assert parse_log(SUMMARY, TABLE) == FACTS


def test_operators_are_counted_in_a_log_without_summary() -> None:
    facts = dict(parse_log("", TABLE))
    assert (facts["operators on Edge TPU"], facts["operators on CPU"]) == ("3", "1")


def test_a_kind_of_operator_with_several_statuses_keeps_them_apart() -> None:
    rows = "QUANTIZE   2   Mapped to Edge TPU\nQUANTIZE   1   Operation not supported\n"
    facts = dict(parse_log("", rows + rows))
    assert facts["QUANTIZE: Mapped to Edge TPU"] == "4"
    assert facts["QUANTIZE: Operation not supported"] == "2"


def stand_in(folder: Path, monkeypatch: pytest.MonkeyPatch, body: str) -> None:
    """Make the PATH a folder in which the script `edgetpu_compiler` is the only program."""
    if os.name == "nt":
        pytest.skip("the stand-in is a script with an interpreter line")
    tool = folder / "edgetpu_compiler"
    tool.write_text(f"#!{sys.executable}\nimport os, sys, time\n{body}\n", encoding="utf-8")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))


COMPILES = f"""
assert sys.argv[1:] == ["-s", "-o", "compiled", "model.tflite"], sys.argv
assert open("model.tflite", "rb").read(8)[4:] == b"TFL3"
open("compiled/model_edgetpu.tflite", "wb").write(b"compiled")
open("compiled/model_edgetpu.log", "w").write({TABLE!r})
print({SUMMARY!r})
"""


def test_the_judge_is_skipped_if_not_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    answer = judge_file(concat_example(), "edgetpu")
    assert (answer.status, answer.reason) == ("skipped", "edgetpu_compiler is not on the PATH")


def test_an_accepted_file_has_figures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(tmp_path, monkeypatch, COMPILES)
    answer = judge_file(concat_example(), "edgetpu")
    assert (answer.status, answer.facts) == ("accepted", FACTS)
    assert answer.operator == 3  # the only HARD_SWISH


def test_a_refusal_quotes_the_compiler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(
        tmp_path,
        monkeypatch,
        "print('Edge TPU Compiler version 15.0.340273435')\n"
        "print('Invalid model: model.tflite')\nprint('Model not quantized')\nsys.exit(1)",
    )
    answer = judge_file(concat_example(), "edgetpu")
    assert answer.status == "refused"
    assert answer.reason == "Invalid model: model.tflite Model not quantized"


def test_exit_status_0_without_a_file_is_a_refusal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in(tmp_path, monkeypatch, "print('Internal compiler error. Aborting! ')")
    answer = judge_file(concat_example(), "edgetpu")
    assert (answer.status, answer.reason) == ("refused", "Internal compiler error. Aborting!")


def test_a_crash_is_a_refusal_and_a_hang_a_timeout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in(tmp_path, monkeypatch, "os.abort()")
    assert judge_file(concat_example(), "edgetpu").status == "crashed"
    stand_in(tmp_path, monkeypatch, "time.sleep(60)")
    assert edgetpu.judge(concat_example(), "edgetpu", 0.5).status == "timeout"
