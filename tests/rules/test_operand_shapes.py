"""Operands whose shapes do not fit together are an error wherever a runtime refuses them.

In each well-formed operator the shape of one input is changed: an axis more or less, an axis longer
or shorter by 1, both axes swapped.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.rules.kernels.typed import TypedCase, bases
from tests.rules.operators.all_makers import MAKERS
from tests.rules.test_kernel_rows import available
from tests.support.kernel_batch import run_batch
from tflite_align import check
from tflite_align.errors import FormatError
from tflite_align.record import replace
from tflite_align.rules.shape_rows import load_shapes

RECURRENT = tuple(name for name, row in load_shapes().items() if row.function == "named sizes")
# Refused models without an error, by operator: (input, why).
SILENT: dict[str, tuple[int, str]] = {
    "CONV_3D_TRANSPOSE": (-1, "the output's sizes do not follow from input, filter and strides"),
    "EMBEDDING_LOOKUP_SPARSE": (4, "an index is outside the table: data decides"),
    "GATHER_ND": (-1, "an index is outside the input: data decides"),
    "MATRIX_DIAG": (0, "a graph input without a shape may have one at run time"),
    "REDUCE_WINDOW": (0, "LiteRT ends where the window has another number of axes"),
    "STABLEHLO_GATHER": (-1, "sizes of slices are options that no row reads"),
    "STABLEHLO_RNG_BIT_GENERATOR": (0, "the shape is compared with that of an output"),
    "TOPK_V2": (0, "fewer elements than k: a graph input may have more at run time"),
    "TRANSPOSE_CONV": (-1, "the output's sizes do not follow from input, filter and strides"),
    "UNIQUE": (0, "a graph input without a shape may have one at run time"),
    "WHERE": (0, "a graph input without a shape may have one at run time"),
}


def _other_shapes(shape: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    yield (*shape, 2)
    yield shape[1:]
    for axis, size in enumerate(shape):
        for other in (size - 1, size + 1):
            if other > 0:
                yield (*shape[:axis], other, *shape[axis + 1 :])
    if len(shape) == 2 and shape[0] != shape[1]:
        yield shape[::-1]


def _changed(base: TypedCase) -> Iterator[TypedCase]:
    """The operator with another shape of one input; its constants are repeated or cut."""
    for index, slot in enumerate(base.inputs):
        if slot.role == "absent":
            continue
        for shape in _other_shapes(slot.shape):
            values = None if slot.values is None else np.resize(slot.values, shape)
            other = replace(slot, shape=shape, values=values)
            yield replace(
                base,
                name=f"{base.name}-{index}-{'x'.join(map(str, shape))}",
                inputs=(*base.inputs[:index], other, *base.inputs[index + 1 :]),
            )


def _refused_without_an_error(operator: str, runtime: str) -> tuple[int, list[str]]:
    """(number of models that the runtime refuses, those of them in which `check` has no error)."""
    models = {case.name: case for base in bases(operator) for case in _changed(base)}
    with tempfile.TemporaryDirectory() as folder:
        outcomes = run_batch(models.values(), runtime, Path(folder))
    refused = [case for case in models.values() if outcomes[case.name].error]
    silent = [case.name for case in refused if not _errors(case, runtime)]
    return len(refused), silent


def _errors(case: TypedCase, target: str) -> list[str]:
    try:
        findings = check(case.model(), targets=(target,)).findings
    except FormatError as refusal:
        return [str(refusal)]
    return [one.rule for one in findings if one.severity == "error"]


@pytest.mark.parametrize(
    ("operator", "runtime"), [("SVDF", "litert"), ("SVDF", "tflm"), ("PADV2", "litert")]
)
def test_operands_that_do_not_fit_are_errors(operator: str, runtime: str) -> None:
    if runtime not in available():
        pytest.skip(f"{runtime} is not installed")
    refused, silent = _refused_without_an_error(operator, runtime)
    assert silent == []
    assert refused > 20


@pytest.mark.conformance
@pytest.mark.parametrize("operator", sorted(MAKERS))
def test_operands_that_do_not_fit_are_errors_of_every_operator(operator: str) -> None:
    _, silent = _refused_without_an_error(operator, "litert")
    index, _ = SILENT.get(operator, (None, ""))
    unexplained = [
        name
        for name in silent
        if index is None or (index >= 0 and not re.search(rf"-{index}-[x0-9]*$", name))
    ]
    assert unexplained == []
    assert bool(silent) == (operator in SILENT)


@pytest.mark.parametrize("operator", RECURRENT)
def test_a_well_formed_network_has_no_finding_on_its_shapes(operator: str) -> None:
    for base in bases(operator):
        findings = check(base.model(), targets=("litert",)).findings
        assert [one.rule for one in findings if one.rule.startswith("shape/")] == []


def test_a_message_names_the_operand_with_the_sizes_that_fit() -> None:
    (base,) = [base for base in bases("LSTM") if base.name == "LSTM-float32"]
    recurrent = replace(base.inputs[5], shape=(3, 2), values=np.zeros((3, 2), np.float32))
    case = replace(base, inputs=(*base.inputs[:5], recurrent, *base.inputs[6:]))
    (finding,) = check(case.model(), targets=("litert",)).findings
    assert finding.rule == "shape/LSTM/operands"
    assert finding.expected == "inputs[6] of [cells = 3, outputs = 2]"
    assert finding.actual == "[3, 3]"


def test_batch_and_time_change_places_in_a_time_major_network() -> None:
    (base,) = [
        base
        for base in bases("UNIDIRECTIONAL_SEQUENCE_RNN")
        if base.name == "UNIDIRECTIONAL_SEQUENCE_RNN-float32"
    ]
    assert base.form.options is not None
    name, options = base.form.options
    time_major = replace(
        base, form=replace(base.form, options=(name, {**options, "timeMajor": True}))
    )
    (finding,) = check(time_major.model(), targets=("litert",)).findings
    assert finding.expected == "inputs[4] of [batch = 3, units = 3]"
    state = replace(base.inputs[4], shape=(3, 3))
    fitting = replace(time_major, inputs=(*base.inputs[:4], state))
    assert check(fitting.model(), targets=("litert",)).findings == ()
