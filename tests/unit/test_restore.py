"""Reports read back from their JSON give the same text in every format."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.restored_reports import assert_same_in_every_form, read_back
from tflite_align import AlignOptions, check
from tflite_align.record import replace
from tflite_align.report.report import Report
from tflite_align.report.restore import restored
from tflite_align.settings.baseline import entry_of
from tflite_align.verdicts import OutputScore, Verification


def test_accepted_findings_are_among_the_remaining_ones(sample: bytes) -> None:
    found = check(sample).findings
    report = check(sample, AlignOptions(accepted=tuple(map(entry_of, found[1:]))))
    assert_same_in_every_form(report)
    assert len(read_back(report).open) == len(report.open) == 1


@pytest.mark.parametrize("value", [float("inf"), float("-inf"), None])
def test_infinities_and_nan_are_restored(sample: bytes, value: float | None) -> None:
    score = OutputScore(
        name="out",
        subgraph=0,
        index=0,
        tensor=1,
        declared_original_db=value,
        declared_aligned_db=value,
        runs=(),
        word="verified",
    )
    verification = Verification(word="verified", why="", outputs=(score,))
    report = replace(check(sample), verification=verification)
    assert read_back(report) == report


WRONG: list[tuple[tuple[Any, ...], Any]] = [
    (("outcome",), "won"),
    (("size", "bytes"), "many"),
    (("size", "bytes"), True),
    (("size",), []),
    (("targets",), "tflite"),
    (("findings", 0, "slot"), {"subgraph": 0}),
    (("verification",), {}),
    (("more",), 1),
    (("accepted",), "its own finding"),
]


@pytest.mark.parametrize(("place", "value"), WRONG, ids=str)
def test_values_that_are_no_report_are_refused(
    sample: bytes, place: tuple[Any, ...], value: Any
) -> None:
    document: Any = json.loads(json.dumps(check(sample).to_dict()))
    if value == "its own finding":
        value = [{**document["findings"][0], "message": "another"}]
    inner = document
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = value
    with pytest.raises(ValueError, match=r"."):
        restored(Report, document)
