"""A report says each thing once, in words that fit the file."""

from __future__ import annotations

from typing import get_args

import pytest

from tests.unit.test_report import REPORT
from tflite_align.record import replace
from tflite_align.report.report import Report
from tflite_align.report.text import render_text
from tflite_align.verdicts import (
    Acceptance,
    FidelityScore,
    JudgeVerdict,
    OutputScore,
    Status,
    Verification,
    Word,
)

WHY = "litert refuses the file at subgraph[0]/operator[2] ADD: no such ADD"
REFUSED = Acceptance(status="refused", reason="no such ADD", place="subgraph[0]/operator[2] ADD")
RUN = FidelityScore(
    judge="litert",
    sqnr_db=None,
    original_db=None,
    gap_db=None,
    gap_low_db=None,
    word="skipped",
    why="no such ADD",
)
OUTPUT = OutputScore(
    name="y",
    subgraph=0,
    index=0,
    tensor=4,
    declared_original_db=24.8,
    declared_aligned_db=24.8,
    runs=(RUN,),
    word="inconclusive",
)
FAILED = Verification(
    word="failed",
    why=WHY,
    judges=(JudgeVerdict(judge="litert", before=REFUSED, after=REFUSED, word="unchanged"),),
    outputs=(OUTPUT,),
)


def checked() -> Report:
    return replace(
        REPORT, command="check", changes=(), verification=FAILED, reasons=(WHY,), findings=()
    )


def test_a_refusal_is_reported_with_the_verification_and_at_the_end() -> None:
    for report in (checked(), replace(REPORT, verification=FAILED, reasons=(WHY,))):
        lines = render_text(report).splitlines()
        assert [line.partition(":")[0] for line in lines if WHY in line] == [
            "verification",
            lines[-1].partition(":")[0],
        ]
        refused = "litert refuses the file at subgraph[0]/operator[2] ADD"
        assert f"exit status 1: {refused}" in lines


def test_a_file_that_is_not_changed_has_no_before_and_after() -> None:
    lines = render_text(checked()).splitlines()
    start = lines.index("Judges")
    assert lines[start + 1].split() == ["judge", "the", "file", "why"]
    assert lines[start + 2].split() == [
        *("litert", "refused", "at", "subgraph[0]/operator[2]", "ADD"),
        *("no", "such", "ADD"),
    ]
    start = lines.index("Numbers: SQNR in dB against the float twin")
    assert lines[start + 1].split() == ["output", "declared", "kernels", "runs", "verdict"]
    assert lines[start + 3].split() == ["litert", "does", "not", "run", "skipped"]


def test_wrong_values_are_noted_where_a_runtime_accepts_the_original() -> None:
    def is_noted(status: Status) -> bool:
        before = Acceptance(status=status)
        judge = JudgeVerdict(
            judge="litert", before=before, after=Acceptance(status="accepted"), word="accepted"
        )
        verification = Verification(word="verified", why="", judges=(judge,))
        wrong = replace(REPORT.findings[0], fix="tied", behaviour="LiteRT computes wrong values")
        report = replace(REPORT, findings=(wrong,), verification=verification)
        return "a runtime that takes the original computes wrong values" in render_text(report)

    assert is_noted("accepted")
    assert is_noted("skipped")
    assert not is_noted("refused")


def test_no_report_of_a_failure_promises_right_integers() -> None:
    wrong = replace(REPORT.findings[0], fix="tied", behaviour="LiteRT computes wrong values")
    aligned = replace(REPORT, findings=(wrong,), verification=None)
    assert "different, right integers" in render_text(aligned)
    assert "right integers" not in render_text(replace(aligned, reasons=(WHY,)))


@pytest.mark.parametrize("word", get_args(Word))
def test_right_integers_are_promised_where_the_verification_shows_them(word: Word) -> None:
    wrong = replace(REPORT.findings[0], fix="tied", behaviour="LiteRT computes wrong values")
    verification = Verification(word=word, why="")
    said = render_text(replace(REPORT, findings=(wrong,), verification=verification))
    assert ("right integers" in said) is (word in ("verified", "accepted"))
