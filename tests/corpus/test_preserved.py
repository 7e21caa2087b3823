"""Bytes outside the changes that a report declares are unchanged, in real and generated files.

Checked by tests/support/preservation.py from both files and the report, independently of the
writer.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.preservation import declared_of, differences, unlike
from tflite_align import AlignOptions, align

PLAIN = AlignOptions(verify=False)
WAYS = {
    "plain": PLAIN,
    "free": AlignOptions(verify=False, io="free", targets=("tflite", "tflm", "ethos-u55")),
    "cut": AlignOptions(verify=False, policies={"concat": "none"}, overlap="forbid"),
}


def preserved(data: bytes, options: AlignOptions) -> int:
    """The number of changes that the alignment declares; fails if any other byte changed."""
    result = align(data, options)
    if not result.report.changes:
        assert result.data == data
        return 0
    declared = declared_of(data, result.report)
    assert differences(data, result.data, declared) == []
    assert unlike(data, result.data, declared) == []
    return len(result.report.changes)


@pytest.mark.parametrize("way", WAYS)
def test_corpus_files_keep_the_bytes_that_no_edit_names(corpus_model: Path, way: str) -> None:
    changes = preserved(corpus_model.read_bytes(), WAYS[way])
    assert changes or corpus_model.parent.name != "dealigned"


@pytest.mark.parametrize("way", WAYS)
def test_fixtures_keep_the_bytes_that_no_edit_names(fixture_model: Path, way: str) -> None:
    changes = preserved(fixture_model.read_bytes(), WAYS[way])
    tied = "dealigned" in fixture_model.name and not fixture_model.name.startswith("activations")
    assert changes or not tied
