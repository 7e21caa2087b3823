"""Chains of QUANTIZE operators, also through a DEQUANTIZE."""

from __future__ import annotations

import pytest

from tests.support.models import Graph, TensorSpec
from tests.support.object_api import load, pack
from tests.support.results import names, reads
from tflite_align import AlignOptions, align
from tflite_align.numerics import Label

PLAIN = AlignOptions(verify=False)
OPTIMIZE = AlignOptions(verify=False, optimize=True)


def through_floats(second: Label, outputs: list[str], *, type_name: str = "int8") -> bytes:
    """A graph: x -> CONV_2D c -> DEQUANTIZE f -> QUANTIZE q -> CONV_2D y. `second`: the label of q."""
    graph = Graph(type_name)
    graph.activation("x", 0.05)
    graph.conv("x", "c", 0.1)
    graph.tensors["f"] = TensorSpec(name="f", type="float32", shape=graph.tensors["c"].shape)
    graph.add("DEQUANTIZE", ["c"], ["f"])
    graph.activation("q", *second)
    graph.add("QUANTIZE", ["f"], ["q"])
    graph.conv("q", "y", 0.3)
    return graph.bytes(["x"], outputs)


@pytest.mark.parametrize("type_name", ["int8", "int16"])
def test_dequantize_and_quantize_with_equal_parameters_are_removed(type_name: str) -> None:
    data = through_floats(Label(0.1, 0), ["y"], type_name=type_name)
    result = align(data, OPTIMIZE)
    assert names(result) == ["CONV_2D", "CONV_2D"]
    assert reads(result, 1)[0] == "c"
    assert len(result.data) == len(data)
    assert align(data, PLAIN).data == data


def test_a_dequantize_at_a_graph_output_stays() -> None:
    result = align(through_floats(Label(0.1, 0), ["y", "f"]), OPTIMIZE)
    assert names(result) == ["CONV_2D", "DEQUANTIZE", "CONV_2D"]
    assert reads(result, 2)[0] == "c"


def test_dequantize_and_quantize_become_one_quantize() -> None:
    data = through_floats(Label(0.17, 3), ["q"])
    result = align(data, OPTIMIZE)
    assert names(result) == ["CONV_2D", "QUANTIZE", "CONV_2D"]
    assert reads(result, 1) == ["c"]
    (change,) = result.report.changes
    assert (change.kind, change.before, change.after) == ("composed", "(0.1, 0)", "(0.17, 3)")
    assert "DEQUANTIZE" in change.why
    assert align(result.data, OPTIMIZE).data == result.data


def test_a_pair_with_an_int16_zero_point_stays_a_pair() -> None:
    """No runtime has an int16 QUANTIZE with a zero point other than 0, so DEQUANTIZE and QUANTIZE
    are not folded into one.
    """
    data = through_floats(Label(0.17, 3), ["q"], type_name="int16")
    assert align(data, OPTIMIZE).data == data


# --- chains ---------------------------------------------------------------------------------------


def test_a_chain_of_identity_quantizes_is_removed_in_place() -> None:
    """Three QUANTIZE with equal parameters in a row. The first tensor's shape_signature has an open
    batch, the others have none; all three are removed in place.
    """
    graph = Graph()
    graph.activation("x", 0.05)
    graph.conv("x", "c", 0.1)
    for source, name in (("c", "q1"), ("q1", "q2"), ("q2", "q3")):
        graph.activation(name, 0.1)
        graph.add("QUANTIZE", [source], [name])
    graph.conv("q3", "y", 0.3)
    made = load(graph.bytes(["x"], ["y"]))
    source = next(one for one in made.subgraphs[0].tensors if one.name == b"c")
    source.shapeSignature = [-1, *source.shape[1:]]
    data = pack(made)
    result = align(data, OPTIMIZE)
    assert names(result) == ["CONV_2D", "CONV_2D"]
    assert len(result.data) == len(data)
    assert align(result.data, OPTIMIZE).data == result.data


def test_signatures_that_disagree_are_no_identity() -> None:
    graph = Graph()
    graph.activation("x", 0.05)
    graph.conv("x", "c", 0.1)
    graph.activation("q", 0.1)
    graph.add("QUANTIZE", ["c"], ["q"])
    graph.conv("q", "y", 0.3)
    made = load(graph.bytes(["x"], ["y"]))
    for name, signature in ((b"c", [-1, 4, 4, 3]), (b"q", [1, -1, 4, 3])):
        tensor = next(one for one in made.subgraphs[0].tensors if one.name == name)
        tensor.shapeSignature = signature
    data = pack(made)
    assert align(data, OPTIMIZE).data == data
