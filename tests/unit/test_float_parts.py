"""Operators that compute in float in a quantized model are reported with the reason."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.edited_models import PLAIN, chain
from tests.support.models import CONV, SHAPE, Graph, Quant, TensorSpec
from tflite_align import align, check
from tflite_align.record import replace
from tflite_align.report.text import render_text


def floats(graph: Graph, *names: str) -> None:
    for name in names:
        graph.tensors[name] = TensorSpec(name=name, type="float32", shape=SHAPE)


def notes(data: bytes) -> tuple[str, ...]:
    return check(data, PLAIN).notes


def hybrid(weights: str = "int8") -> bytes:
    """A CONV_2D with float activations and integer weights of type `weights`."""
    graph = Graph()
    floats(graph, "x", "y")
    graph.constant("w", np.ones((3, 1, 1, 3)), weights)
    quant = Quant(scale=(0.01, 0.02, 0.03), zero_point=(0,) * 3)
    graph.tensors["w"] = replace(graph.tensors["w"], quant=quant)
    graph.constant("b", np.zeros(3), "float32")
    graph.add("CONV_2D", ["x", "w", "b"], ["y"], CONV)
    return graph.bytes(["x"], ["y"])


def island(name: str, type_name: str = "int8") -> bytes:
    """DEQUANTIZE, the float operator `name`, QUANTIZE: a float part between tensors of `type_name`."""
    graph = Graph(type_name)
    graph.activation("x", 0.05)
    graph.activation("y", 0.1)
    floats(graph, "f", "g")
    graph.add("DEQUANTIZE", ["x"], ["f"])
    graph.add(name, ["f"], ["g"])
    graph.add("QUANTIZE", ["g"], ["y"])
    return graph.bytes(["x"], ["y"])


def test_a_fully_quantized_model_has_no_note() -> None:
    assert notes(chain()) == ()


def test_float_activations_with_quantized_weights() -> None:
    (note,) = notes(hybrid())
    assert note == (
        "not fully quantized: 1 of 1 operator computes in float (CONV_2D), because only their"
        " weights are quantized, and the activations are float (dynamic range quantization)"
    )


@pytest.mark.parametrize(
    ("name", "type_name", "why"),
    [
        ("RELU", "int8", "left float kernels behind a DEQUANTIZE although LiteRT has int8 ones"),
        ("HARD_SWISH", "int16", "LiteRT has no int16 kernel for this"),
        ("COS", "int8", "LiteRT has no int8 kernel for this"),
    ],
)
def test_a_float_part_has_a_reason(name: str, type_name: str, why: str) -> None:
    (note,) = notes(island(name, type_name))
    assert note.startswith(f"not fully quantized: 1 of 1 operator computes in float ({name}), ")
    assert note.endswith(why)


def test_quantized_weights_without_integer_kernels_are_noted() -> None:
    graph = Graph()
    floats(graph, "x", "y", "w")
    graph.constant("stored", np.ones((3, 1, 1, 3)), "int8", 0.01)
    graph.tensors["w"] = replace(graph.tensors["w"], shape=(3, 1, 1, 3))
    graph.constant("b", np.zeros(3), "float32")
    graph.add("DEQUANTIZE", ["stored"], ["w"])
    graph.add("CONV_2D", ["x", "w", "b"], ["y"], CONV)
    (note,) = notes(graph.bytes(["x"], ["y"]))
    assert "(CONV_2D), because DEQUANTIZE converts constants stored as integers" in note


def test_a_float_model_is_noted() -> None:
    graph = Graph()
    floats(graph, "x", "y", "z")
    graph.add("RELU", ["x"], ["y"])
    graph.add("RELU", ["y"], ["z"])
    (note,) = notes(graph.bytes(["x"], ["z"]))
    assert note == "nothing is quantized: 2 of 2 operators compute in float"


def test_reports_contain_the_note() -> None:
    report = check(hybrid(), PLAIN)
    assert f"\nnote: {report.notes[0]}\n" in render_text(report)
    assert report.exit_status == 0
    assert align(hybrid(), PLAIN).report.notes == report.notes


def test_a_target_without_hybrid_kernels_is_named() -> None:
    (finding,) = check(hybrid(), replace(PLAIN, targets=("tflm",))).findings
    assert "not fully quantized: float activations with quantized weights" in finding.message
    assert finding.expected.startswith("int8 int8 int32 > int8 or ")
    (warning,) = check(hybrid(), replace(PLAIN, targets=("ethos-u55",))).findings
    assert "not quantized: found float32, expected int8" in warning.message


def test_operators_that_nothing_reads_are_not_counted() -> None:
    result = align(hybrid(), replace(PLAIN, targets=("tflm",)))
    assert [change.kind for change in result.report.changes] == ["retyped"]
    assert result.report.notes == ("nothing is quantized: 1 of 1 operator computes in float",)
