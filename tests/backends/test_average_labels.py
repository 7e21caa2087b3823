"""The cost of clipping before an average operator matches LiteRT: no PPQ policy has a better SQNR."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest

from tests.support.models import Graph
from tests.support.verify_forms import level, outputs, readings
from tflite_align import AlignOptions, align
from tflite_align.rules.families import Policy

WINDOW = {"strideH": 1, "strideW": 1, "filterHeight": 4, "filterWidth": 4, "padding": 1}
POLICIES: tuple[Mapping[str, Policy], ...] = ({"pooling": "input"}, {"pooling": "output"})


def pooled(ratio: float) -> bytes:
    """CONV_2D -> AVERAGE_POOL_2D over the image, which declares a range narrower by `ratio`, of
    which a CONV_2D reads the means.
    """
    graph = Graph(seed=5)
    graph.activation("x", 0.05)
    graph.conv("x", "c", 0.05, -128, fused=1)
    graph.activation("p", 0.05 / ratio, -128, (1, 1, 1, 3))
    graph.add("AVERAGE_POOL_2D", ["c"], ["p"], ("Pool2DOptions", WINDOW))
    graph.conv("p", "y", 0.05)
    return graph.bytes(["x"], ["y"])


@pytest.mark.backends
@pytest.mark.parametrize("ratio", [1.1, 1.15, 2.0])
def test_no_ppq_policy_has_a_better_sqnr(ratio: float) -> None:
    """Few values lie near the edge: narrowing by a tenth clips nearly none, halving clips much."""
    data = pooled(ratio)
    inputs = np.random.default_rng(3).laplace(0.0, 0.6, (64, 4, 4, 3)).astype(np.float32)
    twin = outputs(readings(data, inputs)[0], "twin")

    def decibels(policies: Mapping[str, Policy]) -> float:
        aligned = align(data, AlignOptions(verify=False, policies=policies)).data
        return level(twin, outputs(readings(aligned, inputs)[0], "run"))

    ours = decibels({})
    assert all(ours >= decibels(one) - 0.5 for one in POLICIES)
