"""Models with scales along an axis that kernels do not support."""

from __future__ import annotations

import numpy as np

from tests.support.models import CONV, Graph, Quant
from tflite_align.record import replace

__all__ = ["per_channel"]


def per_channel(axis: int) -> bytes:
    """A DEPTHWISE_CONV_2D whose weights [1, 3, 3, 3] have three scales along this axis."""
    graph = Graph()
    graph.activation("x", 0.05)
    graph.constant("w", graph.rng.integers(-127, 128, (1, 3, 3, 3)), "int8")
    quant = Quant(scale=(0.01, 0.02, 0.03), zero_point=(0,) * 3, axis=axis)
    graph.tensors["w"] = replace(graph.tensors["w"], quant=quant)
    graph.constant("b", [0, 0, 0], "int32")
    products = tuple(float(np.float32(0.05) * np.float32(scale)) for scale in quant.scale)
    units = Quant(scale=products, zero_point=(0,) * 3)
    graph.tensors["b"] = replace(graph.tensors["b"], quant=units)
    graph.activation("y", 0.1)
    options = ("DepthwiseConv2DOptions", {**CONV[1], "depthMultiplier": 1})
    graph.add("DEPTHWISE_CONV_2D", ["x", "w", "b"], ["y"], options)
    return graph.bytes(["x"], ["y"])
