"""SARIF, JUnit and workflow commands are valid by their schemas for any names in the model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from junitparser import JUnitXml

from tflite_align import AlignOptions, check
from tflite_align.record import replace
from tflite_align.report.formats import FORMATS, OUTPUTS, renderer
from tflite_align.report.github import render_github
from tflite_align.report.junit import render_junit
from tflite_align.report.locations import relative_path
from tflite_align.report.report import Report, Unread
from tflite_align.report.sarif import render_sarif
from tflite_align.verdicts import Acceptance, JudgeVerdict, Verification

DATA = Path(__file__).parents[1] / "data"
SARIF = jsonschema.validators.validator_for({})(
    json.loads((DATA / "sarif-2.1.0-rtm.5.json").read_text(encoding="utf-8"))
)
SAMPLE = (DATA / "sample_dealigned.tflite").read_bytes()
REPORT = check(SAMPLE, name="models/sample.tflite")
UNREAD = Unread(name="models/bad.tflite", message="byte 0: not a TFLite model")
JUDGED = replace(
    REPORT,
    reasons=(*REPORT.reasons, "litert refuses the file: no"),
    verification=Verification(
        word="unchanged",
        why="",
        judges=tuple(
            JudgeVerdict(judge=name, before=said, after=said, word="unchanged")
            for name, said in (
                ("litert", Acceptance(status="refused", reason="no", operator=6)),
                ("tflm", Acceptance(status="skipped", reason="not installed")),
                ("xnnpack", Acceptance(status="accepted")),
            )
        ),
    ),
)


def named(report: Report, name: str) -> Report:
    """The report with another name for the file and for every tensor."""
    renamed = {
        id(finding): replace(finding, tensor_name=name, message=f"{finding.address}: {name}")
        for finding in report.remaining
    }
    return replace(
        report,
        name=name,
        findings=tuple(renamed.values()),
        remaining=tuple(renamed[id(finding)] for finding in report.remaining),
        accepted=tuple(renamed[id(finding)] for finding in report.accepted),
    )


# --- SARIF -------------------------------------------------------------------------------------


def sarif(*reports: Report, unread: tuple[Unread, ...] = ()) -> dict[str, Any]:
    document = json.loads(render_sarif(reports, unread))
    SARIF.validate(document)
    run: dict[str, Any] = document["runs"][0]
    return run


def test_a_sarif_result_has_file_offset_and_address() -> None:
    run = sarif(REPORT)
    results = run["results"]
    assert isinstance(results, list)
    assert len(results) == len(REPORT.remaining)
    for result, finding in zip(results, REPORT.remaining, strict=True):
        (location,) = result["locations"]
        place = location["physicalLocation"]
        assert place["artifactLocation"]["uri"] == "models/sample.tflite"
        assert location["logicalLocations"][0]["fullyQualifiedName"] == finding.address
        assert result["ruleId"] == finding.rule
        assert result["level"] == finding.severity
        rules = run["tool"]["driver"]["rules"]
        assert rules[result["ruleIndex"]]["id"] == finding.rule


def test_the_region_is_the_table_of_the_parameters() -> None:
    """The byte offset of each finding is that of a FlatBuffers table: its first four bytes lead to
    a vtable in the file.
    """
    for finding in REPORT.remaining:
        back = int.from_bytes(SAMPLE[finding.offset : finding.offset + 4], "little", signed=True)
        vtable = finding.offset - back
        size = int.from_bytes(SAMPLE[vtable : vtable + 2], "little")
        assert 0 < vtable < len(SAMPLE)
        assert 4 <= size <= 64


def test_every_checked_rule_is_described() -> None:
    rules = sarif(REPORT)["tool"]["driver"]["rules"]
    assert {rule["id"] for rule in rules} == set(REPORT.rules)
    assert all(rule["shortDescription"]["text"] != rule["id"] for rule in rules)


def test_accepted_findings_are_suppressed_and_fingerprints_are_stable() -> None:
    passed = replace(REPORT, accepted=REPORT.remaining[:1])
    results = sarif(passed)["results"]
    again = sarif(REPORT)["results"]
    assert isinstance(results, list)
    assert isinstance(again, list)
    assert ["suppressions" in one for one in results] == [True, False, False, False]
    prints = [one["partialFingerprints"] for one in results]
    assert prints == [one["partialFingerprints"] for one in again]
    assert len({json.dumps(one) for one in prints}) == len(prints)


def test_a_judges_refusal_is_a_result_and_an_unreadable_file_a_notification() -> None:
    run = sarif(JUDGED, unread=(UNREAD,))
    last = run["results"][-1]
    assert (last["ruleId"], last["message"]["text"]) == ("judge/litert", "refused: no")
    (invocation,) = run["invocations"]
    assert invocation["executionSuccessful"] is False
    assert invocation["toolExecutionNotifications"][0]["message"]["text"] == UNREAD.message


# --- JUnit -------------------------------------------------------------------------------------


def test_a_case_for_each_rule_and_judge() -> None:
    (suite,) = JUnitXml.fromstring(render_junit([JUDGED]))
    cases = {case.name: case for case in suite}
    judges = {"judge/litert", "judge/tflm", "judge/xnnpack"}
    assert set(cases) == {*REPORT.rules, *judges}
    assert suite.failures == len({f.rule for f in REPORT.remaining}) + 1
    assert suite.skipped == 1
    assert cases["judge/xnnpack"].result == []
    text = cases["same/CONCATENATION"].result[0].text
    assert text.count("\n") == 2


def test_accepted_is_skipped_and_unreadable_is_an_error() -> None:
    passed = replace(REPORT, accepted=REPORT.remaining)
    document = JUnitXml.fromstring(render_junit([passed], [UNREAD]))
    assert (document.failures, document.errors) == (0, 1)
    assert document.skipped == len({f.rule for f in REPORT.remaining})


# --- GitHub ------------------------------------------------------------------------------------


def test_workflow_commands_have_each_problem() -> None:
    lines = render_github([JUDGED], [UNREAD]).splitlines()
    assert len(lines) == len(REPORT.remaining) + 2
    assert lines[0].startswith(
        "::error file=models/sample.tflite,title=same/MAX_POOL_2D::subgraph[0]/operator[5] "
    )
    assert lines[-2] == "::error file=models/sample.tflite,title=judge/litert::refused: no"
    assert lines[-1] == (
        "::error file=models/bad.tflite,title=unreadable::byte 0: not a TFLite model"
    )


# --- untrusted names ---------------------------------------------------------------------------

NASTY = [
    "]]><!-- <script>alert(1)</script> & \" ' %0A::error::",
    "a\x1b[31m\x00\r\n::error file=x::y\u202e\ufffe",
    "\ud800 half of a pair",
    "C:\\models\\a b#c?.tflite",
]


@pytest.mark.promise(
    "Reports escape them for HTML, JSON, SARIF and JUnit; on a terminal, control characters are shown as escapes."
)
@pytest.mark.parametrize("name", NASTY)
def test_names_cannot_inject_markup_or_commands(name: str) -> None:
    report = named(JUDGED, name)
    result = sarif(report, unread=(Unread(name=name, message=name),))["results"][0]
    uri = result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
    assert uri.isascii()
    assert not set(uri) & set(' <>"#?\\\n')
    document = render_junit([report], [Unread(name=name, message=name)])
    cases = [len(list(suite)) for suite in JUnitXml.fromstring(document)]
    assert sum(cases) == len(REPORT.rules) + 3 + 1
    lines = render_github([report], []).split("\n")
    assert all(line.startswith("::error file=") for line in lines[:-1])
    assert len(lines) == len(REPORT.remaining) + 2


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=40))
def test_every_format_handles_any_name(name: str) -> None:
    report = named(REPORT, name)
    for form in {**FORMATS, **OUTPUTS}.values():
        assert form([report], [Unread(name=name, message=name)])
    run = sarif(report)
    uri = run["artifacts"][0]["location"]["uri"]
    assert unquote(uri).removeprefix("file://") == relative_path(name)


def test_a_report_without_findings_is_valid(sample_origin: bytes) -> None:
    clean = check(sample_origin, AlignOptions(targets=("tflm", "edgetpu")), name="ok.tflite")
    assert sarif(clean)["results"] == []
    assert JUnitXml.fromstring(render_junit([clean])).failures == 0
    assert render_github([clean]) == ""


def test_an_absolute_path_is_a_file_uri() -> None:
    """SARIF validators refuse a relative URI that begins with a slash."""
    run = sarif(named(REPORT, "/models/a b.tflite"))
    assert run["artifacts"][0]["location"]["uri"] == "file:///models/a%20b.tflite"


def test_sarif_and_junit_are_chosen_by_the_ending() -> None:
    assert renderer("a.SARIF") is FORMATS[".sarif"]
    assert renderer("a.xml") is FORMATS[".xml"]
