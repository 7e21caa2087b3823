"""Equality of records; equal records have no differing field."""

from __future__ import annotations

import pytest

from tflite_align import AlignOptions, check
from tflite_align.format.model import QuantParams
from tflite_align.format.reader import read
from tflite_align.record import compared, replace


def test_equal_records_do_not_differ() -> None:
    first = QuantParams(scale=(0.5,), zero_point=(3,), pos=8)
    second = QuantParams(scale=(0.5,), zero_point=(3,), pos=16)
    assert first.extent == (0.5, 0.5)
    assert first == second
    assert not first != second  # noqa: SIM202 - the other operator is what is asked for
    assert hash(first) == hash(second)
    assert {first: 1}[second] == 1


@pytest.mark.parametrize("name", compared(QuantParams))
def test_a_change_of_any_compared_field_makes_records_unequal(name: str) -> None:
    first = QuantParams(scale=(0.5,), zero_point=(3,))
    other = {"quantized_dimension": 1, "details": True}.get(name, (7,))
    second = replace(first, **{name: other})
    assert first != second
    assert not first == second  # noqa: SIM201 - as above


def test_a_model_and_a_report_read_again_do_not_differ(sample: bytes) -> None:
    assert not read(sample).subgraphs != read(sample).subgraphs  # noqa: SIM202 - as above
    first, second = (check(sample, AlignOptions()) for _ in range(2))
    assert first == second
    assert not first != second  # noqa: SIM202 - as above
    assert first != "a report"
