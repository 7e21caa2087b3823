"""A stale shape in TensorFlow Lite Micro and Vela, before and after it is rewritten."""

from __future__ import annotations

import pytest

from tests.support.stale_models import dilated
from tflite_align import AlignOptions, align


@pytest.mark.backends
def test_tflm_computes_what_litert_computes_once_shapes_are_rewritten() -> None:
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
def test_vela_takes_it() -> None:
    report = align(dilated(), AlignOptions(targets=("ethos-u55",))).report
    assert report.verification is not None
    assert [one.after.status for one in report.verification.judges] == ["accepted"]
