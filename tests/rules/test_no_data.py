"""Tensors without producer and data, and variables with data: an error finding if a runtime refuses
the model or reads uninitialized memory.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.rules.test_kernel_rows import available
from tests.support.models import Graph
from tests.support.object_api import load, pack
from tflite_align import check
from tflite_align.errors import FormatError
from tflite_align.format.reader import read
from tflite_align.verify import litert, tflm

SECONDS = 60.0
PLACES = ["x", "c"]


def sum_of(inputs: list[str], outputs: list[str]) -> bytes:
    """The model x + c with these tensors as graph inputs and outputs."""
    graph = Graph()
    for name in ("x", "c", "y", "lost"):
        graph.activation(name, 0.05)
    graph.add("ADD", PLACES, ["y"], ("AddOptions", {}))
    return graph.bytes(inputs, outputs)


def unwritten_operand() -> bytes:
    return sum_of(["x"], ["y"])


def unwritten_output() -> bytes:
    return sum_of(PLACES, ["y", "lost"])


def filled(name: bytes, *, variable: bool = False) -> bytes:
    """The model x + c with data in the tensor `name`; `variable`: that tensor is a variable."""
    made: Any = load(unwritten_operand())
    tensor = next(one for one in made.subgraphs[0].tensors if one.name == name)
    held = type(made.buffers[0])()
    held.data = np.ones(int(np.prod(tensor.shape)), np.uint8)
    held.offset = held.size = 0
    made.buffers = [*made.buffers, held]
    tensor.buffer, tensor.isVariable = len(made.buffers) - 1, variable
    return pack(made)


def rules(data: bytes, target: str) -> list[tuple[str, str]]:
    findings = check(data, targets=(target,)).findings
    return [(one.rule, one.severity) for one in findings if one.rule.startswith("data/")]


@pytest.mark.parametrize("target", ["litert", "xnnpack", "tflm", "ethos-u55"])
def test_an_operand_that_nobody_writes_is_an_error(target: str) -> None:
    assert rules(unwritten_operand(), target) == [("data/none", "error")]
    assert rules(unwritten_output(), target) == [("data/none", "error")]
    assert rules(sum_of(PLACES, ["y"]), target) == []


@pytest.mark.backends
def test_litert_refuses_what_nobody_writes() -> None:
    assert litert.judge(sum_of(PLACES, ["y"]), "litert", SECONDS).status == "accepted"
    refused = litert.judge(unwritten_operand(), "litert", SECONDS)
    assert (refused.status, "lacks data" in refused.reason) == ("refused", True)
    if "tflm" in available():
        assert tflm.judge(unwritten_operand(), "tflm", SECONDS).status == "accepted"


def test_a_variable_with_data_is_refused_by_litert() -> None:
    data = filled(b"c", variable=True)
    assert rules(filled(b"c"), "litert") == []
    assert rules(data, "litert") == [("data/variable", "error")]
    assert rules(data, "tflm") == [("data/variable", "warning")]


def test_an_operator_that_writes_a_constant_is_refused() -> None:
    with pytest.raises(FormatError, match=r"holds \d+ bytes, not none"):
        read(filled(b"y"))
