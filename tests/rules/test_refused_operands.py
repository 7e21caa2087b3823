"""Operands that LiteRT refuses because of their shapes or small values: each is an error finding."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tests.support.models import Graph
from tflite_align import check
from tflite_align.verify import litert, tflm

SECONDS = 60.0
SHAPE = (1, 4, 4, 8)
Options = tuple[str, dict[str, Any]]


def one(
    operator: str, operand: Any, options: Options | None, outputs: int = 1
) -> Callable[[], bytes]:
    """A model of one operator that reads x, of shape SHAPE, and a constant int32 operand."""

    def made() -> bytes:
        graph = Graph()
        graph.activation("x", 0.05, shape=SHAPE)
        inputs = ["x"]
        if operand is not None:
            graph.constant("c", np.asarray(operand, np.int32), "int32")
            inputs.append("c")
        names = [f"y{index}" for index in range(outputs)]
        for name in names:
            graph.activation(name, 0.05, shape=SHAPE)
        graph.add(operator, inputs, names, options)
        return graph.bytes(["x"], names)

    return made


def product() -> bytes:
    graph = Graph()
    graph.activation("x", 0.05, shape=SHAPE)
    graph.constant("c", np.ones(8), "int8", 0.05)
    graph.activation("y", 0.05, shape=SHAPE)
    graph.add("BATCH_MATMUL", ["x", "c"], ["y"], ("BatchMatMulOptions", {}))
    return graph.bytes(["x"], ["y"])


REFUSED: dict[str, Callable[[], bytes]] = {
    "RESHAPE to a matrix of sizes": one("RESHAPE", [[4], [32]], None),
    "EXPAND_DIMS along two axes": one("EXPAND_DIMS", [0, 1], None),
    "UNPACK into fewer": one("UNPACK", None, ("UnpackOptions", {"num": 3, "axis": 1}), 3),
    "GATHER of more batches": one("GATHER", [0], ("GatherOptions", {"axis": 1, "batchDims": 2})),
    "GATHER_ND of five axes": one("GATHER_ND", [[0, 0, 0, 0, 0]], None),
    "SPACE_TO_DEPTH of no block": one("SPACE_TO_DEPTH", None, ("SpaceToDepthOptions", {})),
    "DEPTH_TO_SPACE of no block": one("DEPTH_TO_SPACE", None, ("DepthToSpaceOptions", {})),
    "BATCH_MATMUL of a vector": product,
}


@pytest.mark.parametrize("name", REFUSED)
def test_operands_that_are_refused_are_an_error(name: str) -> None:
    findings = check(REFUSED[name](), targets=("litert",)).findings
    operator = name.partition(" ")[0]
    assert [(f.rule, f.severity) for f in findings] == [(f"shape/{operator}/operands", "error")]


@pytest.mark.backends
@pytest.mark.parametrize("name", REFUSED)
def test_litert_refuses_them(name: str) -> None:
    assert litert.judge(REFUSED[name](), "litert", SECONDS).status in {"refused", "crashed"}


def test_an_order_that_names_an_axis_twice_is_an_error() -> None:
    """LiteRT does not refuse it, but leaves parts of the output uninitialized."""
    findings = check(one("TRANSPOSE", [0, 1, 1, 3], None)(), targets=("litert",)).findings
    assert [(f.rule, f.severity) for f in findings] == [("shape/TRANSPOSE/operands", "error")]


CORNERS: Options = ("ResizeBilinearOptions", {"alignCorners": True, "halfPixelCenters": True})
# Model -> the runtimes that refuse it.
REFUSED_BY_SOME: dict[str, tuple[Callable[[], bytes], tuple[str, ...]]] = {
    "TRANSPOSE/axes": (one("TRANSPOSE", [0, 1, -2, -1], None), ("tflm",)),
    "RESIZE_BILINEAR/corners": (one("RESIZE_BILINEAR", [4, 4], CORNERS), ("litert", "tflm")),
}
JUDGES = {"litert": litert.judge, "xnnpack": litert.judge, "tflm": tflm.judge}


@pytest.mark.parametrize("name", REFUSED_BY_SOME)
@pytest.mark.parametrize("target", JUDGES)
def test_what_some_runtimes_refuse_is_an_error_for_these(name: str, target: str) -> None:
    made, refusing = REFUSED_BY_SOME[name]
    found = [f.rule for f in check(made(), targets=(target,)).findings if f.severity == "error"]
    assert found == ([f"support/{name}"] if target in refusing else [])


@pytest.mark.backends
@pytest.mark.parametrize("name", REFUSED_BY_SOME)
@pytest.mark.parametrize("target", JUDGES)
def test_these_runtimes_refuse_them(name: str, target: str) -> None:
    if target == "tflm":
        pytest.importorskip("tflite_micro", reason="tflite-micro is not installed")
    made, refusing = REFUSED_BY_SOME[name]
    status = JUDGES[target](made(), target, SECONDS).status
    assert status == ("refused" if target in refusing else "accepted")
