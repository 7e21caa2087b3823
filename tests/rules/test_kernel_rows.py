"""Rows of operand types compared with the real runtimes: every type of every operand."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable, Iterator

import pytest

from tests.rules.kernels.survey import RUNTIMES, Observed, survey
from tests.rules.operators.all_makers import MAKERS
from tflite_align.format.enums import operator_name, type_name
from tflite_align.rules.kernels import Outcome, kernel_sets, load_kernels
from tflite_align.rules.operand_types import ABSENT, ANY, LEFT_OUT, OperandTypes
from tflite_align.rules.targets import load_target, target_names

# The normal run asks for these, one of each manner; the marker `conformance` for all.
SAMPLE = ("ADD", "CONCATENATION", "CONV_2D", "GATHER", "SOFTMAX")

# (runtime, operator, signature): what the runtime does is not what the row says, and why.
_LUCK = "it writes or reads beyond the tensor, where nothing lies that counts"
OTHERWISE: dict[tuple[str, str, str], str] = {
    ("tflm", "SHAPE", "uint16 > int32"): "the binding feeds no uint16; the kernel does not look",
    ("tflm", "ZEROS_LIKE", "int8 > float16"): _LUCK,
    ("tflm", "ZEROS_LIKE", "int8 > float32"): _LUCK,
    **{
        (runtime, "SVDF", f"float32 float32 float32 float32 {state} > float32"): _LUCK
        for runtime in ("litert", "xnnpack")
        for state in ("int4", "int8", "uint8", "int16", "float16", "bool")
    },
}

BUILTIN = {
    name
    for name in (operator_name(code) for code in range(256))
    if name.isidentifier() and name not in {"CUSTOM", "DELEGATE"}
}
SCHEMA_TYPES = {type_name(code) for code in range(32)}
NO_OPERATORS = {"PLACEHOLDER_FOR_GREATER_OP_CODES"}


def signature(text: str) -> OperandTypes:
    inputs, _, outputs = text.partition(">")
    return OperandTypes(tuple(inputs.split()), tuple(outputs.split()))


def available() -> tuple[str, ...]:
    if importlib.util.find_spec("tflite_micro") is None:
        return tuple(name for name in RUNTIMES if name != "tflm")
    return RUNTIMES


def best(found: Iterable[Observed]) -> dict[tuple[str, str, str], Outcome]:
    """Outcome by runtime, operator, signature; other parameters may make the same types right."""
    order: tuple[Outcome, ...] = ("right", "wrong", "refused")
    outcomes: dict[tuple[str, str, str], Outcome] = {}
    for one in found:
        key = (one.runtime, one.operator, one.signature)
        outcomes[key] = min(outcomes.get(key, "refused"), one.outcome, key=order.index)
    return outcomes


def disagreements(operators: Iterable[str]) -> Iterator[tuple[str, str, str]]:
    """What is right though the row has it otherwise, or the other way round. Whether a kernel that
    reads beyond its operands ends or computes something depends on what lies there.
    """
    for key, outcome in best(survey(operators, available())).items():
        runtime, operator, text = key
        row = load_kernels(runtime)[operator].outcome(signature(text))
        if (row == "right") is not (outcome == "right"):
            yield key


@pytest.mark.backends
def test_rows_match_the_runtimes() -> None:
    found = set(disagreements(SAMPLE))
    assert found == {key for key in OTHERWISE if key[1] in SAMPLE and key[0] in available()}


@pytest.mark.conformance
@pytest.mark.parametrize("operator", sorted(MAKERS))
def test_rows_match_the_runtimes_for_every_operator(operator: str) -> None:
    found = set(disagreements([operator]))
    assert found == {key for key in OTHERWISE if key[1] == operator and key[0] in available()}


@pytest.mark.parametrize("name", kernel_sets())
def test_every_builtin_operator_has_a_row(name: str) -> None:
    assert set(load_kernels(name)) == BUILTIN - NO_OPERATORS


@pytest.mark.parametrize("name", kernel_sets())
def test_rows_name_existing_types_and_sources(name: str) -> None:
    for row in load_kernels(name).values():
        named = {
            word
            for pattern in (*row.takes, *row.wrong)
            for token in (*pattern.inputs, *pattern.outputs)
            for word in token.names
        }
        assert named <= {*SCHEMA_TYPES, ABSENT, LEFT_OUT, "T", ANY}, row.name
        assert row.sources, row.name
        assert len(row.versions) in {0, 2}, row.name


def test_targets_name_existing_kernel_sets() -> None:
    named = {kernels for name in target_names() for kernels in load_target(name).kernels}
    assert named == set(kernel_sets())
