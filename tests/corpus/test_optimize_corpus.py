"""`--optimize` on real models: no more operators, the same function, no new refusal."""

from __future__ import annotations

from pathlib import Path

import pytest

from tflite_align import AlignOptions, align
from tflite_align.format.model import Model
from tflite_align.format.reader import read
from tflite_align.rules.fixes import enabled_fixes
from tflite_align.verify.judges import judge_file
from tflite_align.verify.verification import verify

PLAIN = AlignOptions(verify=False)
OPTIMIZE = AlignOptions(verify=False, optimize=True)

# Converter's file -> number of QUANTIZE between equal types that can be folded into the producer.
FOLDED = {
    "dense_concat_int16x8.tflite": 3,
    "unet_int16x8.tflite": 1,
    "head_int8_dealigned.tflite": 2,
}


def within_one_type(model: Model) -> int:
    return sum(
        operator.name == "QUANTIZE"
        and graph.tensors[operator.inputs[0]].type == graph.tensors[operator.outputs[0]].type
        for graph in model.subgraphs
        for operator in graph.operators
    )


def operators(data: bytes) -> int:
    return sum(len(graph.operators) for graph in read(data).subgraphs)


@pytest.mark.backends
@pytest.mark.corpus
def test_no_operators_are_added_and_litert_still_accepts(corpus_model: Path) -> None:
    data = corpus_model.read_bytes()
    if not within_one_type(read(data)):
        pytest.skip("no QUANTIZE within one type in this model")
    result = align(data, OPTIMIZE)
    plain = align(data, PLAIN)
    assert operators(result.data) <= operators(plain.data)
    if not plain.report.changes:
        assert operators(result.data) <= operators(data)
    assert [f.message for f in result.report.remaining if f.fix in enabled_fixes()] == []
    assert align(result.data, OPTIMIZE).data == result.data
    if judge_file(data, "litert").status == "accepted":
        assert judge_file(result.data, "litert").status == "accepted"


@pytest.mark.backends
@pytest.mark.parametrize("name", FOLDED)
def test_redundant_quantizes_of_the_converter_are_folded(name: str, fixtures_dir: Path) -> None:
    data = (fixtures_dir / name).read_bytes()
    result = align(data, OPTIMIZE)
    removed = [change for change in result.report.changes if change.kind == "removed"]
    assert len(removed) == FOLDED[name]
    assert operators(result.data) == operators(data) - FOLDED[name]
    verification = verify(data, result.data)
    assert verification.word == "verified", verification.why
    (first, *_) = verification.outputs
    assert first.declared_aligned_db is not None
    assert first.declared_original_db is not None
    assert first.declared_aligned_db > first.declared_original_db - 0.1


@pytest.mark.backends
@pytest.mark.corpus
@pytest.mark.parametrize("name", ["litert_torch_inception_pc", "litert_torch_densenet_pc"])
def test_real_models_are_not_made_worse(name: str, corpus_dir: Path) -> None:
    data = (corpus_dir / "violators" / f"{name}.tflite").read_bytes()
    verification = verify(data, align(data, OPTIMIZE).data)
    assert verification.word != "failed", verification.why
