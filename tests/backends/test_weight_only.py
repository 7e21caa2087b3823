"""Weight-only quantization: per-channel weights behind a DEQUANTIZE, for which TFLM uses a single
scale.
"""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.models import GraphSpec, OperatorSpec, Quant, TensorSpec, model_bytes
from tflite_align import AlignOptions, align, check
from tflite_align.verify.judges import available

FINDING = ("support/DEQUANTIZE/scales", "error")


def _weight_only(*, constant: bool) -> bytes:
    weights = np.arange(-12, 12, dtype=np.int8).reshape(3, 8)
    scales = Quant(scale=(0.1, 0.02, 0.5), zero_point=(0, 0, 0), axis=0)
    data = weights if constant else None
    tensors = [
        TensorSpec(name="x", type="float32", shape=(1, 8)),
        TensorSpec(name="q", type="int8", shape=(3, 8), quant=scales, data=data),
        TensorSpec(name="w", type="float32", shape=(3, 8)),
        TensorSpec(name="y", type="float32", shape=(1, 3)),
    ]
    operators = [
        OperatorSpec(name="DEQUANTIZE", inputs=["q"], outputs=["w"], version=2),
        OperatorSpec(
            name="FULLY_CONNECTED",
            inputs=["x", "w"],
            outputs=["y"],
            options=("FullyConnectedOptions", {}),
        ),
    ]
    fed = ["x"] if constant else ["x", "q"]
    return model_bytes([GraphSpec(tensors=tensors, operators=operators, inputs=fed, outputs=["y"])])


@pytest.mark.parametrize("constant", [True, False])
def test_only_tflm_has_a_finding_and_the_dequantize_is_folded(*, constant: bool) -> None:
    model = _weight_only(constant=constant)
    found = check(model, AlignOptions(targets=("tflm",))).findings
    assert [(f.rule, f.severity) for f in found] == [FINDING]
    assert [f.fixable for f in found] == [constant]
    assert check(model, AlignOptions(targets=("tflite",))).findings == ()


@pytest.mark.backends
def test_the_folded_file_is_right_in_tflm() -> None:
    if missing := available("tflm"):
        pytest.skip(missing)
    before = check(_weight_only(constant=True), AlignOptions(targets=("tflm",), run=True))
    assert before.exit_status == 1
    result = align(_weight_only(constant=True), AlignOptions(targets=("tflm", "tflite")))
    assert result.report.exit_status == 0
    assert result.report.verification is not None
    assert result.report.verification.word == "verified"
    assert check(result.data, AlignOptions(targets=("tflm",))).findings == ()
