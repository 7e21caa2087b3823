"""Alignment of models of the real converter: models without findings are unchanged."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support.border import border, converted
from tests.support.edited_models import PLAIN
from tflite_align import AlignOptions, align, check
from tflite_align.record import replace


@pytest.mark.parametrize("kind", ["float32", "uint8", "int8"])
def test_all_graph_inputs_and_outputs_are_converted_or_none(fixture_model: Any, kind: str) -> None:
    """Either all graph inputs and outputs of a fixture get the type, or none does and the report
    says why.
    """
    data = fixture_model.read_bytes()
    found = converted(data, kind, kind, verify=False)
    if found.report.reasons:
        assert found.data == data
        return
    assert {type_name for side in border(found.data) for type_name, _ in side} <= {
        kind,
        "int32",
        "int64",
    }
    assert converted(found.data, kind, kind, verify=False).data == found.data


def test_with_all_repairs_off_nothing_changes(fixture_model: Path) -> None:
    data = fixture_model.read_bytes()
    assert align(data, replace(PLAIN, no_fix=("all",))).data == data


THREE = ("tflm", "ethos-u55", "xnnpack")


def test_a_dealigned_network_is_aligned_for_three_targets_at_once(fixtures_dir: Path) -> None:
    """A real network in which each activation was given another scale."""
    import dealign

    data = dealign.dealign((fixtures_dir / "inception_int8.tflite").read_bytes(), seed=1)
    alone = {n: check(data, AlignOptions(targets=(n,))) for n in THREE}
    report = check(data, AlignOptions(targets=THREE))
    graded = {n: [f for f in report.findings if n in f.targets] for n in THREE}
    for name in THREE:
        assert [f.message for f in graded[name]] == [f.message for f in alone[name].findings]
    result = align(data, AlignOptions(targets=THREE, verify=False))
    assert result.report.remaining == ()
