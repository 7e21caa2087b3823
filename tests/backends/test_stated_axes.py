"""Scales along an impossible axis: the axis is corrected, and the model can be verified."""

from __future__ import annotations

import pytest

from tests.support.edited_models import named
from tests.support.weight_models import per_channel
from tflite_align import AlignOptions, align


@pytest.mark.backends
@pytest.mark.parametrize("targets", [("tflite",), ("tflm",)])
def test_only_the_axis_changes(targets: tuple[str, ...]) -> None:
    data = per_channel(0)
    result = align(data, AlignOptions(targets=targets))
    report = result.report
    assert report.exit_status == 0, report.reasons
    assert report.verification is not None
    assert report.verification.word == "verified"
    assert [judge.before.status for judge in report.verification.judges] == ["refused"] * len(
        report.verification.judges
    )
    (before, old), (after, new) = named(data, "w"), named(result.data, "w")
    assert new.quant.quantized_dimension == 3
    assert new.quant.scale == old.quant.scale
    assert bytes(before.constant(0, old.index)) == bytes(after.constant(0, new.index))
