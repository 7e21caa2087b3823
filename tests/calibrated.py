"""Models whose declared ranges are wider than what their inputs lead to."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.graphs import Graph

__all__ = ["quiet_inputs", "wide_member"]


def wide_member(second: float = 0.04, out: float = 0.04) -> bytes:
    """A CONCATENATION of two convolutions; the first declares +-12.8, has a reader of its own that
    can tell all of that, and hardly leaves +-4 on `quiet_inputs`.
    """
    graph = Graph(seed=3)
    graph.activation("x", 0.05)
    graph.conv("x", "c1", 0.1)
    graph.conv("x", "c2", second)
    graph.activation("cat", out, shape=(1, 4, 4, 6))
    graph.add("CONCATENATION", ["c1", "c2"], ["cat"], ("ConcatenationOptions", {"axis": 3}))
    graph.activation("y", 0.04, shape=(1, 4, 4, 6))
    graph.add("HARD_SWISH", ["cat"], ["y"])
    graph.conv("c1", "z", 0.1)
    return graph.bytes(["x"], ["y", "z"])


def quiet_inputs(count: int = 64) -> np.ndarray[Any, Any]:
    return np.random.default_rng(0).normal(0, 0.3, (count, 4, 4, 3)).astype(np.float32)
