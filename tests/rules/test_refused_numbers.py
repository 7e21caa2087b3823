"""Floats among the options with which a runtime refuses a model, ends, or computes no numbers: each
is an error finding, and other values are none.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from tests.rules.kernels.typed import bases
from tests.rules.test_kernel_rows import available
from tests.support.kernel_batch import run_batch
from tests.support.models import Graph, Quant, TensorSpec
from tflite_align import AlignOptions, align, check
from tflite_align.record import Record, replace

INFINITE = (math.inf, -math.inf, math.nan)
OUTPUTS = {"int8": (1 / 256, -128), "int16": (1 / 32768, 0)}  # of SOFTMAX
LITERT = ("litert", "xnnpack", "tflite")


class Softmax(Record, frozen=True, kw_only=True):
    """A SOFTMAX of one type, for run_batch: its inputs are -2, 0 and 1."""

    type: str
    beta: float

    @property
    def name(self) -> str:
        return f"{self.type}-{self.beta:g}"

    def model(self) -> bytes:
        graph = Graph(self.type)
        graph.activation("x", 1 / 64, shape=(1, 3))
        if self.type == "float32":
            for name in ("x", "y"):
                graph.tensors[name] = TensorSpec(name=name, type="float32", shape=(1, 3))
        else:
            scale, zero_point = OUTPUTS[self.type]
            quant = Quant(scale=(scale,), zero_point=(zero_point,))
            graph.tensors["y"] = TensorSpec(name="y", type=self.type, shape=(1, 3), quant=quant)
        graph.add("SOFTMAX", ["x"], ["y"], ("SoftmaxOptions", {"beta": self.beta}))
        return graph.bytes(["x"], ["y"])

    def fed(self) -> list[np.ndarray]:
        reals = np.array([[-2.0, 0.0, 1.0]])
        steps = reals if self.type == "float32" else reals * 64
        return [steps.astype(self.type)]

    def right(self, outputs: Sequence[np.ndarray]) -> bool:
        """Whether the outputs are those of a softmax of that beta, within 1/100."""
        if not math.isfinite(self.beta):
            return False
        powers = np.exp(self.beta * np.array([-2.0, 0.0, 1.0]))
        scale, zero_point = OUTPUTS.get(self.type, (1.0, 0))
        reals = (outputs[0].astype(float).reshape(-1) - zero_point) * scale
        return bool(np.abs(reals - powers / powers.sum()).max() < 0.01)


SOFTMAXES = {
    case.name: case
    for kind in ("float32", "int8", "int16")
    for beta in (1.0, 0.0, -1.0, *INFINITE)
    for case in (Softmax(type=kind, beta=beta),)
}


def errors(data: bytes, target: str) -> list[str]:
    return [f.rule for f in check(data, targets=(target,)).findings if f.severity == "error"]


def has_error(case: Softmax, target: str) -> bool:
    """Whether the case is an error, and only for its beta."""
    rules = errors(case.model(), target)
    assert rules in ([], ["support/SOFTMAX/beta"])
    return bool(rules)


@pytest.mark.parametrize("target", LITERT)
def test_a_beta_that_is_no_number_or_taken_as_0_is_an_error(target: str) -> None:
    found = {name for name, case in SOFTMAXES.items() if has_error(case, target)}
    infinite = {f"{kind}-{beta:g}" for kind in (*OUTPUTS, "float32") for beta in INFINITE}
    assert found == infinite | {"int16--1"}


@pytest.mark.backends
@pytest.mark.parametrize("runtime", available())
def test_the_errors_are_what_the_runtimes_do_not_compute(runtime: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        outcomes = run_batch(SOFTMAXES.values(), runtime, Path(folder))
    wrong = {
        name
        for name, case in SOFTMAXES.items()
        if outcomes[name].error or not case.right(outcomes[name].outputs)
    }
    assert wrong == {name for name, case in SOFTMAXES.items() if has_error(case, runtime)}


def with_option(operator: str, option: str, value: float) -> bytes:
    base = next(iter(bases(operator)))
    assert base.form.options is not None
    table, options = base.form.options
    form = replace(base.form, options=(table, {**options, option: value}))
    return replace(base, form=form).model()


CLIPPED = ("LSTM", "UNIDIRECTIONAL_SEQUENCE_LSTM", "BIDIRECTIONAL_SEQUENCE_LSTM")
# Operator, option, a value that is an error, one that is none, the rule's part.
NUMBERS = (
    *((name, clip, -1.0, 0.5, "clip") for name in CLIPPED for clip in ("cellClip", "projClip")),
    ("LSTM", "cellClip", math.nan, math.inf, "clip"),
    ("LEAKY_RELU", "alpha", math.nan, -1.0, "alpha"),
    ("LOCAL_RESPONSE_NORMALIZATION", "radius", -1, 1, "radius"),
    ("LOCAL_RESPONSE_NORMALIZATION", "beta", math.inf, 0.5, "numbers"),
)


@pytest.mark.parametrize("row", NUMBERS, ids=lambda row: "-".join(map(str, row)))
@pytest.mark.parametrize("target", LITERT)
def test_numbers_that_litert_does_not_take_are_errors(
    row: tuple[str, str, float, float, str], target: str
) -> None:
    operator, option, wrong, right, part = row
    rule = f"support/{operator}/{part}"
    assert rule in errors(with_option(operator, option, wrong), target)
    assert rule not in errors(with_option(operator, option, right), target)


def test_the_message_names_the_number() -> None:
    (found,) = check(Softmax(type="int16", beta=-1.0).model(), targets=("litert",)).findings
    assert "found -1, expected a finite beta of 0 or more" in found.message


def test_an_option_that_is_no_number_is_kept() -> None:
    """NaN differs from itself, but nobody changed it."""
    data = Softmax(type="int8", beta=math.nan).model()
    assert align(data, AlignOptions(targets=("litert",), verify=False)).data == data
