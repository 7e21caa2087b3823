"""The axis of SPLIT and SPLIT_V in a type of fewer than 32 bits, compared with the real runtimes.

The kernels read 32 bits. Behind a constant in the file these are zeros; behind a computed tensor
they are whatever is in memory.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.rules.kernels.typed import TypedCase, bases
from tests.support.kernel_batch import FILL, run_batch
from tflite_align import AlignOptions, check
from tflite_align.record import replace

RUNTIMES = ("litert", "xnnpack", "tflm")
PLACES = {"SPLIT": 0, "SPLIT_V": 2}  # position of the axis among the inputs
TYPES = ("int8", "uint8", "int16", "int32", "int64")
RANK, AXIS = 3, 2
FILLS = (FILL, 0x00, 0xFF)


def _cases(operator: str) -> Iterator[TypedCase]:
    place = PLACES[operator]
    (base,) = [case for case in bases(operator) if case.name == f"{operator}-float32"]
    for kind in TYPES:
        for axis in (AXIS,) if kind == "uint8" else (AXIS, AXIS - RANK):
            for role in ("plain", "data"):
                given = base.inputs[place]
                assert given.values is not None
                values = np.full(np.shape(given.values), axis, kind)
                inputs = list(base.inputs)
                inputs[place] = replace(given, type=kind, role=role, values=values)
                name = f"{operator}-{kind}-{axis}-{role}"
                yield replace(base, name=name, inputs=tuple(inputs))


CASES = [case for operator in PLACES for case in _cases(operator)]


def _refused(case: TypedCase, runtime: str) -> bool:
    found = check(case.model(), AlignOptions(targets=(runtime,), verify=False)).findings
    return any(finding.severity == "error" for finding in found)


@pytest.mark.backends
@pytest.mark.parametrize("runtime", RUNTIMES)
def test_errors_are_what_is_not_right_whatever_memory_holds(runtime: str, tmp_path: Path) -> None:
    if runtime == "tflm" and importlib.util.find_spec("tflite_micro") is None:
        pytest.skip("tflite-micro is not installed")
    right = {case.name for case in CASES}
    for fill in FILLS:
        folder = tmp_path / f"{fill}"
        folder.mkdir()
        outcomes = run_batch(CASES, runtime, folder, fill=fill)
        right &= {
            case.name
            for case in CASES
            if not outcomes[case.name].error and case.right(outcomes[case.name].outputs)
        }
    with_errors = {case.name for case in CASES if _refused(case, runtime)}
    assert {case.name for case in CASES} - right == with_errors
    assert {"SPLIT-int8-2-plain", "SPLIT_V-int32--1-plain"} <= right


@pytest.mark.parametrize("operator", PLACES)
def test_a_negative_axis_of_one_byte_has_one_finding(operator: str) -> None:
    (case,) = [case for case in CASES if case.name == f"{operator}-int8--1-plain"]
    for target in ("litert", "xnnpack", "tflite", "tflm"):
        (found,) = check(case.model(), AlignOptions(targets=(target,), verify=False)).findings
        assert (found.rule, found.severity) == (f"support/{operator}/axis", "error")
        assert found.actual == "-1"
