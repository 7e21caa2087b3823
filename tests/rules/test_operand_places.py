"""Slots in rows are operands of their operators, according to the operand types of all kernels."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from tests.support.target_texts import LEVEL, TARGET
from tflite_align.format.enums import OPERATOR_NAMES
from tflite_align.record import Record
from tflite_align.rules.kernels import kernel_sets, load_kernels
from tflite_align.rules.operator_rows import load_operators, parse_operators
from tflite_align.rules.rows import SlotPattern
from tflite_align.rules.targets import Target, load_target, parse_target, target_names
from tflite_align.rules.versions import load_versions


def slots_in(value: Any) -> Iterator[SlotPattern]:
    """Every slot pattern in a row or in the value of one of its keys."""
    if isinstance(value, SlotPattern):
        yield value
    elif isinstance(value, Record):
        for name in value.__struct_fields__:
            yield from slots_in(getattr(value, name))
    elif isinstance(value, Mapping):
        for entry in value.values():
            yield from slots_in(entry)
    elif isinstance(value, tuple | list):
        for entry in value:
            yield from slots_in(entry)


def operand_counts(operator: str) -> dict[str, int]:
    """The greatest number of inputs and of outputs that any kernel takes; none for an operator
    that no kernel was measured for.
    """
    counts: dict[str, int] = {}
    for kernels in map(load_kernels, kernel_sets()):
        row = kernels.get(operator)
        for pattern in (*row.takes, *row.wrong) if row is not None else ():
            for kind, tokens in (("inputs", pattern.inputs), ("outputs", pattern.outputs)):
                count = sys.maxsize if tokens and tokens[-1].many else len(tokens)
                counts[kind] = max(counts.get(kind, 0), count)
    return counts


def outside(operator: str, value: Any) -> list[str]:
    """Sentences about slots at which the operator has no operand."""
    counts = operand_counts(operator)
    return [
        f"{operator} has no operand {slot}: it has {counts[slot.kind]} {slot.kind} at most"
        for slot in slots_in(value)
        if slot.kind in counts and slot.start >= counts[slot.kind]
    ]


def outside_of_target(target: Target) -> list[str]:
    """Sentences about slots in support rows that name their operators without a pattern."""
    return [
        sentence
        for row in target.support
        for operator in OPERATOR_NAMES.intersection(row.operators)
        for sentence in outside(operator, row)
    ]


@pytest.mark.parametrize("operator", load_operators())
def test_slots_of_an_operator_row_are_operands(operator: str) -> None:
    assert outside(operator, load_operators()[operator]) == []


@pytest.mark.parametrize("operator", load_versions())
def test_slots_of_a_version_row_are_operands(operator: str) -> None:
    assert outside(operator, load_versions()[operator]) == []


@pytest.mark.parametrize("name", target_names())
def test_slots_of_support_rows_are_operands(name: str) -> None:
    assert outside_of_target(load_target(name)) == []


def test_a_slot_that_no_operand_has_is_found() -> None:
    row = 'format = 1\n[operator.ABS]\nsources = []\nrigid = ["inputs[1]"]\n'
    expected = "ABS has no operand inputs[1]: it has 1 inputs at most"
    assert outside("ABS", parse_operators(row)["ABS"]) == [expected]
    support = (
        '[[support]]\noperators = ["ABS"]\nslots = ["inputs[1]"]\nlimits.types = ["int8"]\n'
        'severity = "error"\nbehaviour = "wrong"\nsources = []\n'
    )
    assert outside_of_target(parse_target(TARGET + LEVEL + support, "here.toml")) == [expected]
