"""A report with a verification, read back from its JSON, is the same in every form."""

from __future__ import annotations

from tests.support.restored_reports import assert_same_in_every_form
from tflite_align import AlignOptions, align


def test_a_verified_report_read_back_is_the_same_in_every_form(sample: bytes) -> None:
    report = align(sample, AlignOptions(compare=True, targets=("tflite", "edgetpu"))).report
    assert report.verification is not None
    assert report.mappings
    assert_same_in_every_form(report)
