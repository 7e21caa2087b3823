"""The fixtures made by the converter: their description is right, and both ways of reading them
agree.
"""

from __future__ import annotations

import json
from pathlib import Path

from tests.support.column_reading import NEVER, THRESHOLDS, read_with


@THRESHOLDS
def test_bulk_reading_equals_reading_table_by_table(fixture_model: Path, quick: int) -> None:
    data = fixture_model.read_bytes()
    assert read_with(data, quick) == read_with(data, NEVER)


def test_fixtures_are_dealigned_copies(fixtures_dir: Path) -> None:
    index = json.loads((fixtures_dir / "INDEX.json").read_text(encoding="utf-8"))
    assert len(index["files"]) > 60
    for name, facts in index["files"].items():
        assert (fixtures_dir / name).stat().st_size == facts["bytes"] < 60_000


def test_a_fixture_reads_back(fixture_model: Path) -> None:
    data = fixture_model.read_bytes()
    origin = fixture_model.with_name(fixture_model.name.split("_dealigned")[0].split(".")[0])
    assert data[4:8] == b"TFL3"
    assert (data == origin.with_suffix(".tflite").read_bytes()) == (
        "dealigned" not in fixture_model.name
    )
