"""Scales without zero points: LiteRT refuses them for a tensor of any type, TFLM reads them as no
parameters. An error finding where the model does not run, and none after the repair.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pytest

from tests.rules.kernels.typed import TypedCase, bases
from tests.rules.test_kernel_rows import available
from tests.support.edited_models import PLAIN
from tests.support.kernel_batch import run_batch
from tests.support.object_api import load, pack, quant
from tflite_align import align, check
from tflite_align.record import replace

# Each row: operator, type, operand.
PLACES = (
    ("ADD", "int8", 0),
    ("CONV_2D", "int8", 1),
    ("CONV_2D", "int16", 1),
    ("ADD", "float32", 0),
    ("RESHAPE", "int8", 1),
)
ABSENT: tuple[list[int] | None, ...] = (None, [])


def case_of(operator: str, kind: str) -> TypedCase:
    return next(case for case in bases(operator) if case.inputs[0].type == kind)


def scales_alone(case: TypedCase, operand: int, points: list[int] | None) -> bytes:
    made: Any = load(case.model())
    graph = made.subgraphs[0]
    tensor = graph.tensors[graph.operators[0].inputs[operand]]
    tensor.quantization = tensor.quantization or quant(0.5)
    if tensor.quantization.scale is None:
        tensor.quantization = quant(0.5)
    tensor.quantization.zeroPoint = points
    return pack(made)


@pytest.mark.parametrize("points", ABSENT, ids=("no vector", "empty vector"))
def test_scales_alone_are_an_error_where_the_model_does_not_run(points: list[int] | None) -> None:
    cases = [(case_of(name, kind), operand) for name, kind, operand in PLACES]
    models = {case.name: scales_alone(case, operand, points) for case, operand in cases}
    mended = {
        name: align(data, replace(PLAIN, targets=("litert", "tflm")))
        for name, data in models.items()
    }
    for runtime in available():
        with tempfile.TemporaryDirectory() as folder:
            before = run_batch([c for c, _ in cases], runtime, Path(folder), models)
        with tempfile.TemporaryDirectory() as folder:
            written = {name: bytes(result.data) for name, result in mended.items()}
            after = run_batch([c for c, _ in cases], runtime, Path(folder), written)
        for case, _ in cases:
            findings = check(models[case.name], targets=(runtime,)).findings
            wrong = [f.rule for f in findings if f.severity == "error"]
            if before[case.name].error:
                assert wrong == ["params/zero_point/none"], (runtime, case.name)
            assert not after[case.name].error, (runtime, case.name)
