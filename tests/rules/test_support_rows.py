"""Support rows compared with the real runtimes: a form is refused if and only if a row says so."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from tests.rules.operators.all_cases import SATISFIED
from tests.support.kernel_batch import run_batch
from tests.support.models import GraphSpec, OperatorSpec, Quant, TensorSpec, model_bytes
from tflite_align import AlignOptions, check
from tflite_align.verify.judges import available, judge_file


def _need(runtime: str) -> None:
    if runtime == "tflm" and importlib.util.find_spec("tflite_micro") is None:
        pytest.skip("tflite-micro is not installed")


def _unsupported(model: bytes, target: str) -> list[str]:
    found = check(model, AlignOptions(targets=(target,), verify=False)).findings
    rooms = ("support/", "types/")
    return [f.rule for f in found if f.severity == "error" and f.rule.startswith(rooms)]


@pytest.mark.parametrize("target", ["litert", "xnnpack", "tflm"])
def test_rows_refuse_the_forms_that_the_runtime_refuses(target: str, tmp_path: Path) -> None:
    """The forms satisfy all other rules: only a support row can explain that one is refused or
    computed wrongly.
    """
    _need(target)
    outcomes = run_batch(SATISFIED.values(), target, tmp_path)
    refused = {name for name, outcome in outcomes.items() if outcome.error}
    with_errors = {name for name, case in SATISFIED.items() if _unsupported(case.model(), target)}
    assert refused <= with_errors
    runs = with_errors - refused
    assert [n for n in runs if not SATISFIED[n].faults(outcomes[n].outputs)] == []


def _convolution(activation: str) -> bytes:
    quant = None if activation == "float32" else Quant(scale=(0.1,), zero_point=(0,))
    shape = (1, 4, 4, 2)
    weights = np.ones((2, 1, 1, 2), np.int8)
    graph = GraphSpec(
        tensors=[
            TensorSpec(name="x", type=activation, shape=shape, quant=quant),
            TensorSpec(
                name="w",
                type="int8",
                shape=weights.shape,
                quant=Quant(scale=(0.1,), zero_point=(0,)),
                data=weights,
            ),
            TensorSpec(name="y", type=activation, shape=shape, quant=quant),
        ],
        operators=[
            OperatorSpec(
                name="CONV_2D",
                inputs=["x", "w"],
                outputs=["y"],
                options=("Conv2DOptions", {"strideW": 1, "strideH": 1}),
                version=3,
            )
        ],
        inputs=["x"],
        outputs=["y"],
    )
    return model_bytes([graph])


@pytest.mark.backends
@pytest.mark.parametrize(
    ("activation", "status", "rules"),
    [("int8", "accepted", []), ("float32", "refused", ["types/CONV_2D"])],
)
def test_float_activations_with_integer_weights(
    activation: str, status: str, rules: list[str]
) -> None:
    _need("tflm")
    model = _convolution(activation)
    assert judge_file(model, "tflm").status == status
    assert _unsupported(model, "tflm") == rules


def _quantize(source: str, target: str) -> bytes:
    quants = {
        "int8": Quant(scale=(0.1,), zero_point=(1,)),
        "uint8": Quant(scale=(0.1,), zero_point=(3,)),
        "int16": Quant(scale=(0.01,), zero_point=(0,)),
    }
    ends = (("x", source), ("y", target))
    graph = GraphSpec(
        tensors=[TensorSpec(name=n, type=t, shape=(1, 8), quant=quants[t]) for n, t in ends],
        operators=[OperatorSpec(name="QUANTIZE", inputs=["x"], outputs=["y"], version=2)],
        inputs=["x"],
        outputs=["y"],
    )
    return model_bytes([graph])


def _hard_swish(kind: str) -> bytes:
    quants = {
        "int8": Quant(scale=(0.1,), zero_point=(1,)),
        "int16": Quant(scale=(0.001,), zero_point=(0,)),
    }
    quant, shape = quants.get(kind), (1, 4, 4, 8)
    graph = GraphSpec(
        tensors=[TensorSpec(name=name, type=kind, shape=shape, quant=quant) for name in "xy"],
        operators=[OperatorSpec(name="HARD_SWISH", inputs=["x"], outputs=["y"])],
        inputs=["x"],
        outputs=["y"],
    )
    return model_bytes([graph])


@pytest.mark.backends
@pytest.mark.parametrize("target", ["ethos-u55", "ethos-u65", "ethos-u85"])
@pytest.mark.parametrize(
    ("kind", "status"), [("int8", "accepted"), ("int16", "refused"), ("float32", "refused")]
)
def test_vela_takes_hard_swish_of_8_bits(target: str, kind: str, status: str) -> None:
    if missing := available(target):
        pytest.skip(missing)
    model = _hard_swish(kind)
    assert judge_file(model, target).status == status
    assert _unsupported(model, target) == ["support/HARD_SWISH/type"] * (status == "refused")


@pytest.mark.backends
@pytest.mark.parametrize("source", ["int8", "uint8"])
@pytest.mark.parametrize("target", ["int8", "uint8", "int16"])
def test_quantize_between_types(source: str, target: str) -> None:
    _need("tflm")
    model = _quantize(source, target)
    refused = judge_file(model, "tflm").status != "accepted"
    assert bool(_unsupported(model, "tflm")) == refused
