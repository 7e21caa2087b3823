"""Operators that Vela takes or leaves by their parameters, compared with Vela."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.support.models import Graph
from tests.support.vela_batch import compile_batch
from tflite_align import AlignOptions, check
from tflite_align.checks.checker import Finding
from tflite_align.verify.judges import available

TARGETS = ("ethos-u55", "ethos-u65", "ethos-u85")
NEXT = float(np.nextafter(np.float32(0.05), np.float32(1.0)))  # after 0.05, in float32

# Scales of the second input and the output of a MAXIMUM whose first has 0.05.
MAXIMA = {"equal": (0.05, 0.05), "input": (NEXT, 0.05), "output": (0.05, NEXT), "far": (0.06, 0.05)}


def _findings(data: bytes, target: str) -> tuple[Finding, ...]:
    return check(data, AlignOptions(targets=(target,), verify=False)).findings


def _maximum(second: float, output: float) -> bytes:
    graph = Graph()
    for name, scale in (("a", 0.05), ("b", second), ("y", output)):
        graph.activation(name, scale, 3)
    graph.add("MAXIMUM", ["a", "b"], ["y"])
    return graph.bytes(["a", "b"], ["y"])


@pytest.mark.backends
@pytest.mark.parametrize("target", TARGETS)
def test_scales_are_compared_to_the_last_bit(target: str, tmp_path: Path) -> None:
    if missing := available(target):
        pytest.skip(missing)
    models = {name: _maximum(*scales) for name, scales in MAXIMA.items()}
    compiled = compile_batch(models, target, tmp_path)
    left = {name for name, found in compiled.items() if found.cpu}
    told = {
        name
        for name, data in models.items()
        if "support/MAXIMUM/cpu" in {finding.rule for finding in _findings(data, target)}
    }
    assert told == left == {*MAXIMA} - {"equal"}


def test_a_finding_shows_the_bit_in_which_scales_differ() -> None:
    (found,) = (
        f for f in _findings(_maximum(NEXT, 0.05), "ethos-u55") if f.rule == "support/MAXIMUM/cpu"
    )
    assert "scale 0.0500000007, zero point 3 and scale 0.0500000045, zero point 3" in found.message
