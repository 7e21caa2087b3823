"""Alignment of small graphs, checked with the reader."""

from __future__ import annotations

import tracemalloc

import numpy as np

from tests.support.models import POOL, Graph, concat_example
from tflite_align import AlignOptions, align, check
from tflite_align.format.model import Model, Tensor
from tflite_align.format.reader import read
from tflite_align.record import replace

PLAIN = AlignOptions(verify=False)


def tensor(model: Model, name: str) -> Tensor:
    return next(t for t in model.subgraphs[0].tensors if t.name == name)


def names(model: Model) -> list[str]:
    return [operator.name for operator in model.subgraphs[0].operators]


def f32(value: float) -> float:
    return float(np.float32(value))


def pool_graph(before: tuple[float, int], after: tuple[float, int], *, fused: int = 0) -> Graph:
    graph = Graph()
    graph.activation("x", 0.05)
    graph.conv("x", "c", *before, fused=fused)
    graph.activation("p", *after)
    graph.add("MAX_POOL_2D", ["c"], ["p"], POOL)
    graph.conv("p", "y", 0.3)
    return graph


def test_a_model_without_findings_is_returned_unchanged() -> None:
    data = pool_graph((0.1, 0), (0.1, 0)).bytes(["x"], ["y"])
    result = align(data, PLAIN)
    assert result.data == data
    assert result.report.outcome == "nothing to align"


def test_a_wider_copy_takes_its_inputs_parameters() -> None:
    """A MAX_POOL_2D declares a wider range for its output than its input has. No value outside the
    input's range can arrive, so both tensors get the input's finer parameters.
    """
    data = pool_graph((0.1, 0), (0.2, 0)).bytes(["x"], ["y"])
    model = read(align(data, PLAIN).data)
    assert tensor(model, "p").quant == tensor(model, "c").quant
    assert tensor(model, "c").quant.label == (f32(0.1), 0)  # type: ignore[union-attr]


def test_a_narrower_copy_narrows_its_producer() -> None:
    """A MAX_POOL_2D declares a narrower range for its output than its input has. The pool clips to
    that range in any case, so the convolution in front of it may write that range; no QUANTIZE is
    needed.
    """
    data = pool_graph((0.2, 0), (0.1, 0)).bytes(["x"], ["y"])
    result = align(data, PLAIN)
    model = read(result.data)
    assert result.report.cuts == 0
    assert tensor(model, "c").quant.label == (f32(0.1), 0)  # type: ignore[union-attr]


def clamped_join(operator: str) -> Graph:
    """A CONCATENATION of `c` and `d`. The range of `c` begins at exactly 0, like the output of a
    ReLU, but its operator states no fused activation. `operator`: CONV_2D, which could state one,
    or LEAKY_RELU, which could not.
    """
    graph = Graph()
    graph.activation("x", 0.05)
    if operator == "CONV_2D":
        graph.conv("x", "c", 0.05, -128)
    else:
        graph.activation("c", 0.05, -128)
        graph.add(operator, ["x"], ["c"], ("LeakyReluOptions", {"alpha": 0.5}))
    graph.conv("x", "d", 0.1, 0)
    graph.activation("cat", 0.1, 0, (1, 4, 4, 6))
    graph.add("CONCATENATION", ["c", "d"], ["cat"], ("ConcatenationOptions", {"axis": 3}))
    graph.activation("y", 0.2, 0, (1, 4, 4, 6))
    graph.add("HARD_SWISH", ["cat"], ["y"])
    return graph


def test_a_relu_implied_by_the_range_is_stated_before_the_range_is_widened() -> None:
    result = align(clamped_join("CONV_2D").bytes(["x"], ["y"]), PLAIN)
    model = read(result.data)
    assert result.report.cuts == 0
    assert tensor(model, "c").quant.label == (f32(0.1), 0)  # type: ignore[union-attr]
    assert model.subgraphs[0].operators[0].options["fused_activation_function"] == 1
    assert [c.after for c in result.report.changes if c.kind == "activation"] == ["RELU"]


def test_a_range_that_implies_a_relu_stays_if_the_operator_cannot_state_it() -> None:
    result = align(clamped_join("LEAKY_RELU").bytes(["x"], ["y"]), PLAIN)
    model = read(result.data)
    assert result.report.cuts == 1
    assert tensor(model, "c").quant.label == (f32(0.05), -128)  # type: ignore[union-attr]


def test_a_stated_relu_may_be_widened() -> None:
    graph = Graph()
    graph.activation("x", 0.05)
    graph.conv("x", "c", 0.05, -128, fused=1)
    graph.conv("x", "d", 0.1, 0)
    graph.activation("cat", 0.1, 0, (1, 4, 4, 6))
    graph.add("CONCATENATION", ["c", "d"], ["cat"], ("ConcatenationOptions", {"axis": 3}))
    graph.activation("y", 0.2, 0, (1, 4, 4, 6))
    graph.add("HARD_SWISH", ["cat"], ["y"])
    assert align(graph.bytes(["x"], ["y"]), PLAIN).report.cuts == 0


def test_graph_outputs_keep_their_tensor_indices() -> None:
    graph = Graph()
    graph.activation("x", 0.05)
    graph.activation("y", 0.02, 5)
    graph.add("LOGISTIC", ["x"], ["y"])
    data = graph.bytes(["x"], ["y"])
    before, result = read(data), align(data, PLAIN)
    model = read(result.data)
    assert result.report.cuts == 1
    assert names(model) == ["LOGISTIC", "QUANTIZE"]
    assert model.subgraphs[0].outputs == before.subgraphs[0].outputs
    assert tensor(model, "y").quant == tensor(before, "y").quant
    written = model.subgraphs[0].tensors[model.subgraphs[0].operators[0].outputs[0]]
    assert written.quant.label == (1 / 256, -128)  # type: ignore[union-attr]


def test_free_io_lets_the_output_take_the_legal_parameters() -> None:
    graph = Graph()
    graph.activation("x", 0.05)
    graph.activation("y", 0.02, 5)
    graph.add("LOGISTIC", ["x"], ["y"])
    options = AlignOptions(verify=False, io="free")
    model = read(align(graph.bytes(["x"], ["y"]), options).data)
    assert names(model) == ["LOGISTIC"]
    assert tensor(model, "y").quant.label == (1 / 256, -128)  # type: ignore[union-attr]


def test_float_noise_is_snapped_without_an_operator() -> None:
    noisy = float(np.nextafter(np.float32(0.1), np.float32(1)))
    data = pool_graph((0.1, 0), (noisy, 0)).bytes(["x"], ["y"])
    result = align(data, PLAIN)
    assert result.report.cuts == 0
    assert [change.kind for change in result.report.changes if change.kind != "bias"] == ["snapped"]


def test_one_quantize_serves_the_readers_that_agree() -> None:
    graph = Graph()
    graph.activation("x", 0.05, -128)
    for name in ("p", "q"):
        graph.activation(name, 0.02)
        graph.add("MAX_POOL_2D", ["x"], [name], POOL)
    result = align(graph.bytes(["x"], ["p", "q"]), PLAIN)
    assert result.report.cuts == 1
    assert names(read(result.data)) == ["QUANTIZE", "MAX_POOL_2D", "MAX_POOL_2D"]


def test_a_tied_constant_is_re_expressed_without_an_operator() -> None:
    graph = Graph()
    graph.activation("x", 0.05)
    graph.constant("k", np.full((1, 4, 4, 3), 40), "int8", 0.02)
    graph.activation("y", 0.05)
    graph.add("MAXIMUM", ["x", "k"], ["y"])
    result = align(graph.bytes(["x"], ["y"]), PLAIN)
    model = read(result.data)
    assert result.report.cuts == 0
    operator = model.subgraphs[0].operators[0]
    held = model.constant(0, operator.inputs[1])
    assert held is not None
    assert set(np.frombuffer(held, dtype=np.int8).tolist()) == {16}  # 40 * 0.02 / 0.05


def test_a_bias_keeps_its_declared_real_values() -> None:
    graph = Graph()
    graph.activation("x", 0.05)
    graph.conv("x", "y", 0.3)
    spec = graph.tensors["y.b"]
    assert spec.data is not None
    wrong = graph.constant("y.b", spec.data, "int32", 0.002)
    data = graph.bytes(["x"], ["y"])
    result = align(data, PLAIN)
    bias = tensor(read(result.data), wrong)
    held = read(result.data).constant(0, bias.index)
    assert held is not None
    assert bias.quant.scale == (f32(f32(0.05) * f32(0.02)),)  # type: ignore[union-attr]
    real = np.frombuffer(held, dtype="<i4") * bias.quant.scale[0]  # type: ignore[union-attr]
    np.testing.assert_allclose(real, spec.data * f32(0.002), atol=bias.quant.scale[0] / 2)  # type: ignore[union-attr]


def test_an_int32_bias_of_16x8_becomes_int64() -> None:
    graph = Graph("int16")
    graph.activation("x", 0.001)
    graph.conv("x", "y", 0.003)
    spec = graph.tensors["y.b"]
    assert spec.quant is not None
    graph.constant("y.b", spec.data, "int32", spec.quant.scale[0])
    result = align(graph.bytes(["x"], ["y"]), PLAIN)
    assert tensor(read(result.data), "y.b").type == "int64"
    assert result.report.remaining == ()


def test_operands_of_an_operator_without_a_row_keep_their_parameters() -> None:
    graph = Graph()
    graph.activation("x", 0.05)
    graph.conv("x", "c", 0.04)
    graph.conv("x", "d", 0.1)
    graph.activation("z", 0.04)
    graph.add("STABLEHLO_TANH", ["c"], ["z"])
    graph.activation("cat", 0.1, 0, (1, 4, 4, 6))
    graph.add("CONCATENATION", ["c", "d"], ["cat"], ("ConcatenationOptions", {"axis": 3}))
    graph.activation("y", 0.2, 0, (1, 4, 4, 6))
    graph.add("HARD_SWISH", ["cat"], ["y"])
    result = align(graph.bytes(["x"], ["y", "z"]), PLAIN)
    assert result.report.cuts == 1
    assert tensor(read(result.data), "c").quant.label == (f32(0.04), 0)  # type: ignore[union-attr]


def test_check_names_the_place_in_one_sentence() -> None:
    report = check(concat_example(0.1, 0.04, 0.1))
    assert [finding.message for finding in report.findings] == [
        (
            "subgraph[0]/operator[2] CONCATENATION/inputs[1]: scale 0.0399999991 differs from"
            " outputs[0]'s 0.100000001 (rule same/CONCATENATION)"
        )
    ]
    assert report.exit_status == 1


def test_only_errors_leaves_warnings_alone() -> None:
    graph = Graph("uint8")
    graph.activation("x", 0.05, 128)
    graph.activation("z", 0.02, 128)
    graph.activation("cat", 0.05, 128, (1, 4, 4, 6))
    graph.add("CONCATENATION", ["x", "z"], ["cat"], ("ConcatenationOptions", {"axis": 3}))
    data = graph.bytes(["x", "z"], ["cat"])
    assert {finding.severity for finding in check(data).findings} == {"warning"}
    assert align(data, AlignOptions(verify=False, only="errors")).data == data
    assert align(data, PLAIN).report.cuts == 1


def stated_bias(code: int, bias_type: str) -> bytes:
    """An int16 CONV_2D whose option quantized_bias_type is `code` (a TFLite type code), while its
    bias tensor has type `bias_type`.
    """
    graph = Graph("int16")
    graph.activation("x", 0.001)
    graph.conv("x", "y", 0.003)
    spec = graph.tensors["y.b"]
    assert spec.quant is not None
    graph.constant("y.b", spec.data, bias_type, spec.quant.scale[0])
    operator = graph.operators[0]
    assert operator.options is not None
    graph.operators[0] = replace(
        operator, options=(operator.options[0], {**operator.options[1], "quantizedBiasType": code})
    )
    return graph.bytes(["x"], ["y"])


def test_a_stated_bias_type_is_made_to_agree() -> None:
    for code, given in ((2, "int64"), (4, "int32")):
        data = stated_bias(code, given)
        assert [f.rule for f in check(data).findings] == ["bias/CONV_2D"]
        result = align(data, PLAIN)
        model = read(result.data)
        stated = {2: "int32", 4: "int64"}
        option = model.subgraphs[0].operators[0].options["quantized_bias_type"]
        assert stated[int(option)] == tensor(model, "y.b").type
        assert result.report.remaining == ()


def test_a_bias_of_two_readers_is_copied_if_only_one_needs_another_scale() -> None:
    graph = Graph()
    graph.activation("x", 0.05)
    graph.activation("w", 0.1)
    graph.conv("w", "yb", 0.3)
    graph.conv("x", "ya", 0.3)
    shared = replace(
        graph.operators[1], inputs=[*graph.operators[1].inputs[:2], graph.operators[0].inputs[2]]
    )
    graph.operators[:] = [shared, graph.operators[0]]
    data = graph.bytes(["x", "w"], ["ya", "yb"])
    result = align(data, PLAIN)
    assert result.report.remaining == ()
    before, after = read(data), read(result.data)
    kept = after.subgraphs[0].operators[1].inputs[2]
    assert after.constant(0, kept) == before.constant(0, kept)
    assert align(result.data, PLAIN).data == result.data


def joined(count: int) -> bytes:
    """A CONCATENATION of `count` graph inputs; no two of them have the same scale."""
    graph = Graph()
    inputs = [f"x{index}" for index in range(count)]
    for index, name in enumerate(inputs):
        graph.activation(name, 0.05 + index * 1e-5)
    graph.activation("y", 0.05)
    graph.add("CONCATENATION", inputs, ["y"])
    return graph.bytes(inputs, ["y"])


def test_a_concatenation_of_a_hundred_inputs_is_aligned() -> None:
    """The solver joins more groups in one table of costs than a NumPy array can have axes."""
    result = align(joined(100), PLAIN)
    assert result.report.remaining == ()
    assert names(read(result.data)).count("QUANTIZE") == 99


def test_memory_grows_at_most_linearly_with_the_inputs_of_an_operator() -> None:
    data = joined(600)
    align(data, PLAIN)
    tracemalloc.start()
    try:
        align(data, PLAIN)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 40e6  # bytes: now 6e6; with a table for each pair of inputs 95e6
