"""--portable in text and JSON, and JSON read back."""

from __future__ import annotations

import json

import pytest

from tests.support.models import Graph, concat_example
from tflite_align import Report, check
from tflite_align.report.restore import restored
from tflite_align.report.text import render_text


def test_portability_is_reported_only_if_requested() -> None:
    assert check(concat_example()).portability is None
    assert "Portability" not in render_text([check(concat_example())])


def test_text_names_operators_runtimes_and_a_case() -> None:
    report = check(concat_example(), portable=True)
    assert report.portability is not None
    words = {one.address.split()[1]: one.word for one in report.portability.operators}
    assert words == {"CONV_2D": "differs", "CONCATENATION": "equal", "HARD_SWISH": "equal"}
    text = render_text([report])
    assert "predicted for litert-ref, litert, xnnpack, tflm (x86-64), for every input:" in text
    assert "subgraph[0]/operator[0] CONV_2D" in text.partition("Portability (predicted)")[2]
    assert "accumulator" in text


def test_json_has_the_same_content_and_is_read_back() -> None:
    report = check(concat_example(), portable=True)
    values = json.loads(report.to_json())
    assert values["portability"]["operators"][0]["largest"] == 1
    assert restored(Report, values) == report


@pytest.mark.parametrize("name", ["LOGISTIC", "TANH"])
@pytest.mark.parametrize("scale", [2.0**-100, 2.0**-40, 2.0**40, 2.0**100])
def test_extreme_scales_are_compared_or_unknown(name: str, scale: float) -> None:
    graph = Graph()
    graph.activation("x", scale)
    graph.activation("y", 1 / 256 if name == "LOGISTIC" else 1 / 128)
    graph.add(name, ["x"], ["y"])
    report = check(graph.bytes(["x"], ["y"]), portable=True)
    assert report.portability is not None
    (operator,) = report.portability.operators
    assert (operator.word == "equal") == ((name, scale) == ("TANH", 2.0**-40))
