"""Findings compared with LiteRT's MLIR verifiers, for every operator and every operand type.

Each difference has a class with its reason (tests/rules/kernels/mlir_classes).
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from tests.rules.kernels.mlir_classes import CLASSES, Difference, class_of, difference
from tests.rules.kernels.typed import TypedCase, bases
from tests.rules.kernels.varied import varied
from tests.rules.operators.all_makers import MAKERS
from tests.support.mlir_batch import judge_batch
from tflite_align import AlignOptions, check
from tflite_align.rules.kernels import kernel_sets, load_kernels
from tflite_align.rules.operand_types import OperandTypes
from tflite_align.verify.judges import available

pytestmark = pytest.mark.backends

# The normal run tests these operators, the marker `conformance` all.
SAMPLE = ("ADD", "PADV2", "SOFTMAX")
FEWEST_MODELS = 25_000
TARGET = AlignOptions(targets=("tflite",))


def models(operators: Iterable[str]) -> Iterator[tuple[TypedCase, TypedCase]]:
    """(base, model) for each well-formed model `base`: the base itself, and each variant that a
    kernel computes and that differs from it in the type of one operand.
    """
    for operator in operators:
        for base in bases(operator):
            yield base, base
            if _taken(base):
                yield from ((base, case) for case in varied(base))


def _taken(case: TypedCase) -> bool:
    inputs, _, outputs = case.signature.partition(">")
    types = OperandTypes(tuple(inputs.split()), tuple(outputs.split()))
    rows = [load_kernels(name)[case.operator] for name in kernel_sets()]
    return any(row.outcome(types) == "right" for row in rows)


def differences(operators: Iterable[str]) -> tuple[int, list[Difference]]:
    """(number of models, differences between the verdicts of `check` and of the MLIR verifiers)."""
    count, found = 0, []
    for operator in operators:
        cases = list(models([operator]))
        data = {case.name: case.model() for _, case in cases}
        with tempfile.TemporaryDirectory() as folder:
            said = judge_batch(data, Path(folder))
        for base, case in cases:
            apart = difference(base, case, _errors(data[case.name]), said[case.name])
            found += [apart] if apart is not None else []
        count += len(cases)
    return count, found


def _errors(model: bytes) -> list[str]:
    return [one.rule for one in check(model, TARGET).findings if one.severity == "error"]


def _need() -> None:
    missing = available("mlir")
    if missing is not None:
        pytest.skip(missing)


def test_a_difference_has_a_class() -> None:
    _need()
    count, found = differences(SAMPLE)
    assert [apart for apart in found if class_of(apart) is None] == []
    assert count > 500
    assert found


@pytest.mark.conformance
def test_every_difference_has_a_class_and_every_class_is_needed() -> None:
    _need()
    count, found = differences(sorted(MAKERS))
    assert [apart for apart in found if class_of(apart) is None] == []
    needed = {class_of(apart) for apart in found}
    assert [one.reason for one in CLASSES if one not in needed] == []
    assert count >= FEWEST_MODELS
