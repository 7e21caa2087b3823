"""Values that a runtime refuses or crashes on: after the repair every runtime computes what the
file declares.
"""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.value_models import (
    FLAT,
    computed_zeros,
    dead_relu6,
    masked,
    off_centre,
    remembering,
)
from tflite_align import AlignOptions, align, check

MASK = np.where(np.arange(8) % 3 == 0, -128, 0).astype(np.int8).reshape(FLAT)
REFUSED = {
    "dead": (dead_relu6(step=0.1), ("tflite", "tflm"), 20.0),
    "mask": (masked(MASK), ("tflite", "tflm"), 20.0),
    "subtracted": (masked(np.where(MASK < 0, 127, 0), operator="SUB"), ("tflm",), 20.0),
}


@pytest.mark.backends
@pytest.mark.parametrize("name", REFUSED)
def test_refused_files_are_computed_after_repair(name: str) -> None:
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
@pytest.mark.parametrize("operator", ["ADD", "TANH"])
def test_int16_zero_points_that_moved_are_computed(operator: str) -> None:
    options = AlignOptions(targets=("tflite", "tflm"), io="free")
    report = align(off_centre(operator), options).report
    assert report.exit_status == 0, report.reasons
    assert report.verification is not None
    runs = report.verification.outputs[0].runs
    assert min(run.sqnr_db for run in runs if run.sqnr_db is not None) > 60


@pytest.mark.backends
def test_check_run_reports_how_runtimes_treat_uninitialized_variables() -> None:
    for target, status in (("litert", "refused"), ("tflm", "accepted")):
        for assigned in (False, True):
            options = AlignOptions(targets=(target,), run=True)
            report = check(remembering(assigned=assigned), options)
            assert report.verification is not None
            (judge,) = report.verification.judges
            if judge.after.status != "skipped":
                assert judge.after.status == ("accepted" if assigned else status)


@pytest.mark.backends
def test_repairing_zero_scales_changes_no_output() -> None:
    report = align(computed_zeros(), AlignOptions()).report
    assert report.exit_status == 0, report.reasons
    assert report.verification is not None
    for run in report.verification.outputs[0].runs:
        assert run.sqnr_db == pytest.approx(run.original_db, abs=0.01)
