"""Inferred shapes of real models equal those that LiteRT allocates."""

from __future__ import annotations

from pathlib import Path

from tests.support.litert_shapes import asked, unlike
from tflite_align.checks.shapes.inference import inferred
from tflite_align.format.reader import read

LARGEST = 4 << 20  # bytes; larger files are not tested

# Files whose shapes differ from those that LiteRT allocates -> the reason.
STALE = {
    "dilated_conv.tflite": "the converter left the shape of SPACE_TO_BATCH_ND and what follows",
}


def test_real_models_have_the_shapes_that_litert_finds(corpus_dir: Path, tmp_path: Path) -> None:
    paths = [p for p in sorted(corpus_dir.rglob("*.tflite")) if p.stat().st_size < LARGEST]
    answers = asked(paths, tmp_path)
    wrong = {
        str(path): found
        for path in paths
        if "shapes" in (answer := answers[str(path)])
        and (found := unlike(path.read_bytes(), answer))
    }
    assert wrong == {}
    assert sum("stopped" not in answer and "shapes" in answer for answer in answers.values()) > 0


def test_a_shape_is_stale_only_where_litert_finds_another(corpus_dir: Path) -> None:
    stale = set()
    for path in sorted(corpus_dir.rglob("*.tflite")):
        if path.stat().st_size >= LARGEST:
            continue
        model = read(path.read_bytes())
        for graph in model.subgraphs:
            found = inferred(model, graph.index)
            assert found.clashes == (), path
            shapes = {i: s for i, s in found.shapes.items() if graph.tensors[i].shape}
            if any(graph.tensors[i].shape != shape for i, shape in shapes.items()):
                stale.add(path.name)
    assert stale == STALE.keys()
