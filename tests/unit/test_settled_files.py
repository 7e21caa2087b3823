"""Alignments of unusual files after which a second alignment changes nothing."""

from __future__ import annotations

import pytest

from tests.support.models import Graph, Quant, TensorSpec
from tflite_align import AlignError, AlignOptions, align, check
from tflite_align.format.reader import read
from tflite_align.record import replace
from tflite_align.rules.operator_rows import load_operators
from tflite_align.verify.object_api import pack, parse

PLAIN = AlignOptions(verify=False)


def settled(data: bytes) -> bytes:
    """The aligned file, after checking that a second run leaves it unchanged."""
    once = align(data, PLAIN).data
    assert align(once, PLAIN).data == once
    return bytes(once)


@pytest.mark.parametrize("outputs", [[], ["y"]])
@pytest.mark.parametrize("name", sorted(name for name in load_operators() if ":" not in name))
def test_an_operator_without_operands_is_a_finding_or_refused(
    name: str, outputs: list[str]
) -> None:
    graph = Graph()
    graph.activation("x", 0.05)
    graph.activation("y", 0.05)
    graph.add(name, [], outputs)
    data = graph.bytes(["x"], ["y"])
    try:
        check(data)
    except AlignError:
        return
    settled(data)


def ranged_without_scale() -> bytes:
    """A RESHAPE whose output has no scale, a minimum of 1e30 and an infinite maximum."""
    graph = Graph()
    graph.activation("x", 0.05)
    graph.conv("x", "c", 0.05)
    graph.tensors["y"] = TensorSpec(
        name="y", type="int8", shape=(1, 48), quant=Quant(scale=(), zero_point=())
    )
    graph.add("RESHAPE", ["c"], ["y"], ("ReshapeOptions", {"newShape": [1, 48]}))
    model = parse(graph.bytes(["x"], ["y"]))
    (quant,) = [t.quantization for t in model.subgraphs[0].tensors if t.name == b"y"]
    quant.min, quant.max = [1e30], [float("inf")]
    return pack(model)


def test_a_range_without_a_scale_is_removed() -> None:
    (graph,) = read(settled(ranged_without_scale())).subgraphs
    (quant,) = [tensor.quant for tensor in graph.tensors if tensor.name == "y"]
    assert quant is not None
    assert quant.minimum == ()


def test_no_inserted_quantize_overflows() -> None:
    """A QUANTIZE whose scales differ by more than 2^16 in int16 overflows; inserting such a one
    would be a new finding.
    """
    graph = Graph("int16")
    graph.activation("x", 0.5)
    graph.activation("tiny", 1e-44)
    graph.add("QUANTIZE", ["x"], ["tiny"])
    graph.conv("tiny", "y", 0.1)
    settled(graph.bytes(["x"], ["y"]))


def test_a_type_repair_sets_missing_parameters_in_the_same_run() -> None:
    """NEG from int8 without parameters to int16: the output's type is repaired, and the input's
    parameters, which follow from it, in the same run.
    """
    graph = Graph()
    graph.tensors["x"] = TensorSpec(name="x", type="int8", shape=(4, 4))
    graph.activation("y", 2**-15, 0, (4, 4))
    graph.tensors["y"] = replace(graph.tensors["y"], type="int16")
    graph.add("NEG", ["x"], ["y"])
    settled(graph.bytes(["x"], ["y"]))


def test_an_activation_with_several_scales_of_which_one_is_zero_is_a_finding() -> None:
    graph = Graph()
    graph.activation("x", 0.05)
    graph.activation("y", 0.05)
    several = Quant(scale=(0.1, 0.0, 0.1), zero_point=(0, 0, 0), axis=3)
    graph.tensors["y"] = replace(graph.tensors["y"], quant=several)
    graph.add("RELU", ["x"], ["y"])
    data = graph.bytes(["x"], ["y"])
    assert "params/scale" in {finding.rule for finding in check(data).findings}
    settled(data)
