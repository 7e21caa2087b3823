"""Edge TPU predictions compared with models compiled by its compiler."""

from __future__ import annotations

from pathlib import Path

import pytest

import edgetpu_pairs
from tests.support.models import GraphSpec, OperatorSpec, Quant, TensorSpec, model_bytes
from tflite_align.record import replace

QUANT = Quant(scale=(0.05,), zero_point=(0,))
SHAPE = (1, 4, 4, 3)


def test_every_pair_of_the_corpus_is_explained(
    corpus_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if not any(edgetpu_pairs.pairs([corpus_dir])):
        pytest.skip("the corpus holds no compiled models")
    status = edgetpu_pairs.main([str(corpus_dir)])
    output = capsys.readouterr().out
    assert status == 0, output


def tensor(name: str) -> TensorSpec:
    return TensorSpec(name=name, type="int8", shape=SHAPE, quant=QUANT)


def unary(name: str, source: str, target: str) -> OperatorSpec:
    return OperatorSpec(name=name, inputs=[source], outputs=[target])


CHAIN = [unary("RELU", "x", "a"), unary("HARD_SWISH", "a", "b"), unary("RELU", "b", "c")]


def graph(operators: list[OperatorSpec]) -> bytes:
    names = list(dict.fromkeys(n for one in operators for n in (*one.inputs, *one.outputs)))
    spec = GraphSpec(
        tensors=[tensor(name) for name in names], operators=operators, inputs=["x"], outputs=["c"]
    )
    return model_bytes([spec])


def compiled(mapped: int) -> bytes:
    """The chain of operators with its first `mapped` ones replaced by one Edge TPU custom operator."""
    custom = unary("CUSTOM", "x", CHAIN[mapped - 1].outputs[0])
    return graph([replace(custom, custom_code=edgetpu_pairs.CUSTOM), *CHAIN[mapped:]])


def write(folder: Path, mapped: int) -> list[str]:
    (folder / "chain.tflite").write_bytes(graph(CHAIN))
    (folder / "chain_edgetpu.tflite").write_bytes(compiled(mapped))
    (folder / "alone_edgetpu.tflite").write_bytes(compiled(mapped))
    return [str(folder)]


def test_a_pair_compiled_as_predicted_is_explained(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert edgetpu_pairs.main(write(tmp_path, 1)) == 0
    assert capsys.readouterr().out == (
        "model  operators  mapped  really  first unmapped  really          explained\n"
        "chain  3          1       1       [1] HARD_SWISH  [1] HARD_SWISH  yes\n"
        "\n1 of 1 explained\n"
    )


def test_a_pair_compiled_otherwise_is_not_explained(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert edgetpu_pairs.main(write(tmp_path, 2)) == 1
    assert capsys.readouterr().out == (
        "model  operators  mapped  really  first unmapped  really    explained\n"
        "chain  3          1       2       [1] HARD_SWISH  [2] RELU  no\n"
        "\n0 of 1 explained\n"
    )


def test_operators_missing_in_the_original_are_unexplained() -> None:
    whole = edgetpu_pairs.Comparison(
        name="x", operators=1, predicted=frozenset(), real=frozenset(), unmatched=0, first=("", "")
    )
    assert whole.explained
    assert not replace(whole, unmatched=1).explained


def test_an_empty_folder_is_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert edgetpu_pairs.main([str(tmp_path)]) == 2
    assert "no pair" in capsys.readouterr().err


def test_an_unreadable_file_is_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = write(tmp_path, 1)
    (tmp_path / "bad.tflite").write_bytes(b"")
    (tmp_path / "bad_edgetpu.tflite").write_bytes(b"")
    assert edgetpu_pairs.main(folder) == 1
    assert "bad.tflite: byte 0: not a TFLite model: the file is empty" in capsys.readouterr().err
