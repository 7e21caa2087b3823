"""CONCATENATION of operands with different steps: the finer one keeps the output's declared
precision.
"""

from __future__ import annotations

import pytest

from tests.support.models import Graph
from tflite_align import AlignOptions, align
from tflite_align.format.reader import read

PLAIN = AlignOptions(verify=False)


def joined(operator: str, declared: float) -> bytes:
    """A CONCATENATION, MAXIMUM or MINIMUM of two convolutions with scales 0.02 (`fine`) and 0.15
    (`coarse`, which another convolution reads too). `declared`: the output's scale.
    """
    graph = Graph()
    graph.activation("x", 0.05)
    graph.conv("x", "fine", 0.02)
    graph.conv("x", "coarse", 0.15)
    graph.conv("coarse", "other", 0.1)
    if operator == "CONCATENATION":
        graph.activation("both", declared, shape=(1, 4, 4, 6))
        graph.add(operator, ["fine", "coarse"], ["both"], ("ConcatenationOptions", {"axis": 3}))
        graph.activation("y", 0.1, shape=(1, 4, 4, 6))
        graph.add("HARD_SWISH", ["both"], ["y"])
    else:
        graph.activation("both", declared)
        graph.add(operator, ["fine", "coarse"], ["both"], ("MaximumMinimumOptions", {}))
        graph.conv("both", "y", 0.1)
    return graph.bytes(["x"], ["y", "other"])


def _steps(data: bytes) -> dict[str, float]:
    tensors = read(data).subgraphs[0].tensors
    return {
        tensor.name: round(tensor.quant.scale[0], 6)
        for tensor in tensors
        if tensor.quant is not None
    }


@pytest.mark.parametrize("operator", ["MINIMUM", "MAXIMUM", "CONCATENATION"])
def test_a_fine_operand_is_no_coarser_than_the_output_declares(operator: str) -> None:
    """The fine operand gets the output's declared scale rather than the coarse operand's, in front
    of which a QUANTIZE is inserted.
    """
    steps = _steps(align(joined(operator, 0.05), PLAIN).data)
    assert steps["fine"] == steps["both"] == 0.05
    assert steps["coarse"] == 0.15, "its other reader still gets the declared scale"
    assert steps["coarse_requantized"] == 0.05


@pytest.mark.parametrize("operator", ["MINIMUM", "CONCATENATION"])
def test_an_output_that_declares_the_coarse_step_needs_no_quantize(operator: str) -> None:
    steps = _steps(align(joined(operator, 0.15), PLAIN).data)
    assert steps["fine"] == steps["coarse"] == steps["both"] == 0.15
    assert "coarse_requantized" not in steps
