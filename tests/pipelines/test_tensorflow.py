"""TensorFlow's converter writes no file with findings, and alignment leaves its files unchanged."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from as_it_runs import run
from tflite_align import check

pytestmark = [pytest.mark.pipelines, pytest.mark.usefixtures("needs_tensorflow")]

NET = "keras:inception"


@pytest.mark.parametrize(
    ("recipe", "kernels", "least"),
    [
        ("Keras", "litert", 20.0),
        ("Keras", "xnnpack", 20.0),
        ("Keras", "tflm", 20.0),
        ("TensorFlow SavedModel", "litert", 40.0),
        ("TensorFlow SavedModel", "xnnpack", 40.0),
    ],
)
def test_the_recipe_gives_a_model_near_the_float_network(
    ran_recipe: Callable[[str, str], Path], recipe: str, kernels: str, least: float
) -> None:
    folder = ran_recipe(recipe, NET)
    inputs, reference = np.load(folder / "inputs.npy"), np.load(folder / "float.npy")
    ran = run(folder / "aligned.tflite", kernels, inputs)
    if ran.absent:
        pytest.skip(ran.absent)
    assert ran.sqnr(reference) > least


@pytest.mark.parametrize("recipe", ["Keras", "TensorFlow SavedModel"])
def test_the_converter_writes_no_finding(
    ran_recipe: Callable[[str, str], Path], recipe: str
) -> None:
    folder = ran_recipe(recipe, NET)
    converted = (folder / "converted.tflite").read_bytes()
    assert check(converted).findings == ()
    assert (folder / "aligned.tflite").read_bytes() == converted
