"""Operators that Vela runs on the NPU or not depending on their parameters, compared with Vela."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.support.models import Graph, GraphSpec, OperatorSpec, Quant, TensorSpec, model_bytes
from tests.support.vela_batch import compile_batch
from tflite_align import AlignOptions, check
from tflite_align.checks.checker import Finding
from tflite_align.verify.judges import available

TARGETS = ("ethos-u55", "ethos-u65", "ethos-u85")
NEXT = float(np.nextafter(np.float32(0.05), np.float32(1.0)))  # the next float32 after 0.05

# Scales of second input and output of a MAXIMUM; its first input has 0.05.
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
    with_errors = {
        name
        for name, data in models.items()
        if "support/MAXIMUM/cpu" in {finding.rule for finding in _findings(data, target)}
    }
    assert with_errors == left == {*MAXIMA} - {"equal"}


def test_a_finding_shows_the_bit_in_which_scales_differ() -> None:
    (found,) = (
        f for f in _findings(_maximum(NEXT, 0.05), "ethos-u55") if f.rule == "support/MAXIMUM/cpu"
    )
    assert "scale 0.0500000007, zero point 3 and scale 0.0500000045, zero point 3" in found.message


# --- slopes ---------------------------------------------------------------------------------------

UNIT = 1 / 64  # scale of the slopes
# Name -> (slopes minus their zero point in steps, None: computed; parameters of the output).
# The input has (0.05, 131).
APART, LIKE = (0.05, 124), (0.05, 131)
SLOPES: dict[str, tuple[list[int] | None, tuple[float, int]]] = {
    "below 1": ([10, 20, 30, 40, 50], APART),
    "up to 1": ([10, 20, 30, 40, 64], APART),
    "above 1": ([70, 80, 90, 100, 110], APART),
    "one above 1": ([10, 20, 30, 40, 65], APART),
    "below 0": ([-100, -90, -80, -70, -60], APART),
    "of both signs": ([-100, 20, -30, 40, -50], APART),
    "zeros": ([0] * 5, APART),
    "ones": ([64] * 5, APART),
    "alike": ([20] * 5, APART),
    "computed": (None, APART),
    "below 1, as given": ([10, 20, 30, 40, 50], LIKE),
    "below 1, another scale": ([10, 20, 30, 40, 50], (NEXT, 131)),
    "below 1, another zero point": ([10, 20, 30, 40, 50], (0.05, 130)),
}
REFUSED = {
    "below 1",
    "up to 1",
    "below 0",
    "of both signs",
    "below 1, another scale",
    "below 1, another zero point",
}


def _prelu(kind: str, steps: list[int] | None, made: tuple[float, int]) -> bytes:
    middle = 128 if kind == "uint8" else 0
    down = 128 - middle
    data = None if steps is None else np.asarray(steps).reshape(1, 1, 5) + middle
    labels = {"x": (0.05, 131), "y": made}
    tensors = [
        TensorSpec(
            name=name,
            type=kind,
            shape=(1, 3, 4, 5),
            quant=Quant(scale=(scale,), zero_point=(zero_point - down,)),
        )
        for name, (scale, zero_point) in labels.items()
    ]
    slopes = TensorSpec(
        name="a",
        type=kind,
        shape=(1, 1, 5),
        quant=Quant(scale=(UNIT,), zero_point=(middle,)),
        data=None if data is None else data.astype(kind),
    )
    graph = GraphSpec(
        tensors=[*tensors, slopes],
        operators=[OperatorSpec(name="PRELU", inputs=["x", "a"], outputs=["y"])],
        inputs=["x", "a"] if data is None else ["x"],
        outputs=["y"],
    )
    return model_bytes([graph])


@pytest.mark.backends
@pytest.mark.parametrize("kind", ["int8", "uint8"])
@pytest.mark.parametrize("target", TARGETS)
def test_slopes_are_an_error_where_vela_refuses_them(
    target: str, kind: str, tmp_path: Path
) -> None:
    if missing := available(target):
        pytest.skip(missing)
    models = {name: _prelu(kind, *form) for name, form in SLOPES.items()}
    compiled = compile_batch(models, target, tmp_path)
    refused = {name for name, found in compiled.items() if found.error}
    with_errors = {
        name
        for name, data in models.items()
        if any(finding.severity == "error" for finding in _findings(data, target))
    }
    assert with_errors == refused == (REFUSED if kind == "uint8" else set())
