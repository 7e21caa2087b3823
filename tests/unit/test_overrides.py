"""Overrides of single tensors and slots take effect; contradictory ones are reported."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.support.models import POOL, Graph, concat_example
from tflite_align import AlignOptions, Override, align, check
from tflite_align.errors import UsageError
from tflite_align.format.model import Model, TensorId
from tflite_align.format.reader import read
from tflite_align.numerics import Label
from tflite_align.pipeline.aligning import question
from tflite_align.report.explanation_text import explanation_lines
from tflite_align.report.report import Report
from tflite_align.solver.explain import explain

CONCAT = "subgraph[0]/operator[2] CONCATENATION"


def aligned(data: bytes, *overrides: Override, **options: Any) -> tuple[Model, Report]:
    result = align(data, AlignOptions(verify=False, overrides=overrides, **options))
    return read(result.data), result.report


def labels(model: Model) -> dict[str, Label]:
    return {
        tensor.name: tensor.quant.label
        for tensor in model.subgraphs[0].tensors
        if tensor.quant is not None and tensor.quant.scale
    }


def f32(value: float) -> float:
    return float(np.float32(value))


# --- an override by itself ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"keep": True}, "no tensor, operator or slot is given; give at least one of them"),
        ({"tensor": "x"}, "nothing to do is given; give keep, anchor, cut, policy or severity"),
        (
            {"tensor": "x", "keep": True, "rule": "same/*"},
            "rule selects the findings whose severity changes; give severity too",
        ),
        (
            {"slot": "operator[1]", "keep": True},
            (
                "slot: 'operator[1]' is not an address; write it as in reports:"
                " subgraph[0]/operator[12] CONCATENATION/inputs[1]"
            ),
        ),
    ],
)
def test_an_empty_override_is_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError) as refusal:
        Override(**given)
    assert str(refusal.value) == message


def test_an_override_names_its_origin_and_place() -> None:
    one = Override(tensor="x*", operator="ADD", keep=True, origin="override 2")
    assert str(one) == 'override 2 (tensor "x*", operator "ADD")'


# --- keep ---------------------------------------------------------------------------------------


def test_a_kept_tensor_stays_and_others_move_or_get_a_quantize() -> None:
    data = concat_example(0.1, 0.04, 0.1)
    moved, _ = aligned(data)
    assert labels(moved)["c2"] != (f32(0.04), 0)
    kept, report = aligned(data, Override(tensor="c2", keep=True))
    assert labels(kept)["c2"] == (f32(0.04), 0)
    assert report.remaining == ()
    assert report.exit_status == 0


@pytest.mark.parametrize(
    "place",
    [
        {"tensor": "c?"},
        {"operator": "CONV_*"},
        {"slot": "subgraph[0]/operator[1]"},
        {"slot": "subgraph[0]/operator[1] CONV_2D/outputs[0]"},
        {"slot": f"{CONCAT}/inputs[1]", "tensor": "c2"},
    ],
)
def test_places_are_named_in_several_ways(place: dict[str, Any]) -> None:
    model, report = aligned(concat_example(), Override(keep=True, **place))
    assert labels(model)["c2"] == (f32(0.04), 0)
    assert report.warnings == ()


def test_a_groups_parameters_follow_a_kept_output() -> None:
    model, report = aligned(concat_example(0.1, 0.04, 0.07), Override(tensor="cat", keep=True))
    assert report.remaining == ()
    assert labels(model)["cat"] == (f32(0.07), 0)


def test_a_kept_constant_is_not_re_expressed() -> None:
    graph = Graph()
    graph.activation("x", 0.05)
    graph.conv("x", "c", 0.1)
    graph.constant("k", np.full((1, 4, 4, 3), 7), "int8", 0.02)
    graph.activation("cat", 0.1, shape=(1, 4, 4, 6))
    graph.add("CONCATENATION", ["c", "k"], ["cat"], ("ConcatenationOptions", {"axis": 3}))
    graph.conv("x", "y", 0.2)
    data = graph.bytes(["x"], ["cat", "y"])
    free, _ = aligned(data)
    assert labels(free)["k"] == (f32(0.1), 0)
    model, report = aligned(data, Override(tensor="k", keep=True))
    assert labels(model)["k"] == (f32(0.02), 0)
    assert report.remaining == ()


def test_a_kept_bias_is_not_repaired_and_the_report_names_the_override() -> None:
    graph = Graph()
    graph.activation("x", 0.05)
    graph.conv("x", "y", 0.1)
    quant = graph.tensors["y.b"].quant
    assert quant is not None
    graph.constant("y.b", np.array([1, 2, 3]), "int32", 0.5)
    data = graph.bytes(["x"], ["y"])
    assert aligned(data)[1].exit_status == 0
    model, report = aligned(data, Override(tensor="*.b", keep=True, origin="override 1"))
    assert labels(model)["y.b"] == (0.5, 0)
    (conflict,) = report.conflicts
    assert conflict.message == (
        "override 1 (tensor \"*.b\") keeps 'y.b', which bias/CONV_2D asks to change"
    )
    assert report.reasons == ("1 error finding",)


# --- anchor -------------------------------------------------------------------------------------


def test_an_anchor_gives_its_group_its_parameters() -> None:
    data = concat_example(0.1, 0.04, 0.1)
    for name, scale in (("c1", 0.1), ("c2", 0.04), ("cat", 0.1)):
        model, report = aligned(data, Override(tensor=name, anchor=True))
        assert report.remaining == ()
        assert labels(model)["cat"] == (f32(scale), 0)


def test_an_anchor_can_be_named() -> None:
    data = concat_example(0.1, 0.04, 0.07)
    model, _ = aligned(data, Override(operator="CONCATENATION", anchor="c2"))
    assert labels(model)["cat"] == (f32(0.04), 0)


def test_an_anchor_of_other_parameters_changes_a_group_without_findings() -> None:
    data = concat_example(0.1, 0.1, 0.1)
    asked = Override(operator="CONCATENATION", anchor="x")
    model, report = aligned(data, asked)
    assert report.outcome == "aligned"
    assert labels(model)["cat"] == (f32(0.05), 0)
    again = align(align(data, AlignOptions(verify=False, overrides=(asked,))).data,
                  AlignOptions(verify=False, overrides=(asked,)))  # fmt: skip
    assert again.report.changes == ()


def test_an_anchor_of_several_meanings_is_refused() -> None:
    asked = Override(operator="CONCATENATION", anchor="c?", origin="override 3")
    with pytest.raises(UsageError) as refusal:
        aligned(concat_example(), asked)
    assert str(refusal.value) == (
        'override 3 (operator "CONCATENATION"): anchor "c?" names several tensors at'
        f" {CONCAT}/inputs[0]: 'c1', 'c2'"
    )


def test_two_anchors_of_one_group_contradict_each_other() -> None:
    data = concat_example(0.1, 0.04, 0.1)
    _, report = aligned(
        data,
        Override(tensor="c1", anchor=True, origin="override 1"),
        Override(tensor="c2", anchor=True, origin="override 2"),
    )
    (conflict,) = report.conflicts
    assert conflict.rules == ("override/anchor", "same/CONCATENATION")
    assert conflict.message == (
        "these rules and settings require different parameters for one group; not aligned:"
        f" same/CONCATENATION ties {CONCAT}/inputs[0], inputs[1], outputs[0];"
        f' override 1 (tensor "c1") gives (0.1, 0) to subgraph[0]/operator[0] CONV_2D/outputs[0],'
        f" {CONCAT}/inputs[0];"
        f' override 2 (tensor "c2") gives (0.04, 0) to subgraph[0]/operator[1] CONV_2D/outputs[0],'
        f" {CONCAT}/inputs[1]"
    )
    assert report.reasons == ("1 error finding", "1 conflict with overrides")


# --- never cut ----------------------------------------------------------------------------------


def shared_pool() -> bytes:
    """MAXIMUM with scale 0.5 of `fine` (0.01, read by a convolution too) and `coarse` (0.5)."""
    graph = Graph()
    graph.activation("x", 0.05)
    graph.conv("x", "fine", 0.01)
    graph.conv("x", "coarse", 0.5)
    graph.activation("max", 0.5)
    graph.add("MAXIMUM", ["fine", "coarse"], ["max"])
    graph.conv("fine", "y", 0.1)
    return graph.bytes(["x"], ["max", "y"])


@pytest.mark.parametrize("place", [{"tensor": "fine"}, {"operator": "MAXIMUM"}])
def test_no_quantize_is_inserted_where_none_may_be(place: dict[str, Any]) -> None:
    _, plain = aligned(shared_pool(), prefer="precision")
    assert plain.cuts >= 1
    assert any(change.name == "fine" for change in plain.changes if change.kind == "cut")
    model, report = aligned(shared_pool(), Override(cut=False, **place), prefer="precision")
    assert not any(change.name == "fine" for change in report.changes if change.kind == "cut")
    assert report.remaining == ()
    assert len(read(shared_pool()).subgraphs[0].operators) <= len(model.subgraphs[0].operators)


def test_no_cut_and_keep_can_contradict_each_other() -> None:
    data = concat_example(0.1, 0.04, 0.1)
    _, report = aligned(
        data,
        Override(tensor="c?", keep=True, origin="override 1"),
        Override(operator="CONCATENATION", cut=False, origin="override 2"),
    )
    (conflict,) = report.conflicts
    assert conflict.rules == ("override/cut", "override/keep", "same/CONCATENATION")
    message = conflict.message
    assert message.startswith(
        "no parameters that kernels and QUANTIZE support satisfy these rules and settings;"
        f" not aligned: same/CONCATENATION ties {CONCAT}/inputs[0], inputs[1], outputs[0];"
        f' override 2 (operator "CONCATENATION") forbids a QUANTIZE before {CONCAT}/inputs[0];'
    )
    assert message.endswith(
        ' subgraph[0]/operator[0] CONV_2D/outputs[0] keeps (0.1, 0) by override 1 (tensor "c?");'
        ' subgraph[0]/operator[1] CONV_2D/outputs[0] keeps (0.04, 0) by override 1 (tensor "c?")'
    )
    assert report.exit_status == 1
    assert align(data, AlignOptions(verify=False)).report.exit_status == 0


def test_keeping_a_fixed_output_is_a_conflict() -> None:
    graph = Graph()
    graph.activation("x", 0.05)
    graph.activation("l", 0.1)
    graph.add("LOGISTIC", ["x"], ["l"])
    graph.conv("l", "y", 0.2)
    data = graph.bytes(["x"], ["y"])
    _, report = aligned(data, Override(tensor="l", keep=True, origin="--keep"))
    (conflict,) = report.conflicts
    assert conflict.rules == ("fixed/LOGISTIC/zero_point", "override/keep")
    assert conflict.message.endswith('keeps (0.1, 0) by --keep (tensor "l")')
    assert report.exit_status == 1


# --- severities ---------------------------------------------------------------------------------


def test_a_rule_that_is_off_is_neither_reported_nor_repaired() -> None:
    data = concat_example()
    options = AlignOptions(verify=False, severity={"same/*": "off"})
    assert check(data, options).findings == ()
    assert "same/CONCATENATION" not in check(data, options).rules
    assert align(data, options).data == data


def test_severities_regrade_on_every_target_and_later_ones_win() -> None:
    data = concat_example()
    options = AlignOptions(targets=("tflite", "tflm"), severity={"*": "warning"})
    report = check(data, options)
    assert {finding.severity for finding in report.findings} == {"warning"}
    assert report.exit_status == 0
    severity = {"*": "off", "same/CONCATENATION": "error"}
    again = check(data, AlignOptions(targets=("tflite", "tflm"), severity=severity))  # type: ignore[arg-type]
    assert {finding.severity for finding in again.findings} == {"error"}


def test_a_severity_does_not_enable_a_rule_that_a_target_disables() -> None:
    graph = Graph("uint8")
    graph.activation("x", 0.05, 3)
    graph.activation("y", 0.1, 3)
    graph.add("TANH", ["x"], ["y"])
    data = graph.bytes(["x"], ["y"])
    options = AlignOptions(targets=("litert",), severity={"fixed/TANH": "error"})
    assert check(data, options).findings == ()


def test_a_severity_applies_to_its_place_alone() -> None:
    data = concat_example()
    first = Override(slot=CONCAT, rule="same/*", severity="warning")
    assert {f.severity for f in check(data, AlignOptions(overrides=(first,))).findings} == {
        "warning"
    }
    other = Override(operator="ADD", rule="same/*", severity="off")
    report = check(data, AlignOptions(overrides=(first, other)))
    assert {f.severity for f in report.findings} == {"warning"}
    assert report.warnings == ('override (operator "ADD") matches nothing',)
    off = Override(tensor="c2", severity="off")
    assert check(data, AlignOptions(overrides=(first, off))).findings == ()


def test_an_unknown_rule_is_refused_with_the_nearest() -> None:
    with pytest.raises(UsageError) as refusal:
        check(concat_example(), AlignOptions(severity={"same/CONCATENATOIN": "off"}))
    assert str(refusal.value) == (
        "severity: no rule is called 'same/CONCATENATOIN'; did you mean 'same/CONCATENATION'?"
    )


# --- addresses after operators were inserted or converted ---------------------------------------


def chain_of_two() -> bytes:
    """A MAXIMUM that needs a QUANTIZE; the pool behind it therefore gets another index."""
    graph = Graph()
    graph.activation("x", 0.05)
    graph.conv("x", "fine", 0.01)
    graph.conv("x", "coarse", 0.5)
    graph.activation("max", 0.5)
    graph.add("MAXIMUM", ["fine", "coarse"], ["max"])
    graph.conv("fine", "c", 0.1)
    graph.activation("p", 0.3)
    graph.add("MAX_POOL_2D", ["c"], ["p"], POOL)
    graph.conv("p", "y", 0.1)
    return graph.bytes(["x"], ["max", "y"])


def test_addresses_are_those_of_the_file_that_came_in() -> None:
    off = Override(slot="subgraph[0]/operator[4] MAX_POOL_2D", severity="off")
    model, report = aligned(chain_of_two(), off, prefer="precision")
    assert report.cuts >= 1
    assert model.subgraphs[0].operators[4].name != "MAX_POOL_2D"
    assert report.remaining == ()
    assert labels(model)["p"] == (f32(0.3), 0)


def test_addresses_after_a_conversion_of_input_and_output_types() -> None:
    off = Override(slot="subgraph[0]/operator[4] MAX_POOL_2D", severity="off")
    _, report = aligned(chain_of_two(), off, input_type="float32", output_type="float32")
    assert report.remaining == ()
    assert report.warnings == ()


def test_folding_keeps_slots_named_by_overrides() -> None:
    """--optimize folds the QUANTIZE into the convolution, unless an override keeps its output."""
    graph = Graph()
    graph.activation("x", 0.05)
    graph.conv("x", "c", 0.1)
    graph.activation("q", 0.2)
    graph.add("QUANTIZE", ["c"], ["q"])
    graph.conv("q", "y", 0.1)
    data = graph.bytes(["x"], ["y"])
    folded, _ = aligned(data, optimize=True)
    assert [one.name for one in folded.subgraphs[0].operators] == ["CONV_2D", "CONV_2D"]
    keep = Override(slot="subgraph[0]/operator[0] CONV_2D/outputs[0]", keep=True)
    model, report = aligned(data, keep, optimize=True)
    assert labels(model)["c"] == (f32(0.1), 0)
    assert [one.name for one in model.subgraphs[0].operators] == ["CONV_2D", "QUANTIZE", "CONV_2D"]
    assert report.changes == ()


def test_a_name_with_brackets_is_taken_literally() -> None:
    graph = Graph()
    graph.activation("x", 0.05)
    graph.activation("p[1]", 0.1)
    graph.add("MAX_POOL_2D", ["x"], ["p[1]"], POOL)
    graph.conv("p[1]", "y", 0.1)
    model, report = aligned(graph.bytes(["x"], ["y"]), Override(tensor="p[1]", keep=True))
    assert labels(model)["p[1]"] == (f32(0.1), 0)
    assert report.warnings == ()


# --- explain ------------------------------------------------------------------------------------


def explanation_of(data: bytes, name: str, *overrides: Override) -> str:
    asked = question(data, AlignOptions(overrides=overrides))
    tensors = asked.bound.model.subgraphs[0].tensors
    index = next(tensor.index for tensor in tensors if tensor.name == name)
    return "\n".join(
        explanation_lines(explain(asked.bound, asked.broken, asked.settings, TensorId(0, index)))
    )


def test_explain_names_the_override() -> None:
    data = concat_example(0.1, 0.04, 0.1)
    kept = explanation_of(data, "c2", Override(tensor="c2", keep=True, origin="override 1"))
    assert 'is a slot kept by override 1 (tensor "c2")' in kept
    assert 'override 1 (tensor "c2") keeps it: at subgraph[0]/operator[1]' in kept
    anchored = explanation_of(data, "cat", Override(tensor="c2", anchor=True, origin="override 2"))
    assert 'given by override 2 (tensor "c2") to the group of ' in anchored
    uncut = explanation_of(data, "c2", Override(tensor="c2", cut=False, origin="--no-cut"))
    assert f'--no-cut (tensor "c2") forbids a QUANTIZE at {CONCAT}/inputs[1]' in uncut
