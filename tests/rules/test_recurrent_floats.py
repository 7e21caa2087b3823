"""Recurrent networks in float32 are no finding where LiteRT computes them."""

from __future__ import annotations

import pytest

from tests.rules.kernels.typed import bases
from tflite_align import check


@pytest.mark.parametrize("target", ["litert", "xnnpack", "tflite"])
@pytest.mark.parametrize(
    "operator",
    [
        "BIDIRECTIONAL_SEQUENCE_LSTM",
        "BIDIRECTIONAL_SEQUENCE_RNN",
        "LSTM",
        "RNN",
        "SVDF",
        "UNIDIRECTIONAL_SEQUENCE_LSTM",
        "UNIDIRECTIONAL_SEQUENCE_RNN",
    ],
)
def test_a_recurrent_network_in_float32_has_no_findings(operator: str, target: str) -> None:
    (base,) = [case for case in bases(operator) if case.name == f"{operator}-float32"]
    assert check(base.model(), targets=(target,)).findings == ()
