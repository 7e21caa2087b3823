"""The progress text of a run over many models."""

from __future__ import annotations

import logging
from collections import Counter

import pytest

from tflite_align.cli import pace
from tflite_align.record import replace
from tflite_align.report.batch_lines import failed_line, told_words


class Clock:
    now = 0.0

    def monotonic(self) -> float:
        return self.now


def test_resumed_models_do_not_count_towards_speed(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    clock = Clock()
    monkeypatch.setattr(pace, "time", clock)
    caplog.set_level(logging.INFO, "tflite_align.store")
    progress = pace.Pace(1000, spoken=True)
    failed = failed_line("a.tflite", "why")
    before = replace(failed, resumed=True, exit_status=0)
    for _ in range(100):
        progress.add(before)
    assert progress.text() == "100 of 1,000"
    clock.now = 61.0
    progress.add(failed)
    assert capsys.readouterr().err == (
        "tflite_align: 101 of 1,000, 1 failed, 0.0 a second, 15:13:59 left\n"
    )
    for _ in range(122):
        progress.add(replace(failed, exit_status=0))
    assert progress.text("b.tflite") == "223 of 1,000, 1 failed, 2.0 a second, 6:25 left: b.tflite"
    for _ in range(777):
        progress.add(replace(failed, exit_status=0))
    assert capsys.readouterr().err == "", "a minute has not gone by, and the end has its own line"
    assert [record.message.partition(",")[0] for record in caplog.records] == [
        "101 of 1",
        "1",
    ]


def test_verification_words_are_counted_best_first() -> None:
    words = Counter({"failed": 1, "verified": 1200, "": 3, "inconclusive": 2})
    assert told_words(words) == "1,200 verified, 2 inconclusive, 1 failed; "
    assert told_words(Counter({"": 3})) == ""
