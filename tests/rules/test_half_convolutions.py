"""Convolutions in float16 whose declared number of channels is wrong, compared with XNNPACK.

Converters declare sizes of 1 behind a slice whose end is computed.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from tests.support.gate_batch import ask_batch
from tests.support.models import CONV, GraphSpec, OperatorSpec, TensorSpec, model_bytes
from tflite_align import AlignOptions, align, check

SEEN = 8  # channels of the filter; channels that the slice returns
RULE = "support/CONV_2D/channels"
DECLARED = (1, 2, 4, 8, 12)


def _sliced(kind: str, declared: int, *, computed: bool = False) -> bytes:
    """A CONV_2D behind a STRIDED_SLICE of everything, whose declared channels are `declared`.
    `computed`: the slice's end is a graph input.
    """
    filters = np.random.default_rng(0).normal(size=(3, 1, 1, SEEN)).astype(kind)
    shape, vectors = (1, 4, 4, SEEN), {"begin": [0] * 4, "steps": [1] * 4}
    if not computed:
        vectors["end"] = list(shape)
    tensors = [
        TensorSpec(name="x", type=kind, shape=shape),
        TensorSpec(name="part", type=kind, shape=(1, 4, 4, declared)),
        TensorSpec(name="w", type=kind, shape=filters.shape, data=filters),
        TensorSpec(name="b", type=kind, shape=(3,), data=np.zeros(3, kind)),
        TensorSpec(name="y", type=kind, shape=(1, 4, 4, 3)),
        *(
            TensorSpec(name=name, type="int32", shape=(4,), data=np.asarray(values, np.int32))
            for name, values in vectors.items()
        ),
    ]
    if computed:
        tensors.append(TensorSpec(name="end", type="int32", shape=(4,)))
    operators = [
        OperatorSpec(
            name="STRIDED_SLICE",
            inputs=["x", "begin", "end", "steps"],
            outputs=["part"],
            options=("StridedSliceOptions", {}),
        ),
        OperatorSpec(name="CONV_2D", inputs=["part", "w", "b"], outputs=["y"], options=CONV),
    ]
    inputs = ["x", "end"] if computed else ["x"]
    return model_bytes(
        [GraphSpec(tensors=tensors, operators=operators, inputs=inputs, outputs=["y"])]
    )


def _errors(data: bytes, targets: Sequence[str]) -> list[str]:
    found = check(data, AlignOptions(targets=tuple(targets), verify=False)).findings
    return [finding.rule for finding in found if finding.severity == "error"]


@pytest.mark.backends
@pytest.mark.parametrize("kind", ["float16", "float32"])
def test_errors_are_what_the_delegate_refuses(kind: str, tmp_path: Path) -> None:
    models = {f"declared{count}": _sliced(kind, count) for count in DECLARED}
    outcomes = ask_batch(models, "xnnpack", tmp_path)
    refused = {name for name, outcome in outcomes.items() if outcome.error}
    with_errors = {name for name, data in models.items() if _errors(data, ["xnnpack"])}
    assert with_errors == refused
    assert refused == (
        {f"declared{n}" for n in DECLARED if n < SEEN} if kind == "float16" else set()
    )


@pytest.mark.parametrize("target", ["xnnpack", "tflite"])
def test_channels_that_a_run_decides_are_an_error(target: str) -> None:
    """The slice's end is a graph input. No shape can be inferred, so that the delegate uses the
    declared one.
    """
    assert _errors(_sliced("float16", 1, computed=True), [target]) == [RULE]


@pytest.mark.backends
def test_a_rewritten_shape_lets_the_delegate_take_it(tmp_path: Path) -> None:
    made = align(_sliced("float16", 1), AlignOptions(targets=("xnnpack",), verify=False)).data
    assert _errors(made, ["xnnpack"]) == []
    assert ask_batch({"made": made}, "xnnpack", tmp_path)["made"].error == ""
