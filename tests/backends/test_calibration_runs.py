"""Parameters chosen from ranges that LiteRT observes on real inputs, and their report."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.support.models import SHAPE, kept_join, quiet_inputs, two_inputs, wide_member
from tflite_align import AlignOptions, AlignResult, align
from tflite_align.format.reader import read
from tflite_align.numerics import Label
from tflite_align.report.text import render_text

GOOD = np.zeros((5, *SHAPE[1:]))


@pytest.mark.parametrize("keys", [("a", "b"), (0, 1), ("0", "1"), ("b", "a")])
def test_calibration_matches_inputs_by_name_and_by_position(
    keys: tuple[str | int, str | int],
) -> None:
    given = {keys[0]: GOOD, keys[1]: GOOD, "answers": np.zeros(3)}
    assert align(two_inputs(), AlignOptions(calibration=given)).report.outcome == "nothing to align"


def label(result: AlignResult, name: str) -> Label:
    tensors = read(result.data).subgraphs[0].tensors
    quant = next(tensor.quant for tensor in tensors if tensor.name == name)
    assert quant is not None
    return quant.label


def test_a_member_that_stays_small_needs_no_quantize() -> None:
    """An operand of a CONCATENATION declares a wide range, which another reader needs. Its observed
    values are small, so the common scale can be fine and no QUANTIZE is needed.
    """
    plain = align(wide_member(), AlignOptions(verify=False))
    assert label(plain, "cat") == Label(float(np.float32(0.04)), 0)
    assert plain.report.cuts == 1
    real = AlignOptions(calibration={"x": quiet_inputs()}, verify=False)
    result = align(wide_member(), real)
    assert label(result, "c1") == label(result, "c2") == label(result, "cat")
    assert label(result, "cat").scale < 0.04
    assert (result.report.remaining, result.report.cuts) == ((), 0)
    assert (result.report.verification, result.report.without_calibration) == (None, ())
    assert align(result.data, real).data == result.data


def test_no_quantize_is_inserted_where_observed_values_are_small() -> None:
    """The wide operand needs a QUANTIZE without calibration. With it, the operand gets the common
    parameters.
    """
    data = kept_join()
    plain = align(data, AlignOptions(verify=False)).report
    real = align(data, AlignOptions(calibration={0: quiet_inputs()}, verify=False)).report
    assert (plain.cuts, real.cuts) == (1, 0)
    assert plain.remaining == real.remaining == ()


def test_the_report_compares_outputs_with_and_without_calibration() -> None:
    report = align(wide_member(), AlignOptions(calibration={"x": quiet_inputs()})).report
    assert report.verification is not None
    assert report.verification.word == "verified"
    without = {level.name: level.declared_aligned_db for level in report.without_calibration}
    real = {score.name: score.declared_aligned_db for score in report.verification.outputs}
    assert list(without) == list(real) == ["y", "z"]
    for name in ("y", "z"):
        before, after = without[name], real[name]
        assert before is not None
        assert after is not None
        assert after > before + 1.0
    text = render_text(report)
    rows = text[text.index("Calibration: declared SQNR in dB") :].splitlines()[:4]
    assert rows[1].split() == ["output", "without", "with"]
    assert rows[2].split() == ["output", "0", "y", f"{without['y']:.1f}", f"{real['y']:.1f}"]


def test_an_ineffective_calibration_reports_equal_sqnr() -> None:
    """The calibration inputs fill the declared ranges, so that the plans with and without
    calibration are equal and verified once.
    """
    wild: dict[str | int, Any] = {
        "x": np.random.default_rng(0).normal(0, 3, (64, 4, 4, 3)).astype(np.float32)
    }
    report = align(wide_member(), AlignOptions(calibration=wild)).report
    assert report.verification is not None
    real = [score.declared_aligned_db for score in report.verification.outputs]
    assert [level.declared_aligned_db for level in report.without_calibration] == real
