"""Sizes computed from known shapes are folded to constants where a target requires it."""

from __future__ import annotations

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as fb

from tests.support.edited_models import PLAIN, named
from tests.support.object_api import load, pack
from tests.support.sized_models import filled, opened
from tflite_align import AlignOptions, align, check
from tflite_align.format.reader import read
from tflite_align.record import replace

TFLM = replace(PLAIN, targets=("tflm",))
BOTH = replace(PLAIN, targets=("tflm", "tflite"))


def operators(data: bytes) -> list[str]:
    return [operator.name for operator in read(data).subgraphs[0].operators]


@pytest.mark.parametrize("gathered", [False, True])
@pytest.mark.parametrize("options", [TFLM, BOTH])
def test_a_chain_of_known_shapes_is_folded(options: AlignOptions, *, gathered: bool) -> None:
    data = filled(gathered=gathered)
    assert {finding.fix for finding in check(data, options).findings} == {"computed-sizes"}
    result = align(data, options)
    assert result.report.remaining == ()
    assert [change.kind for change in result.report.changes] == ["folded"]
    assert operators(result.data) == ["FILL", "ADD"]
    model, tensor = named(result.data, "dims")
    held = model.constant(0, tensor.index)
    assert np.frombuffer(held, "int32").tolist() == [1, 4, 4, 3]
    assert align(result.data, options).data == result.data


def test_a_chain_stays_where_no_target_requires_folding() -> None:
    data = filled()
    assert check(data, PLAIN).findings == ()
    assert align(data, PLAIN).data == data


def test_an_open_size_stays_computed_where_applications_may_change_it() -> None:
    data = opened(filled())
    result = align(data, BOTH)
    (finding,) = result.report.remaining
    assert (finding.rule, finding.fix) == ("support/FILL/constant", "")
    assert (
        "the signature leaves its size open, and applications may change it in tflite: aligned for"
        " tflm only, this operator becomes a constant" in finding.message
    )
    assert result.data == data
    assert operators(align(data, TFLM).data) == ["FILL", "ADD"]


def test_the_repair_can_be_switched_off() -> None:
    data = filled()
    result = align(data, replace(TFLM, no_fix=("computed-sizes",)))
    assert result.data == data
    assert [finding.rule for finding in result.report.remaining] == ["support/FILL/constant"]


def test_sizes_that_are_an_output_stay_computed() -> None:
    data = filled(kept=True)
    result = align(data, TFLM)
    assert [finding.fix for finding in result.report.remaining] == [""]
    assert result.data == data


def test_metadata_that_may_count_operators_forbids_it() -> None:
    made = load(filled())
    record = fb.MetadataT()
    record.name, record.buffer = "xcoreSharedConfig", 0
    made.metadata = [record]
    data = pack(made)
    (finding,) = align(data, TFLM).report.remaining
    assert finding.fix == ""
    allowed = replace(TFLM, allow_metadata=("xcoreSharedConfig",))
    assert align(data, allowed).report.remaining == ()


def test_the_report_has_the_input_files_size() -> None:
    result = align(filled(), TFLM)
    assert result.report.size.operators == 5
