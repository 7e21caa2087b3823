"""`--to int8` on small uint8 graphs: conversion of each kind of tensor."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tests.support.models import CONV, SHAPE, Graph, Quant, TensorSpec
from tflite_align import AlignOptions, AlignResult, align
from tflite_align.format.model import Model
from tflite_align.format.reader import read
from tflite_align.numerics import symmetric_weights
from tflite_align.record import replace
from tflite_align.repair.convert.uint8_to_int8 import convert_to_int8
from tflite_align.rules.operator_rows import load_operators
from tflite_align.rules.targets import load_target
from tflite_align.rules.versions import load_versions

FAST = AlignOptions(verify=False, to="int8")


def converted(data: bytes, **more: Any) -> AlignResult:
    return align(data, replace(FAST, **more))


def type_and_label(model: Model, index: int) -> tuple[str, float, int]:
    tensor = model.subgraphs[0].tensors[index]
    assert tensor.quant is not None
    return (tensor.type, *tensor.quant.label)


def operators(data: bytes) -> list[str]:
    return [operator.name for operator in read(data).subgraphs[0].operators]


def conv_net(weights: Any, zero_point: int) -> Graph:
    """One CONV_2D from x to y as TensorFlow 1 wrote it: uint8 weights (`weights`, 3 x 3) with one
    scale and `zero_point`.
    """
    graph = Graph("uint8")
    graph.activation("x", 0.05, 120)
    weights = np.asarray(weights, dtype=np.uint8).reshape(3, 1, 1, 3)
    graph.tensors["w"] = TensorSpec(
        name="w",
        type="uint8",
        shape=weights.shape,
        quant=Quant(scale=(0.02,), zero_point=(zero_point,)),
        data=weights,
    )
    scale = float(np.float32(np.float32(0.05) * np.float32(0.02)))
    graph.constant("b", np.array([500, -20, 7]), "int32", scale)
    graph.activation("y", 0.1, 30)
    graph.add("CONV_2D", ["x", "w", "b"], ["y"], CONV)
    return graph


WEIGHTS = [0, 130, 255, 140, 100, 120, 3, 4, 5]


def test_graph_inputs_and_outputs_stay_uint8_and_inner_tensors_are_int8() -> None:
    data = conv_net(WEIGHTS, 128).bytes(["x"], ["y"])
    found = converted(data)
    assert found.report.exit_status == 0
    assert operators(found.data) == ["QUANTIZE", "CONV_2D", "QUANTIZE"]
    before, after = read(data), read(found.data)
    graph = after.subgraphs[0]
    for index in (*graph.inputs, *graph.outputs):
        assert type_and_label(after, index) == type_and_label(before, index)
    conv = graph.operators[1]
    assert type_and_label(after, conv.inputs[0]) == (
        "int8",
        type_and_label(before, 0)[1],
        120 - 128,
    )
    assert type_and_label(after, conv.outputs[0])[0] == "int8"
    assert conv.version == 3
    assert {change.kind for change in found.report.changes} <= {"converted", "bias"}


def test_free_graph_inputs_and_outputs_become_int8_too() -> None:
    found = converted(conv_net(WEIGHTS, 128).bytes(["x"], ["y"]), io="free")
    assert operators(found.data) == ["CONV_2D"]
    graph = read(found.data).subgraphs[0]
    assert {graph.tensors[i].type for i in (*graph.inputs, *graph.outputs)} == {"int8"}


def test_channels_within_127_steps_are_exact_and_the_others_near() -> None:
    data = conv_net(WEIGHTS, 100).bytes(["x"], ["y"])
    after = read(converted(data).data)
    conv = after.subgraphs[0].operators[1]
    tensor = after.subgraphs[0].tensors[conv.inputs[1]]
    assert tensor.quant is not None
    integers = np.frombuffer(after.constant(0, tensor.index) or b"", np.int8).reshape(3, 3)
    scales = np.asarray(tensor.quant.scale)[:, None]
    real = (np.asarray(WEIGHTS).reshape(3, 3) - 100.0) * float(np.float32(0.02))
    assert tensor.quant.zero_point == (0, 0, 0)
    assert np.allclose((integers * scales)[1:], real[1:], atol=1e-7)
    assert np.abs(integers * scales - real)[0].max() <= scales[0, 0]
    bias = after.subgraphs[0].tensors[conv.inputs[2]]
    assert bias.quant is not None
    expected = np.float32(0.05) * np.asarray(tensor.quant.scale, np.float32)
    assert np.allclose(bias.quant.scale, expected, rtol=1e-6)


def test_an_operator_without_an_int8_kernel_keeps_its_uint8() -> None:
    graph = Graph("uint8")
    for name in ("x", "y", "z"):
        graph.activation(name, 0.05, 120)
    graph.add("RELU", ["x"], ["y"])
    graph.add("DIV", ["y", "y"], ["z"], ("DivOptions", {}))
    found = converted(graph.bytes(["x"], ["z"]), io="free")
    assert operators(found.data) == ["RELU", "QUANTIZE", "DIV", "QUANTIZE"]
    assert found.report.exit_status == 0


def test_constants_of_activations_shift_exactly_and_are_split_where_readers_differ() -> None:
    graph = Graph("uint8")
    graph.activation("x", 0.05, 120)
    graph.tensors["c"] = TensorSpec(
        name="c",
        type="uint8",
        shape=SHAPE,
        quant=Quant(scale=(0.02,), zero_point=(7,)),
        data=np.arange(48, dtype=np.uint8).reshape(SHAPE),
    )
    graph.activation("y", 0.1, 30)
    graph.activation("z", 0.1, 30)
    graph.add("ADD", ["x", "c"], ["y"], ("AddOptions", {}))
    graph.add("DIV", ["y", "c"], ["z"], ("DivOptions", {}))
    after = read(converted(graph.bytes(["x"], ["z"])).data)
    add, div = (op for op in after.subgraphs[0].operators if op.name in {"ADD", "DIV"})
    assert type_and_label(after, div.inputs[1]) == ("uint8", float(np.float32(0.02)), 7)
    shifted = np.frombuffer(after.constant(0, add.inputs[1]) or b"", np.int8)
    assert type_and_label(after, add.inputs[1])[2] == 7 - 128
    assert np.array_equal(shifted.astype(int) + 128, np.arange(48))


def test_uint8_without_parameters_stays_uint8() -> None:
    """The uint8 input of a CAST has no quantization parameters: its integers are numbers, not
    quantized values.
    """
    graph = Graph("uint8")
    graph.tensors["x"] = TensorSpec(name="x", type="uint8", shape=SHAPE)
    graph.tensors["y"] = TensorSpec(name="y", type="float32", shape=SHAPE)
    options = {"inDataType": 3, "outDataType": 0}
    graph.add("CAST", ["x"], ["y"], ("CastOptions", options))
    data = graph.bytes(["x"], ["y"])
    found = converted(data)
    assert found.data == data
    assert found.report.warnings == (
        "--to int8: the model has no uint8 tensor that can become int8",
    )


def test_int8_models_are_left_alone(sample_origin: bytes) -> None:
    assert converted(sample_origin).data == sample_origin


def test_a_target_without_the_quantize_refuses() -> None:
    model = read(conv_net(WEIGHTS, 128).bytes(["x"], ["y"]))
    target = replace(load_target("tflm"), quantize={"uint8": ("int8",)})
    found = convert_to_int8(model, load_operators(), load_versions(), [target])
    assert found.refused == (
        "subgraph[0]/outputs[0]: needs a QUANTIZE from int8 to uint8, which tflm does not have",
    )


@settings(max_examples=60, deadline=None)
@given(arrays(np.int64, (4, 9), elements=st.integers(0, 255)), st.integers(0, 255))
def test_symmetric_weights_are_close_to_the_real_values(integers: Any, zero_point: int) -> None:
    step = 0.015625
    real = (integers - zero_point) * step
    fitted = symmetric_weights(real, 0, step)
    assert fitted.integers.min() >= -127
    assert len(fitted.scales) == 4
    off = np.abs(fitted.integers * np.asarray(fitted.scales)[:, None] - real)
    for row, scale, whole in zip(off, fitted.scales, integers - zero_point, strict=True):
        if np.abs(whole).max() <= 127:
            assert row.max() == 0.0
        else:
            # At most 1.5 steps, or 11 % of the largest magnitude where that is clipped.
            assert row.max() <= max(1.5 * scale, 0.11 * np.abs(whole).max() * step)
    alone = symmetric_weights(real, None, step)
    assert len(alone.scales) == 1
    assert alone.integers.shape == real.shape


def test_version_rows_name_operators_that_have_rules() -> None:
    rows = load_operators()
    assert set(load_versions()) <= set(rows), "an operator without a rule row is rigid"
    assert all("int8" in row.versions for row in load_versions().values())


def test_a_border_of_another_type_needs_no_uint8_in_between() -> None:
    data = conv_net(WEIGHTS, 128).bytes(["x"], ["y"])
    result = converted(data, input_type="float32", output_type="float32")
    assert operators(result.data) == ["QUANTIZE", "CONV_2D", "DEQUANTIZE"]
    again = converted(result.data, input_type="float32", output_type="float32")
    assert again.data == result.data
    one_side = converted(data, output_type="float32")
    assert operators(one_side.data) == ["QUANTIZE", "CONV_2D", "DEQUANTIZE"]
    assert type_and_label(read(one_side.data), 0)[::2] == ("uint8", 120)


def test_an_operator_that_stays_uint8_keeps_the_quantize_in_front_of_it() -> None:
    graph = conv_net(WEIGHTS, 128)
    graph.activation("z", 0.1, 30)
    graph.add("REVERSE_SEQUENCE", ["y"], ["z"])
    data = graph.bytes(["x"], ["z"])
    result = converted(data)
    assert operators(result.data) == ["QUANTIZE", "CONV_2D", "QUANTIZE", "REVERSE_SEQUENCE"]
    assert converted(result.data).data == result.data


def test_quantizes_next_to_an_operator_that_stays_uint8_are_not_converted() -> None:
    """DIV has no int8 kernel and stays uint8. The QUANTIZE operators in front of it stay uint8 as
    well.
    """
    graph = Graph("uint8")
    graph.activation("x", 0.05, 120)
    graph.activation("fitted", 0.03)
    graph.activation("coarse", 0.06)
    graph.activation("z", 0.1, 30)
    graph.add("QUANTIZE", ["x"], ["fitted"])
    graph.add("QUANTIZE", ["fitted"], ["coarse"])
    graph.add("DIV", ["coarse", "coarse"], ["z"], ("DivOptions", {}))
    data = graph.bytes(["x"], ["z"])
    assert converted(data).data == data
    assert operators(converted(data, io="free").data) != operators(data)


def test_an_operand_without_a_producer_is_converted_with_its_readers() -> None:
    """No operator writes this uint8 operand of a CONCATENATION. It becomes int8 like the other
    operand; otherwise only a second run would convert it.
    """
    graph = Graph("uint8")
    graph.activation("x", 0.05, 120)
    graph.activation("nobody's", 0.05, 120)
    graph.activation("y", 0.05, 120, shape=(1, 4, 4, 6))
    graph.add("CONCATENATION", ["x", "nobody's"], ["y"], ("ConcatenationOptions", {"axis": 3}))
    data = graph.bytes(["x"], ["y"])
    result = converted(data)
    before, after = type_and_label(read(data), 1), type_and_label(read(result.data), 1)
    assert (before[0], after) == ("uint8", ("int8", before[1], before[2] - 128))
    assert converted(result.data).data == result.data
