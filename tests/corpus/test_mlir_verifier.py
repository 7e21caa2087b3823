"""LiteRT's MLIR verifiers on real models: they refuse broken files and accept aligned ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.mlir_batch import judge_batch
from tflite_align import AlignOptions, align, check
from tflite_align.verdicts import Acceptance
from tflite_align.verify.judges import available

pytestmark = pytest.mark.backends

PLAIN = AlignOptions(verify=False)
SAME_SCALE = "quantization parameters violate the same scale constraint"

# Files of the corpus that it refuses since scales are not equal.
REFUSED = {
    "coral/deeplabv3_mnv2_dm05_pascal_quant_2019.tflite",
    "coral/deeplabv3_mnv2_dm05_pascal_quant_2019_edgetpu.tflite",
    "dealigned/deeplab_mobilenet_edgetpu_slim_cityscapes_quant.tflite",
    "dealigned/kws_ref_model.tflite",
    "dealigned/micro_speech_quantized.tflite",
    "dealigned/movenet_single_pose_lightning_ptq.tflite",
    "dealigned/okay_nabu.tflite",
    "dealigned/person_detect.tflite",
    "dealigned/pretrainedResnet_quant.tflite",
    "dealigned/vww_96_int8.tflite",
    "violators/onnx2tf269_ssd_i16x8.tflite",
    "violators/onnx2tf269_ssd_int8.tflite",
    "violators/onnx2tf269_unet_int8.tflite",
    "violators/onnx2tf269_yolo_i16x8.tflite",
    "violators/onnx2tf269nocheck_inception_int8.tflite",
    "violators/tinynn_yolo_i8ptq.tflite",
}
# File -> (the verifier's message where it differs from `check`, reason).
OTHERWISE = {
    "litert/blockwise_quantized.tflite": ("crashed", "blockwise scales"),
    "litert/qwen_fc_blockwise_quantized.tflite": ("crashed", "blockwise scales"),
    "tflm/person_detect.tflite": ("accepted", "an axis that no tensor has, beside one scale"),
    "violators/litert_torch_densenet_pc.tflite": ("accepted", "biases"),
    "violators/litert_torch_head_pc.tflite": ("accepted", "fixed outputs"),
}


@pytest.fixture(scope="module")
def files(corpus_dir: Path) -> dict[str, bytes]:
    missing = available("mlir")
    if missing is not None:
        pytest.skip(missing)
    found = sorted(corpus_dir.glob("*/*.tflite"))
    return {f"{path.parent.name}/{path.name}": path.read_bytes() for path in found}


@pytest.fixture(scope="module")
def verdicts(
    files: dict[str, bytes], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Acceptance]:
    return judge_batch(files, tmp_path_factory.mktemp("before"))


def _broken(data: bytes) -> bool:
    findings = check(data, AlignOptions(targets=("tflite",), verify=False)).findings
    return any(finding.severity == "error" for finding in findings)


def test_the_verifier_refuses_files_with_findings(
    files: dict[str, bytes], verdicts: dict[str, Acceptance]
) -> None:
    agreed = {name: "refused" if _broken(data) else "accepted" for name, data in files.items()}
    otherwise = {name: found.status for name, found in verdicts.items()}
    apart = {name: said for name, said in otherwise.items() if said != agreed[name]}
    assert apart == {name: said for name, (said, _) in OTHERWISE.items()}


def test_the_verifier_agrees_with_check_on_fixtures(fixtures_dir: Path, tmp_path: Path) -> None:
    missing = available("mlir")
    if missing is not None:
        pytest.skip(missing)
    files = {path.name: path.read_bytes() for path in sorted(fixtures_dir.glob("*.tflite"))}
    agreed = {name: "refused" if _broken(data) else "accepted" for name, data in files.items()}
    said = {name: found.status for name, found in judge_batch(files, tmp_path).items()}
    assert said == agreed
    assert set(agreed.values()) == {"refused", "accepted"}


def test_files_refused_for_unequal_scales_are_accepted_aligned(
    files: dict[str, bytes], verdicts: dict[str, Acceptance], tmp_path: Path
) -> None:
    refused = {name for name, found in verdicts.items() if SAME_SCALE in found.reason}
    assert refused == REFUSED
    assert all(verdicts[name].operator is not None for name in refused)
    aligned = {name: align(files[name], PLAIN).data for name in sorted(refused)}
    after = judge_batch(aligned, tmp_path)
    assert {name: found.reason for name, found in after.items() if found.reason} == {}
    assert [found.status for found in after.values()] == ["accepted"] * len(REFUSED)
