"""scripts/dealign.py can process every file of the corpus."""

from __future__ import annotations

from pathlib import Path

import pytest
from ai_edge_litert import schema_py_generated as schema

import dealign as script
from tests.support.object_api import quantized_tensors

dealign = script.dealign


@pytest.mark.corpus("coral", "mlperf_tiny", "microwakeword", "tflm", "violators", "litert")
def test_every_corpus_file_can_be_dealigned(corpus_model: Path) -> None:
    data = corpus_model.read_bytes()
    broken = dealign(data, 1, io=True, fixed=True)
    assert len(broken) == len(data)
    for (tensor, old), (_, new) in zip(
        quantized_tensors(data), quantized_tensors(broken), strict=True
    ):
        if tensor.type == schema.TensorType.INT16:
            assert list(new.zeroPoint) == list(old.zeroPoint)
