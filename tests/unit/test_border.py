"""--input-type and --output-type: conversion of graph input and output types."""

from __future__ import annotations

import pytest

from tests.support.border import border, converted
from tests.support.models import SHAPE, Graph, TensorSpec
from tests.support.object_api import load
from tflite_align import AlignOptions
from tflite_align.format.reader import read

FAST = AlignOptions(verify=False)


def operators(data: bytes) -> list[str]:
    return [operator.name for operator in read(data).subgraphs[0].operators]


def net() -> Graph:
    graph = Graph()
    graph.activation("x", 0.05, 3)
    graph.conv("x", "y", 0.1, -7)
    return graph


PLAIN = net().bytes(["x"], ["y"])


def test_a_float_border_gets_a_quantize_and_a_dequantize() -> None:
    found = converted(PLAIN, "float32", "float32", verify=False)
    assert border(found.data) == ([("float32", None)], [("float32", None)])
    assert operators(found.data) == ["QUANTIZE", "CONV_2D", "DEQUANTIZE"]
    assert [change.kind for change in found.report.changes] == ["converted", "converted"]
    versions = [operator.version for operator in read(found.data).subgraphs[0].operators]
    assert versions == [1, 1, 2]


def test_between_8_bit_types_the_integers_shift() -> None:
    found = converted(PLAIN, "uint8", "uint8", verify=False).data
    scale_in, scale_out = border(PLAIN)[0][0][1][0], border(PLAIN)[1][0][1][0]
    assert border(found) == (
        [("uint8", (scale_in, 131))],
        [("uint8", (scale_out, 121))],
    )
    assert operators(found) == ["QUANTIZE", "CONV_2D", "QUANTIZE"]


@pytest.mark.parametrize("kind", ["float32", "uint8"])
def test_converting_back_restores_the_graph(kind: str) -> None:
    there = converted(PLAIN, kind, kind, verify=False).data
    back = converted(there, "int8", "int8", verify=False).data
    assert border(back) == border(PLAIN)
    assert operators(back) == ["CONV_2D"]


def test_from_float_to_uint8_the_quantize_stays_and_reads_uint8() -> None:
    there = converted(PLAIN, "float32", "float32", verify=False).data
    found = converted(there, "uint8", "uint8", verify=False).data
    assert [kind for kind, _ in (*border(found)[0], *border(found)[1])] == ["uint8", "uint8"]
    assert operators(found) == ["QUANTIZE", "CONV_2D", "QUANTIZE"]


def test_a_conversion_to_the_same_type_changes_nothing() -> None:
    assert converted(PLAIN, "int8", "int8", verify=False).data == PLAIN


def test_signatures_follow(sample_origin: bytes) -> None:
    found = converted(sample_origin, "float32", "uint8", verify=False).data
    model = load(found)
    graph = model.subgraphs[0]
    (signature,) = model.signatureDefs
    assert [entry.tensorIndex for entry in signature.inputs] == list(graph.inputs)
    assert [entry.tensorIndex for entry in signature.outputs] == list(graph.outputs)


def test_no_quantize_leads_from_int16_to_8_bits_without_loss() -> None:
    graph = Graph("int16")
    graph.activation("x", 0.001)
    graph.conv("x", "y", 0.002)
    data = graph.bytes(["x"], ["y"])
    found = converted(data, "int8", verify=False)
    assert found.data == data
    assert found.report.outcome == "not aligned"
    assert found.report.reasons == (
        "subgraph[0]/inputs[0] 'x' cannot become int8: it is int16, which no QUANTIZE converts without loss",
    )


def test_a_float_input_that_is_not_quantized_cannot_become_integers() -> None:
    graph = net()
    graph.tensors["f"] = TensorSpec(name="f", type="float32", shape=SHAPE)
    graph.tensors["g"] = TensorSpec(name="g", type="float32", shape=SHAPE)
    graph.add("RELU", ["f"], ["g"])
    graph.add("QUANTIZE", ["f"], ["x"])
    graph.operators = [graph.operators[2], graph.operators[0], graph.operators[1]]
    data = graph.bytes(["f"], ["y", "g"])
    found = converted(data, "int8", verify=False)
    assert found.data == data
    why = "subgraph[0]/operator[2] RELU/inputs[0] reads it and is not a QUANTIZE"
    assert found.report.reasons == (f"subgraph[0]/inputs[0] 'f' cannot become int8: {why}",)
    only = converted(data, None, "int8", verify=False)
    assert "outputs[1] 'g' cannot become int8: no DEQUANTIZE" in only.report.reasons[0]


def test_one_tensor_at_several_outputs_is_converted_once() -> None:
    graph = net()
    found = converted(graph.bytes(["x"], ["y", "y"]), None, "float32", verify=False).data
    assert operators(found) == ["CONV_2D", "DEQUANTIZE"]
    first, second = read(found).subgraphs[0].outputs
    assert first == second


def test_a_tensor_that_others_read_too_keeps_its_dequantize() -> None:
    graph = net()
    for name in ("f", "g"):
        graph.tensors[name] = TensorSpec(name=name, type="float32", shape=SHAPE)
    graph.add("DEQUANTIZE", ["y"], ["f"])
    graph.add("RELU", ["f"], ["g"])
    data = graph.bytes(["x"], ["f"])
    found = converted(data, None, "int8", verify=False).data
    assert operators(found) == ["CONV_2D", "DEQUANTIZE", "RELU"]
    assert border(found)[1][0][0] == "int8"


def test_a_target_without_the_quantize_refuses() -> None:
    graph = Graph("uint8")
    graph.activation("x", 0.05, 128)
    graph.activation("y", 0.05, 128)
    graph.add("RELU", ["x"], ["y"])
    data = graph.bytes(["x"], ["y"])
    assert converted(data, "int16", verify=False).report.exit_status == 1
