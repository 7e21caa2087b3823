"""FULLY_CONNECTED of int16 with int16 weights: LiteRT reads the bias as int32, also one of int64."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from tests.rules.kernels.survey import RUNTIMES
from tests.rules.kernels.typed import TypedCase, bases
from tests.rules.kernels.varied import varied
from tests.rules.test_kernel_rows import available
from tests.support.kernel_batch import run_batch
from tflite_align import check

NAME = "FULLY_CONNECTED-int16-i1-int16"


def case() -> TypedCase:
    return next(
        one for base in bases("FULLY_CONNECTED") for one in varied(base) if one.name == NAME
    )


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_an_int64_bias_beside_int16_weights_is_an_error(runtime: str) -> None:
    assert [slot.type for slot in case().inputs] == ["int16", "int16", "int64"]
    found = check(case().model(), targets=(runtime,)).findings
    assert [(f.rule, f.severity) for f in found] == [("types/FULLY_CONNECTED", "error")]


@pytest.mark.backends
@pytest.mark.parametrize("runtime", available())
def test_no_runtime_computes_it(runtime: str) -> None:
    made = case()
    with tempfile.TemporaryDirectory() as folder:
        outcome = run_batch([made], runtime, Path(folder))[NAME]
    assert outcome.error or not made.right(outcome.outputs)
