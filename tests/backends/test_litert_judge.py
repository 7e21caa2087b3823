"""LiteRT as a judge, and complete verifications of small models."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest

from tests.support.models import SHAPE, Graph, TensorSpec, concat_example
from tests.support.verify_forms import rebiased, rescaled
from tflite_align import align
from tflite_align.record import replace
from tflite_align.verdicts import Acceptance, Verification
from tflite_align.verify.judges import judge_file, placed
from tflite_align.verify.object_api import pack, parse
from tflite_align.verify.verification import verify


def chain() -> bytes:
    """Three convolutions in a row; their ranges are a little larger than needed."""
    graph = Graph()
    graph.activation("x", 0.05)
    graph.conv("x", "c1", 0.3)
    graph.conv("c1", "c2", 1.5)
    graph.conv("c2", "y", 8.0)
    return graph.bytes(["x"], ["y"])


def test_a_sound_model_is_accepted() -> None:
    for judge in ("litert", "litert-ref", "xnnpack"):
        assert judge_file(chain(), judge).status == "accepted"


def test_a_refusal_names_the_operator() -> None:
    found = judge_file(concat_example(), "litert")
    assert (found.status, found.operator) == ("refused", 2)
    assert found.place == "subgraph[0]/operator[2] CONCATENATION"
    assert "output->params.scale" in found.reason


def test_delegated_operators_are_counted() -> None:
    assert judge_file(chain(), "litert").facts == ()
    assert judge_file(chain(), "xnnpack").facts == (
        ("nodes delegated", "3 of 3"),
        ("partitions", "1"),
    )


def test_operators_left_by_the_delegate_are_counted() -> None:
    """XNNPACK refuses a RESHAPE with different scales, which then runs on the builtin kernel
    between two delegated convolutions.
    """
    graph = Graph()
    graph.activation("x", 0.05)
    graph.conv("x", "c1", 0.3)
    graph.constant("shape", [1, 4, 4, 3], "int32")
    graph.activation("r", 0.4)
    graph.add("RESHAPE", ["c1", "shape"], ["r"], ("ReshapeOptions", {}))
    graph.conv("r", "y", 8.0)
    facts = judge_file(graph.bytes(["x"], ["y"]), "xnnpack").facts
    assert facts == (
        ("nodes delegated", "2 of 3"),
        ("partitions", "2"),
        ("nodes left", "1 RESHAPE"),
    )


def test_delegate_nodes_are_not_reported_as_operators() -> None:
    found = placed(Acceptance(status="refused", reason="Node number 13", operator=13), chain())
    assert (found.operator, found.place) == (None, "")


def test_bytes_that_are_no_model_are_refused() -> None:
    assert judge_file(b"TFL3 nonsense" * 20, "litert").status == "refused"


def test_a_hang_is_a_timeout() -> None:
    found = judge_file(chain(), "litert", seconds=0.01)
    assert (found.status, found.reason) == ("timeout", "no answer in 0.01 s")


def test_a_broken_worker_is_no_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tflite_align.verify.process._BOOT", "raise ImportError('no such thing')")
    found = judge_file(chain(), "litert")
    assert found.status == "skipped"
    assert found.reason == "could not start the judge: ImportError: no such thing"


def test_the_judge_leaves_no_temporary_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    verify(chain(), rescaled(chain(), 1, 1.05), samples=4)
    assert list(tmp_path.iterdir()) == []


# --- verifications ------------------------------------------------------------------------------------


def test_a_sound_change_is_verified() -> None:
    stages: list[tuple[str, float]] = []
    verification = verify(
        chain(),
        rebiased(rescaled(chain(), 1, 1.1), b"y", b"c2"),
        progress=lambda stage, fraction: stages.append((stage, fraction)),
    )
    assert (verification.word, verification.why) == ("verified", "")
    inputs = "random, seed 0: 16 whole range, 16 its middle, 16 normal, 16 sparse"
    assert (verification.samples, verification.inputs) == (64, inputs)
    assert [verdict.word for verdict in verification.judges] == ["accepted", "accepted"]
    (score,) = verification.outputs
    assert score.name == "y"
    assert [run.judge for run in score.runs] == ["litert", "xnnpack"]
    assert verification.steps is not None
    assert (verification.steps.checked, verification.steps.beyond) == (2, ())
    assert stages[0] == ("build the float twin", 0.0)
    assert stages[-1] == ("done", 1.0)


def test_a_bias_not_re_expressed_fails_and_is_named() -> None:
    verification = verify(chain(), rescaled(chain(), 1, 4.0))
    assert verification.word == "failed"
    assert verification.steps is not None
    assert [d.address for d in verification.steps.beyond] == ["subgraph[0]/operator[2] CONV_2D"]
    assert verification.steps.beyond[0].ours


def test_a_range_cut_in_half_loses_declared_signal() -> None:
    verification = verify(chain(), rebiased(rescaled(chain(), 1, 0.25), b"y", b"c2"))
    assert verification.word == "failed"
    assert verification.why.startswith("y: alignment loses")


def test_removing_a_relu_fails_verification() -> None:
    graph = Graph()
    graph.activation("x", 0.05)
    graph.conv("x", "c1", 0.1, -128)
    graph.conv("c1", "y", 2.0)
    original = graph.bytes(["x"], ["y"])
    model = parse(original)
    tensors = {tensor.name: tensor for tensor in model.subgraphs[0].tensors}
    quant = tensors[b"c1"].quantization
    quant.scale, quant.zeroPoint = np.array([0.2], np.float32), np.array([0])
    verification = verify(original, rebiased(pack(model), b"y", b"c1"))
    assert verification.word == "failed"


def test_the_same_seed_gives_the_same_verification() -> None:
    aligned = rebiased(rescaled(chain(), 1, 1.1), b"y", b"c2")
    first, again = (verify(chain(), aligned, samples=16, seed=7) for _ in range(2))
    assert replace(first, seconds=0.0) == replace(again, seconds=0.0)


def test_calibration_data_replaces_random_inputs() -> None:
    aligned = rebiased(rescaled(chain(), 1, 1.1), b"y", b"c2")
    real = np.random.default_rng(0).normal(0, 2, (40, 1, 4, 4, 3)).astype(np.float32)
    verification = verify(chain(), aligned, calibration={"x": real})
    assert (verification.word, verification.inputs) == (
        "verified",
        "40 calibration, 24 mixtures of it",
    )


def test_the_twin_of_a_float_model_is_the_model() -> None:
    graph = Graph()
    graph.constant("k", np.ones((1, 4, 4, 3)), "float32")
    graph.activation("x", 1.0)
    graph.activation("y", 1.0)
    graph.add("ADD", ["x", "k"], ["y"], ("AddOptions", {}))
    model = parse(graph.bytes(["x"], ["y"]))
    for tensor in model.subgraphs[0].tensors:
        tensor.type, tensor.quantization = 0, None
    verification = verify(pack(model), pack(model))
    assert verification.word == "verified"
    assert verification.outputs[0].declared_aligned_db == 100.0
    assert [run.sqnr_db for run in verification.outputs[0].runs] == [100.0, 100.0]


def test_a_file_refused_before_and_after_is_unchanged() -> None:
    verification = verify(concat_example(), rescaled(concat_example(), 0, 1.01))
    assert [verdict.word for verdict in verification.judges] == ["unchanged", "unchanged"]
    assert verification.word == "inconclusive"
    assert verification.why == (
        "y: nothing lost in the declared reading, but no kernel set runs the file"
    )


def test_unreadable_numbers_are_skipped_and_the_judge_fails() -> None:
    verification = verify(chain(), b"TFL3 nonsense" * 20)
    assert isinstance(verification, Verification)
    assert verification.word == "failed"
    assert verification.why.startswith(
        "litert accepts the original, but not the aligned file: refused: "
    )
    assert verification.outputs == ()


def branching() -> bytes:
    """A convolution, read by a comparison and, with other parameters, by a MAXIMUM."""
    graph = Graph()
    graph.activation("x", 0.05)
    graph.conv("x", "c", 0.1)
    graph.conv("x", "d", 0.04)
    graph.tensors["larger"] = TensorSpec(name="larger", type="bool", shape=SHAPE)
    graph.add("GREATER", ["c", "d"], ["larger"], ("GreaterOptions", {}))
    graph.activation("y", 0.07)
    graph.add("SELECT_V2", ["larger", "c", "d"], ["y"], ("SelectV2Options", {}))
    return graph.bytes(["x"], ["larger", "y", "c"])


def test_inputs_of_a_comparison_are_compared_past_inserted_quantizes() -> None:
    report = align(branching()).report
    assert any(change.kind == "cut" for change in report.changes)
    assert report.verification is not None
    assert report.verification.word == "verified", report.verification.why
    assert len(report.verification.outputs) > 1


def test_a_branch_of_a_select_may_be_as_coarse_as_its_output() -> None:
    """For tf.where(x > 0, x, 0.1 x) the converter writes a second branch with another scale than
    the output's.
    """
    graph = Graph(seed=1)
    graph.activation("x", 0.05)
    graph.constant("zero", np.zeros(1), "int8", 0.01)
    graph.constant("slope", np.full(1, 100), "int8", 0.001)
    graph.tensors["positive"] = TensorSpec(name="positive", type="bool", shape=SHAPE)
    graph.add("GREATER", ["x", "zero"], ["positive"], ("GreaterOptions", {}))
    graph.activation("bent", 0.005)
    graph.add("MUL", ["x", "slope"], ["bent"], ("MulOptions", {}))
    graph.activation("y", 0.05)
    graph.add("SELECT_V2", ["positive", "x", "bent"], ["y"], ("SelectV2Options", {}))
    report = align(graph.bytes(["x"], ["y"])).report
    assert report.changes != ()
    assert report.remaining == ()
    assert report.exit_status == 0, report.reasons
