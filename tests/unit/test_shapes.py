"""Shapes that do not follow from an operator's operands: found, with a severity for each target,
and rewritten in place.
"""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.edited_models import PLAIN, edited, named
from tests.support.models import CONV, Graph, TensorSpec
from tests.support.stale_models import dilated
from tflite_align import align, check
from tflite_align.checks.shapes.inference import inferred
from tflite_align.errors import UsageError
from tflite_align.format.reader import read
from tflite_align.format.writer.edits import AddTensor, SetShape
from tflite_align.format.writer.splice import splice
from tflite_align.record import replace
from tflite_align.rules.targets import target_names

TRUSTING = ("tflm", "ethos-u55", "ethos-u65", "ethos-u85")


def shapes_of(data: bytes) -> dict[str, tuple[int, ...]]:
    return {tensor.name: tensor.shape for tensor in read(data).subgraphs[0].tensors}


def found(data: bytes, target: str) -> list[tuple[str, str]]:
    report = check(data, replace(PLAIN, targets=(target,)))
    return [(one.rule, one.severity) for one in report.findings if one.rule.startswith("shape/")]


@pytest.mark.parametrize("target", [name for name in target_names() if name != "ppq"])
def test_a_wrong_shape_is_an_error_on_targets_that_do_not_recompute_it(target: str) -> None:
    severity = "error" if target in TRUSTING else "warning"
    assert found(dilated(), target) == [("shape/SPACE_TO_BATCH_ND", severity)]


def test_consequences_of_a_stale_shape_are_notes() -> None:
    finding = check(dilated(), PLAIN).findings[0]
    sentence = "found shape [1, 2, 4, 3], expected shape [2, 2, 4, 3] (rule shape/CONV_2D)"
    assert len(finding.notes) == 1
    assert finding.notes[0].endswith(sentence)


def test_the_words_name_both_shapes() -> None:
    finding = check(dilated(), PLAIN).findings[0]
    sentence = (
        "found shape [1, 2, 4, 3], expected shape [2, 2, 4, 3] (rule shape/SPACE_TO_BATCH_ND)"
    )
    assert finding.message.endswith(sentence)
    assert finding.fix == "shapes"


def test_shapes_are_rewritten_and_nothing_else() -> None:
    data = dilated()
    result = align(data, PLAIN)
    assert result.report.remaining == ()
    assert [change.kind for change in result.report.changes] == ["shape", "shape"]
    assert shapes_of(result.data) == {**shapes_of(data), "s": (2, 2, 4, 3), "c": (2, 2, 4, 3)}
    pairs = zip(data, result.data, strict=True)
    assert [(a, b) for a, b in pairs if a != b] == [(1, 2), (1, 2)]
    assert align(result.data, PLAIN).data == result.data


def test_sizes_that_are_open_stay_open() -> None:
    data = align(dilated(signature=True), PLAIN).data
    _, tensor = named(data, "c")
    assert (tensor.shape, tensor.shape_signature) == ((2, 2, 4, 3), (-1, 2, 4, 3))


def test_with_the_repair_off_the_shape_stays() -> None:
    options = replace(PLAIN, no_fix=("shapes",))
    result = align(dilated(), options)
    assert result.data == dilated()
    assert [one.rule for one in result.report.remaining] == ["shape/SPACE_TO_BATCH_ND"]


def chained(*, stated: tuple[int, ...] = (1, 4, 12)) -> bytes:
    """A RESHAPE whose sizes are computed by SHAPE, STRIDED_SLICE and CONCATENATION. `stated`: its
    output's shape in the file.
    """
    graph = Graph()
    graph.activation("x", 0.05)
    graph.activation("y", 0.05, shape=stated)
    for name, values in (("zero", 0), ("two", 2), ("one", 1)):
        graph.constant(name, np.array([values]), "int32")
    graph.constant("open", np.array([-1]), "int32")
    for name, shape in (("sizes", (4,)), ("first", (2,)), ("all", (3,))):
        graph.tensors[name] = TensorSpec(name=name, type="int32", shape=shape)
    graph.add("SHAPE", ["x"], ["sizes"], ("ShapeOptions", {"outType": 2}))
    graph.add("STRIDED_SLICE", ["sizes", "zero", "two", "one"], ["first"])
    graph.add("CONCATENATION", ["first", "open"], ["all"], ("ConcatenationOptions", {"axis": 0}))
    graph.add("RESHAPE", ["x", "all"], ["y"])
    return graph.bytes(["x"], ["y"])


def test_computed_sizes_are_followed() -> None:
    assert found(chained(), "tflm") == []
    assert found(chained(stated=(1, 1, 12)), "tflm") == [("shape/RESHAPE", "error")]


def test_a_shape_of_another_rank_is_rewritten() -> None:
    data = chained(stated=(1, 4, 4, 3))
    result = align(data, PLAIN)
    assert result.report.remaining == ()
    assert shapes_of(result.data) == {**shapes_of(data), "y": (1, 4, 12)}


def test_a_tensor_without_a_shape_is_not_judged() -> None:
    assert found(chained(stated=()), "tflm") == []


def test_a_quantize_behind_a_rewritten_tensor_has_the_new_shape() -> None:
    graph = Graph()
    graph.activation("x", 0.05)
    for name, scale in (("a", 0.1), ("b", 0.02)):
        graph.conv("x", name, scale)
        graph.tensors[name] = replace(graph.tensors[name], shape=(1, 1, 4, 3))
    graph.activation("y", 0.1, shape=(1, 4, 4, 6))
    graph.add("CONCATENATION", ["a", "b"], ["y"], ("ConcatenationOptions", {"axis": 3}))
    result = align(graph.bytes(["x"], ["a", "b", "y"]), PLAIN)
    assert result.report.remaining == ()
    added = [t for t in read(result.data).subgraphs[0].tensors if t.name.startswith(("a_", "b_"))]
    assert [tensor.shape for tensor in added] == [(1, 4, 4, 3)] * len(added)
    assert added


# --- unknown shapes ------------------------------------------------------------------------------


def test_shapes_in_called_subgraphs_are_unknown() -> None:
    model = read(dilated())
    other = replace(model.subgraphs[0], index=1)
    both = replace(model, subgraphs=(model.subgraphs[0], other))
    assert inferred(both, 1).shapes == {}
    assert inferred(both, 0).shapes != {}


def test_shapes_after_an_unknown_operator_are_unknown() -> None:
    graph = Graph()
    graph.activation("x", 0.05)
    graph.activation("u", 0.05)
    graph.add("CUSTOM", ["x"], ["u"])
    graph.conv("u", "c", 0.1)
    graph.tensors["c"] = replace(graph.tensors["c"], shape=(1, 9, 9, 3))
    assert inferred(read(graph.bytes(["x"], ["c"])), 0).shapes == {}


def test_an_impossible_window_gives_no_shape() -> None:
    graph = Graph()
    graph.activation("x", 0.05)
    graph.conv("x", "c", 0.1)
    graph.operators[-1] = replace(graph.operators[-1], options=(CONV[0], {"strideH": 0}))
    assert inferred(read(graph.bytes(["x"], ["c"])), 0).shapes == {}


# --- the writer ----------------------------------------------------------------------------------


def test_a_shape_of_as_many_sizes_is_written_in_place() -> None:
    data = dilated()
    model, tensor = named(data, "c")
    out = splice(data, model, [SetShape(subgraph=0, tensor=tensor.index, shape=(7, 2, 4, 3))])
    joined = out.join()
    assert len(joined) == len(data)
    assert shapes_of(joined) == {**shapes_of(data), "c": (7, 2, 4, 3)}


def test_a_shape_of_another_rank_rebuilds_the_tensor() -> None:
    data = dilated(signature=True)
    _, tensor = named(data, "c")
    place = {"subgraph": 0, "tensor": tensor.index}
    out = edited(data, SetShape(**place, shape=(7, 2), signature=(-1, 2)))
    _, made = named(out, "c")
    assert (made.shape, made.shape_signature) == ((7, 2), (-1, 2))
    assert replace(made, shape=tensor.shape, shape_signature=tensor.shape_signature) == tensor


def test_shapes_that_cannot_be_set_are_refused() -> None:
    data = dilated()
    for name, fields, words in (
        ("blocks", {"shape": (1, 2)}, "its data has another shape"),
        ("c", {"shape": (1,), "signature": (1,)}, "neither added nor taken away"),
    ):
        _, tensor = named(data, name)
        with pytest.raises(UsageError, match=words):
            edited(data, SetShape(subgraph=0, tensor=tensor.index, **fields))


def test_a_new_tensor_may_have_open_sizes() -> None:
    data = dilated()
    model, tensor = named(data, "c")
    new = AddTensor(
        subgraph=0,
        index=len(model.subgraphs[0].tensors),
        like=tensor.index,
        name="n",
        type="int8",
        quant=None,
        shape=(1, 2),
        signature=(-1, 2),
    )
    _, made = named(edited(data, new), "n")
    assert (made.shape, made.shape_signature) == ((1, 2), (-1, 2))


def test_a_computed_extent_beyond_32_bits_is_an_error() -> None:
    """SPACE_TO_DEPTH of 2^30 channels by blocks of 2 gives 2^32 channels, more than the file's
    32-bit integers can state.
    """
    graph = Graph()
    graph.activation("x", 0.1, shape=(1, 4, 6, 1 << 30))
    graph.activation("y", 0.1, shape=(1, 2, 3, 8))
    graph.add("SPACE_TO_DEPTH", ["x"], ["y"], ("SpaceToDepthOptions", {"blockSize": 2}))
    data = graph.bytes(["x"], ["y"])
    assert found(data, "tflite") == [("shape/SPACE_TO_DEPTH/operands", "error")]
    result = align(data, PLAIN)
    assert result.data == data
    (finding,) = result.report.remaining
    assert "expected extents below 2147483648" in finding.message
    assert "[1, 2, 3, 4294967296]" in finding.message
