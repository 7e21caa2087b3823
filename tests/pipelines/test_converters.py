"""From a trained network through a real converter to an aligned file that runs as the float one.

Each row says what the pinned converter writes today: the findings, and what each runtime makes of
the file. A converter that mends itself fails its row; the row then says so, with no findings.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from as_it_runs import KERNELS, run
from tflite_align import AlignOptions, align, check

pytestmark = pytest.mark.pipelines

REFUSED = "refused"
LOST_DB = 1.0  # a file without findings, and what alignment may cost


@dataclass(frozen=True, kw_only=True)
class Case:
    """`recipe`: a heading of docs/recipes.md. `found`: findings by rule. `before`: kernel set ->
    REFUSED, or the most dB that the file reaches as written; sets that are not named run it well.
    `least`: dB that every kernel set reaches after alignment.
    """

    recipe: str
    net: str
    found: dict[str, int] = field(default_factory=dict)
    before: dict[str, str | float] = field(default_factory=dict)
    least: float


CASES = [
    Case(
        recipe="onnx2tf",
        net="unet",
        found={"same/RESIZE_BILINEAR": 1, "same/RESIZE_NEAREST_NEIGHBOR": 2},
        before={"litert": 15.0, "xnnpack": REFUSED, "tflm": 15.0},
        least=30.0,
    ),
    Case(
        recipe="TinyNeuralNetwork",
        net="branches",
        found={"same/CONCATENATION": 2},
        before=dict.fromkeys(KERNELS, REFUSED),
        least=25.0,
    ),
    Case(
        recipe="TinyNeuralNetwork",
        net="detector",
        found={"same/CONCATENATION": 4},
        before=dict.fromkeys(KERNELS, REFUSED),
        least=20.0,
    ),
    Case(recipe="TinyNeuralNetwork", net="unet", least=25.0),
    Case(
        recipe="litert-torch",
        net="branches",
        found={"bias/CONV_2D": 1, "fixed/TANH": 1},
        before={"tflm": 20.0},
        least=25.0,
    ),
    Case(
        recipe="litert-torch",
        net="detector",
        found={"fixed/TANH": 2},
        before={"tflm": 20.0},
        least=20.0,
    ),
    Case(recipe="litert-torch", net="unet", least=25.0),
    Case(recipe="ai-edge-quantizer", net="unet", least=25.0),
    Case(recipe="ai-edge-quantizer", net="branches", least=20.0),
]
OPTIONS = AlignOptions(targets=("tflite", "tflm"))


@pytest.fixture(params=CASES, ids=lambda case: f"{case.recipe}-{case.net}")
def case(request: pytest.FixtureRequest) -> Case:
    assert isinstance(request.param, Case)
    return request.param


@pytest.fixture
def folder(case: Case, ran_recipe: Callable[[str, str], Path]) -> Path:
    return ran_recipe(case.recipe, case.net)


def test_what_the_converter_writes(case: Case, folder: Path) -> None:
    report = check((folder / "model.tflite").read_bytes(), OPTIONS)
    assert dict(Counter(finding.rule for finding in report.findings)) == case.found


@pytest.mark.parametrize("kernels", KERNELS)
def test_as_it_runs(case: Case, folder: Path, kernels: str) -> None:
    """Refused or wrong before, where it says so; right afterwards, against the float network."""
    inputs, reference = np.load(folder / "inputs.npy"), np.load(folder / "float.npy")
    before = run(folder / "model.tflite", kernels, inputs)
    after = run(folder / "aligned.tflite", kernels, inputs)
    if after.absent:
        pytest.skip(after.absent)
    assert after.sqnr(reference) > case.least
    said = case.before.get(kernels)
    if said == REFUSED:
        assert before.refused
    elif said is not None:
        assert before.sqnr(reference) < float(said)
    else:
        assert before.sqnr(reference) - LOST_DB < after.sqnr(reference)


def test_aligned_is_aligned(case: Case, folder: Path) -> None:
    """No findings; and a file without any comes out as it went in."""
    given, aligned = ((folder / name).read_bytes() for name in ("model.tflite", "aligned.tflite"))
    assert check(aligned, OPTIONS).findings == ()
    assert align(aligned, AlignOptions(targets=OPTIONS.targets, verify=False)).data == aligned
    if not case.found:
        assert aligned == given
