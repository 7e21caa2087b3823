"""Numbers of dimensions that a kernel does not support: an error if the runtime refuses them."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable

import numpy as np
import pytest

from tests.support.models import Graph
from tflite_align import check

# Operator -> for each target the greatest number of dimensions that its kernel supports.
GREATEST = {
    "BATCH_MATMUL": {"litert": 5, "xnnpack": 6, "tflite": 6, "tflm": 5},
    "PAD": {"litert": 5, "xnnpack": 6, "tflite": 6, "tflm": 5},
    "PADV2": {"litert": 5, "xnnpack": 5, "tflite": 5, "tflm": 5},
    "SLICE": {"tflm": 5},
    "STRIDED_SLICE": {"tflm": 4},
    "TRANSPOSE": {"tflm": 5},
}


def batch_matmul(graph: Graph, rank: int) -> list[str]:
    graph.activation("z", 0.5, shape=(*(1,) * (rank - 2), 4, 3))
    graph.activation("y", 0.5, shape=(*(1,) * (rank - 1), 3))
    graph.add("BATCH_MATMUL", ["x", "z"], ["y"], ("BatchMatMulOptions", {}))
    return ["x", "z"]


def pad(graph: Graph, rank: int) -> list[str]:
    graph.constant("pads", [[0, 0]] * (rank - 1) + [[1, 1]], "int32")
    graph.activation("y", 0.5, shape=(1,) * (rank - 1) + (6,))
    graph.add("PAD", ["x", "pads"], ["y"])
    return ["x"]


def pad_with_value(graph: Graph, rank: int) -> list[str]:
    graph.constant("pads", [[0, 0]] * (rank - 1) + [[1, 1]], "int32")
    graph.activation("value", 0.5, shape=(1,))
    graph.activation("y", 0.5, shape=(1,) * (rank - 1) + (6,))
    graph.add("PADV2", ["x", "pads", "value"], ["y"])
    return ["x", "value"]


def sliced(graph: Graph, rank: int) -> list[str]:
    graph.constant("begin", np.zeros(rank), "int32")
    graph.constant("sizes", (*(1,) * (rank - 1), 2), "int32")
    graph.activation("y", 0.5, shape=(1,) * (rank - 1) + (2,))
    graph.add("SLICE", ["x", "begin", "sizes"], ["y"])
    return ["x"]


def strided_slice(graph: Graph, rank: int) -> list[str]:
    graph.constant("begin", np.zeros(rank), "int32")
    graph.constant("end", (*(1,) * (rank - 1), 2), "int32")
    graph.constant("strides", np.ones(rank), "int32")
    graph.activation("y", 0.5, shape=(1,) * (rank - 1) + (2,))
    names = ["x", "begin", "end", "strides"]
    graph.add("STRIDED_SLICE", names, ["y"], ("StridedSliceOptions", {}))
    return ["x"]


def transpose(graph: Graph, rank: int) -> list[str]:
    graph.constant("order", [rank - 1, *range(rank - 1)], "int32")
    graph.activation("y", 0.5, shape=(4, *(1,) * (rank - 1)))
    graph.add("TRANSPOSE", ["x", "order"], ["y"])
    return ["x"]


MAKERS: dict[str, Callable[[Graph, int], list[str]]] = {
    "BATCH_MATMUL": batch_matmul,
    "PAD": pad,
    "PADV2": pad_with_value,
    "SLICE": sliced,
    "STRIDED_SLICE": strided_slice,
    "TRANSPOSE": transpose,
}


def model(operator: str, rank: int) -> bytes:
    """One operator of int8 whose input has this many dimensions: 1, ..., 1, 4."""
    graph = Graph()
    graph.activation("x", 0.5, shape=(1,) * (rank - 1) + (4,))
    return graph.bytes(MAKERS[operator](graph, rank), ["y"])


@pytest.mark.parametrize("operator", GREATEST)
def test_too_many_dimensions_are_an_error(operator: str) -> None:
    for target, greatest in GREATEST[operator].items():
        assert check(model(operator, greatest), targets=(target,)).findings == ()
        (finding,) = check(model(operator, greatest + 1), targets=(target,)).findings
        assert (finding.rule, finding.severity) == (f"support/{operator}/rank", "error")
        assert finding.address.endswith(f"{operator}/inputs[0]")


@pytest.mark.backends
@pytest.mark.parametrize("operator", GREATEST)
def test_the_runtimes_refuse_too_many_dimensions(operator: str) -> None:
    for target, greatest in GREATEST[operator].items():
        if target == "tflite" or (
            target == "tflm" and not importlib.util.find_spec("tflite_micro")
        ):
            continue
        for rank, outcomes in ((greatest, {"accepted"}), (greatest + 1, {"refused", "crashed"})):
            report = check(model(operator, rank), targets=(target,), judges=(target,))
            assert report.verification is not None
            assert {one.after.status for one in report.verification.judges} <= outcomes
