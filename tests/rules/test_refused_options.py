"""Options that a runtime refuses for any operands: an error finding for that runtime, and none for
a runtime that ignores the option.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pytest

from tests.rules.kernels.survey import RUNTIMES
from tests.rules.kernels.typed import TypedCase, bases
from tests.rules.test_kernel_rows import available
from tests.support.kernel_batch import run_batch
from tests.support.vela_batch import compile_batch
from tflite_align import check
from tflite_align.record import replace

# (operator, option, value, runtimes that refuse it or crash)
REFUSED: tuple[tuple[str, str, Any, tuple[str, ...]], ...] = (
    ("CONV_2D", "strideH", 0, ("litert", "xnnpack")),
    ("CONV_2D", "strideW", -1, ("litert", "xnnpack")),
    ("CONV_2D", "dilationHFactor", 0, ("litert", "xnnpack")),
    ("CONV_2D", "padding", 3, ("litert", "xnnpack")),
    ("DEPTHWISE_CONV_2D", "strideH", 0, ("litert", "xnnpack")),
    ("DEPTHWISE_CONV_2D", "dilationWFactor", 0, ("litert", "xnnpack")),
    ("FULLY_CONNECTED", "weightsFormat", 5, RUNTIMES),
    ("SPLIT", "numSplits", 3, ("litert", "xnnpack")),
    ("SPLIT_V", "numSplits", 1, ("litert", "xnnpack")),
    ("UNPACK", "num", 3, ("litert", "xnnpack")),
    ("SVDF", "rank", 0, RUNTIMES),
    ("UNIDIRECTIONAL_SEQUENCE_LSTM", "timeMajor", True, ("litert", "xnnpack")),
    ("PACK", "valuesCount", 3, RUNTIMES),
    ("ARG_MAX", "outputType", 3, ("litert", "xnnpack")),
    ("ARG_MIN", "outputType", 0, ("litert", "xnnpack")),
    ("SHAPE", "outType", 3, ("litert", "xnnpack")),
    ("AVERAGE_POOL_2D", "strideW", 0, ("litert", "xnnpack")),
    ("MAX_POOL_2D", "strideH", 0, ("litert", "xnnpack")),
    ("TRANSPOSE_CONV", "strideW", -1, ("litert", "xnnpack")),
    ("TRANSPOSE_CONV", "padding", 4, ("litert", "xnnpack")),
    ("MIRROR_PAD", "mode", 5, ("litert", "xnnpack")),
    ("DEPTHWISE_CONV_2D", "depthMultiplier", 7, ()),
)


# Options with which TFLM computes wrong values instead of refusing them.
COMPUTED = {
    ("AVERAGE_POOL_2D", "strideW"),
    ("CONV_2D", "dilationHFactor"),
    ("CONV_2D", "strideH"),
    ("CONV_2D", "strideW"),
    ("DEPTHWISE_CONV_2D", "dilationWFactor"),
    ("DEPTHWISE_CONV_2D", "strideH"),
    ("DEPTHWISE_CONV_2D", "depthMultiplier"),
    ("MAX_POOL_2D", "strideH"),
    ("MIRROR_PAD", "mode"),
    ("TRANSPOSE_CONV", "strideW"),
    ("UNPACK", "num"),
}

# TFLM's kernel supports no floats, with any options.
WITHOUT_FLOATS = {("UNIDIRECTIONAL_SEQUENCE_LSTM", "tflm")}


def changed(operator: str, option: str, value: object) -> TypedCase:
    base = next(iter(bases(operator)))
    assert base.form.options is not None
    table, options = base.form.options
    form = replace(base.form, options=(table, {**options, option: value}))
    return replace(base, name=f"{operator}-{option}-{value}", form=form)


CASES = {(row[0], row[1]): changed(*row[:3]) for row in REFUSED}


def _errors(case: TypedCase, runtime: str) -> list[str]:
    findings = check(case.model(), targets=(runtime,)).findings
    return [one.rule for one in findings if one.severity == "error"]


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_an_option_that_a_runtime_refuses_is_an_error(runtime: str) -> None:
    found = {
        key: _errors(case, runtime)
        for key, case in CASES.items()
        if (key[0], runtime) not in WITHOUT_FLOATS
    }
    expected = {key for key, row in zip(CASES, REFUSED, strict=True) if runtime in row[3]}
    expected |= COMPUTED if runtime == "tflm" else set()
    assert {key for key, rules in found.items() if rules} == expected
    assert [rules for rules in found.values() if len(rules) > 1] == []


def test_shuffled_weights_are_refused_or_read_as_they_are_stored() -> None:
    shuffled = changed("FULLY_CONNECTED", "weightsFormat", 1)
    rule = ["support/FULLY_CONNECTED/weights_format"]
    assert {runtime: _errors(shuffled, runtime) for runtime in RUNTIMES} == dict.fromkeys(
        RUNTIMES, rule
    )


@pytest.mark.backends
@pytest.mark.parametrize("runtime", available())
def test_the_runtimes_refuse_these_options(runtime: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        outcomes = run_batch(CASES.values(), runtime, Path(folder))
    refused = {
        key
        for key, case in CASES.items()
        if outcomes[case.name].error and (key[0], runtime) not in WITHOUT_FLOATS
    }
    assert refused == {key for key, row in zip(CASES, REFUSED, strict=True) if runtime in row[3]}


@pytest.mark.backends
@pytest.mark.skipif("tflm" not in available(), reason="no tflite-micro")
def test_tflm_computes_other_values_by_these_options() -> None:
    with tempfile.TemporaryDirectory() as folder:
        outcomes = run_batch(CASES.values(), "tflm", Path(folder))
    wrong = {
        key
        for key, case in CASES.items()
        if not outcomes[case.name].error and not case.right(outcomes[case.name].outputs)
    }
    assert wrong == COMPUTED


# Options that Vela refuses, on which it crashes, or for which it compiles a wrong program.
WITHOUT_MEANING = (
    ("AVERAGE_POOL_2D", "filterWidth", -1),
    ("CONV_2D", "dilationHFactor", 0),
    ("CONV_2D", "strideH", 0),
    ("DEPTHWISE_CONV_2D", "depthMultiplier", 7),
    ("DEPTHWISE_CONV_2D", "strideH", 0),
    ("MAX_POOL_2D", "strideH", 0),
    ("TRANSPOSE_CONV", "strideW", -1),
)
ETHOS = ("ethos-u55", "ethos-u65", "ethos-u85")


@pytest.mark.parametrize("target", ETHOS)
@pytest.mark.parametrize(("operator", "option", "value"), WITHOUT_MEANING)
def test_what_vela_cannot_compile_is_an_error(
    target: str, operator: str, option: str, value: int
) -> None:
    made = changed(operator, option, value)
    part = "multiplier" if option == "depthMultiplier" else "window"
    assert f"support/{operator}/{part}" in _errors(made, target)


@pytest.mark.compilers
def test_vela_refuses_filters_that_the_multiplier_contradicts() -> None:
    base = next(one for one in bases("DEPTHWISE_CONV_2D") if one.inputs[0].type == "int8")
    assert base.form.options is not None
    table, options = base.form.options
    form = replace(base.form, options=(table, {**options, "depthMultiplier": 7}))
    made = replace(base, name="contradicted", form=form)
    with tempfile.TemporaryDirectory() as folder:
        models = {one.name: one.model() for one in (base, made)}
        outcomes = compile_batch(models, "ethos-u55", Path(folder))
    assert outcomes[base.name].error == ""
    assert "depth multiplier = 7" in outcomes[made.name].error
