"""Prediction of the operators that a compiler maps when it partitions a graph once."""

from __future__ import annotations

import json
from collections.abc import Sequence

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.models import Graph
from tflite_align import AlignOptions, check
from tflite_align.checks.partition import TargetMapping, predict, predictions
from tflite_align.format.reader import read
from tflite_align.format.writer.splice import splice
from tflite_align.report.json import render_json
from tflite_align.report.json_schema import report_schema
from tflite_align.report.text import render_text
from tflite_align.rules.targets import load_target

EDGETPU = load_target("edgetpu")
RESIZE = ("ResizeBilinearOptions", {"halfPixelCenters": True})


def predicted(data: bytes) -> TargetMapping:
    return predict(read(data), EDGETPU)


def left(mapping: TargetMapping) -> list[int]:
    return [one.operator for one in mapping.left]


def branches(*operators: tuple[str, Sequence[str], str]) -> bytes:
    """A model of (operator, inputs, output) triples, each unary or binary without options, on int8
    tensors [1, 4, 4, 3]. The graph input is x, the graph output that of the last operator.
    """
    graph = Graph()
    graph.activation("x", 0.05)
    for name, inputs, output in operators:
        if output not in graph.tensors:
            graph.activation(output, 0.05)
        graph.add(name, list(inputs), [output])
    return graph.bytes(["x"], [operators[-1][2]])


def test_a_model_of_known_operators_is_fully_mapped() -> None:
    mapping = predicted(branches(("RELU", ["x"], "a"), ("LOGISTIC", ["a"], "b")))
    assert (mapping.mapped, mapping.operators, mapping.first) == (2, 2, None)
    assert mapping.left == ()


def test_operators_after_an_unknown_one_are_not_mapped() -> None:
    data = branches(("RELU", ["x"], "a"), ("HARD_SWISH", ["a"], "b"), ("RELU", ["b"], "c"))
    mapping = predicted(data)
    assert mapping.mapped == 1
    assert mapping.first is not None
    assert mapping.first.address == "subgraph[0]/operator[1] HARD_SWISH"
    assert mapping.first.rule == "support/HARD_SWISH/listed"
    assert [(one.operator, one.why) for one in mapping.behind] == [(2, "")]


def test_an_independent_branch_is_mapped() -> None:
    data = branches(
        ("HARD_SWISH", ["x"], "a"),
        ("RELU", ["x"], "b"),
        ("HARD_SWISH", ["b"], "c"),
        ("RELU", ["b"], "d"),
        ("MAXIMUM", ["c", "d"], "e"),
    )
    mapping = predicted(data)
    assert sorted(mapping.indices) == [1, 3]
    assert [one.operator for one in mapping.before] == [0]
    assert left(mapping) == [0, 2, 4]


def float_ends() -> bytes:
    graph = Graph()
    graph.type = "float32"
    graph.activation("x", 1.0)
    graph.type = "int8"
    graph.activation("q", 0.05)
    graph.activation("y", 0.05)
    graph.type = "float32"
    graph.activation("out", 1.0)
    graph.add("QUANTIZE", ["x"], ["q"])
    graph.add("RELU", ["q"], ["y"])
    graph.add("DEQUANTIZE", ["y"], ["out"])
    return graph.bytes(["x"], ["out"])


def test_float_parts_before_and_after_the_mapped_part_are_listed() -> None:
    mapping = predicted(float_ends())
    assert [one.address for one in mapping.before] == ["subgraph[0]/operator[0] QUANTIZE"]
    assert mapping.first is not None
    assert (mapping.mapped, mapping.first.operator) == (1, 2)


def test_no_operators_are_in_front_if_none_is_mapped() -> None:
    mapping = predicted(branches(("HARD_SWISH", ["x"], "a"), ("RELU", ["a"], "b")))
    # HARD_SWISH is not supported: the part behind it is the first supported one, and is mapped.
    assert (mapping.mapped, left(mapping)) == (1, [0])
    nothing = predicted(branches(("HARD_SWISH", ["x"], "a"), ("ELU", ["a"], "b")))
    assert nothing.before == ()
    assert nothing.first is not None
    assert (nothing.mapped, nothing.first.operator) == (0, 0)


@pytest.mark.parametrize(("size", "mapped"), [(4, 1), (8, 1), (32, 1), (33, 0), (64, 0)])
def test_a_resize_is_mapped_up_to_a_growth(size: int, mapped: int) -> None:
    graph = Graph()
    graph.activation("x", 0.05)
    graph.constant("size", [size, size], "int32")
    graph.activation("y", 0.05, shape=(1, size, size, 3))
    graph.add("RESIZE_BILINEAR", ["x", "size"], ["y"], RESIZE)
    assert predicted(graph.bytes(["x"], ["y"])).mapped == mapped


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 9), st.integers(0, 9)), max_size=9))
def test_parts_of_a_prediction_are_disjoint_and_complete(
    steps: list[tuple[bool, int, int]],
) -> None:
    """Every operator is either mapped or left to the CPU. Mapped operators are supported and read
    no output of an operator that runs after the mapped part.
    """
    names = ["x"]
    operators = []
    for known, one, other in steps or [(True, 0, 0)]:
        inputs = [names[one % len(names)], names[other % len(names)]]
        names.append(f"t{len(names)}")
        operators.append(("MAXIMUM" if known else "POW", inputs, names[-1]))
    mapping = predicted(branches(*operators))
    assert mapping.mapped + len(mapping.left) == mapping.operators == len(operators)
    assert not mapping.indices & set(left(mapping))
    ahead = {"x", *(operators[one.operator][2] for one in mapping.before)}
    for index in sorted(mapping.indices):
        name, inputs, output = operators[index]
        assert name == "MAXIMUM"
        assert set(inputs) <= ahead
        ahead.add(output)
    if mapping.first is not None and mapping.mapped:
        assert mapping.first.why, "what splits the graph is refused for its own sake"


def test_targets_that_do_not_split_predict_nothing() -> None:
    model = read(branches(("RELU", ["x"], "a")))
    assert predictions(model, [load_target("tflite")]) == ()
    assert [one.target for one in predictions(model, [EDGETPU])] == ["edgetpu"]


def test_the_report_shows_the_prediction() -> None:
    report = check(float_ends(), AlignOptions(targets=("edgetpu",)))
    assert report.exit_status == 0  # there are only warnings
    text = render_text(report)
    assert "Mapping to edgetpu (predicted)" in text
    assert "predicted for edgetpu: 1 of 3 operators mapped" in text
    assert "in front, on the CPU: 1 QUANTIZE" in text
    assert (
        "first unmapped: subgraph[0]/operator[2] DEQUANTIZE:"
        " found DEQUANTIZE, expected an operator that the target supports" in text
    )
    assert "accepted" not in text
    document = json.loads(render_json(report))
    jsonschema.validate(document, report_schema())
    (mapping,) = document["mappings"]
    assert (mapping["mapped"], mapping["operators"]) == (1, 3)
    assert mapping["first"]["rule"] == "support/DEQUANTIZE/listed"


def test_a_float_model_is_an_error() -> None:
    graph = Graph("float32")
    graph.activation("x", 1.0)
    graph.activation("y", 1.0)
    graph.add("RELU", ["x"], ["y"])
    report = check(graph.bytes(["x"], ["y"]), AlignOptions(targets=("edgetpu",)))
    errors = [f for f in report.findings if f.severity == "error"]
    assert [f.rule for f in errors] == ["support/MODEL/quantized"]
    assert report.exit_status == 1


def test_a_model_of_quantized_weights_alone_is_an_error() -> None:
    """Dynamic range quantization (int8 weights, float activations) counts as not quantized for the
    Edge TPU compiler.
    """
    graph = Graph("float32")
    graph.activation("x", 1.0, shape=(1, 3))
    graph.constant("w", [[1, 2, 3]], "int8", 0.02)
    graph.activation("y", 1.0, shape=(1, 1))
    graph.add("FULLY_CONNECTED", ["x", "w"], ["y"], ("FullyConnectedOptions", {}))
    report = check(graph.bytes(["x"], ["y"]), AlignOptions(targets=("edgetpu",)))
    assert "support/MODEL/quantized" in {f.rule for f in report.findings if f.severity == "error"}


def test_a_size_that_is_not_known_is_an_error() -> None:
    graph = Graph()
    graph.activation("x", 0.05, shape=(-1, 4, 4, 3))
    graph.activation("y", 0.05, shape=(-1, 4, 4, 3))
    graph.add("RELU", ["x"], ["y"])
    report = check(graph.bytes(["x"], ["y"]), AlignOptions(targets=("edgetpu",)))
    errors = {f.rule for f in report.findings if f.severity == "error"}
    assert errors == {"support/MODEL/sizes", "support/RELU/static"}


def test_writing_without_edits_does_not_change_the_prediction() -> None:
    data = float_ends()
    model = read(data)
    assert predict(read(splice(data, model, []).join()), EDGETPU) == predict(model, EDGETPU)
