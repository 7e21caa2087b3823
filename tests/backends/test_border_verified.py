"""Files with converted graph input and output types compute the same function on LiteRT."""

from __future__ import annotations

from tests.support.border import converted


def test_a_misaligned_file_is_converted_and_aligned(sample: bytes) -> None:
    found = converted(sample, "float32", "float32", samples=64)
    assert found.report.outcome == "aligned"
    assert found.report.remaining == ()
    assert found.report.findings != ()
    assert found.report.verification is not None
    assert found.report.verification.word == "verified"
    assert found.report.exit_status == 0


def test_an_int16_border_covers_what_is_behind_it(sample_origin: bytes) -> None:
    found = converted(sample_origin, "int16", "int16", samples=64)
    assert found.report.verification is not None
    assert found.report.verification.word == "verified"
    (score, *_) = found.report.verification.outputs
    assert score.declared_aligned_db is not None
    assert score.declared_original_db is not None
    assert abs(score.declared_aligned_db - score.declared_original_db) < 0.1
