"""Rows on operators with weights compared with the real runtimes: scales per tensor or channel,
zero points, groups, dilation, ranks, computed weights.
"""

from __future__ import annotations

import importlib.util
import tempfile
from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.rules.weights.forms import WEIGHTED, WeightForm, weight_forms
from tests.support.kernel_batch import run_batch
from tflite_align import AlignOptions, check
from tflite_align.record import replace

# (target, beginning of a form's name) -> why the runtime's behaviour differs from the rows.
OTHERWISE = {
    ("tflm", "BATCH_MATMUL-int8-int8-same"): "equal scales for all channels are as good as one",
}
# Forms that occur in converters' files: the normal run tests these, `conformance` all.
GROUPED = WeightForm(operator="CONV_2D", activation="float32", weights="int8", groups=2)
SAMPLE = (
    GROUPED,
    replace(GROUPED, scales="channel"),
    WeightForm(operator="CONV_2D", activation="uint8", weights="uint8", scales="channel"),
    WeightForm(operator="DEPTHWISE_CONV_2D", activation="float32", weights="int8"),
    WeightForm(
        operator="DEPTHWISE_CONV_2D", activation="float32", weights="int8", scales="channel"
    ),
    WeightForm(operator="FULLY_CONNECTED", activation="float32", weights="int8", zero=True),
    WeightForm(operator="BATCH_MATMUL", activation="float32", weights="int8", computed=True),
    WeightForm(operator="BATCH_MATMUL", activation="int16", weights="int8", zero=True),
)


def _disagreements(forms: Iterable[WeightForm], target: str) -> dict[str, str]:
    """Form -> the runtime's behaviour where it differs from the findings."""
    given = list(forms)
    with tempfile.TemporaryDirectory() as folder:
        outcomes = run_batch(given, target, Path(folder))
    found = {}
    for form in given:
        outcome = outcomes[form.name]
        right = not outcome.error and form.right(outcome.outputs)
        if right is bool(_errors(form.model(), target)):
            found[form.name] = "right" if right else outcome.error or "wrong"
    return found


def _errors(model: bytes, target: str) -> list[str]:
    found = check(model, AlignOptions(targets=(target,))).findings
    return [finding.rule for finding in found if finding.severity == "error"]


def _unexplained(found: dict[str, str], target: str) -> dict[str, str]:
    known = tuple(name for place, name in OTHERWISE if place == target)
    return {name: words for name, words in found.items() if not name.startswith(known or "\0")}


def _need(target: str) -> None:
    if target == "tflm" and importlib.util.find_spec("tflite_micro") is None:
        pytest.skip("tflite-micro is not installed")


@pytest.mark.backends
@pytest.mark.parametrize("target", ["litert", "xnnpack", "tflm"])
def test_rows_match_the_runtimes_for_converter_forms(target: str) -> None:
    _need(target)
    assert _disagreements(SAMPLE, target) == {}


@pytest.mark.conformance
@pytest.mark.parametrize("target", ["litert", "xnnpack", "tflm"])
@pytest.mark.parametrize("operator", WEIGHTED)
def test_rows_match_the_runtimes_for_every_form(operator: str, target: str) -> None:
    _need(target)
    found = _disagreements(weight_forms(operator), target)
    assert _unexplained(found, target) == {}
    known = {name for place, name in OTHERWISE if place == target and name.startswith(operator)}
    assert all(any(form.startswith(name) for form in found) for name in known)


def test_a_form_that_one_kernel_set_supports_is_a_warning() -> None:
    """The default target has two kernel sets; one refuses the form, the other accepts it."""
    found = check(GROUPED.model(), AlignOptions(targets=("tflite",))).findings
    assert [(f.rule, f.severity) for f in found] == [("support/CONV_2D/groups", "warning")]
