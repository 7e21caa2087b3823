"""Types and shapes of variables: what is read has the type of what was written, and its declared
shape is what operators behind it are held to.
"""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.edited_models import PLAIN
from tests.support.models import Graph, TensorSpec
from tflite_align import check
from tflite_align.record import replace


def remembering(read_as: str = "int8", sizes: tuple[int, ...] = (48,)) -> bytes:
    """A variable of int8 that is written, read and reshaped."""
    graph = Graph()
    graph.activation("x", 0.05, 5)
    graph.activation("last", 0.05, 5)
    graph.activation("flat", 0.05, 5, shape=(48,))
    for name in ("last", "flat"):
        graph.tensors[name] = replace(graph.tensors[name], type=read_as)
    graph.tensors["handle"] = TensorSpec(name="handle", type="resource")
    graph.constant("sizes", np.array(sizes, np.int32), "int32")
    graph.add("VAR_HANDLE", [], ["handle"], ("VarHandleOptions", {"sharedName": "state"}))
    graph.add("ASSIGN_VARIABLE", ["handle", "x"], [], ("AssignVariableOptions", {}))
    graph.add("READ_VARIABLE", ["handle"], ["last"], ("ReadVariableOptions", {}))
    graph.add("RESHAPE", ["last", "sizes"], ["flat"], ("ReshapeOptions", {}))
    return graph.bytes(["x"], ["flat"])


def errors(data: bytes, target: str) -> list[tuple[str, str]]:
    report = check(data, replace(PLAIN, targets=(target,)))
    return [(one.rule, one.address) for one in report.findings if one.severity == "error"]


@pytest.mark.parametrize("target", ["litert", "xnnpack", "tflm"])
def test_a_variable_that_is_read_as_another_type_is_an_error(target: str) -> None:
    assert errors(remembering(), target) == []
    place = "subgraph[0]/operator[2] READ_VARIABLE/outputs[0]"
    assert errors(remembering("uint8"), target)[:1] == [("variable/type", place)]


@pytest.mark.parametrize("sizes", [(47,), (-1, 7), (-2, 24), (-1, 0)])
def test_a_shape_behind_a_variable_is_held_to_what_is_declared(sizes: tuple[int, ...]) -> None:
    place = "subgraph[0]/operator[3] RESHAPE/inputs[0]"
    assert errors(remembering(sizes=sizes), "litert") == [("shape/RESHAPE/operands", place)]


def test_weights_of_other_dimensions_than_a_kernel_takes_are_an_error() -> None:
    graph = Graph()
    graph.activation("x", 0.05, shape=(1, 16))
    graph.constant("w", np.ones((4, 2, 2, 4), np.int8), "int8", 0.01)
    graph.activation("y", 0.05, shape=(1, 4))
    graph.add("FULLY_CONNECTED", ["x", "w"], ["y"], ("FullyConnectedOptions", {}))
    (found,) = check(graph.bytes(["x"], ["y"]), replace(PLAIN, targets=("litert",))).findings
    assert found.rule == "shape/FULLY_CONNECTED/operands"
    assert "inputs[1] of 2 dimensions" in found.message
