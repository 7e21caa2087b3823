"""Ranges that end at zero although the operator writes negative values and a reader can distinguish
them.

litert-torch declares such ranges for a CONCATENATION whose first operand is positive.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest

from tests.support.models import Graph
from tests.support.verify_forms import level, outputs, readings
from tflite_align import AlignOptions, align
from tflite_align.format.reader import read
from tflite_align.numerics import label_range
from tflite_align.rules.families import Policy

PLAIN = AlignOptions(verify=False)


def joined(*, passes_on: bool) -> bytes:
    """A CONCATENATION of TANH and a positive convolution, with a range that starts at 0. It is read
    by a convolution or, with `passes_on`, by a QUANTIZE whose output range starts below 0.
    """
    graph = Graph(seed=5)
    graph.activation("x", 0.02)
    graph.conv("x", "c", 0.05, -128, fused=1)
    graph.conv("x", "d", 0.05)
    graph.activation("t", 0.05, -128)
    graph.add("TANH", ["d"], ["t"])
    graph.activation("joined", 0.05, -128, (1, 8, 4, 3))
    graph.add("CONCATENATION", ["c", "t"], ["joined"], ("ConcatenationOptions", {"axis": 1}))
    source = "joined"
    if passes_on:
        source = graph.activation("wider", 0.055, -108, (1, 8, 4, 3))
        graph.add("QUANTIZE", ["joined"], ["wider"])
    graph.conv(source, "y", 0.1)
    graph.activation("y", 0.1, 0, (1, 8, 4, 3))
    return graph.bytes(["x"], ["y"])


def lowest(data: bytes) -> float:
    """The smallest real value in the range of the CONCATENATION's output after alignment."""
    (graph,) = read(align(data, PLAIN).data).subgraphs
    (label,) = (tensor.label for tensor in graph.tensors if tensor.name == "joined")
    assert label is not None
    return label_range(label, "int8").low


def test_a_range_is_widened_where_a_reader_passes_on_negative_values() -> None:
    assert lowest(joined(passes_on=True)) <= -0.99


def test_a_clamp_stays_where_no_reader_passes_on_negative_values() -> None:
    assert lowest(joined(passes_on=False)) == 0


@pytest.mark.backends
def test_negative_values_reach_the_output_after_alignment() -> None:
    data = joined(passes_on=True)
    inputs = np.random.default_rng(3).normal(0.0, 0.6, (64, 4, 4, 3)).astype(np.float32)
    twin = outputs(readings(data, inputs)[0], "twin")

    def decibels(policies: Mapping[str, Policy]) -> float:
        aligned = align(data, AlignOptions(verify=False, policies=policies)).data
        return level(twin, outputs(readings(aligned, inputs)[0], "run"))

    declared = level(twin, outputs(readings(data, inputs)[0], "declared"))
    ours = decibels({})
    assert ours >= declared + 10
    assert ours >= decibels({"concat": "large"}) - 0.5
