"""Findings on operators that a target's kernels do not support, and on unknown operators."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.models import SHAPE, Graph, TensorSpec
from tflite_align import AlignOptions, Finding, align, check
from tflite_align.record import replace


def findings(data: bytes, target: str) -> list[Finding]:
    return list(check(data, AlignOptions(targets=(target,))).findings)


def rules(data: bytes, target: str) -> list[tuple[str, str]]:
    return [(finding.rule, finding.severity) for finding in findings(data, target)]


def unary(operator: str, type_name: str, out: str = "", version: int = 1) -> bytes:
    graph = Graph(type_name)
    zero_point = 0 if type_name == "int16" else 3
    graph.activation("x", 0.05, zero_point)
    graph.activation("y", 0.05, zero_point)
    if out:
        graph.tensors["y"] = TensorSpec(name="y", type=out, shape=SHAPE)
    graph.add(operator, ["x"], ["y"])
    graph.operators[0] = replace(graph.operators[0], version=version)
    return graph.bytes(["x"], ["y"])


def test_a_type_without_a_kernel_is_a_finding() -> None:
    data = unary("HARD_SWISH", "int16")
    assert rules(data, "litert") == [("types/HARD_SWISH", "error")]
    assert ("types/HARD_SWISH", "error") in rules(data, "tflm")
    (finding,) = findings(data, "litert")
    assert finding.expected == "int8 > int8"
    assert finding.fix == ""  # all operands have one type: a QUANTIZE at one of them would not help
    assert "LiteRT's builtin kernels" in finding.behaviour
    result = align(data, AlignOptions(verify=False))
    assert result.data == data


def test_a_finding_names_replacement_operators() -> None:
    graph = Graph("int16")
    for name in "abc":
        graph.activation(name, 0.001)
    graph.add("SQUARED_DIFFERENCE", ["a", "b"], ["c"])
    data = graph.bytes(["a", "b"], ["c"])
    (finding,) = findings(data, "tflite")
    assert (finding.rule, finding.severity) == ("types/SQUARED_DIFFERENCE", "error")
    assert "SUB and MUL" in finding.behaviour


def test_an_operator_without_a_kernel_is_a_finding() -> None:
    data = unary("GELU", "int8")
    assert rules(data, "tflm") == [("support/GELU/kernel", "error")]
    assert rules(data, "litert") == []


def test_versions_count_where_they_are_registered() -> None:
    data = unary("ELU", "int8", version=2)
    assert rules(data, "litert") == [("support/ELU/version", "error")]
    assert rules(data, "xnnpack") == [("support/ELU/version", "error")]
    assert rules(data, "tflm") == []


@pytest.mark.parametrize("code", ["FlexAddV2", "MyOperator"])
@pytest.mark.parametrize("target", ["tflite", "litert", "xnnpack", "tflm"])
def test_a_custom_operator_has_to_be_registered_by_the_application(code: str, target: str) -> None:
    graph = Graph()
    graph.activation("x", 0.05)
    graph.activation("y", 0.05)
    graph.add("CUSTOM", ["x"], ["y"])
    graph.operators[0] = replace(graph.operators[0], custom_code=code)
    (finding,) = findings(graph.bytes(["x"], ["y"]), target)
    assert (finding.rule, finding.severity) == ("support/CUSTOM/custom", "warning")
    assert code in finding.actual
    assert "Flex" in finding.behaviour


def test_a_registered_custom_operator_is_accepted() -> None:
    graph = Graph()
    graph.activation("x", 0.05)
    graph.activation("y", 0.05)
    graph.add("CUSTOM", ["x"], ["y"])
    graph.operators[0] = replace(graph.operators[0], custom_code="TFLite_Detection_PostProcess")
    data = graph.bytes(["x"], ["y"])
    assert [rules(data, target) for target in ("litert", "tflm")] == [[], []]


def test_a_type_in_no_row_is_a_finding() -> None:
    graph = Graph()
    for name in "xy":
        graph.tensors[name] = TensorSpec(name=name, type="float64", shape=SHAPE)
    graph.add("ABS", ["x"], ["y"])
    data = graph.bytes(["x"], ["y"])
    (finding,) = findings(data, "litert")
    assert (finding.rule, finding.severity) == ("support/ABS/unknown", "warning")
    assert "support of these operand types" in finding.behaviour


def test_a_type_combination_that_was_measured_and_refused_is_an_error() -> None:
    """A float64 input and a float32 output of TILE. The rows list float64 for both operands, and
    all other combinations with float64 were measured and refused.
    """
    graph = Graph()
    graph.tensors["x"] = TensorSpec(name="x", type="float64", shape=SHAPE)
    graph.tensors["y"] = TensorSpec(name="y", type="float32", shape=SHAPE)
    graph.constant("n", np.ones(len(SHAPE), np.int32), "int32", None)
    graph.add("TILE", ["x", "n"], ["y"])
    data = graph.bytes(["x"], ["y"])
    for target in ("litert", "xnnpack", "tflite"):
        assert rules(data, target) == [("types/TILE", "error")]


def test_a_type_that_one_runtime_of_a_target_refuses_is_a_warning() -> None:
    graph = Graph()
    for name in "xy":
        graph.tensors[name] = TensorSpec(name=name, type="float16", shape=SHAPE)
    graph.add("ABS", ["x"], ["y"])
    data = graph.bytes(["x"], ["y"])
    assert rules(data, "litert") == [("types/ABS", "error")]
    assert rules(data, "xnnpack") == []
    assert rules(data, "tflite") == [("types/ABS", "warning")]


def test_sizes_that_are_computed_are_refused_by_tflm() -> None:
    graph = Graph()
    graph.tensors["n"] = TensorSpec(name="n", type="int32", shape=(1,))
    graph.constant("v", np.array(0, np.int8), "int8", 0.1)
    graph.activation("y", 0.1, 0, (4,))
    graph.add("FILL", ["n", "v"], ["y"])
    data = graph.bytes(["n"], ["y"])
    assert rules(data, "tflm") == [("support/FILL/constant", "error")]
    assert rules(data, "litert") == []


def test_int4_and_hybrid_weights_have_findings_on_tflm() -> None:
    graph = Graph()
    graph.tensors["x"] = TensorSpec(name="x", type="float32", shape=(1, 4))
    graph.constant("w", np.ones((3, 4)), "int8", 0.02)
    graph.tensors["y"] = TensorSpec(name="y", type="float32", shape=(1, 3))
    graph.add("FULLY_CONNECTED", ["x", "w"], ["y"], ("FullyConnectedOptions", {}))
    data = graph.bytes(["x"], ["y"])
    assert rules(data, "tflm") == [("types/FULLY_CONNECTED", "error")]
    assert rules(data, "litert") == []


def test_severities_can_be_graded_by_the_user() -> None:
    data = unary("HARD_SWISH", "int16")
    options = AlignOptions(targets=("litert",), severity={"types/*": "warning"})
    assert [f.severity for f in check(data, options).findings] == ["warning"]
    options = replace(options, severity={"support/ELU/version": "off"})
    assert check(unary("ELU", "int8", version=2), options).findings == ()
