"""The table of data operands is right: an operator that copies writes only integers of the operands
that the table names.
"""

from __future__ import annotations

import platform
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.certify.test_arithmetic import available
from tests.rules.operators.all_cases import SATISFIED
from tests.support.kernel_batch import run_batch
from tflite_align.certify.arithmetic import arithmetic_runtimes, load_arithmetic
from tflite_align.certify.functions.operand_slots import COPIED, PADDED, SUMMANDS
from tflite_align.format.model import Model
from tflite_align.format.reader import read
from tflite_align.numerics import integers_of

pytestmark = pytest.mark.skipif(
    platform.machine() not in ("x86_64", "AMD64"), reason="the rows speak of x86-64"
)

_TYPES = ("int8", "uint8", "int16")


def _held(model: Model, fed: list[Any]) -> set[int]:
    """The integers of the data operands `fed`, and the output's zero point if the operator pads."""
    (graph,) = model.subgraphs
    (operator,) = graph.operators
    values = dict(zip(graph.inputs, fed, strict=True))
    held = set()
    for index in operator.inputs[COPIED[operator.name]]:
        data, tensor = model.constant(0, index), graph.tensors[index]
        if data is not None:
            held |= set(integers_of(data, tensor.type, tensor.elements).tolist())
        else:
            held |= set(np.unique(values[index]).tolist())
    output = graph.tensors[operator.outputs[0]].label
    return held | ({output.zero_point} if operator.name in PADDED and output else set())


@pytest.mark.parametrize("runtime", available())
def test_copying_operators_write_only_integers_of_their_data_operands(
    runtime: str, tmp_path: Path
) -> None:
    cases, models = {}, {}
    for case in SATISFIED.values():
        model = read(case.model())
        operators = model.subgraphs[0].operators
        if len(operators) == 1 and operators[0].name in COPIED:
            tensors = model.subgraphs[0].tensors
            if tensors[operators[0].outputs[0]].type in _TYPES:
                cases[case.name], models[case.name] = case, model
    outcomes = run_batch(cases.values(), runtime, tmp_path)
    wrong, run = [], set()
    for name, case in cases.items():
        for written in outcomes[name].outputs:
            others = set(np.unique(written).tolist()) - _held(models[name], case.fed())
            wrong += [f"{name}: writes {sorted(others)[:5]}"] if others else []
            run.add(models[name].subgraphs[0].operators[0].name)
    assert wrong == []
    assert run >= set(COPIED) or runtime == "tflm"


def test_a_clipped_summand_is_left_to_the_class_of_pairs() -> None:
    """The arithmetic rows of these operators are of class `pairs` or have no class, so the checker
    may leave a clipped constant of them to that class.
    """
    kinds = {
        row.kind
        for runtime in arithmetic_runtimes()
        for name in SUMMANDS
        for row in load_arithmetic(runtime).rows.get(name, ())
    }
    assert kinds <= {"pairs", "none"}
