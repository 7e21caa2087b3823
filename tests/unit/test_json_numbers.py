"""The JSON report has numbers for what its sentences say."""

from __future__ import annotations

import json
import re
from typing import Any

import jsonschema
import numpy as np
import pytest

from tflite_align import AlignOptions, align, check
from tflite_align.format.reader import read
from tflite_align.report.batch_lines import failed_line, parse_line
from tflite_align.report.json import render_json, render_line
from tflite_align.report.json_schema import report_schema
from tflite_align.report.report import FORMAT, Report
from tflite_align.report.restore import restored

PLAIN = AlignOptions(verify=False)


def document_of(report: Report) -> Any:
    document = json.loads(render_json(report))
    jsonschema.validate(document, report_schema())
    return document


def test_the_format_number_is_3() -> None:
    assert FORMAT == 3


def test_parameters_are_numbers_of_both_files(sample: bytes) -> None:
    result = align(sample, PLAIN)
    before, after = (read(data).subgraphs[0].tensors for data in (sample, result.data))
    document = document_of(result.report)
    parameters = {(one["subgraph"], one["tensor"]): one for one in document["parameters"]}
    named = {(f["slot"]["subgraph"], f["tensor"]) for f in document["findings"]}
    named |= {(one["subgraph"], one["tensor"]) for one in document["changes"]}
    assert named <= parameters.keys()
    for (_, index), one in parameters.items():
        for tensors, found in ((before, one["before"]), (after, one["after"])):
            quant = tensors[index].quant
            assert quant is not None
            assert found["type"] == tensors[index].type
            assert [float(np.float32(value)) for value in found["scale"]] == list(quant.scale)
            assert found["zero_point"] == list(quant.zero_point)


def test_scales_are_the_shortest_decimals(sample: bytes) -> None:
    text = render_json(check(sample, PLAIN))
    scales = re.findall(r'"scale": \[\s*([^\]]*?)\s*\]', text)
    assert scales
    for scale in " ".join(scales).replace(",", " ").split():
        assert scale == repr(float(str(np.float32(scale))))


def test_the_words_of_a_finding_are_those_numbers(sample: bytes) -> None:
    document = document_of(check(sample, PLAIN))
    parameters = {(one["subgraph"], one["tensor"]): one["before"] for one in document["parameters"]}
    for finding in document["findings"]:
        held = parameters[finding["slot"]["subgraph"], finding["tensor"]]
        scale, zero_point = re.findall(r"scale (\S+), zero_point (\S+)", finding["actual"])[0]
        assert np.float32(scale) == np.float32(held["scale"][0])
        assert int(zero_point) == held["zero_point"][0]


def test_written_json_is_read_back(sample: bytes) -> None:
    for report in (align(sample, PLAIN).report, check(sample, PLAIN)):
        assert restored(Report, document_of(report)) == report


@pytest.mark.parametrize("status", [True, 1.0, "1", 3])
def test_no_other_type_passes_for_an_integer(status: object, sample: bytes) -> None:
    line = failed_line("a.tflite", "gone")
    document = {**json.loads(render_line(line)), "exit_status": status}
    with pytest.raises(ValueError, match="no "):
        parse_line(json.dumps(document))


@pytest.mark.parametrize("command", ["align", "check"])
def test_each_operator_compared_has_its_figures(
    command: str, sample: bytes, sample_origin: bytes
) -> None:
    if command == "align":
        report = align(sample, AlignOptions(targets=("litert",))).report
    else:
        report = check(sample_origin, AlignOptions(targets=("litert",), run=True))
    steps = document_of(report)["verification"]["steps"]
    assert len(steps["operators"]) >= steps["checked"] > 0
    for one in steps["operators"]:
        assert 0 <= one["lsb"] <= one["largest_lsb"]
        assert isinstance(one["sqnr_db"], (float, int)) or one["sqnr_db"] in (None, "inf")
