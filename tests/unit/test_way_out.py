"""What a loss is said to come from: whether freed graph inputs and outputs would avoid it."""

from __future__ import annotations

import pytest

from tflite_align.pipeline.way_out import _told
from tflite_align.verdicts import OutputScore


def score(before: float, after: float, *, part: str = "") -> OutputScore:
    return OutputScore(
        name="y",
        part=part,
        subgraph=0,
        index=0,
        tensor=1,
        inputs="normal",
        declared_original_db=before,
        declared_aligned_db=after,
        runs=(),
        word="inconclusive",
    )


@pytest.mark.parametrize(
    ("freed", "told"),
    [
        (49.5, "--io free avoids it (49.5 dB)"),
        (45.0, "--io free loses 5.0 dB"),
        (40.5, "--io free does not avoid it"),
    ],
)
def test_freed_ends_are_tried_and_told(freed: float, told: str) -> None:
    others = {("y", "normal"): score(50.0, freed)}
    assert _told([score(50.0, 40.0)], others) == told


def test_nothing_is_told_of_what_is_not_known() -> None:
    assert _told([score(50.0, 40.0, part="a")], {("y", "normal"): score(50.0, 50.0)}) == ""
