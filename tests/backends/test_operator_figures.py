"""Figures of a verification for plots: SQNR by operator, histograms, errors, top-1 agreement."""

from __future__ import annotations

import numpy as np
import pytest

from tests.conftest import DATA
from tests.support.models import Graph, OperatorSpec, concat_example
from tflite_align import AlignResult, align, check
from tflite_align.format.reader import read
from tflite_align.verdicts import Verification


def verified(result: AlignResult) -> Verification:
    assert result.report.verification is not None
    return result.report.verification


@pytest.fixture(scope="module")
def drawn() -> AlignResult:
    return align(DATA / "unet_onnx2tf.tflite", view=True)


def test_every_operator_compared_has_its_figures(drawn: AlignResult) -> None:
    steps = verified(drawn).steps
    assert steps is not None
    graph = read(drawn.data).subgraphs[0]
    for one in steps.operators:
        operator = graph.operators[one.operator]
        assert one.address == f"subgraph[0]/operator[{one.operator}] {operator.name}"
        assert one.tensor in operator.outputs
        assert one.name == graph.tensors[one.tensor].name
        assert one.lsb <= one.largest_lsb
        assert one.sqnr_db is None or one.sqnr_db > 30


def test_a_view_compares_all_operators_and_judges_the_changed_ones(drawn: AlignResult) -> None:
    steps, plain = verified(drawn).steps, verified(align(DATA / "unet_onnx2tf.tflite")).steps
    assert steps is not None
    assert plain is not None
    assert (steps.checked, steps.beyond, steps.not_judged) == (
        plain.checked,
        plain.beyond,
        plain.not_judged,
    )
    assert {one.operator for one in plain.operators} < {one.operator for one in steps.operators}
    assert len({one.operator for one in plain.operators}) == plain.checked
    assert len(steps.operators) == len(read(drawn.data).subgraphs[0].operators)


def test_copies_between_scales_show_in_the_original(drawn: AlignResult) -> None:
    steps = verified(drawn).steps
    assert steps is not None
    resized = [one for one in steps.operators if "RESIZE" in one.address]
    assert len(resized) == 3
    assert all(one.original_sqnr_db is not None for one in resized)
    assert max(one.original_sqnr_db or 0.0 for one in resized) < 20


def test_the_original_is_compared_for_a_view_alone() -> None:
    steps = verified(align(DATA / "unet_onnx2tf.tflite")).steps
    assert steps is not None
    assert {one.original_sqnr_db for one in steps.operators} == {None}
    assert {one.arrives for one in steps.operators} == {None}


def test_moved_tensors_have_histograms(drawn: AlignResult) -> None:
    moved = {(c.subgraph, c.name) for c in drawn.report.changes if c.kind in ("moved", "snapped")}
    steps = verified(drawn).steps
    assert steps is not None
    measured = [one for one in steps.operators if one.arrives is not None]
    assert {(one.subgraph, one.name) for one in measured} <= moved
    assert measured
    for one in measured:
        assert one.original_arrives is not None
        assert sum(one.original_arrives.counts) > 0
        assert (one.arrives.low, one.arrives.high) != (  # type: ignore[union-attr]
            one.original_arrives.low,
            one.original_arrives.high,
        )


def test_the_clipped_share_is_that_of_the_values_beyond_the_range() -> None:
    """A wider range has a smaller share of clipped values."""
    found = align(concat_example(first=0.002, second=0.2, out=0.2), io="free", view=True)
    steps = verified(found).steps
    assert steps is not None
    (one,) = [one for one in steps.operators if one.name == "c1"]
    assert one.arrives is not None
    assert one.original_arrives is not None
    assert one.original_arrives.clipped > 0.1
    assert one.arrives.clipped < one.original_arrives.clipped / 2


def test_outputs_have_their_largest_error(drawn: AlignResult) -> None:
    (score,) = verified(drawn).outputs
    graph = read(drawn.data).subgraphs[0]
    label = graph.tensors[graph.outputs[0]].label
    assert label is not None
    assert score.largest_aligned is not None
    assert score.largest_original is not None
    assert 0 < score.largest_aligned < 200 * label.scale
    assert score.top1_aligned is None  # an image as output: no classes
    assert all(run.largest is not None for run in score.runs)


def test_classifiers_have_their_top1_agreement() -> None:
    graph = Graph()
    graph.activation("x", 0.1, shape=(1, 8))
    weights = np.random.default_rng(0).integers(-100, 100, (5, 8)).astype(np.int8)
    graph.constant("w", weights, "int8", 0.01)
    graph.constant("b", np.zeros(5, np.int32), "int32", 0.1 * 0.01)
    graph.activation("y", 0.2, shape=(1, 5))
    graph.add("FULLY_CONNECTED", ["x", "w", "b"], ["y"], ("FullyConnectedOptions", {}))
    report = check(graph.bytes(["x"], ["y"]), run=True)
    assert report.verification is not None
    (score,) = report.verification.outputs
    assert score.top1_aligned is not None
    assert 0.9 <= score.top1_aligned <= 1.0
    assert all(run.top1 is not None for run in score.runs)


def test_operators_are_numbered_as_in_the_file() -> None:
    """Also if an operator cannot be run here, and those that depend on it cannot either."""
    graph = Graph()
    graph.activation("x", 0.1)
    graph.activation("odd", 0.1)
    odd = OperatorSpec(name="CUSTOM", inputs=["x"], outputs=["odd"], custom_code="Odd")
    graph.operators.append(odd)
    graph.conv("x", "c1", 0.05)
    graph.conv("x", "c2", 0.1)
    graph.activation("cat", 0.1, shape=(1, 4, 4, 6))
    graph.add("CONCATENATION", ["c1", "c2"], ["cat"], ("ConcatenationOptions", {"axis": 3}))
    found = align(graph.bytes(["x"], ["odd", "cat"]), view=True)
    steps = verified(found).steps
    assert steps is not None
    names = [one.name for one in read(found.data).subgraphs[0].operators]
    assert [one.address.split()[-1] for one in steps.operators] == [
        names[one.operator] for one in steps.operators
    ]
    assert steps.operators
