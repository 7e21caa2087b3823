"""The sample file of the README, as onnx2tf wrote it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.conftest import DATA
from tflite_align import align


def test_the_sample_is_refused_or_wrong_before_and_right_after() -> None:
    result = align((DATA / "unet_onnx2tf.tflite").read_bytes())
    verification = result.raise_for_status().report.verification
    assert verification is not None
    assert verification.word == "verified"
    judged = {verdict.judge: verdict for verdict in verification.judges}
    assert (judged["xnnpack"].before.status, judged["xnnpack"].after.status) == (
        "refused",
        "accepted",
    )
    runs = {run.judge: run for run in verification.outputs[0].runs}
    before, after = runs["litert"].original_db, runs["litert"].sqnr_db
    assert before is not None
    assert after is not None
    assert before < 10
    assert after > 25


RUN = """
import json, sys
from ai_edge_litert.interpreter import Interpreter, OpResolverType
import numpy as np
plain = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
try:
    runner = Interpreter(sys.argv[1], experimental_op_resolver_type=plain)
    runner.allocate_tensors()
    image = runner.get_input_details()[0]
    runner.set_tensor(image["index"], np.zeros(image["shape"], image["dtype"]))
    runner.invoke()
    print(json.dumps("ran"))
except (RuntimeError, ValueError) as error:
    print(json.dumps(str(error)))
"""


def _litert_says(data: bytes, folder: Path) -> str:
    """What LiteRT says: "ran" or its error message. It runs in a separate process, since it may
    abort.
    """
    path = folder / "model.tflite"
    path.write_bytes(data)
    command = [sys.executable, "-c", RUN, str(path)]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    return str(json.loads(run.stdout.splitlines()[-1]))


def test_litert_runs_the_origin_and_refuses_the_dealigned_sample(
    sample: bytes, sample_origin: bytes, tmp_path: Path
) -> None:
    assert _litert_says(sample_origin, tmp_path) == "ran"
    refusal = _litert_says(sample, tmp_path)
    assert "CONCATENATION" in refusal
    assert "params.scale != output->params.scale" in refusal
