"""The estimated cost of clipping in front of an average agrees with LiteRT: no PPQ policy has a
better SQNR than the choice.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest

from tests.support.models import Graph
from tests.support.verify_forms import level, outputs, readings
from tflite_align import AlignOptions, align
from tflite_align.rules.families import Policy
from tflite_align.settings.options import Prefer

WINDOW = {"strideH": 1, "strideW": 1, "filterHeight": 4, "filterWidth": 4, "padding": 1}
POLICIES: tuple[Mapping[str, Policy], ...] = ({"pooling": "input"}, {"pooling": "output"})


def pooled(ratio: float) -> bytes:
    """CONV_2D -> AVERAGE_POOL_2D over the whole image -> CONV_2D. The range of the average's output
    is `ratio` of that of its input.
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
    """Few values are near the ends of the range: clipping a tenth of it loses little, clipping half
    of it much.
    """
    data = pooled(ratio)
    inputs = np.random.default_rng(3).laplace(0.0, 0.6, (64, 4, 4, 3)).astype(np.float32)
    twin = outputs(readings(data, inputs)[0], "twin")

    def decibels(policies: Mapping[str, Policy]) -> float:
        aligned = align(data, AlignOptions(verify=False, policies=policies)).data
        return level(twin, outputs(readings(aligned, inputs)[0], "run"))

    ours = decibels({})
    assert all(ours >= decibels(one) - 0.5 for one in POLICIES)


@pytest.mark.backends
def test_averages_at_the_end_of_their_range_are_not_clipped_again() -> None:
    """An AVERAGE_POOL_2D writes half of its input's range, the following RESIZE_BILINEAR four
    fifths of that, into a kept graph output.

    Many of the first averages lie at the end of their range. Narrowing the range between the two
    operators would clip these.
    """
    graph = Graph("uint8", seed=5)
    graph.activation("x", 0.02, 0, (1, 4, 4, 3))
    graph.activation("p", 0.01, 0, (1, 2, 2, 3))
    window = {"strideH": 2, "strideW": 2, "filterHeight": 2, "filterWidth": 2, "padding": 1}
    graph.add("AVERAGE_POOL_2D", ["x"], ["p"], ("Pool2DOptions", window))
    graph.activation("y", 0.008, 0, (1, 5, 5, 3))
    graph.constant("size", [5, 5], "int32")
    graph.add("RESIZE_BILINEAR", ["p", "size"], ["y"], ("ResizeBilinearOptions", {}))
    data = graph.bytes(["x"], ["y"])
    inputs = np.random.default_rng(3).uniform(0.0, 5.1, (64, 4, 4, 3)).astype(np.float32)
    declared = outputs(readings(data, inputs)[0], "declared")

    def decibels(prefer: Prefer) -> float:
        aligned = align(data, AlignOptions(verify=False, prefer=prefer)).data
        return level(declared, outputs(readings(aligned, inputs)[0], "run"))

    assert decibels("balanced") >= decibels("precision") - 0.5
