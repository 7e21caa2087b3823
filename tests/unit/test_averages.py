"""Averages: the share of their input's rounding noise in their output, and the estimated cost of
clipping in front of them.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from tests.support.bound_models import bound
from tests.support.models import Graph
from tflite_align import AlignOptions, align
from tflite_align.format.model import Slot
from tflite_align.format.reader import read
from tflite_align.numerics import Label
from tflite_align.solver.averages import clip_noise
from tflite_align.solver.ranges import Values, value_flow

WINDOW = ("Pool2DOptions", {"strideH": 2, "strideW": 2, "filterHeight": 2, "filterWidth": 2})
PLAIN = AlignOptions(verify=False)


def averaged(name: str, out: tuple[int, ...], options: Any, operand: list[int] | None) -> Values:
    """The range analysis of a graph with one averaging operator `name`: its input is [1, 4, 4, 3]
    with scale 0.1, its output has shape `out` and scale 0.05. `operand`: the values of an int32
    second operand such as axes, if there is one.
    """
    graph = Graph()
    graph.activation("x", 0.1)
    graph.activation("y", 0.05, shape=out)
    inputs = ["x"]
    if operand is not None:
        inputs.append(graph.constant("operand", operand, "int32"))
    graph.add(name, inputs, ["y"], options)
    return value_flow(bound(read(graph.bytes(["x"], ["y"]))))


@pytest.mark.parametrize(
    ("name", "out", "options", "operand", "left"),
    [
        ("AVERAGE_POOL_2D", (1, 2, 2, 3), WINDOW, None, 1 / 4),
        ("MEAN", (1, 3), ("ReducerOptions", {}), [1, 2], 1 / 16),
        ("RESIZE_BILINEAR", (1, 8, 4, 3), ("ResizeBilinearOptions", {}), [8, 4], 2 / 3),
    ],
)
def test_a_mean_has_a_part_of_the_noise(
    name: str, out: tuple[int, ...], options: Any, operand: list[int] | None, left: float
) -> None:
    values = averaged(name, out, options, operand)
    (x, y) = values.labels
    assert values.noise[y] == pytest.approx(left * values.noise[x] + 0.05**2)
    one = values.averaged[Slot(0, 0, "inputs", 0)]
    assert (one.left, one.step) == pytest.approx((left, 0.05))


def test_a_window_of_one_element_averages_nothing() -> None:
    options = ("Pool2DOptions", {**WINDOW[1], "filterHeight": 1, "filterWidth": 1})
    values = averaged("AVERAGE_POOL_2D", (1, 2, 2, 3), options, None)
    assert values.averaged == {}


def test_clipping_more_adds_more() -> None:
    kept = np.linspace(0.0, 8.0, 33)
    found = clip_noise(0.0, 8.0, np.zeros_like(kept), kept)
    assert found[-1] == 0
    assert all(more > less for more, less in pairwise(found))
    assert found[0] == pytest.approx(12 * 2 * (8 / 11) ** 2, rel=1e-2)


def test_clipping_at_both_ends_adds_up() -> None:
    low, high = np.array([-1.0]), np.array([2.0])
    both = clip_noise(-3.0, 4.0, low, high)
    alone = clip_noise(-3.0, 4.0, low, np.array([4.0])), clip_noise(-3.0, 4.0, -3 * high, high)
    assert both == pytest.approx(alone[0] + alone[1])


def test_values_near_the_edge_are_clipped_evenly() -> None:
    edge = np.array([6.0])
    assert clip_noise(0.0, 8.0, 0 * edge, edge, crowded=True) == pytest.approx(12 * 2.0**3 / 24)
    assert clip_noise(0.0, 8.0, 0 * edge, edge) < 0.1


def test_an_output_narrower_than_its_input_is_marked_crowded() -> None:
    values = averaged("AVERAGE_POOL_2D", (1, 2, 2, 3), WINDOW, None)  # ranges 12.8 and 6.4 wide
    (_, y) = values.labels
    assert values.crowded == {y}


def test_values_of_one_sign_are_clipped_at_one_end() -> None:
    """Values are in [2, 4], most of them near 2. A range from 0 to 4 contains them all, so clipping
    to it adds no noise.
    """
    assert clip_noise(2.0, 4.0, np.array([0.0]), np.array([4.0])) == 0


def pooled(scale: float, out: float) -> bytes:
    """CONV_2D -> AVERAGE_POOL_2D (a window of 16 elements) -> CONV_2D. The pool's input has scale
    `scale`, its output has scale `out`.
    """
    graph = Graph(seed=2)
    graph.activation("x", 0.05)
    graph.conv("x", "c", scale, -128, fused=1)
    graph.activation("p", out, -128)
    options = {"strideH": 1, "strideW": 1, "filterHeight": 4, "filterWidth": 4, "padding": 0}
    graph.add("AVERAGE_POOL_2D", ["c"], ["p"], ("Pool2DOptions", options))
    graph.conv("p", "y", 0.1)
    return graph.bytes(["x"], ["y"])


def shared(data: bytes) -> Label:
    (graph,) = read(align(data, PLAIN).data).subgraphs
    labels = {t.label for t in graph.tensors if t.name in {"c", "p"}}
    assert len(labels) == 1
    (label,) = labels
    assert label is not None
    return label


def test_a_little_clipping_costs_less_than_coarse_means() -> None:
    assert shared(pooled(0.11, 0.1)) == Label(float(np.float32(0.1)), -128)


def test_much_clipping_costs_more_than_coarse_means() -> None:
    assert shared(pooled(0.16, 0.1)) == Label(float(np.float32(0.16)), -128)
