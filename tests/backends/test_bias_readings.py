"""Both readings of a bias, by its declared scale and as kernels run it, measured with LiteRT."""

from __future__ import annotations

from typing import Any

from tests.support.edited_models import stale_bias
from tests.support.models import concat_example
from tflite_align import AlignOptions, align
from tflite_align.report.text import render_text
from tflite_align.verify.declared_sqnr import bias_readings, declared_scores


def test_a_bias_as_run_is_verified_against_the_original_as_it_runs() -> None:
    result = align(stale_bias(), AlignOptions(bias="as-run", targets=("litert",)))
    assert result.report.verification is not None
    assert result.report.verification.word == "verified"


def test_the_report_shows_how_far_the_readings_of_a_bias_are_apart() -> None:
    report = align(stale_bias(), AlignOptions(targets=("litert",))).report
    (reading,) = report.bias_readings
    assert reading.apart_db is not None
    assert reading.declared_db is not None
    assert reading.as_run_db is not None
    assert reading.apart_db < min(reading.declared_db, reading.as_run_db)
    assert "Biases read by their declared scales and as kernels read them" in render_text(report)
    assert align(concat_example(), AlignOptions(targets=("litert",))).report.bias_readings == ()


def test_bias_readings_beyond_the_memory_limit_are_not_computed() -> None:
    """The memory limit of the verification also applies to the two readings of biases."""
    files = (stale_bias(), align(stale_bias(), AlignOptions(verify=False)).data)
    given: dict[str, Any] = {"calibration": None, "samples": 8, "seed": 0}
    assert bias_readings(*files, **given) != ()
    assert bias_readings(*files, **given, memory=1 << 8) == ()
    assert declared_scores(*files, **given) != ()
    assert declared_scores(*files, **given, memory=1 << 8) == ()
