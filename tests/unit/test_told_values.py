"""Findings about values: int16 zero points, indices below zero, tensors with few steps,
uninitialized variables.
"""

from __future__ import annotations

import pytest

from tests.support.edited_models import PLAIN, named
from tests.support.models import Graph
from tests.support.value_models import detection_head, off_centre, remembering, scattered
from tflite_align import AlignOptions, align, check
from tflite_align.record import replace

TARGETS = ("tflite", "litert", "xnnpack", "tflm")
FREE = replace(PLAIN, io="free")


# --- zero points of int16 inputs and outputs ----------------------------------------------------


@pytest.mark.parametrize("operator", ["ADD", "TANH"])
def test_int16_inputs_and_outputs_move_to_zero_where_they_may(operator: str) -> None:
    data = off_centre(operator)
    result = align(data, FREE)
    assert result.report.remaining == ()
    assert result.report.exit_status == 0
    _, moved = named(result.data, "a")
    assert moved.quant.zero_point == (0,)
    assert 0.0005 < moved.quant.scale[0] < 0.00052  # just enough for both ends of the range
    assert align(result.data, FREE).data == result.data


@pytest.mark.parametrize("operator", ["ADD", "TANH"])
def test_kept_int16_inputs_are_a_conflict_with_a_hint(operator: str) -> None:
    report = align(off_centre(operator), PLAIN).report
    assert report.exit_status == 1
    message = report.conflicts[0].message
    assert "subgraph[0]/inputs[0] keeps (0.0005, 500)" in message
    assert message.endswith("(--io free allows new parameters for graph inputs and outputs)")
    kept = align(off_centre(operator), replace(FREE, overrides=())).report
    assert kept.conflicts == ()


# --- SCATTER_ND ---------------------------------------------------------------------------------


@pytest.mark.parametrize("io", ["keep", "free"])
def test_unsigned_values_below_zero_are_a_conflict_and_not_clipped(io: str) -> None:
    data = scattered()
    options = AlignOptions(targets=("litert",), verify=False, io=io)  # type: ignore[arg-type]
    result = align(data, options)
    assert result.data == data
    assert result.report.exit_status == 1
    (conflict, *_) = result.report.conflicts
    assert "zero/SCATTER_ND needs zero_point 0" in conflict.message
    assert "where uint8 holds nothing below 0" in conflict.message


# --- steps of a shared scale --------------------------------------------------------------------


@pytest.mark.parametrize("between", [False, True])
@pytest.mark.parametrize("operator", ["CONCATENATION", "PACK"])
def test_an_operand_with_few_steps_is_a_warning_everywhere(
    operator: str,
    between: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    data = detection_head(operator=operator, between=between)
    options = AlignOptions(targets=(*TARGETS, "ethos-u55", "edgetpu", "ppq"))
    (found,) = [one for one in check(data, options).findings if one.rule == "params/steps"]
    assert {grade.severity for grade in found.grades} == {"warning"}
    assert len(found.grades) == len(options.targets)
    assert found.address.endswith(f"{operator}/inputs[1]")
    assert "found 3.69 steps of the shared scale 0.27 for values in 0..0.996094" in found.message
    assert "about 11 dB; the QUANTIZE before it coarsens the step x69.1" in found.message
    assert align(data, PLAIN).report.exit_status == 0


def test_an_inserted_quantize_reports_its_lost_steps() -> None:
    """A QUANTIZE from scale 0.01 to the required 0.27: the change says by how much coarser it is,
    and a warning remains.
    """
    graph = Graph()
    graph.activation("a", 0.27)
    graph.activation("b", 0.01)
    graph.activation("y", 0.27, shape=(1, 4, 4, 6))
    graph.add("CONCATENATION", ["a", "b"], ["y"], ("ConcatenationOptions", {"axis": 3}))
    result = align(graph.bytes(["a", "b"], ["y"]), PLAIN)
    assert result.report.exit_status == 0
    (cut,) = [change for change in result.report.changes if change.kind == "cut"]
    assert cut.why.endswith("its steps are 27 times as coarse")
    assert [one.rule for one in result.report.remaining] == ["params/steps"]
    assert check(result.data, PLAIN).findings == result.report.remaining


def test_enough_steps_give_no_warning() -> None:
    assert check(detection_head(scale=0.06), AlignOptions(targets=TARGETS)).findings == ()


# --- variables ----------------------------------------------------------------------------------


def test_an_uninitialized_variable_is_an_error_on_some_targets() -> None:
    for target in TARGETS:
        found = check(remembering(), AlignOptions(targets=(target,))).findings
        rules = {one.rule: one.severity for one in found if one.rule.startswith("variable/")}
        assert rules == ({} if target == "tflm" else {"variable/first_value": "error"})
        later = check(remembering(assigned=True), AlignOptions(targets=(target,))).findings
        assert not any(one.rule.startswith("variable/") for one in later)
