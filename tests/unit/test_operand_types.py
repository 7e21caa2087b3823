"""Patterns of operand types: matching, and the types that a repair writes."""

from __future__ import annotations

import pytest

from tflite_align.rules.kernels import parse_kernels
from tflite_align.rules.operand_types import OperandTypes, parse_pattern


def signature(text: str) -> OperandTypes:
    inputs, _, outputs = text.partition(">")
    return OperandTypes(tuple(inputs.split()), tuple(outputs.split()))


def matches(pattern: str, given: str) -> bool:
    return parse_pattern(pattern).matches(signature(given))


@pytest.mark.parametrize(
    ("pattern", "given", "expected"),
    [
        ("T T > T: int8 uint8", "int8 int8 > int8", True),
        ("T T > T: int8 uint8", "int8 uint8 > int8", False),
        ("T T > T: int8 uint8", "int16 int16 > int16", False),
        ("int8 int8 int32|int64|~ > int8", "int8 int8 int64 > int8", True),
        ("int8 int8 int32|int64|~ > int8", "int8 int8 > int8", True),
        ("int8 int8 int32|int64|~ > int8", "int8 int8 - > int8", False),
        ("int8 int8 int32 > int8", "int8 int8 > int8", False),
        ("T any > T: int8", "int8 float16 > int8", True),
        ("T any > T: int8", "int8 > int8", False),
        ("T any|~ > T: int8", "int8 > int8", True),
        ("T* > T: int8", "int8 int8 int8 > int8", True),
        ("T* > T: int8", "int8 int16 int8 > int8", False),
        ("int32 T > T*: int8 int16", "int32 int16 > int16 int16 int16", True),
        ("T > T: int8", "int8 int8 > int8", False),
        ("T > T: int8", "int8 > int8 int8", False),
        ("> int32", "> int32", True),
        ("T > T T: int8", "int8 > int8", False),
        ("int32 T > T*: int8", "int32 int8 >", False),
    ],
)
def test_a_pattern_matches(pattern: str, given: str, *, expected: bool) -> None:
    assert matches(pattern, given) is expected


def test_the_nearest_signature_keeps_what_fits() -> None:
    pattern = parse_pattern("T int8|int4 int32|~ > T: int8 int16")
    found = [str(one) for one in pattern.nearest(signature("int8 int4 int64 > int16"))]
    assert found == ["int8 int4 int32 > int8", "int16 int4 int32 > int16"]


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        ("int8 int8", "no '>'"),
        ("T > T", "must stand for the types"),
        ("int8 > int8: int8", "must stand for the types"),
    ],
)
def test_an_empty_pattern_is_refused(pattern: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        parse_pattern(pattern)


def test_a_row_gives_the_outcome_of_operand_types() -> None:
    row = parse_kernels(
        """
        format = 1
        title = "some kernels"
        sources = ["measured"]
        [operator.ADD]
        takes = ["T T > T: int8 int16"]
        wrong = ["int8 int8 > uint8|int16"]
        sources = ["litert:tflite/kernels/add.cc"]
        """,
        "test",
    )["ADD"]
    outcomes = {
        text: row.outcome(signature(text))
        for text in ("int8 int8 > int8", "int8 int8 > int16", "int8 uint8 > int8")
    }
    assert list(outcomes.values()) == ["right", "wrong", "refused"]
