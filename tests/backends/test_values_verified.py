"""Values that runtimes refuse or die of, repaired: every runtime computes what was declared."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.value_models import FLAT, computed_zeros, dead_relu6, masked
from tflite_align import AlignOptions, align

MASK = np.where(np.arange(8) % 3 == 0, -128, 0).astype(np.int8).reshape(FLAT)
REFUSED = {
    "dead": (dead_relu6(step=0.1), ("tflite", "tflm"), 20.0),
    "mask": (masked(MASK), ("tflite", "tflm"), 20.0),
    "subtracted": (masked(np.where(MASK < 0, 127, 0), operator="SUB"), ("tflm",), 20.0),
}


@pytest.mark.backends
@pytest.mark.parametrize("name", REFUSED)
def test_what_was_refused_is_computed(name: str) -> None:
    data, targets, least = REFUSED[name]
    report = align(data, AlignOptions(targets=targets)).report
    assert report.exit_status == 0, report.reasons
    assert report.verification is not None
    asked = [one for one in report.verification.judges if one.after.status != "skipped"]
    assert all(one.after.status == "accepted" for one in asked)
    assert all(one.before.status != "accepted" for one in asked)
    runs = [run for output in report.verification.outputs for run in output.runs]
    assert min(run.sqnr_db for run in runs if run.sqnr_db is not None) > least


@pytest.mark.backends
def test_zeros_in_units_of_0_change_no_number() -> None:
    report = align(computed_zeros(), AlignOptions()).report
    assert report.exit_status == 0, report.reasons
    assert report.verification is not None
    for run in report.verification.outputs[0].runs:
        assert run.sqnr_db == pytest.approx(run.original_db, abs=0.01)
