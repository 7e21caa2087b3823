"""Certificates of real models and of their alignments.

Two tables list, with reasons, alignments without a certificate and operators that are not
certified.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tflite_align import AlignOptions, align
from tflite_align.certify.make import NotCertifiedError, certify, make_certificate
from tflite_align.certify.verified import verify_certificate

# model -> why its alignment has no certificate
WITHOUT = {
    # The output range of TANH begins at 0, since it is the CONCATENATION's. By the file this is a
    # clamp at 0, which its new parameters do not have.
    "violators/litert_torch_inception_pc.tflite": "TANH: its operands or parameters changed, and it can be 128",
    # The range of an average's operand is narrowed to its output's, which changes averages.
    "violators/onnx2tf269_unet_int8.tflite": "CONV_2D: its operands or parameters changed, and it can be 8.94845 LSB off",
}
# Models that take long. The first two have no certificate (an average's operand is narrowed;
# ARG_MAX has no row).
SLOW = {
    "dealigned/movenet_single_pose_lightning_ptq.tflite",
    "dealigned/deeplab_mobilenet_edgetpu_slim_cityscapes_quant.tflite",
    "violators/onnx2tf269_ssd_i16x8.tflite",
}
# MLPerf Tiny: operators that are not certified.
LEFT = {
    "ad01_int8.tflite": [],
    "kws_ref_model.tflite": ["SOFTMAX"],
    "pretrainedResnet_quant.tflite": ["SOFTMAX"],
    "vww_96_int8.tflite": ["SOFTMAX"],
}


@pytest.mark.corpus("mlperf_tiny")
def test_finished_models_are_certified_but_for_softmax(corpus_model: Path) -> None:
    data = corpus_model.read_bytes()
    certificate = certify(data)
    rows = certificate["subgraphs"][0]["operators"]
    left = [row["name"] for row in rows if row["status"] != "certified"]
    assert left == LEFT[corpus_model.name]
    assert max(max(row.get("bounds", {"": 0.0}).values()) for row in rows) <= 0.75
    checked = verify_certificate(data, data, json.dumps(certificate).encode())
    assert checked.certified == len(rows) - len(left)


@pytest.mark.corpus("dealigned", "violators")
def test_alignments_of_real_files_have_certificates(corpus_model: Path) -> None:
    data, name = corpus_model.read_bytes(), f"{corpus_model.parent.name}/{corpus_model.name}"
    if name in SLOW:
        pytest.skip("takes a quarter of a minute")
    if name in WITHOUT:
        written = align(data, AlignOptions(verify=False)).data
        with pytest.raises(NotCertifiedError, match=WITHOUT[name]):
            make_certificate(data, written)
        return
    result = align(data, AlignOptions(verify=False, certificate=True))
    checked = verify_certificate(data, result.data, json.dumps(result.certificate).encode())
    assert checked.worst <= 2
    if checked.optimum is not None:
        assert checked.optimum.optimal == checked.optimum.components
        assert checked.optimum.left_out == 0
