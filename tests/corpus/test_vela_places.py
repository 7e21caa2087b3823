"""Support rows predict which operators of real models Vela leaves to the CPU."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from tests.rules.test_vela_streams import TARGETS, disagreements
from tests.support.vela_batch import compile_batch

pytestmark = [
    pytest.mark.backends,
    pytest.mark.skipif(
        importlib.util.find_spec("ethosu") is None, reason="ethos-u-vela is not installed"
    ),
]

SMALL = 200 << 10  # bytes
LARGEST = 4 << 20  # a compiler takes minutes over the few larger ones


def _unexplained(target: str, paths: list[Path], folder: Path) -> set[str]:
    models = {f"{path.parent.name}-{path.stem}": path.read_bytes() for path in paths}
    found = compile_batch(models, target, folder)
    return {
        words
        for name, data in models.items()
        if not found[name].error
        for words in disagreements(name, data, target, found[name])
    }


def _below(folder: Path, size: int) -> list[Path]:
    return [p for p in sorted(folder.rglob("*.tflite")) if p.stat().st_size < size]


@pytest.mark.parametrize("target", TARGETS)
def test_rows_say_which_operators_vela_leaves_to_the_cpu(
    target: str, corpus_dir: Path, tmp_path: Path
) -> None:
    assert _unexplained(target, _below(corpus_dir, SMALL), tmp_path) == set()


@pytest.mark.compilers
@pytest.mark.parametrize("target", TARGETS)
def test_rows_predict_the_cpu_operators_of_every_model(
    target: str, corpus_dir: Path, tmp_path: Path
) -> None:
    assert _unexplained(target, _below(corpus_dir, LARGEST), tmp_path) == set()
