"""TensorFlow Lite Micro and Vela as judges."""

from __future__ import annotations

import pytest

from tests.support.models import Graph, concat_example
from tests.support.verify_forms import rescaled
from tflite_align.verify.judges import available, judge_file
from tflite_align.verify.verification import verify

VELA = ("ethos-u55", "ethos-u65", "ethos-u85")

pytestmark = pytest.mark.backends


def need(judge: str) -> None:
    missing = available(judge)
    if missing is not None:
        pytest.skip(missing)


def plain() -> bytes:
    graph = Graph()
    graph.activation("x", 0.05)
    graph.conv("x", "c1", 0.3)
    graph.conv("c1", "y", 1.5)
    return graph.bytes(["x"], ["y"])


def reshaped() -> bytes:
    """A RESHAPE with different scales: Vela refuses it, TFLM copies integers."""
    graph = Graph()
    graph.activation("x", 0.05)
    graph.conv("x", "c1", 0.3)
    graph.constant("shape", [1, 1, 16, 3], "int32")
    graph.activation("r", 0.4, shape=(1, 1, 16, 3))
    graph.add("RESHAPE", ["c1", "shape"], ["r"], ("ReshapeOptions", {}))
    return graph.bytes(["x"], ["r"])


def test_tflm_accepts_and_reports_its_arena() -> None:
    need("tflm")
    found = judge_file(plain(), "tflm")
    assert found.status == "accepted"
    ((name, size),) = found.facts
    assert name == "arena bytes"
    assert 0 < int(size) < 100_000


def test_a_tflm_refusal_quotes_its_message() -> None:
    need("tflm")
    found = judge_file(concat_example(), "tflm")
    assert (found.status, found.operator) == ("refused", 2)
    assert found.reason.endswith("Node CONCATENATION (number 2) failed to prepare with status 1")


def test_tflm_outputs_are_compared() -> None:
    need("tflm")
    verification = verify(plain(), rescaled(plain(), 1, 1.02), judges=["tflm"])
    assert verification.word == "verified"
    assert [run.judge for run in verification.outputs[0].runs] == ["tflm"]
    assert dict(verification.judges[0].after.facts).keys() == {"arena bytes"}


@pytest.mark.parametrize("judge", VELA)
def test_vela_compiles_a_sound_model(judge: str) -> None:
    need(judge)
    found = judge_file(plain(), judge)
    assert found.status == "accepted"
    facts = dict(found.facts)
    assert facts["CPU operators"] == "0 (0.0%)"
    assert "NPU operators" in facts
    assert int(facts["cycles"]) > 0
    assert facts["SRAM"].endswith(" KiB")
    assert judge_file(plain(), judge).facts == found.facts


@pytest.mark.parametrize("judge", VELA)
def test_a_vela_refusal_quotes_its_message(judge: str) -> None:
    need(judge)
    found = judge_file(reshaped(), judge)
    assert (found.status, found.operator) == ("refused", 1)
    assert found.place == "subgraph[0]/operator[1] RESHAPE"
    assert "Input and output quantisation must match" in found.reason


def test_a_compiler_that_refused_before_for_the_same_reason_is_unchanged() -> None:
    need("ethos-u55")
    verification = verify(reshaped(), rescaled(reshaped(), 0, 1.1), judges=["ethos-u55"])
    assert [verdict.word for verdict in verification.judges] == ["unchanged"]


def test_a_required_judge_runs_on_an_unchanged_file() -> None:
    need("ethos-u85")
    verification = verify(plain(), plain(), changed=False, judges=["ethos-u85"])
    assert verification.word == "accepted"
    assert [(verdict.judge, verdict.word) for verdict in verification.judges] == [
        ("ethos-u85", "accepted")
    ]


def test_a_missing_judge_is_skipped_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    for judge in ("litert", "tflm", *VELA):
        found = judge_file(b"", judge)
        assert found.status == "skipped"
        assert found.reason == available(judge)
        assert "installed" in found.reason
