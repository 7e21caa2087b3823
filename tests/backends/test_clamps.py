"""A ReLU that exists only as the output range of a convolution, as onnxruntime's quantizer writes
it, still acts after alignment.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.rules.operators.operands import Array
from tests.support.kernel_batch import run_batch
from tests.support.models import POOL, SHAPE, Graph
from tflite_align import AlignOptions, align

STEP = 0.05


class Fed:
    """A model, and an input for which the convolution's sums are below 0 and above its range."""

    def __init__(self, name: str, data: bytes) -> None:
        self.name = name
        self.data = data

    def model(self) -> bytes:
        return self.data

    def fed(self) -> list[Array]:
        return [np.random.default_rng(2).integers(-128, 128, SHAPE).astype(np.int8)]


def folded(outputs: list[str], *, pooled: bool) -> bytes:
    graph = Graph(seed=4)
    graph.activation("x", 0.05)
    graph.conv("x", "c", STEP, -128)
    if pooled:
        graph.activation("p", 0.1, 0)
        graph.add("MAX_POOL_2D", ["c"], ["p"], POOL)
    return graph.bytes(["x"], outputs)


@pytest.mark.backends
@pytest.mark.parametrize("runtime", ["litert", "xnnpack"])
def test_saturated_outputs_are_unchanged_after_alignment(runtime: str, tmp_path: Path) -> None:
    """The convolution's range starts at 0, so that it writes no negative value. It gets the pool's
    range, which contains negative values, and still writes none.
    """
    before = Fed("before", folded(["c"], pooled=False))
    result = align(folded(["p"], pooled=True), AlignOptions(verify=False))
    assert [c.kind for c in result.report.changes if c.kind in ("cut", "activation")]
    after = Fed("after", result.data)
    outcomes = run_batch([before, after], runtime, tmp_path)
    clamped = (outcomes["before"].outputs[0].astype(float) + 128) * STEP
    aligned = outcomes["after"].outputs[0].astype(float) * 0.1
    assert np.mean(clamped == 0) > 0.2
    assert np.mean(clamped >= STEP * 254) > 0.05
    np.testing.assert_allclose(aligned, clamped, atol=0.1 / 2 + STEP / 2 + 1e-6)
