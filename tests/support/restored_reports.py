"""Reports written as JSON and read back."""

from __future__ import annotations

import json

from tflite_align.report.formats import FORMATS
from tflite_align.report.report import Report
from tflite_align.report.restore import restored

FORMS = [
    name for name in FORMATS if name != ".html"
]  # for drawing only; not part of the JSON report


def read_back(report: Report) -> Report:
    return restored(Report, json.loads(json.dumps(report.to_dict())))


def assert_same_in_every_form(report: Report) -> None:
    back = read_back(report)
    for form in FORMS:
        assert FORMATS[form]([back], ()) == FORMATS[form]([report], ()), form
