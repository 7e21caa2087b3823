"""Operators without a rule of their own that copy or compare the stored integers: LiteRT's results do
not depend on scale and zero point, so that operands with different ones are an error.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.rules.kernels.typed import TypedCase, TypedSlot, bases
from tests.support.kernel_batch import run_batch
from tests.support.models import Quant
from tflite_align import check
from tflite_align.record import replace

FINE = Quant(scale=(0.25,), zero_point=(0,))
COARSE = Quant(scale=(0.5,), zero_point=(0,))
COPIES = (
    "DILATE",
    "REDUCE_WINDOW",
    "STABLEHLO_GATHER",
    "STABLEHLO_MAXIMUM",
    "STABLEHLO_MINIMUM",
)
TARGETS = ("tflite", "litert", "xnnpack")


def _plain(operator: str) -> TypedCase:
    (case,) = [base for base in bases(operator) if base.name == f"{operator}-int8"]
    return case


def _quantized(operator: str, inputs: Quant, output: Quant) -> TypedCase:
    """The operator in int8 with these parameters of each 8-bit operand."""

    def with_parameters(slot: TypedSlot, quant: Quant) -> TypedSlot:
        return replace(slot, quant=quant) if slot.type == "int8" else slot

    base = _plain(operator)
    return replace(
        base,
        name=f"{base.name}-{inputs.scale[0]}-{output.scale[0]}",
        inputs=tuple(with_parameters(slot, inputs) for slot in base.inputs),
        outputs=tuple(with_parameters(slot, output) for slot in base.outputs),
    )


def _rules(case: TypedCase, target: str) -> list[tuple[str, str]]:
    findings = check(case.model(), targets=(target,)).findings
    return sorted({(one.rule, one.severity) for one in findings})


@pytest.mark.parametrize("operator", COPIES)
def test_the_kernel_does_not_read_the_parameters(operator: str, tmp_path: Path) -> None:
    plain, quantized = _plain(operator), _quantized(operator, FINE, COARSE)
    outcomes = run_batch([plain, quantized], "litert", tmp_path)
    first, second = outcomes[plain.name], outcomes[quantized.name]
    assert (first.error, second.error) == ("", "")
    assert all(map(np.array_equal, first.outputs, second.outputs))


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("operator", COPIES)
def test_different_parameters_are_an_error_and_equal_ones_are_none(
    operator: str, target: str
) -> None:
    rule = (f"support/{operator}/parameters", "error")
    assert rule in _rules(_quantized(operator, FINE, COARSE), target)
    assert _rules(_quantized(operator, FINE, FINE), target) == []
