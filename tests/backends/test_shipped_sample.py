"""The file that the README opens with and lets its reader try, as onnx2tf wrote it."""

from __future__ import annotations

from tests.conftest import DATA
from tflite_align import align


def test_refused_and_wrong_before_right_after() -> None:
    result = align((DATA / "unet_onnx2tf.tflite").read_bytes())
    proof = result.raise_for_status().report.proof
    assert proof is not None
    assert proof.word == "proven"
    judged = {verdict.judge: verdict for verdict in proof.judges}
    assert (judged["xnnpack"].before.status, judged["xnnpack"].after.status) == (
        "refused",
        "accepted",
    )
    runs = {run.judge: run for run in proof.outputs[0].runs}
    before, after = runs["litert"].original_db, runs["litert"].sqnr_db
    assert before is not None
    assert after is not None
    assert before < 10
    assert after > 25
