"""Every rule compared with the kernels.

A model that satisfies all rules computes the operator's reference function. A model that violates
one rule is treated by each runtime as the severity in its target file says.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path

import pytest

import tflite_align
from tests.rules.operators.all_cases import ROWS, SATISFIED
from tests.rules.operators.boundary import BoundaryCase, boundary_violated
from tests.rules.operators.cases import Case, case_types
from tests.rules.operators.mutations import rule_type, violated
from tests.support.kernel_batch import Outcome, run_batch
from tflite_align.rules.rows import (
    BiasRule,
    FixedRule,
    Rule,
    SameRule,
    WeightRule,
    WindowRule,
    ZeroPointRule,
)
from tflite_align.rules.targets import load_target

# Types for which LiteRT has no kernel; another runtime has.
NO_LITERT_KERNEL = {
    "ADD_N-int8": "AddN",
    "CUMSUM-int8": "cumsum.cc",
    "SQUARED_DIFFERENCE-int16": "SquaredDifference",
    "ZEROS_LIKE-int8": "ZerosLike",
}

# (target, rule, type) whose severity differs from the installed runtime's behaviour -> reason.
GRADED_OTHERWISE = {
    ("litert", "window/MUL/wrap", "int8"): "wraps with an output zero_point other than 0 alone",
    ("litert", "bias/TRANSPOSE_CONV/wide", "int16"): "bias/TRANSPOSE_CONV says it there",
    ("xnnpack", "bias/TRANSPOSE_CONV/wide", "int16"): "bias/TRANSPOSE_CONV says it there",
    ("litert", "bias/CONV_2D/either", "int16"): "bias/CONV_2D says it there",
    ("litert", "bias/FULLY_CONNECTED/either", "int16"): "bias/FULLY_CONNECTED says it there",
    ("xnnpack", "bias/CONV_2D/either", "int16"): "bias/CONV_2D says it there",
    ("xnnpack", "bias/FULLY_CONNECTED/either", "int16"): "bias/FULLY_CONNECTED says it there",
    ("tflm", "bias/CONV_2D", "int16"): "bias/CONV_2D/either says it there",
    ("tflm", "bias/FULLY_CONNECTED", "int16"): "bias/FULLY_CONNECTED/either says it there",
    ("tflm", "bias/TRANSPOSE_CONV", "int16"): "bias/TRANSPOSE_CONV/wide says it there",
    ("tflm", "window/RELU6/clamp", "int16"): "same/RELU6 says it there",
    ("tflm", "window/RELU6/clamp", "int8"): "same/RELU6 says it there",
    ("tflm", "window/RELU6/wrap", "int8"): "same/RELU6 says it there",
    ("tflm", "window/RELU6/wrap16", "int16"): "same/RELU6 says it there",
    ("tflm", "zero/ADD", "int16"): "CMSIS-NN refuses; the reference kernels run here",
    ("tflm", "zero/FULLY_CONNECTED", "int16"): "CMSIS-NN refuses; the reference kernels run here",
}

# No integer kernel, no function of real values (CAST), or undocumented intermediate values.
WITHOUT_CASE = {
    "ASSIGN_VARIABLE": "with READ_VARIABLE",
    "BIDIRECTIONAL_SEQUENCE_LSTM": "recurrent",
    "BIDIRECTIONAL_SEQUENCE_RNN": "recurrent",
    "CALL": "no kernel",
    "CALL_ONCE": "no operands",
    "CAST": "works on raw integers",
    "CONV_3D": "no kernel",
    "CONV_3D_TRANSPOSE": "no kernel",
    "LOCAL_RESPONSE_NORMALIZATION": "no kernel",
    "LSTM": "recurrent",
    "NON_MAX_SUPPRESSION_V4": "no kernel",
    "NON_MAX_SUPPRESSION_V5": "no kernel",
    "RNN": "recurrent",
    "SIGN": "no kernel",
    "UNIDIRECTIONAL_SEQUENCE_LSTM": "recurrent",
    "UNIDIRECTIONAL_SEQUENCE_RNN": "recurrent",
    "VAR_HANDLE": "with READ_VARIABLE",
}


def _broken() -> Iterator[tuple[Rule, Case]]:
    for row in ROWS.values():
        for kind in case_types(row.name):
            for rule in row.rules:
                for case in violated(row, rule, kind):
                    yield rule, case


BROKEN = list(_broken())


@pytest.fixture(scope="module")
def litert(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Outcome]:
    return run_batch(SATISFIED.values(), "litert", tmp_path_factory.mktemp("satisfied"))


def test_every_row_has_a_case_or_a_reason() -> None:
    operators = {case.operator for case in SATISFIED.values()}
    assert set(ROWS) == operators | set(WITHOUT_CASE)
    assert not operators & set(WITHOUT_CASE)


@pytest.mark.parametrize("name", SATISFIED)
def test_the_satisfied_form_computes_the_reference(name: str, litert: dict[str, Outcome]) -> None:
    outcome = litert[name]
    if name in NO_LITERT_KERNEL:
        assert NO_LITERT_KERNEL[name] in outcome.error
        return
    assert not outcome.error
    assert SATISFIED[name].faults(outcome.outputs) == []


def _runtime_missing(runtime: str) -> str:
    if runtime == "tflm" and importlib.util.find_spec("tflite_micro") is None:
        return "tflite-micro is not installed"
    return ""


@pytest.mark.parametrize("name", ["litert", "xnnpack", "tflm"])
def test_severities_match_the_runtimes_behaviour(name: str, tmp_path: Path) -> None:
    """The severity is error if, for a violation at some slot, the runtime refuses, crashes or
    computes wrong values. Otherwise the runtime computes every violation right.
    """
    if missing := _runtime_missing(name):
        pytest.skip(missing)
    cases = [*SATISFIED.values(), *(case for _, case in BROKEN)]
    outcomes = run_batch(cases, name, tmp_path)
    runs = {c.name for c in SATISFIED.values() if _right(c, outcomes[c.name])}
    right: dict[tuple[str, str], bool] = {}
    for rule, case in BROKEN:
        if f"{case.operator}-{case.type}" in runs:
            key = (rule.id, rule_type(case, rule))
            right[key] = right.get(key, True) and _right(case, outcomes[case.name])
    target = load_target(name)
    otherwise = {
        (name, *key)
        for key, held in right.items()
        if (target.requirement(*key).severity != "error") is not held
    }
    assert otherwise == {key for key in GRADED_OTHERWISE if key[0] == name}


def _right(case: Case | BoundaryCase, outcome: Outcome) -> bool:
    return not outcome.error and not case.faults(outcome.outputs)


def test_boundaries_that_disagree_are_wrong_in_litert(tmp_path: Path) -> None:
    cases = list(boundary_violated())
    outcomes = run_batch(cases, "litert", tmp_path)
    assert [c.name for c in cases if _right(c, outcomes[c.name])] == []


# Classes of rules whose violations can be repaired; other rules need other weights or quantization.
REPAIRABLE = (SameRule, FixedRule, ZeroPointRule, BiasRule, WeightRule, WindowRule)

# Operators whose output can change completely when an input is rounded: not compared.
DISCRETE = {
    "FLOOR_DIV": "a quotient may fall to the next integer",
    "FLOOR_MOD": "a remainder may jump from one end to the other",
    "UNIQUE": "two values may become one",
    "WHERE": "which values count as true depends on the parameters, so they are kept",
}
# TFLM ties these inputs to an output with so small a step that a QUANTIZE to it overflows, too.
TIED_TO_NOTHING = ("tflm", "-window.RELU6.")
# Error of an inserted QUANTIZE, in steps of the output.
SLACK = 1.5
# Error of re-expressed weights, which are rounded to 8 bits again: share of the output's range.
WEIGHT_SHARE = 0.02


def _off_zero_at_the_border(case: Case) -> bool:
    """Whether an int16 graph input or output has a zero point other than 0, which no int16 QUANTIZE
    supports.
    """
    return any(
        any(quant.zero_point)
        for key, quant in case.quants.items()
        if case.slot_type(key) == "int16" and (key[0] == "outputs" or key[1] in case.fed_indices())
    )


def _below_zero(case: Case) -> bool:
    """Whether a uint8 tensor needs zero point 0 for its kernel but has another one, so that it can
    have negative values.
    """
    zero = any(
        isinstance(r, ZeroPointRule) and "uint8" in r.types for r in ROWS[case.operator].rules
    )
    return case.type == "uint8" and zero and any(q.zero_point[0] for q in case.quants.values())


REPAIRED = [
    case
    for rule, case in BROKEN
    if isinstance(rule, REPAIRABLE)
    and case.operator not in DISCRETE
    and f"{case.operator}-{case.type}" not in NO_LITERT_KERNEL
    and not _off_zero_at_the_border(case)
    and not _below_zero(case)
]


@pytest.mark.parametrize("name", ["litert", "xnnpack", "tflm"])
def test_aligned_forms_compute_the_reference(name: str, tmp_path: Path) -> None:
    """A model that violates a rule is aligned for a runtime and then computes the function that it
    declared.
    """
    if missing := _runtime_missing(name):
        pytest.skip(missing)
    (tmp_path / "satisfied").mkdir()
    satisfied_forms = run_batch(SATISFIED.values(), name, tmp_path / "satisfied")
    able = {c.name for c in SATISFIED.values() if _right(c, satisfied_forms[c.name])}
    # Graph inputs and outputs keep their parameters: without a QUANTIZE there is no repair.
    cuts = load_target(name).quantize
    cases = [
        case
        for case in REPAIRED
        if f"{case.operator}-{case.type}" in able
        and case.type in cuts.get(case.type, ())
        and not (name == TIED_TO_NOTHING[0] and TIED_TO_NOTHING[1] in case.name)
    ]
    options = tflite_align.AlignOptions(verify=False, targets=("tflite", name))
    models = {case.name: tflite_align.align(case.model(), options).data for case in cases}
    (tmp_path / "aligned").mkdir()
    outcomes = run_batch(cases, name, tmp_path / "aligned", models)
    wrong = {
        case.name: outcomes[case.name].error or case.faults(outcomes[case.name].outputs)
        for case in cases
        if outcomes[case.name].error or case.faults(outcomes[case.name].outputs, slack=_slack(case))
    }
    assert wrong == {}
    assert len(cases) > 250


def _slack(case: Case) -> float:
    if "-weight." not in case.name or case.type != "int16":
        return SLACK
    return WEIGHT_SHARE * 2**16
