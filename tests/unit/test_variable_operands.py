"""Types and shapes of variables: a value read has the type of the value written, and shapes behind
it are checked against its declared shape.
"""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.edited_models import PLAIN
from tests.support.models import Graph, TensorSpec
from tflite_align import check
from tflite_align.record import replace


def remembering(read_as: str = "int8", sizes: tuple[int, ...] = (48,)) -> bytes:
    """An int8 variable that is assigned, read and reshaped. `read_as`: the declared type of the
    value read; `sizes`: the sizes of the RESHAPE.
    """
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
def test_a_shape_behind_a_variable_is_checked_against_its_declared_shape(
    sizes: tuple[int, ...],
) -> None:
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
