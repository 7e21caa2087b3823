"""A second alignment changes nothing, even with absurd parameters: what cannot be repaired
completely is left unchanged, with an error and a reason.
"""

from __future__ import annotations

import math

import numpy as np
import pytest

from tests.support.edited_models import PLAIN, chain, edited, named, requantized
from tests.support.grown_graphs import grown
from tests.support.models import POOL, Graph, Quant
from tests.support.structured_damage import strained
from tflite_align import AlignOptions, AlignResult, align, check
from tflite_align.format.reader import read
from tflite_align.format.writer.edits import SetData
from tflite_align.record import replace


def settled(data: bytes, options: AlignOptions = PLAIN) -> AlignResult:
    """The result of an alignment, after checking that a second one changes nothing and that `check`
    of the result finds just what the report lists as remaining.
    """
    result = align(data, options)
    assert align(result.data, options).data == result.data
    assert check(result.data, options).findings == result.report.remaining
    return result


@pytest.mark.parametrize("scale", [1e9, 1e30])
def test_weights_are_not_made_coarser_than_the_output_for_a_bias(scale: float) -> None:
    """One channel's bias has so large a scale that it fits only if the weights' scale grows until
    the accumulator's step exceeds the output's. The bias is taken for an error; nothing is
    repaired.
    """
    data = chain()
    _, bias = named(data, "c.b")
    given = bias.quant.scale[0]
    data = requantized(data, "c.b", scale=(given, scale, given), zero_point=(0, 0, 0))
    result = settled(data)
    assert result.data == data
    (left,) = result.report.remaining
    assert (left.rule, left.severity) == ("bias/CONV_2D", "error")
    (conflict,) = result.report.conflicts
    assert "taken for an error" in conflict.message


def too_large_a_bias(*, weights: int = 1) -> bytes:
    """`weights` convolutions share one weights tensor, which has a zero point other than 0 (CONV_2D
    takes none). The last one's bias has a channel that overflows int32 once the weights' scale is
    changed for that.
    """
    graph = Graph()
    graph.activation("x", 0.05)
    for n in range(weights):
        graph.conv("x", f"c{n}", 0.1)
    shared = list(graph.operators)
    graph.operators = [replace(o, inputs=["x", "c0.w", o.inputs[2]]) for o in shared]
    graph.activation("y", 0.1)
    graph.add("MAX_POOL_2D", [f"c{weights - 1}"], ["y"], POOL)
    data = graph.bytes(["x"], [*(f"c{n}" for n in range(weights)), "y"])
    _, tensor = named(data, "c0.w")
    scales = tensor.quant.scale * 3
    data = requantized(data, "c0.w", scale=scales, zero_point=(0, 2, 0))
    bias = f"c{weights - 1}.b"
    own = named(data, bias)[1].quant.scale[0]
    large = np.array([1000, 2**30, -1000], np.int32).tobytes()
    data = edited(data, SetData(subgraph=0, tensor=named(data, bias)[1].index, data=large))
    return requantized(data, bias, scale=(own, own * 8, own), zero_point=(0, 0, 0))


@pytest.mark.parametrize("weights", [1, 2, 3])
def test_weights_are_re_expressed_and_make_room_for_a_bias_in_one_run(weights: int) -> None:
    data = too_large_a_bias(weights=weights)
    result = settled(data)
    assert result.report.remaining == ()
    assert result.report.conflicts == ()
    before, given = named(data, f"c{weights - 1}.b")
    after, found = named(result.data, f"c{weights - 1}.b")
    real = [
        np.frombuffer(model.constant(0, bias.index), np.int32) * np.asarray(bias.quant.scale)
        for model, bias in ((before, given), (after, found))
    ]
    assert real[1] == pytest.approx(real[0], rel=1e-6, abs=max(found.quant.scale))


def pooled(output: float) -> bytes:
    """An int16 graph: x -> CONV_2D c -> MAX_POOL_2D y. `output`: the scale of y; x and c have scale
    1e-4.
    """
    graph = Graph("int16")
    graph.activation("x", 1e-4)
    graph.conv("x", "c", 1e-4)
    graph.activation("y", output)
    graph.add("MAX_POOL_2D", ["c"], ["y"], POOL)
    return graph.bytes(["x"], ["y"])


def steps(data: bytes) -> list[float]:
    """Input scale over output scale of each QUANTIZE."""
    (graph,) = read(data).subgraphs
    ends = [(o.inputs[0], o.outputs[0]) for o in graph.operators if o.name == "QUANTIZE"]
    scales = [t.quant.scale[0] if t.quant and t.quant.scale else 0.0 for t in graph.tensors]
    return [scales[source] / scales[result] for source, result in ends]


def test_two_quantizes_are_inserted_where_one_would_overflow() -> None:
    result = settled(pooled(1e-11))
    assert result.report.remaining == ()
    ratios = steps(result.data)
    assert len(ratios) == [change.kind for change in result.report.changes].count("cut") == 2
    assert max(ratios) < 65536 < math.prod(ratios)
    assert settled(result.data, replace(PLAIN, optimize=True)).data == result.data


@pytest.mark.parametrize("type_name", ["int8", "uint8"])
def test_8_bit_values_are_requantized_in_two_steps_where_one_would_overflow(type_name: str) -> None:
    """The ratio of scales is 1e9. A kernel's int32 holds 255 steps of the input only up to a ratio
    of 8421504, so two QUANTIZE operators in a row are inserted.
    """
    zero = 128 if type_name == "uint8" else 0
    graph = Graph(type_name)
    graph.activation("x", 1.0, zero)
    graph.activation("y", 1e-9, zero)
    graph.add("QUANTIZE", ["x"], ["y"])
    (found,) = check(graph.bytes(["x"], ["y"]), PLAIN).findings
    assert (found.rule, found.severity) == ("window/QUANTIZE/wrap8", "error")
    graph = Graph(type_name)
    graph.activation("x", 1.0, zero)
    graph.activation("y", 1e-9, zero)
    graph.add("MAX_POOL_2D", ["x"], ["y"], POOL)
    result = settled(graph.bytes(["x"], ["y"]))
    assert result.report.remaining == ()
    ratios = steps(result.data)
    assert len(ratios) == 2
    assert max(ratios) < 2**23 < math.prod(ratios)


def test_a_ratio_too_large_for_two_quantizes_is_not_repaired() -> None:
    data = pooled(1e-16)
    result = settled(data)
    assert result.data == data
    assert [finding.rule for finding in result.report.remaining] == ["same/MAX_POOL_2D"]
    (conflict,) = result.report.conflicts
    assert "QUANTIZE support" in conflict.message


def test_an_output_scale_does_not_grow_beyond_its_range() -> None:
    """A CONV_2D's output scale is too small for its accumulator. A scale that fits would be larger
    than all of the declared range, so the file stays as it is, with an error.
    """
    data = requantized(pooled(1e-4), "c", scale=(1e-18,))
    data = requantized(data, "y", scale=(1e-18,))
    result = settled(data)
    assert result.data == data
    (left,) = result.report.remaining
    assert (left.rule, left.severity) == ("window/CONV_2D/wrap", "error")
    assert any("all values within its range" in one.message for one in result.report.conflicts)


def test_an_unrepairable_multiplier_prevents_no_other_repair() -> None:
    """A MAX_POOL_2D declares a scale of 1e30, so that the next convolution's multiplier is out of
    range until the pool is repaired. The repairs of other operators are made all the same.
    """
    graph = Graph()
    graph.activation("x", 0.05)
    graph.conv("x", "c", 0.1)
    graph.activation("p", 1e30)
    graph.add("MAX_POOL_2D", ["c"], ["p"], POOL)
    graph.conv("p", "d", 0.1)
    graph.conv("x", "e", 0.07)
    graph.activation("r", 0.1)
    graph.add("RESIZE_NEAREST_NEIGHBOR", ["e", graph.constant("s", [4, 4], "int32")], ["r"])
    graph.activation("y", 0.1, shape=(1, 4, 4, 6))
    graph.add("CONCATENATION", ["d", "r"], ["y"], ("ConcatenationOptions", {"axis": 3}))
    result = settled(graph.bytes(["x"], ["y"]))
    rules = {finding.rule for finding in result.report.remaining}
    assert not rules & {"same/RESIZE_NEAREST_NEIGHBOR", "same/MAX_POOL_2D"}


def test_a_constant_without_parameters_keeps_its_type() -> None:
    """A MAXIMUM has an int8 operand and an int32 constant without scale. Changing the constant's
    type would give its integers another meaning, so that the finding remains.
    """
    graph = Graph()
    graph.activation("x", 0.05)
    graph.constant("k", np.ones((1, 4, 4, 3)), "int32")
    graph.activation("y", 0.05)
    graph.add("MAXIMUM", ["x", "k"], ["y"])
    data = graph.bytes(["x"], ["y"])
    result = settled(data)
    assert result.data == data
    assert [finding.rule for finding in result.report.remaining] == ["types/MAXIMUM"]


def test_an_impossible_zero_point_is_not_carried_into_another_type() -> None:
    graph = Graph()
    graph.activation("x", 0.05, 128)
    graph.type = "uint8"
    graph.activation("a", 0.05, 128)
    graph.activation("y", 0.05, 128, (1, 4, 4, 6))
    graph.add("CONCATENATION", ["x", "a"], ["y"], ("ConcatenationOptions", {"axis": 3}))
    data = graph.bytes(["x", "a"], ["y"])
    result = settled(data)
    assert result.data == data
    rules = {finding.rule for finding in result.report.remaining}
    assert rules >= {"types/CONCATENATION", "params/zero_point"}


@pytest.mark.parametrize("operator", ["CONCATENATION", "PACK", "ADD", "MAXIMUM"])
def test_an_operator_without_operands_raises_no_internal_error(operator: str) -> None:
    graph = Graph()
    graph.activation("x", 0.05)
    graph.activation("y", 0.05)
    graph.add(operator, [], ["y"])
    assert settled(graph.bytes(["x"], ["y"])).report.exit_status in (0, 1)


@pytest.mark.parametrize(("operators", "seed"), [(2, 188), (4, 72), (4, 81)])
def test_a_multiplier_put_out_of_range_is_repaired_in_the_same_run(
    operators: int, seed: int
) -> None:
    """In these random graphs one repair puts another operator's multiplier out of range. That too
    is repaired in the first run, so that a second one changes nothing.
    """
    result = settled(strained(grown(seed, operators=operators).data, seed))
    tensors = read(result.data).subgraphs[0].tensors
    assert all(tensors[one.tensor].name == one.name for one in result.report.changes)
    assert [one.index for one in result.report.components] == list(
        range(len(result.report.components))
    )
    assert not [one for one in result.report.remaining if one.rule.startswith("window/")]


def test_a_conflict_of_a_later_round_names_the_slot_in_the_written_file() -> None:
    result = settled(strained(grown(10, operators=6).data, 10))
    (conflict,), (address,) = result.report.conflicts, result.report.conflict_addresses
    assert conflict.slots[0].address(read(result.data)) == address


def test_the_warning_about_few_steps_counts_values_that_can_be_written() -> None:
    """The range of a RELU's output includes negative values, which RELU cannot write. The warning
    about few steps counts only the values that it can write, also if the RELU is not edited.
    """
    graph = Graph()
    graph.activation("x", 3e-4, -26)
    graph.activation("r", 3e-4, -26)
    graph.add("RELU", ["x"], ["r"])
    graph.activation("b", 0.01)
    graph.activation("y", 0.01, shape=(1, 4, 4, 6))
    graph.add("CONCATENATION", ["r", "b"], ["y"], ("ConcatenationOptions", {"axis": 3}))
    result = settled(graph.bytes(["x", "b"], ["r", "y"]))
    (left,) = result.report.remaining
    assert left.rule == "params/steps"
    assert "values in 0.." in left.message


def test_an_operator_without_an_output_has_no_window() -> None:
    graph = Graph()
    graph.activation("x", 0.05)
    graph.conv("x", "c", 0.1)
    graph.operators = [replace(one, outputs=[]) for one in graph.operators]
    assert settled(graph.bytes(["x"], ["x"])).report.exit_status in (0, 1)


def test_weights_without_the_axis_of_their_kernel_are_not_re_expressed() -> None:
    """DEPTHWISE_CONV_2D has one scale for each index along axis 3; these weights have only two
    dimensions.
    """
    graph = Graph()
    graph.activation("x", 0.05)
    graph.constant("w", np.full((4, 8), 3), "int8", 0.02)
    graph.tensors["w"] = replace(graph.tensors["w"], quant=Quant(scale=(0.02,), zero_point=(1,)))
    graph.constant("b", np.ones(8), "int32", 0.001)
    graph.activation("y", 0.1)
    options = {"strideH": 1, "strideW": 1, "depthMultiplier": 1}
    graph.add("DEPTHWISE_CONV_2D", ["x", "w", "b"], ["y"], ("DepthwiseConv2DOptions", options))
    result = settled(graph.bytes(["x"], ["y"]))
    assert all(change.kind != "constant" for change in result.report.changes)
