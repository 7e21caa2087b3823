"""NEG of a type's smallest integer, which has no opposite: runtimes return it unchanged; a warning
says so if it can occur.
"""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.models import Graph
from tflite_align import check


def negated(first: str, fused: int = 0) -> bytes:
    """NEG of the output (int8, zero point 0) of operator `first`."""
    graph = Graph()
    graph.activation("x", 0.05)
    graph.activation("a", 0.05)
    graph.activation("b", 0.05)
    graph.activation("y", 0.05)
    if first == "CONV_2D":
        graph.conv("x", "a", 0.05, fused=fused)
    else:
        graph.add(first, ["x"], ["a"])
    window = dict.fromkeys(("strideW", "strideH", "filterWidth", "filterHeight"), 1)
    graph.add("MAX_POOL_2D", ["a"], ["b"], ("Pool2DOptions", window))
    graph.add("NEG", ["b"], ["y"], ("NegOptions", {}))
    return graph.bytes(["x"], ["y"])


@pytest.mark.parametrize(
    ("first", "fused", "count"),
    [("CONV_2D", 0, 1), ("CONV_2D", 1, 0), ("ABS", 0, 0), ("TANH", 0, 0)],
)
@pytest.mark.parametrize("runtime", ["litert", "tflite", "xnnpack"])
def test_an_integer_without_an_opposite_is_a_warning_where_it_can_occur(
    first: str, fused: int, count: int, runtime: str
) -> None:
    """TANH writes at least -1, which is integer -20 in steps of 0.05: -128 cannot occur."""
    found = check(negated(first, fused), targets=(runtime,)).findings
    (*kept,) = (f for f in found if f.rule == "support/NEG/least")
    assert [f.severity for f in kept] == ["warning"] * count
    for finding in kept:
        assert "found integers of -128..127, expected integers of -127..127" in finding.message
        assert "subtract the operand from a constant 0 with SUB" in finding.behaviour


@pytest.mark.backends
@pytest.mark.parametrize(("kind", "least"), [("int8", -128), ("int16", -32768)])
def test_litert_keeps_the_least_integer(kind: str, least: int) -> None:
    """NEG returns the smallest integer itself; SUB from 0, which the warning proposes, saturates."""
    from ai_edge_litert.interpreter import Interpreter

    graph = Graph(kind)
    for name in ("x", "negated", "subtracted"):
        graph.activation(name, 0.5, shape=(2,))
    graph.constant("zero", [0], kind, 0.5)
    graph.add("NEG", ["x"], ["negated"], ("NegOptions", {}))
    graph.add("SUB", ["zero", "x"], ["subtracted"], ("SubOptions", {}))
    runtime = Interpreter(model_content=graph.bytes(["x"], ["negated", "subtracted"]))
    runtime.allocate_tensors()
    runtime.set_tensor(runtime.get_input_details()[0]["index"], np.array([least, 5], kind))
    runtime.invoke()
    outputs = [runtime.get_tensor(each["index"]).tolist() for each in runtime.get_output_details()]
    assert outputs == [[least, -5], [-least - 1, -5]]
