"""Small models of one operator each, against the runtimes: what is found is what they do.

Each form says which targets refuse it or compute it wrongly; the findings are held against that,
and the runtimes are asked whether it is so.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.kernel_batch import Outcome, run_batch
from tests.support.models import Array, GraphSpec, OperatorSpec, Quant, TensorSpec, model_bytes
from tflite_align import AlignOptions, check
from tflite_align.record import Record, field

RUNTIMES = ("litert", "xnnpack", "tflm")


def at(scale: float, zero_point: int = 0) -> Quant:
    return Quant(scale=(float(np.float32(scale)),), zero_point=(zero_point,))


def each(*scales: float, zero_point: int = 0, axis: int = 0) -> Quant:
    rounded = tuple(float(np.float32(scale)) for scale in scales)
    return Quant(scale=rounded, zero_point=(zero_point,) * len(rounded), axis=axis)


def tensor(
    name: str, kind: str, shape: tuple[int, ...], quant: Quant | None = None, data: Any = None
) -> TensorSpec:
    values = None if data is None else np.asarray(data).reshape(shape)
    return TensorSpec(name=name, type=kind, shape=shape, quant=quant, data=values)


ABSENT = TensorSpec(name="", type="")


class Form(Record, frozen=True, kw_only=True):
    """One operator. `wrong`: by target what is found there as an error; `told`: what is found as
    a warning; a runtime that takes the form and computes `expected` within `tolerance` steps has
    no error.
    """

    name: str
    operator: str
    inputs: tuple[TensorSpec, ...]
    output: TensorSpec
    fed: tuple[Array, ...]
    expected: Array
    options: tuple[str, Mapping[str, Any]] | None = None
    version: int = 1
    tolerance: float = 1.0
    wrong: Mapping[str, str] = field(default_factory=dict)
    told: Mapping[str, str] = field(default_factory=dict)

    def model(self) -> bytes:
        given = [spec for spec in self.inputs if spec.type and spec.data is None]
        graph = GraphSpec(
            tensors=[*(spec for spec in self.inputs if spec.type), ABSENT, self.output],
            operators=[
                OperatorSpec(
                    name=self.operator,
                    inputs=[spec.name for spec in self.inputs],
                    outputs=[self.output.name],
                    options=self.options,
                    version=self.version,
                )
            ],
            inputs=[spec.name for spec in given],
            outputs=[self.output.name],
        )
        return model_bytes([graph])

    def right(self, outcome: Outcome) -> bool:
        if outcome.error:
            return False
        found = outcome.outputs[0].astype(np.float64)
        quant, wanted = self.output.quant, np.asarray(self.expected, np.float64)
        if quant is None:
            return bool(np.allclose(found, wanted, rtol=1e-4, atol=1e-4))
        limits = np.iinfo(self.output.type)
        steps = np.clip(wanted / quant.scale[0] + quant.zero_point[0], limits.min, limits.max)
        return bool(np.abs(found - steps).max() <= self.tolerance + 0.01)


def ramp(kind: str, shape: tuple[int, ...]) -> Array:
    """Integers over the type's range."""
    limits = np.iinfo(kind)
    values = np.linspace(limits.min, limits.max, int(np.prod(shape))).round()
    mixed = np.random.default_rng(7).permutation(values)
    return mixed.astype(kind).reshape(shape)


def read(integers: Array, quant: Quant) -> Array:
    """The real values of per-tensor integers."""
    values: Array = (integers.astype(np.float64) - quant.zero_point[0]) * quant.scale[0]
    return values


def softmax(values: Array) -> Array:
    powers = np.exp(values - values.max(axis=-1, keepdims=True))
    shares: Array = powers / powers.sum(axis=-1, keepdims=True)
    return shares


def _softmax(name: str, quant: Quant, **found: Any) -> Form:
    source = at(0.05, 3)
    fed = ramp("int8", (8, 16))
    return Form(
        name=f"softmax_{name}",
        operator="SOFTMAX",
        inputs=(tensor("x", "int8", fed.shape, source),),
        output=tensor("y", "int16", fed.shape, quant),
        fed=(fed,),
        expected=softmax(read(fed, source)),
        options=("SoftmaxOptions", {"beta": 1.0}),
        version=2,
        **found,
    )


SOFTMAX_RULE = "fixed/SOFTMAX/16_from_8_bits"
SOFTMAX = [
    _softmax("half_open", at(1 / 65536, -32768)),
    _softmax("old_converter", at(1 / 65535, -32768)),
    *(
        _softmax(name, quant, wrong={"tflm": SOFTMAX_RULE}, told={"tflite": SOFTMAX_RULE})
        for name, quant in {
            "symmetric": at(1 / 32768),
            "off_zero": at(1 / 32768, 20),
            "coarse": at(2e-5, -32768),
        }.items()
    ),
]


def _logistic(name: str, quant: Quant, **found: Any) -> Form:
    source = at(0.05, 3)
    fed = ramp("int8", (16, 16))
    return Form(
        name=f"logistic_{name}",
        operator="LOGISTIC",
        inputs=(tensor("x", "int8", fed.shape, source),),
        output=tensor("y", "int8", fed.shape, quant),
        fed=(fed,),
        expected=1 / (1 + np.exp(-read(fed, source))),
        version=2,
        **found,
    )


_LOGISTIC_POINT, _LOGISTIC_SCALE = "fixed/LOGISTIC/zero_point", "fixed/LOGISTIC/scale"
LOGISTIC = [
    _logistic("fixed", at(1 / 256, -128)),
    _logistic(
        "other_zero_point",
        at(1 / 256, -120),
        wrong={"tflm": _LOGISTIC_POINT},
        told={"tflite": _LOGISTIC_POINT},
    ),
    _logistic(
        "other_scale",
        at(1 / 200, -128),
        wrong=dict.fromkeys(("tflm", "litert", "tflite"), _LOGISTIC_SCALE),
    ),
]

FORMS: list[Form] = [*SOFTMAX, *LOGISTIC]


def found(form: Form, target: str) -> dict[str, set[str]]:
    """Rules of the findings, by severity."""
    findings = check(form.model(), AlignOptions(targets=(target,), verify=False)).findings
    told: dict[str, set[str]] = {"error": set(), "warning": set()}
    for finding in findings:
        told[finding.severity].add(finding.rule)
    return told


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.name)
@pytest.mark.parametrize("target", ["tflite", *RUNTIMES])
def test_a_form_is_found_where_it_is_wrong(form: Form, target: str) -> None:
    wanted = {
        "error": {form.wrong[target]} if target in form.wrong else set(),
        "warning": {form.told[target]} if target in form.told else set(),
    }
    assert found(form, target) == wanted


@pytest.mark.backends
@pytest.mark.parametrize("target", RUNTIMES)
def test_the_runtimes_do_what_is_found(target: str, tmp_path: Path) -> None:
    if target == "tflm" and importlib.util.find_spec("tflite_micro") is None:
        pytest.skip("tflite-micro is not installed")
    outcomes = run_batch(_runnable(), target, tmp_path)
    otherwise = {
        form.name: outcomes[form.name].error or "computed"
        for form in FORMS
        if form.right(outcomes[form.name]) is (target in form.wrong)
    }
    assert otherwise == {}


class _Fed(Record, frozen=True):
    """A form as the batch takes it."""

    form: Form

    @property
    def name(self) -> str:
        return self.form.name

    def model(self) -> bytes:
        return self.form.model()

    def fed(self) -> list[Array]:
        return list(self.form.fed)


def _runnable() -> list[_Fed]:
    return [_Fed(form) for form in FORMS]
