"""Recurrent networks in float32 with float32 or int8 weights have no finding where LiteRT computes
them right.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.rules.kernels.hybrid import HYBRID, hybrids, weight_places
from tests.rules.kernels.stored import stored
from tests.rules.kernels.typed import TypedCase, bases
from tests.rules.kernels.varied import varied
from tests.support.kernel_batch import run_batch
from tests.support.models import Quant
from tflite_align import align, check
from tflite_align.record import replace

RUNTIMES = ("litert", "xnnpack")


def _floats(operator: str) -> TypedCase:
    (base,) = [case for case in bases(operator) if case.name == f"{operator}-float32"]
    return base


def _hybrid(operator: str, kind: str) -> TypedCase:
    (case,) = [case for case in hybrids(_floats(operator)) if case.name.endswith(f"-{kind}")]
    return case


@pytest.mark.parametrize("target", [*RUNTIMES, "tflite"])
@pytest.mark.parametrize("operator", HYBRID)
def test_a_recurrent_network_in_float32_has_no_findings(operator: str, target: str) -> None:
    assert check(_floats(operator).model(), targets=(target,)).findings == ()


@pytest.mark.parametrize("target", [*RUNTIMES, "tflite"])
@pytest.mark.parametrize("operator", HYBRID)
def test_its_weights_may_be_int8(operator: str, target: str) -> None:
    assert check(_hybrid(operator, "int8").model(), targets=(target,)).findings == ()


@pytest.mark.parametrize("target", [*RUNTIMES, "tflite"])
@pytest.mark.parametrize("operator", HYBRID)
def test_weights_in_uint8_are_an_error(operator: str, target: str) -> None:
    """Kernels of recurrent operators in float32 read uint8 weights as int8."""
    (found,) = check(_hybrid(operator, "uint8").model(), targets=(target,)).findings
    assert (found.rule, found.severity) == (f"types/{operator}", "error")
    assert "wrong values" in found.behaviour


@pytest.mark.parametrize("operator", HYBRID)
def test_tflm_has_no_kernel_for_them(operator: str) -> None:
    (found,) = check(_hybrid(operator, "int8").model(), targets=("tflm",)).findings
    assert found.severity == "error"
    assert found.rule in {f"types/{operator}", f"support/{operator}/kernel"}


@pytest.mark.backends
@pytest.mark.parametrize("runtime", RUNTIMES)
def test_runtimes_do_what_the_findings_say(runtime: str, tmp_path: Path) -> None:
    sound = [_hybrid(operator, "int8") for operator in HYBRID]
    read_as_int8 = [_hybrid(operator, "uint8") for operator in HYBRID]
    outcomes = run_batch([*sound, *read_as_int8], runtime, tmp_path)
    assert [case.name for case in sound if not case.right(outcomes[case.name].outputs)] == []
    assert [case.name for case in read_as_int8 if case.right(outcomes[case.name].outputs)] == []


# --- parameters of the weights --------------------------------------------------------------------


def _with_weights(case: TypedCase, place: int, *, zero_point: int, scales: int) -> TypedCase:
    """The case with weights of another zero point or with `scales` equal scales."""
    slot = case.inputs[place]
    assert slot.quant is not None
    spread = 1.4 if zero_point else 1.0
    scale = float(np.float32(slot.quant.scale[0] * spread))
    quant = Quant(scale=(scale,) * scales, zero_point=(zero_point,) * scales, axis=0)
    changed = replace(slot, quant=quant, values=stored(slot.real(), "int8", quant))
    inputs = (*case.inputs[:place], changed, *case.inputs[place + 1 :])
    return replace(case, name=f"{case.name}-i{place}-{zero_point}-{scales}", inputs=inputs)


def _odd_weights(operator: str) -> Iterator[TypedCase]:
    """Cases with unusual parameters of the input weights, which have an effect on the first step."""
    case = _hybrid(operator, "int8")
    place = weight_places(case)[0]
    yield _with_weights(case, place, zero_point=30, scales=1)
    yield _with_weights(case, place, zero_point=0, scales=case.inputs[place].shape[0])


@pytest.mark.backends
@pytest.mark.parametrize("operator", HYBRID)
def test_zero_points_and_several_scales_are_repaired(operator: str, tmp_path: Path) -> None:
    """The kernels read weights by one scale and ignore zero points."""
    cases = list(_odd_weights(operator))
    for case in cases:
        (found,) = check(case.model(), targets=("litert",)).findings
        assert (found.rule.split("/")[0], found.severity) == ("weight", "error")
    (tmp_path / "given").mkdir()
    given = run_batch(cases, "litert", tmp_path / "given")
    assert [case.name for case in cases if case.right(given[case.name].outputs)] == []
    made = {case.name: align(case.model(), targets=("litert",)).data for case in cases}
    (tmp_path / "made").mkdir()
    outcomes = run_batch(cases, "litert", tmp_path / "made", made)
    assert [case.name for case in cases if not case.right(outcomes[case.name].outputs)] == []


# --- biases ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("operator", "place"), [("LSTM", 17), ("SVDF", 3), ("UNIDIRECTIONAL_SEQUENCE_LSTM", 17)]
)
@pytest.mark.parametrize("kind", ["int8", "int32"])
def test_a_bias_in_integers_beside_floats_is_an_error(operator: str, place: int, kind: str) -> None:
    """An integer bias of an operator in float32 is an error by its type; rules on its scale do not
    apply. The bias is a scalar, which is another error.
    """
    name = f"{operator}-float32-with-int8-i{place}-{kind}"
    (case,) = [other for other in varied(_hybrid(operator, "int8")) if other.name == name]
    findings = check(case.model(), targets=("litert",)).findings
    found = [one for one in findings if one.rule != f"shape/{operator}/operands"]
    assert [(one.rule, one.severity) for one in found] == [(f"types/{operator}", "error")]
