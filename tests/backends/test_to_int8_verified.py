"""`--to int8` on models like those trained with TensorFlow 1: TFLM refuses them before and computes
them right after.

scripts/old_style.py changes models of the real converter back to uint8; LiteRT's uint8 kernels
compute the expected outputs.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from old_style import old_style
from tflite_align import AlignOptions, align
from tflite_align.verify.judges import available

NETS = ("classifier", "head", "inception", "residual", "sample", "shuffle", "unet")
WORSE_DB = 0.5
UNCERTAIN_DB = 0.5  # dB; kernels that round differently differ by this on 64 inputs


@pytest.mark.backends
@pytest.mark.parametrize("net", NETS)
def test_an_old_file_runs_on_todays_kernels(net: str, fixtures_dir: Path) -> None:
    data = old_style((fixtures_dir / f"{net}_int8.tflite").read_bytes())
    judges = tuple(name for name in ("tflm", "ethos-u55") if available(name) is None)
    result = align(data, AlignOptions(to="int8", judges=judges, require=judges))
    report = result.report
    assert report.remaining == ()
    assert report.exit_status == 0, report.reasons
    assert report.verification is not None
    for verdict in report.verification.judges:
        assert verdict.after.status == "accepted", verdict
        if verdict.judge == "tflm":
            assert verdict.before.status == "refused"
    for score in report.verification.outputs:
        for run in score.runs:
            if run.original_db is not None and run.sqnr_db is not None and run.original_db > 10:
                assert run.sqnr_db > run.original_db - WORSE_DB - UNCERTAIN_DB, (score.name, run)


@pytest.mark.backends
@pytest.mark.corpus("coral", "tflite_support")
def test_uint8_models_of_the_corpus(corpus_model: Path) -> None:
    """No graph output loses more than 0.5 dB on LiteRT."""
    data = corpus_model.read_bytes()
    if len(data) > 1_000_000:
        pytest.skip("large: measured by hand, docs/conversions.md")
    result = align(data, AlignOptions(to="int8"))
    if result.data == data or result.report.verification is None:
        pytest.skip("nothing in it is uint8")
    for score in result.report.verification.outputs:
        runs = {run.judge: run for run in score.runs}
        run = runs.get("litert")
        if score.index < 0 or run is None or run.original_db is None or run.original_db < 10:
            continue
        assert run.sqnr_db is not None
        assert run.sqnr_db > run.original_db - WORSE_DB, (score.name, run)
