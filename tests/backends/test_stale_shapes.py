"""Wrong shapes and computed sizes in TensorFlow Lite Micro and Vela, before and after repair."""

from __future__ import annotations

import pytest

from tests.support.sized_models import filled, opened
from tests.support.stale_models import dilated
from tflite_align import AlignOptions, align


@pytest.mark.backends
def test_tflm_equals_litert_after_shapes_are_rewritten() -> None:
    report = align(dilated(signature=True), AlignOptions(targets=("tflm", "litert"))).report
    assert report.exit_status == 0, report.reasons
    assert report.verification is not None
    runs = {run.judge: run for run in report.verification.outputs[0].runs}
    tflm, litert = runs["tflm"], runs["litert"]
    assert tflm.sqnr_db is not None
    assert litert.sqnr_db is not None
    assert litert.original_db == litert.sqnr_db
    assert tflm.original_db is None or tflm.original_db < tflm.sqnr_db - 20
    assert tflm.sqnr_db > litert.sqnr_db - 1


@pytest.mark.backends
def test_vela_compiles_the_repaired_file() -> None:
    report = align(dilated(), AlignOptions(targets=("ethos-u55",))).report
    assert report.verification is not None
    assert [one.after.status for one in report.verification.judges] == ["accepted"]


@pytest.mark.backends
@pytest.mark.parametrize("data", [filled(), opened(filled()), filled(gathered=True)])
def test_tflm_accepts_folded_sizes(data: bytes) -> None:
    report = align(data, AlignOptions(targets=("tflm",))).report
    assert report.exit_status == 0, report.reasons
    assert report.verification is not None
    assert report.verification.word == "verified"
    (tflm,) = report.verification.judges
    assert (tflm.before.status, tflm.after.status) == ("refused", "accepted")
