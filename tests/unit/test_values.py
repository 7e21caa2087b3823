"""Values in their ranges: activation limits beyond a kernel's integers, attention masks, ranges
that were widened or that nothing reaches.
"""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.edited_models import PLAIN, named
from tests.support.models import Graph
from tests.support.results import names, reads
from tests.support.value_models import FLAT, below_zero, dead_relu6, masked
from tflite_align import AlignOptions, align, check
from tflite_align.format.reader import read
from tflite_align.record import replace

TARGETS = ("tflite", "litert", "xnnpack", "tflm")
MASK = np.where(np.arange(8) % 3 == 0, -128, 0).astype(np.int8).reshape(FLAT)


@pytest.mark.parametrize("target", TARGETS)
def test_a_clamp_beyond_32_bits_is_an_error_and_repaired(target: str) -> None:
    data, options = dead_relu6(), replace(PLAIN, targets=(target,))
    (found,) = check(data, options).findings
    rule = "multiplier" if target == "xnnpack" else "clamp"
    assert (found.rule, found.severity) == (f"window/CONV_2D/{rule}", "error")
    assert found.fix == "window"
    clamp = "the clamp at 6 is 6e+09 steps of the output"
    assert (clamp in found.message) is (target != "xnnpack")
    result = align(data, options)
    assert result.report.exit_status == 0
    assert result.report.remaining == ()
    assert named(result.data, "dead")[1].quant.scale[0] < 1e-5
    assert names(result) == names_of(data), "a step of 0.02 cannot tell it from 0"
    assert align(result.data, options).data == result.data


def names_of(data: bytes) -> list[str]:
    return [operator.name for operator in read(data).subgraphs[0].operators]


def test_an_activation_limit_of_one_is_checked() -> None:
    for fused, scale, found in ((2, 1e-10, True), (2, 1e-9, False), (1, 1e-10, False)):
        graph = Graph()
        graph.activation("x", 0.0078)
        graph.conv("x", "y", scale, fused=fused)
        rules = {one.rule for one in check(graph.bytes(["x"], ["y"]), PLAIN).findings}
        assert ("window/CONV_2D/clamp" in rules) is found


def test_a_widened_range_is_clipped_again_before_a_reader_that_can_tell() -> None:
    """The limit of a RELU6 is 6e9 steps of its output, so the output gets a larger scale. Its wider
    range holds values that the declared one clips, and the next convolution could tell them apart:
    a QUANTIZE back to the declared label clips them again.
    """
    data = dead_relu6(reader="CONV_2D")
    result = align(data, PLAIN)
    assert result.report.remaining == ()
    assert names(result) == ["CONV_2D", "QUANTIZE", "CONV_2D"]
    graph = read(result.data).subgraphs[0]
    seen = graph.tensors[graph.operators[2].inputs[0]].quant
    assert seen is not None
    assert seen.label == named(data, "dead")[1].quant.label


# --- masks --------------------------------------------------------------------------------------


@pytest.mark.parametrize("target", TARGETS)
def test_a_mask_is_clipped_to_the_range_of_the_sum(target: str) -> None:
    data, options = masked(MASK), replace(PLAIN, targets=(target,))
    found = check(data, options).findings
    assert {one.fix for one in found} == {"mask"}
    result = align(data, options)
    assert result.report.remaining == ()
    model, mask = named(result.data, "mask")
    values = np.frombuffer(model.constant(0, mask.index), np.int8).reshape(FLAT)
    real = (values.astype(float) - mask.quant.zero_point[0]) * mask.quant.scale[0]
    assert np.all(real[MASK == 0] == 0)
    # At most the sum's minimum minus x's maximum: for any x the sum is at the end of its range.
    assert np.all(real[MASK < 0] <= -128 * np.float32(0.05) - 127 * np.float32(0.05) + 1e-6)
    assert named(result.data, "sum")[1].quant == named(data, "sum")[1].quant
    assert align(result.data, options).data == result.data


def test_a_mask_that_is_subtracted_is_clipped_above() -> None:
    result = align(
        masked(np.where(MASK < 0, 127, 0), operator="SUB"), replace(PLAIN, targets=("tflm",))
    )
    assert {change.kind for change in result.report.changes} == {"constant"}
    assert result.report.remaining == ()
    _, mask = named(result.data, "mask")
    assert mask.quant.scale[0] < 1


def test_each_sum_gets_its_own_copy_of_a_shared_mask() -> None:
    result = align(masked(MASK, twice=True), PLAIN)
    assert result.report.remaining == ()
    assert reads(result, 0)[1] != reads(result, 2)[1]
    assert named(result.data, "mask")[1].quant.scale[0] == 7812500.0


def test_a_computed_mask_is_clipped_by_a_quantize_within_int32() -> None:
    result = align(masked(scale=1000.0), replace(PLAIN, targets=("litert", "xnnpack")))
    assert names(result) == ["QUANTIZE", "ADD", "SOFTMAX"]
    assert result.report.remaining == ()


def test_a_sum_is_not_widened_until_its_operand_is_lost() -> None:
    """The mask is computed, in steps of 7812500. No QUANTIZE supports the ratio between these steps
    and the sum's. Widening the sum until ADD supports them would need 298 times its scale, too
    coarse for x: nothing is repaired.
    """
    data = masked(scale=7812500.0)
    result = align(data, PLAIN)
    assert result.data == data
    assert result.report.exit_status == 1
    (conflict, *_) = result.report.conflicts
    assert "would need a scale 298 times as coarse" in conflict.message
    assert [one.severity for one in result.report.remaining] == ["error"] * len(
        result.report.remaining
    )


def test_masks_stay_with_the_repair_off() -> None:
    data = masked(MASK)
    result = align(data, replace(PLAIN, no_fix=("mask",)))
    assert result.data == data


# --- ranges -------------------------------------------------------------------------------------


def test_a_range_that_no_written_value_lies_in_is_a_warning() -> None:
    (found,) = check(below_zero(), AlignOptions(targets=TARGETS)).findings
    assert (found.rule, found.severity, found.fix) == ("params/range", "warning", "")
    assert (
        "found a range of -1..0, expected a range that overlaps the operator's values, 0..inf"
        in (found.message)
    )
