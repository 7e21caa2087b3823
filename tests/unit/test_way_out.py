"""The reason of an alignment loss names the options that would avoid it."""

from __future__ import annotations

import pytest

from tflite_align.pipeline.way_out import _is_all, _option_sentence, _Tried, _unavoidable
from tflite_align.verdicts import OutputScore, Verification, Word


def score(
    before: float, after: float, *, part: str = "", word: Word = "inconclusive"
) -> OutputScore:
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
        word=word,
    )


def tried(*scores: OutputScore) -> _Tried:
    return _Tried(option="--io free", scores=scores)


@pytest.mark.parametrize(
    ("freed", "sentence"),
    [
        (49.5, "--io free avoids it (49.5 dB)"),
        (45.0, "--io free loses 5.0 dB"),
        (40.5, "--io free does not avoid it"),
    ],
)
def test_the_reason_says_whether_io_free_avoids_the_loss(freed: float, sentence: str) -> None:
    assert _option_sentence([score(50.0, 40.0)], tried(score(50.0, freed))) == sentence


def test_an_unknown_loss_gets_no_advice() -> None:
    assert _option_sentence([score(50.0, 40.0, part="a")], tried(score(50.0, 50.0))) == ""


@pytest.mark.parametrize(("least", "unavoidable"), [(40.5, True), (44.0, False), (49.5, False)])
def test_a_loss_that_the_finest_parameters_also_have_is_unavoidable(
    least: float,
    unavoidable: bool,  # noqa: FBT001 - pytest fills it in by name
) -> None:
    lost = [score(50.0, 40.0, word="failed")]
    assert _unavoidable(lost, tried(score(50.0, least))) is unavoidable
    assert _unavoidable(lost, tried(score(50.0, 49.9), score(50.0, 39.0)))
    assert not _unavoidable(lost, tried())


@pytest.mark.parametrize(("after", "borne"), [(40.0, True), (9.0, False)])
def test_a_loss_that_leaves_little_but_noise_is_a_failure(
    after: float,
    borne: bool,  # noqa: FBT001 - pytest fills it in by name
) -> None:
    lost = [score(50.0, after, word="failed")]
    assert _is_all(Verification(word="failed", why="", outputs=tuple(lost)), lost) is borne


def test_other_failures_stay_failures() -> None:
    other = score(50.0, 50.0, word="failed")
    lost = [score(50.0, 40.0, word="failed")]
    assert not _is_all(Verification(word="failed", why="", outputs=(*lost, other)), lost)
