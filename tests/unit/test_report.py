"""Every format of one fixed report, compared with golden files."""

from __future__ import annotations

import json
import math
from pathlib import Path

import jsonschema
import pytest

from tflite_align import UsageError, check
from tflite_align.checks.checker import Finding
from tflite_align.format.model import Slot, TensorId
from tflite_align.record import replace
from tflite_align.repair.planner.changes import Change
from tflite_align.report.formats import FORMATS, renderer
from tflite_align.report.json import render_json
from tflite_align.report.json_schema import report_schema
from tflite_align.report.report import Report, Size
from tflite_align.report.sections import closing
from tflite_align.report.terminal_text import printable, shorten
from tflite_align.report.text import render_text
from tflite_align.solver.problem_records import Component, Conflict
from tflite_align.verdicts import (
    Acceptance,
    FidelityScore,
    Histogram,
    JudgeVerdict,
    OperatorFigure,
    OutputLevel,
    OutputScore,
    StepCheck,
    StepDeviation,
    Verification,
)

CHECKOUT = Path(__file__).resolve().parents[2]
GOLDEN = CHECKOUT / "tests" / "golden"

SLOT = Slot(0, 6, "inputs", 1)
ADDRESS = "subgraph[0]/operator[6] CONCATENATION/inputs[1]"
FINDING = Finding(
    rule="same/CONCATENATION",
    slot=SLOT,
    address=ADDRESS,
    tensor=16,
    tensor_name="branch",
    severity="error",
    expected="scale 0.047, zero_point 0",
    actual="scale 0.0235, zero_point 0",
    behaviour="the runtime computes wrong values",
    message=f"{ADDRESS}: scale 0.0235 differs from outputs[0]'s 0.047 (rule same/CONCATENATION)",
    fix="tied",
    targets=("tflite",),
)
WARNING = replace(
    FINDING,
    rule="weight/CONV_2D/minimum",
    severity="warning",
    behaviour="computes it exactly",
    message="subgraph[0]/operator[1] CONV_2D/inputs[1]: weight -128 below -127"
    " (rule weight/CONV_2D/minimum)",
    fix="",
)


def change(kind: str, tensor: int, name: str, *readers: str) -> Change:
    return Change(
        kind=kind,  # type: ignore[arg-type]
        subgraph=0,
        tensor=tensor,
        name=name,
        before="(0.0235, 0)",
        after="(0.047, 0)",
        why="takes the parameters of 'concat'",
        readers=readers,
    )


VERIFICATION = Verification(
    word="inconclusive",
    why="tflm: skipped: no wheel",
    judges=(
        JudgeVerdict(
            judge="litert",
            before=Acceptance(status="refused", reason="scales differ", operator=6),
            after=Acceptance(status="accepted", facts=(("arena bytes", "4352"),)),
            word="accepted",
            why="accepts the aligned file only",
        ),
    ),
    outputs=(
        OutputScore(
            name="logits",
            subgraph=0,
            index=0,
            tensor=21,
            declared_original_db=33.98198,
            declared_aligned_db=float("inf"),
            runs=(
                FidelityScore(
                    judge="litert",
                    sqnr_db=34.5516,
                    original_db=None,
                    gap_db=-0.0382,
                    gap_low_db=-0.2886,
                    word="verified",
                ),
            ),
            word="verified",
        ),
    ),
    samples=64,
    inputs="random, seed 0",
    runtimes=("ai-edge-litert==1.4.0",),
    processor="x86_64",
    steps=StepCheck(
        checked=9,
        beyond=(
            StepDeviation(
                address="subgraph[0]/operator[7] CONV_2D",
                subgraph=0,
                operator=7,
                lsb=3.25,
                tolerance_lsb=2.0,
                original_lsb=None,
                ours=True,
            ),
        ),
        not_judged=(),
        operators=(
            OperatorFigure(
                address="subgraph[0]/operator[7] CONV_2D",
                subgraph=0,
                operator=7,
                tensor=18,
                name="scores",
                lsb=3.25,
                largest_lsb=4.5,
                tolerance_lsb=2.0,
                sqnr_db=31.25,
                original_sqnr_db=math.inf,
                arrives=Histogram(low=-6.016, high=5.969, counts=(1, 6, 2), below=0, above=1),
            ),
        ),
    ),
    notes=("ARG_MAX is judged at its input",),
    seconds=1.5,
)
REPORT = Report(
    command="align",
    outcome="aligned",
    targets=("tflite",),
    size=Size(bytes=7672, subgraphs=1, operators=10, tensors=22),
    findings=(FINDING, WARNING),
    remaining=(WARNING,),
    changes=(
        change("moved", 16, "branch\x1b[31m", "subgraph[0]/operator[4] QUANTIZE/outputs[0]"),
        change("snapped", 17, "pool [bold]"),
        change("cut", 18, "shared", ADDRESS, "subgraph[0]/operator[8] PAD/inputs[0]"),
        change("bias", 4, "bias", "subgraph[0]/operator[7] CONV_2D/inputs[2]"),
        change("constant", 5, "constant", "subgraph[0]/operator[8] ADD/inputs[1]"),
    ),
    components=(
        Component(
            index=0,
            type="int8",
            tensors=(TensorId(0, 16), TensorId(0, 17)),
            rules=("same/CONCATENATION",),
            cost=0.585,
            bound=float("-inf"),
            optimal=False,
            cuts=1,
            candidates=6,
        ),
    ),
    conflicts=(Conflict(slots=(SLOT,), rules=("fixed/SOFTMAX",), message="no label fits both"),),
    conflict_addresses=(ADDRESS,),
    verification=VERIFICATION,
    without_calibration=(OutputLevel(name="logits", index=0, declared_aligned_db=31.2046),),
    grown_bytes=64,
    warnings=("an offset is dropped",),
    name="model.tflite",
)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("report.txt", render_text(REPORT)),
        ("report_short.txt", render_text(REPORT, rows=1)),
        ("report.json", render_json(REPORT)),
    ],
)
def test_reports_are_those_of_the_golden_files(name: str, text: str) -> None:
    assert text == (GOLDEN / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("document", [render_json(REPORT), render_json([REPORT, REPORT])])
def test_json_follows_the_schema(document: str) -> None:
    jsonschema.Draft202012Validator(report_schema()).validate(json.loads(document))


def test_schema_is_strict_and_valid() -> None:
    schema = report_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    for change_of in ({"format": 2}, {"exit_status": 2}, {"outcome": "won"}, {"unknown": 1}):
        with pytest.raises(jsonschema.ValidationError):
            validator.validate({**REPORT.to_dict(), **change_of})
    for field in ("format", "findings", "exit_status", "tool"):
        without = {key: value for key, value in REPORT.to_dict().items() if key != field}
        with pytest.raises(jsonschema.ValidationError):
            validator.validate(without)


def test_json_contains_no_time() -> None:
    later = replace(REPORT, verification=replace(VERIFICATION, seconds=99.0))
    assert render_json(later) == render_json(REPORT)


def test_check_of_the_sample_matches_the_golden_file(sample: bytes) -> None:
    report = check(sample, name="sample.tflite")
    document = json.loads(render_json(report))
    jsonschema.validate(document, report_schema())
    assert document["exit_status"] == 1
    assert document["findings"] == document["remaining"]
    assert [f["message"] for f in document["findings"]] == [f.message for f in report.findings]


@pytest.mark.promise(
    "Reports escape them for HTML, JSON, SARIF and JUnit; on a terminal, control characters are shown as escapes."
)
def test_names_cannot_steer_a_terminal() -> None:
    text = render_text(REPORT)
    assert "\x1b" not in text
    assert r"branch\x1b[31m" in text
    assert printable("a\u202eb\r\n\U0001f600") == "a\\u202eb\\r\\n\U0001f600"


def test_long_names_lose_their_middle() -> None:
    assert shorten("a " + "b" * 30 + "c" * 30, 11) == "a bbbb...cccc"
    assert shorten("short") == "short"


def test_report_forms_are_chosen_by_the_ending() -> None:
    assert list(FORMATS) == [".html", ".json", ".me.json", ".sarif", ".txt", ".xml"]
    assert renderer("REPORT.JSON") is renderer("-")
    with pytest.raises(UsageError, match=r"^report name without an ending: expected one of "):
        renderer("report")


DONE = "2 tensors moved, 1 QUANTIZE inserted, 1 bias re-expressed, 1 constant re-expressed"
NOT_VERIFIED = "not verified (inconclusive): tflm: skipped: no wheel"


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({}, f"aligned: {DONE}, {NOT_VERIFIED}"),
        ({"out": "o.tflite"}, f"aligned: {DONE}, {NOT_VERIFIED} -> o.tflite"),
        ({"dry_run": True}, f"would align: {DONE}, not judged (dry run: nothing written)"),
    ],
)
def test_the_closing_line_says_outcome_and_destination(
    options: dict[str, object], line: str
) -> None:
    assert closing(REPORT, **options) == line  # type: ignore[arg-type]


def test_the_closing_line_of_a_failure_and_of_nothing_to_do() -> None:
    failed = replace(REPORT, reasons=("1 error finding",))
    assert (
        closing(failed, out="o.tflite", written=False)
        == "not aligned: 1 error finding; o.tflite is not written"
    )
    assert closing(failed, out="o.tflite") == "not aligned: 1 error finding -> o.tflite"
    nothing = replace(REPORT, outcome="nothing to align", findings=(), remaining=(), changes=())
    assert closing(nothing, out="o.tflite") == f"nothing to align; {NOT_VERIFIED} -> o.tflite"
    refused = replace(nothing, reasons=("verification failed: tflm refuses the file",))
    assert closing(refused, out="o.tflite", written=False) == (
        "nothing to align, but verification failed: tflm refuses the file; o.tflite is not written"
    )


def test_the_closing_line_of_a_clean_check_says_that_nothing_was_run() -> None:
    clean = replace(REPORT, command="check", name="a.tflite", findings=(), remaining=())
    assert closing(replace(clean, verification=None)) == (
        "a.tflite: no findings (static check; --run asks the runtimes)"
    )
    assert closing(clean) == f"a.tflite: no findings; {NOT_VERIFIED}"
    loaded = replace(VERIFICATION, word="accepted", why="")
    assert closing(replace(clean, verification=loaded)) == (
        "a.tflite: no findings; accepted, numbers not run"
    )
