"""Trained network, real converter, alignment: the aligned file computes what the float network
does.

Each row lists the findings in the pinned converter's output and how each runtime treats the file.
When a converter is fixed, its row fails and is changed to no findings.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from as_it_runs import KERNELS, run
from tflite_align import AlignOptions, align, check

pytestmark = pytest.mark.pipelines

REFUSED = "refused"
LOST_DB = 1.0  # no findings; dB that alignment may cost


@dataclass(frozen=True, kw_only=True)
class Case:
    """`recipe`: a heading of docs/recipes.md. `found`: findings by rule. `before`: kernel set ->
    REFUSED, or the most dB that the file reaches as written; sets that are not named run it well.
    `least`: dB that every kernel set reaches after alignment. `lacking`: kernel sets that have no
    kernel for an operator of it. `file`: another of the files that the converter wrote.
    """

    recipe: str
    net: str
    file: str = "model.tflite"
    found: dict[str, int] = field(default_factory=dict)
    before: dict[str, str | float] = field(default_factory=dict)
    lacking: tuple[str, ...] = ()
    least: float


CASES = [
    Case(
        recipe="onnx2tf",
        net="unet",
        found={"same/RESIZE_BILINEAR": 1, "same/RESIZE_NEAREST_NEIGHBOR": 2},
        before={"litert": 15.0, "xnnpack": REFUSED, "tflm": 15.0},
        least=40.0,
    ),
    Case(
        recipe="onnx2tf",
        net="unet",
        file="exported/net_full_integer_quant_with_int16_act.tflite",
        found={"bias/CONV_2D": 8, "same/RESIZE_BILINEAR": 1, "same/RESIZE_NEAREST_NEIGHBOR": 2},
        before={"litert": 5.0, "xnnpack": 5.0},
        lacking=("tflm",),
        least=40.0,
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
        before={"tflm": 17.0},
        least=35.0,
    ),
    Case(
        recipe="litert-torch",
        net="detector",
        found={"fixed/TANH": 2},
        before={"tflm": 2.0},
        least=4.0,  # the converter declares a range without negative values for the output of TANH
    ),
    Case(recipe="litert-torch", net="unet", least=25.0),
    Case(recipe="ai-edge-quantizer", net="unet", least=25.0),
    Case(recipe="ai-edge-quantizer", net="branches", least=17.0),
]


@dataclass(frozen=True, kw_only=True)
class Files:
    """The converter's file, the aligned file, and the float network's outputs on inputs that were
    not used for training.
    """

    given: Path
    aligned: Path
    inputs: np.ndarray
    reference: np.ndarray


@pytest.fixture(params=CASES, ids=lambda case: f"{case.recipe}-{case.net}-{Path(case.file).stem}")
def case(request: pytest.FixtureRequest) -> Case:
    assert isinstance(request.param, Case)
    return request.param


@pytest.fixture
def files(case: Case, ran_recipe: Callable[[str, str], Path], tmp_path: Path) -> Files:
    folder = ran_recipe(case.recipe, case.net)
    given, aligned = folder / case.file, folder / "aligned.tflite"
    if case.file != Case.file:
        aligned = tmp_path / "aligned.tflite"
        calibration: dict[str | int, Any] = {0: np.load(folder / "calibration.npy")}
        result = align(given.read_bytes(), AlignOptions(calibration=calibration))
        assert result.report.verification is not None
        assert result.report.verification.word == "verified"
        aligned.write_bytes(result.raise_for_status().data)
    inputs, reference = np.load(folder / "inputs.npy"), np.load(folder / "float.npy")
    return Files(given=given, aligned=aligned, inputs=inputs, reference=reference)


def test_the_converter_writes_the_expected_findings(case: Case, files: Files) -> None:
    report = check(files.given.read_bytes())
    assert dict(Counter(finding.rule for finding in report.findings)) == case.found


@pytest.mark.parametrize("kernels", KERNELS)
def test_aligned_models_compute_what_the_float_network_does(
    case: Case, files: Files, kernels: str
) -> None:
    """As written, the file is refused or wrong as the row says; aligned, its outputs are close to
    the float network's.
    """
    before = run(files.given, kernels, files.inputs)
    after = run(files.aligned, kernels, files.inputs)
    if after.absent:
        pytest.skip(after.absent)
    if kernels in case.lacking:
        assert before.refused
        assert after.refused
        return
    assert after.sqnr(files.reference) > case.least
    said = case.before.get(kernels)
    if said == REFUSED:
        assert before.refused
    elif said is not None:
        assert before.sqnr(files.reference) < float(said)
    else:
        assert before.sqnr(files.reference) - LOST_DB < after.sqnr(files.reference)


def test_aligning_twice_changes_nothing(case: Case, files: Files) -> None:
    """No findings remain after alignment, and a second alignment returns the same bytes."""
    given, aligned = files.given.read_bytes(), files.aligned.read_bytes()
    assert check(aligned).findings == ()
    assert align(aligned, AlignOptions(verify=False)).data == aligned
    if not case.found:
        assert aligned == given


@pytest.mark.parametrize(
    ("recipe", "net"), [("onnx2tf", "unet"), ("litert-torch", "branches"), ("litert-torch", "unet")]
)
def test_one_step_in_the_converters_process_gives_the_same(
    ran_recipe: Callable[[str, str], Path], recipe: str, net: str
) -> None:
    """convert_and_align(), called in the converter's process, gives the same bytes as the command
    line.
    """
    folder = ran_recipe(recipe, net)
    in_one_step = (folder / "in_one_step.tflite").read_bytes()
    assert in_one_step == (folder / "aligned.tflite").read_bytes()


def test_freeing_outputs_improves_sqnr(
    ran_recipe: Callable[[str, str], Path], tmp_path: Path
) -> None:
    """The detector's output declares ten times the range that sigmoid and tanh can reach."""
    folder = ran_recipe("TinyNeuralNetwork", "detector")
    inputs, reference = np.load(folder / "inputs.npy"), np.load(folder / "float.npy")
    calibration: dict[str | int, Any] = {0: np.load(folder / "calibration.npy")}
    options = AlignOptions(io="free", calibration=calibration)
    freed = tmp_path / "freed.tflite"
    freed.write_bytes(align((folder / "model.tflite").read_bytes(), options).data)
    kept = run(folder / "aligned.tflite", "litert", inputs).sqnr(reference)
    assert run(freed, "litert", inputs).sqnr(reference) > kept + 2
