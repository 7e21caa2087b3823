"""Verification of real models, compared with the original float models and with runtimes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.support.verify_forms import level, outputs, readings, rescaled, run_float
from tflite_align.verify.judges import available, judge_file
from tflite_align.verify.object_api import parse
from tflite_align.verify.verification import verify

pytestmark = pytest.mark.corpus

# violators/ model -> SQNR in dB of its declared reading against the original float model, from
# INDEX.json (for its repaired form "one_repair").
DECLARED = {
    "onnx2tf269_unet_int8": 44.1,
    "onnx2tf269_ssd_int8": 29.1,
    "onnx2tf269_yolo_i16x8": 40.8,
    "litert_torch_densenet_pc": 29.7,
    "tinynn_yolo_i8ptq": 32.1,
}
CLEAN = ("kws_ref_model", "vww_96_int8", "pretrainedResnet_quant", "ad01_int8")
SAME_FUNCTION = (
    "mlperf_tiny/kws_ref_model",
    "mlperf_tiny/vww_96_int8",
    "mlperf_tiny/pretrainedResnet_quant",
    "tflm/micro_speech_quantized",
    "microwakeword/okay_nabu",
)


def read(corpus_dir: Path, name: str) -> bytes:
    return (corpus_dir / f"{name}.tflite").read_bytes()


def fitted(data: bytes, inputs: np.ndarray) -> np.ndarray:
    """The corpus's inputs, which are stored with channels first, in the layout of the model's
    input.
    """
    graph = parse(data).subgraphs[0]
    first = int(graph.tensors[graph.inputs[0]].shape[1]) == inputs.shape[1]
    return inputs if first else inputs.transpose(0, 2, 3, 1)


@pytest.mark.parametrize("name", DECLARED)
def test_the_declared_reading_is_near_the_float_model(corpus_dir: Path, name: str) -> None:
    folder = corpus_dir / "violators"
    index = json.loads((folder / "INDEX.json").read_text(encoding="utf-8"))
    entry = next(one for one in index if one["model"] == f"{name}.tflite")
    inputs = np.load(folder / entry["inputs"])
    original = (folder / entry["float"]).read_bytes()
    truth = run_float(original, fitted(original, inputs))
    data = (folder / entry["model"]).read_bytes()
    ran, _ = readings(data, fitted(data, inputs))
    assert level(truth, outputs(ran, "twin")) > DECLARED[name] - 3.0
    assert level(truth, outputs(ran, "declared")) == pytest.approx(DECLARED[name], abs=2.0)


def test_the_broken_unet_runs_as_another_function(corpus_dir: Path) -> None:
    folder = corpus_dir / "violators"
    data = read(corpus_dir, "violators/onnx2tf269_unet_int8")
    inputs = fitted(data, np.load(folder / "unet.x.npy"))
    truth = run_float(read(corpus_dir, "violators/onnx2tf269_unet_int8.float"), inputs)
    ran, _ = readings(data, inputs)
    assert level(truth, outputs(ran, "run")) == pytest.approx(4.7, abs=0.5)


@pytest.mark.parametrize("name", CLEAN)
def test_a_clean_model_is_verified_against_itself(corpus_dir: Path, name: str) -> None:
    data = read(corpus_dir, f"mlperf_tiny/{name}")
    verification = verify(data, data)
    assert verification.word == "verified", verification.why
    assert verification.steps is not None
    assert verification.steps.checked > 0
    assert verification.steps.beyond == ()


@pytest.mark.parametrize("name", SAME_FUNCTION)
def test_the_dealigned_model_is_near_the_original(corpus_dir: Path, name: str) -> None:
    origin = read(corpus_dir, name)
    verification = verify(read(corpus_dir, f"dealigned/{name.split('/')[1]}"), origin)
    assert verification.word == "verified", verification.why


@pytest.mark.parametrize("name", ["litert/blockwise_quantized", "tflm/keyword_scrambled_8bit"])
def test_a_crash_of_a_judge_is_reported(corpus_dir: Path, name: str) -> None:
    data = read(corpus_dir, name)
    found = judge_file(data, "litert")
    assert found.status == "crashed"
    assert found.reason.startswith("SIG")
    verification = verify(data, data, judges=["litert"])
    # It writes beyond its memory, so that some runs do not crash.
    assert [verdict.word for verdict in verification.judges] in (["unchanged"], ["accepted"])
    assert verification.word in ("skipped", "inconclusive")


def test_variables_are_kept_over_sequences(corpus_dir: Path) -> None:
    data = read(corpus_dir, "microwakeword/okay_nabu")
    ran, samples = readings(data)
    assert samples.stateful
    assert all(last - first >= 16 for first, last in samples.sequences)
    assert outputs(ran, "twin").shape[0] == samples.count
    verification = verify(data, data, judges=["litert"])
    assert verification.word == "verified", verification.why


@pytest.mark.parametrize(
    ("name", "operator"),
    [
        ("mlperf_tiny/kws_ref_model", 5),
        ("mlperf_tiny/vww_96_int8", 6),
        ("mlperf_tiny/vww_96_int8", 28),
        ("mlperf_tiny/pretrainedResnet_quant", 4),
        ("microwakeword/okay_nabu", 21),
    ],
)
def test_a_scale_halved_and_nothing_else_fails(corpus_dir: Path, name: str, operator: int) -> None:
    data = read(corpus_dir, name)
    assert verify(data, rescaled(data, operator, 0.5)).word == "failed"


def test_the_vendors_repaired_deeplab_is_verified(corpus_dir: Path) -> None:
    verification = verify(
        read(corpus_dir, "coral/deeplabv3_mnv2_dm05_pascal_quant_2019"),
        read(corpus_dir, "coral/deeplabv3_mnv2_dm05_pascal_quant_2021"),
        samples=16,
    )
    assert verification.word == "inconclusive"
    assert verification.why == "16 inputs are fewer than the 64 that verify"
    (score,) = verification.outputs
    assert (score.name, score.index) == ("ResizeBilinear_2", -1)
    assert {verdict.judge: verdict.why for verdict in verification.judges}[
        "xnnpack"
    ] == "accepts the aligned file only"


def test_an_integer_lstm_has_a_twin(corpus_dir: Path) -> None:
    data = read(corpus_dir, "tflm/trained_lstm_int8")
    assert verify(data, data).word == "verified"


def test_a_custom_operator_is_compared_at_its_inputs(corpus_dir: Path) -> None:
    data = read(corpus_dir, "coral/posenet_mobilenet_v1_075_353_481_16_quant_decoder")
    verification = verify(data, data, samples=4)
    assert verification.word == "skipped"
    assert verification.why == "litert: custom operator PosenetDecoderOp is not registered here"
    assert {score.word for score in verification.outputs} == {"verified"}
    assert verification.notes == ("operator[37] CUSTOM:PosenetDecoderOp has no kernel here",)
    assert [verdict.word for verdict in verification.judges] == ["skipped", "skipped"]


def test_blockwise_weights_are_not_judged(corpus_dir: Path) -> None:
    data = read(corpus_dir, "litert/qwen_fc_blockwise_quantized")
    verification = verify(data, data)
    assert verification.word == "skipped"
    assert verification.why.startswith("numbers not judged: ")
    assert verification.why.endswith("a quantization scheme beyond affine")


@pytest.mark.backends
def test_a_model_that_only_tflm_runs_is_compared_on_tflm(corpus_dir: Path) -> None:
    missing = available("tflm")
    if missing is not None:
        pytest.skip(missing)
    data = read(corpus_dir, "tflm/person_detect")
    verification = verify(
        read(corpus_dir, "dealigned/person_detect"), data, judges=["litert", "tflm"]
    )
    assert {verdict.judge: verdict.word for verdict in verification.judges} == {
        "litert": "unchanged",
        "tflm": "accepted",
    }
    assert verification.word == "verified", verification.why
