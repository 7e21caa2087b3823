"""PPQ's policies and overlap on PPQ's own example."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.support.models import Graph, concat_example, ppq_example
from tflite_align import AlignOptions, align
from tflite_align.checks.overrides import Override
from tflite_align.format.model import Model
from tflite_align.format.reader import read
from tflite_align.numerics import Label, Range, covering_label, label_range


def aligned(data: bytes, **options: Any) -> tuple[Model, int]:
    result = align(data, AlignOptions(verify=False, **options))
    assert result.report.remaining == ()
    return read(result.data), result.report.cuts


def label(model: Model, name: str) -> Label:
    tensor = next(t for t in model.subgraphs[0].tensors if t.name == name)
    assert tensor.quant is not None
    return tensor.quant.label


def operand(model: Model, operator: str, index: int, nth: int = 0) -> Label:
    graph = model.subgraphs[0]
    found = [entry for entry in graph.operators if entry.name == operator][nth]
    quant = graph.tensors[found.inputs[index]].quant
    assert quant is not None
    return quant.label


def f32(value: float) -> float:
    return float(np.float32(value))


def test_elementwise_operands_are_free_by_default() -> None:
    data = ppq_example()
    assert align(data, AlignOptions(verify=False)).data == data


def test_overlap_forbid_keeps_the_shared_producer() -> None:
    model, cuts = aligned(ppq_example(), policies={"elementwise": "large"}, overlap="forbid")
    assert cuts == 1
    assert label(model, "c2") == (f32(0.04), -5)
    assert operand(model, "ADD", 0) == operand(model, "ADD", 1)
    assert operand(model, "CONV_2D", 0, nth=2) == (f32(0.04), -5)


def test_overlap_force_gives_producer_and_readers_one_scale() -> None:
    model, cuts = aligned(ppq_example(), policies={"elementwise": "large"}, overlap="force")
    assert cuts == 0
    assert operand(model, "ADD", 0) == operand(model, "ADD", 1)
    assert operand(model, "CONV_2D", 0, nth=2) == label(model, "c2") == operand(model, "ADD", 1)
    assert label(model, "c2") != (f32(0.04), -5)


def test_overlap_force_re_expresses_the_biases_of_changed_readers() -> None:
    model, _ = aligned(ppq_example(), policies={"elementwise": "large"}, overlap="force")
    graph = model.subgraphs[0]
    conv3 = next(op for op in graph.operators if graph.tensors[op.outputs[0]].name == "c3")
    source, weights, bias = (graph.tensors[i] for i in conv3.inputs)
    assert source.quant is not None
    assert weights.quant is not None
    assert bias.quant is not None
    assert bias.quant.scale == (f32(source.quant.scale[0] * weights.quant.scale[0]),)


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ("input", Label(f32(0.1), 0)),
        ("output", Label(f32(0.07), 0)),
    ],
)
def test_policies_of_concatenation_name_their_anchor(policy: str, expected: Label) -> None:
    data = concat_example(0.1, 0.04, 0.07)
    model, _ = aligned(data, policies={"concat": policy})
    assert operand(model, "CONCATENATION", 0) == operand(model, "CONCATENATION", 1) == expected


def test_large_is_the_hull_of_all_members() -> None:
    model, _ = aligned(concat_example(0.1, 0.04, 0.07), policies={"concat": "large"})
    widest = label_range(Label(f32(0.1), 0), "int8")
    held = label_range(operand(model, "CONCATENATION", 1), "int8")
    assert held.low <= widest.low
    assert held.high >= widest.high
    assert operand(model, "CONCATENATION", 1) == covering_label(Range(*widest), "int8")


def test_none_moves_no_producer_and_cuts() -> None:
    model, cuts = aligned(concat_example(0.1, 0.04, 0.07), policies={"concat": "none"})
    assert label(model, "c1") == (f32(0.1), 0)
    assert label(model, "c2") == (f32(0.04), 0)
    assert cuts == 2


# --- single operators, families, what cannot be aligned --------------------------------------------


def two_sums() -> bytes:
    graph = Graph()
    graph.activation("x", 0.05)
    for name, scale in (("c1", 0.1), ("c2", 0.04), ("c3", 0.06), ("c4", 0.02)):
        graph.conv("x", name, scale, 3)
    for name, operands in (("a1", ["c1", "c2"]), ("a2", ["c3", "c4"])):
        graph.activation(name, 0.2, 7)
        graph.add("ADD", operands, [name], ("AddOptions", {}))
    return graph.bytes(["x"], ["a1", "a2"])


def test_an_override_gives_one_operator_a_policy() -> None:
    one = Override(tensor="a1", operator="ADD", policy="output")
    model, cuts = aligned(two_sums(), overrides=(one,))
    assert cuts == 0
    assert label(model, "c1") == label(model, "c2") == label(model, "a1")
    assert label(model, "c3") == (f32(0.06), 3)


def test_an_override_frees_one_operator_of_its_family_s_policy() -> None:
    one = Override(tensor="a1", operator="ADD", policy="auto")
    model, _ = aligned(two_sums(), policies={"elementwise": "output"}, overrides=(one,))
    assert label(model, "c1") == (f32(0.1), 3)
    assert label(model, "c3") == label(model, "c4") == label(model, "a2")


def test_a_quantize_required_by_a_policy_is_not_folded() -> None:
    """The policy requires ADD's operands to have the output's label. The graph input keeps its
    parameters, so a QUANTIZE is inserted behind it. Without the policy it would be redundant, but
    it stays.
    """
    graph = Graph()
    graph.activation("x", 0.05)
    graph.conv("x", "c1", 0.06, 60)
    graph.activation("a1", 0.13, 3)
    graph.add("ADD", ["x", "c1"], ["a1"], ("AddOptions", {}))
    for overlap in ("forbid", "force", "auto"):
        model, cuts = aligned(
            graph.bytes(["x"], ["a1"]), policies={"elementwise": "output"}, overlap=overlap
        )
        assert cuts == 1
        assert operand(model, "ADD", 0) == operand(model, "ADD", 1) == label(model, "a1")


@pytest.mark.parametrize(("axes", "moves"), [((1, 2), True), ((-3, -2), True), ((3,), False)])
def test_mean_belongs_to_pooling_only_over_height_and_width(
    axes: tuple[int, ...],
    moves: bool,  # noqa: FBT001 - pytest fills it in by name
) -> None:
    graph = Graph()
    graph.activation("x", 0.05)
    graph.conv("x", "c1", 0.04, 3)
    graph.constant("axes", axes, "int32")
    graph.activation("m", 0.06, 5, shape=(1, 1, 1, 3) if moves else (1, 4, 4, 1))
    graph.add("MEAN", ["c1", "axes"], ["m"], ("ReducerOptions", {"keepDims": True}))
    model, _ = aligned(graph.bytes(["x"], ["m"]), policies={"pooling": "output"})
    assert (label(model, "c1") == label(model, "m")) == moves


def test_a_recurrent_operator_keeps_its_states_and_the_report_says_so() -> None:
    graph = Graph()
    names = [graph.activation(f"i{number}", 0.1) for number in range(24)]
    graph.activation("y", 0.1)
    graph.add("UNIDIRECTIONAL_SEQUENCE_LSTM", names, ["y"])
    data = graph.bytes(["i0"], ["y"])
    result = align(data, AlignOptions(verify=False, policies={"rnn": "first"}))
    (warning,) = [text for text in result.report.warnings if text.startswith("policy rnn first")]
    assert "UNIDIRECTIONAL_SEQUENCE_LSTM" in warning
    assert "keep their parameters (rigid)" in warning
