"""Operands with contradicting shapes: an error finding on every target, never repaired, refused by
LiteRT.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.clashing_models import CLASHING
from tests.support.edited_models import PLAIN
from tests.support.litert_shapes import asked
from tflite_align import align, check
from tflite_align.record import replace
from tflite_align.rules.targets import target_names


@pytest.mark.parametrize("name", CLASHING)
def test_contradicting_operands_are_an_error_on_every_runtime(name: str) -> None:
    data, words = CLASHING[name]
    rule = f"shape/{name.partition(' ')[0]}/operands"
    for target in target_names():
        found = check(data, replace(PLAIN, targets=(target,))).findings
        reported = [
            (one.severity, one.fix, words in one.message) for one in found if one.rule == rule
        ]
        assert reported == ([("error", "", True)] if target != "ppq" else []), (target, found)


@pytest.mark.parametrize("name", ["RESHAPE", "CONV_2D bias"])
def test_contradicting_operands_are_not_repaired(name: str) -> None:
    result = align(CLASHING[name][0], PLAIN)
    assert [one.fix for one in result.report.remaining] == [""]
    assert result.report.exit_status == 1


@pytest.mark.backends
def test_litert_refuses_every_one(tmp_path: Path) -> None:
    paths = {}
    for name, (data, _) in CLASHING.items():
        paths[name] = tmp_path / f"{name}.tflite"
        paths[name].write_bytes(data)
    answers = asked(paths.values(), tmp_path)
    ran = {name: answers[str(path)] for name, path in paths.items()}
    taken = [name for name, said in ran.items() if "shapes" in said and "stopped" not in said]
    assert taken == []
