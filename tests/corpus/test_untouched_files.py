"""Files as their converters wrote them have an error finding only if the target's runtime refuses
or miscomputes them.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tflite_align import check
from tflite_align.verify.judges import available, judge_file

# Accepted but computed wrongly: TFLM pads SPACE_TO_BATCH_ND with uninitialized memory.
WRONG = {("tflm", "dilated_conv.tflite")}


@pytest.mark.backends
@pytest.mark.corpus("coral", "litert", "microwakeword", "mlperf_tiny", "tflite_support", "tflm")
@pytest.mark.parametrize("target", ["litert", "tflm"])
def test_errors_are_of_files_that_the_runtime_refuses(corpus_model: Path, target: str) -> None:
    missing = available(target)
    if missing is not None:
        pytest.skip(missing)
    data = corpus_model.read_bytes()
    errors = [f for f in check(data, targets=(target,)).findings if f.severity == "error"]
    left = [finding for finding in errors if not finding.fixable]
    if left and (target, corpus_model.name) not in WRONG:
        assert judge_file(data, target).status != "accepted", left[0].message
