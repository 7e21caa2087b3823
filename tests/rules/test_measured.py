"""Findings on one-operator models compared with the behaviour of the runtimes.

Each form lists the targets that refuse it or compute it wrongly; findings and runtimes must agree
with it.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from tests.rules.measured import fixed, options, weighted, zeros
from tests.rules.measured.form import Form
from tests.support.kernel_batch import run_batch
from tests.support.models import Array
from tflite_align import AlignOptions, align, check
from tflite_align.record import Record, replace

RUNTIMES = ("litert", "xnnpack", "tflm")
FORMS: list[Form] = [*fixed.FORMS, *options.FORMS, *weighted.FORMS, *zeros.FORMS]


def found(form: Form, target: str) -> dict[str, set[str]]:
    """Rules of the findings, by severity."""
    findings = check(form.model(), AlignOptions(targets=(target,), verify=False)).findings
    rules: dict[str, set[str]] = {"error": set(), "warning": set()}
    for finding in findings:
        rules[finding.severity].add(finding.rule)
    return rules


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.name)
@pytest.mark.parametrize("target", ["tflite", *RUNTIMES])
def test_forms_that_are_wrong_have_findings(form: Form, target: str) -> None:
    wanted = {
        "error": set(form.wrong.get(target, "").split()),
        "warning": set(form.warnings.get(target, "").split()),
    }
    assert found(form, target) == wanted


@pytest.mark.backends
@pytest.mark.parametrize("target", RUNTIMES)
def test_runtimes_behave_as_the_findings_say(target: str, tmp_path: Path) -> None:
    if target == "tflm" and importlib.util.find_spec("tflite_micro") is None:
        pytest.skip("tflite-micro is not installed")
    outcomes = run_batch(_runnable(), target, tmp_path)
    otherwise = {
        form.name: outcomes[form.name].error or "computed"
        for form in FORMS
        if form.right(outcomes[form.name]) is (target in form.wrong or form.coarse)
    }
    assert otherwise == {}


class _Fed(Record, frozen=True):
    """A form with the attributes that the batch runner reads."""

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


MENDED = ("present/", "bias/", "params/")
REPAIRED = [
    form
    for form in FORMS
    if any(
        rule.startswith(MENDED) or rule.endswith("zero_points")
        for rule in (*form.wrong.values(), *form.warnings.values())
    )
    and not any("types/" in rule for rule in form.wrong.values())
]


@pytest.mark.backends
@pytest.mark.parametrize("target", RUNTIMES)
def test_repaired_forms_are_computed_correctly(target: str, tmp_path: Path) -> None:
    if target == "tflm" and importlib.util.find_spec("tflite_micro") is None:
        pytest.skip("tflite-micro is not installed")
    options = AlignOptions(targets=RUNTIMES, verify=False)
    models = {form.name: align(form.model(), options).data for form in REPAIRED}
    outcomes = run_batch([_Fed(form) for form in REPAIRED], target, tmp_path, models)
    # Requantized weights are off by up to half a step each.
    lenient = {form.name: replace(form, tolerance=3.0) for form in REPAIRED}
    otherwise = {
        name: outcomes[name].error or "computed otherwise"
        for name, form in lenient.items()
        if not form.right(outcomes[name])
    }
    assert otherwise == {}
