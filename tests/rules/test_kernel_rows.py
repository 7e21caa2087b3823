"""Rows of operand types compared with the real runtimes: every type of every operand."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from functools import lru_cache

import pytest

from tests.rules.kernels.survey import RUNTIMES, Observed, errors_of, settled, survey
from tests.rules.kernels.typed import TYPES
from tests.rules.operators.all_makers import MAKERS
from tflite_align.format.enums import operator_name, type_name
from tflite_align.rules.kernels import kernel_sets, load_kernels
from tflite_align.rules.operand_types import ABSENT, ANY, LEFT_OUT, OperandTypes
from tflite_align.rules.targets import load_target, target_names

# The normal run tests these operators, one of each kind; the marker `conformance` all.
SAMPLE = ("ADD", "CONCATENATION", "CONV_2D", "GATHER", "SOFTMAX")

# (runtime, operator, signature) -> why the runtime's behaviour differs from the row.
_LUCK = "it writes or reads beyond the tensor, where nothing lies that counts"
_UNSIGNED = "below 2**63 signed and unsigned integers are stored alike"
_FIRST_STEP = "the first step starts from zeros, of which recurrent weights are no part"


def _lstm(weights: str, *, last: str = "", projection: str = "-") -> str:
    """The type signature of an LSTM without peepholes. `last`: type of the output gate's recurrent
    weights.
    """
    inputs = ["float32", *[weights] * 7, last or weights, *"---", *["float32"] * 4, projection]
    return " ".join([*inputs, "- float32 float32 > float32"])


OTHERWISE: dict[tuple[str, str, str], str] = {
    ("tflm", "SHAPE", "uint16 > int32"): "the binding feeds no uint16; the kernel does not look",
    ("tflm", "ZEROS_LIKE", "int8 > float16"): _LUCK,
    ("tflm", "ZEROS_LIKE", "int8 > float32"): _LUCK,
    **{
        (runtime, operator, _lstm(weights, projection=weights)): (
            "the model's projection has no dimensions"
        )
        for runtime in ("litert", "xnnpack")
        for operator in ("LSTM", "UNIDIRECTIONAL_SEQUENCE_LSTM")
        for weights in ("float32", "int8")
    },
    **{
        (runtime, "STABLEHLO_ADD", "uint64 uint64 > int64"): _UNSIGNED
        for runtime in ("litert", "xnnpack")
    },
    **{
        (runtime, "LSTM", _lstm("int8", last=kind)): _FIRST_STEP
        for runtime in ("litert", "xnnpack")
        for kind in TYPES
        if kind != "int8"
    },
}

# Pattern of a model's name -> why findings and a runtime's behaviour differ: an error finding on a
# model that is computed right, or none on one that is not.
_TRUE = "around a zero point of 0 every integer but 0 reads as true; other zero points are not read"
_SMALL = (
    "the values at hand are so few, or so small, that reading them as another type does no harm"
)
_UNFED = "the binding cannot feed this type"
MODELS_OTHERWISE: dict[str, str] = {
    **{
        f"{operator}-bool-i{place}-int8-*": _TRUE
        for operator, place in (
            ("EMBEDDING_LOOKUP", 1),
            ("EXPAND_DIMS", 0),
            ("GATHER", 0),
            ("GATHER_ND", 0),
            ("RESHAPE", 0),
            ("SLICE", 0),
            ("SQUEEZE", 0),
            ("STABLEHLO_GATHER", 0),
            ("STRIDED_SLICE", 0),
            ("UNPACK", 0),
        )
    },
    "BITCAST-float32-o0-float32": "the output's type says what is meant, the model's name another",
    "BITCAST-int32-o0-int32": "the output's type says what is meant, the model's name another",
    "EMBEDDING_LOOKUP-float16-i1-int4-zero": _SMALL,
    "FULLY_CONNECTED-int8-i2-int64": _SMALL,
    "LSTM-float32-with-int8-i8-*": _FIRST_STEP,
    "MEAN-int8-i0-uint8": _SMALL,
    "PRELU-uint8-i1-int8-zero": _SMALL,
    "SHAPE-int4": _UNFED,
    "SHAPE-uint16": _UNFED,
    "SPACE_TO_BATCH_ND-*-i2-float32": "all paddings are 0, which floats and integers store alike",
    "STABLEHLO_ADD-uint64-o0-int64": _UNSIGNED,
    "TRANSPOSE_CONV-int16-i3-int16": _SMALL,
    "TRANSPOSE_CONV-int8-i3-uint8": _SMALL,
    "WHERE-int8-i0-uint8": "no value lies where zero points differ",
    "ZEROS_LIKE-*": _LUCK,
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


@lru_cache(maxsize=8)
def observed(operator: str) -> tuple[Observed, ...]:
    return tuple(survey([operator], available()))


def disagreements(operators: Iterable[str]) -> Iterator[tuple[str, str, str]]:
    """(runtime, operator, signature) for results that differ from the row.

    For a kernel that reads beyond its operands the result depends on memory: crash or wrong values
    count as the same.
    """
    found = [seen for operator in operators for seen in observed(operator)]
    for key, outcome in settled(found).items():
        runtime, operator, text = key
        row = load_kernels(runtime)[operator].outcome(signature(text))
        if (row == "right") is not (outcome == "right"):
            yield key


def judged_otherwise(operators: Iterable[str]) -> dict[str, str]:
    """Model -> runtime, for models with an error finding that the runtime computes right, and
    models without one that it does not.
    """
    return {
        seen.case.name: seen.runtime
        for operator in operators
        for seen in observed(operator)
        if (seen.outcome == "right") is bool(errors_of(seen))
    }


def _unexplained(found: dict[str, str]) -> dict[str, str]:
    return {
        name: runtime
        for name, runtime in found.items()
        if not any(fnmatchcase(name, pattern) for pattern in MODELS_OTHERWISE)
    }


@pytest.mark.backends
def test_rows_match_the_runtimes() -> None:
    found = set(disagreements(SAMPLE))
    assert found == {key for key in OTHERWISE if key[1] in SAMPLE and key[0] in available()}


@pytest.mark.conformance
@pytest.mark.parametrize("operator", sorted(MAKERS))
def test_rows_match_the_runtimes_for_every_operator(operator: str) -> None:
    """`check` has an error for exactly the models that a runtime refuses or computes wrongly."""
    apart = judged_otherwise([operator])
    assert _unexplained(apart) == {}
    patterns = {one for one in MODELS_OTHERWISE if one.startswith(f"{operator}-")}
    idle = {one for one in patterns if not any(fnmatchcase(name, one) for name in apart)}
    assert idle == set(), "an exception that no model needs"
    found = set(disagreements([operator]))
    assert found == {key for key in OTHERWISE if key[1] == operator and key[0] in available()}


@pytest.mark.backends
def test_errors_are_found_in_what_the_runtimes_do_not_compute() -> None:
    assert _unexplained(judged_otherwise(SAMPLE)) == {}


@pytest.mark.parametrize("name", [name for name in kernel_sets() if name in RUNTIMES])
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
