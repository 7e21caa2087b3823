"""One-layer models of converters, in each quantization mode, in every runtime.

A file that a runtime or Vela refuses must have an error finding. A file with an error finding that
a runtime accepts must give better outputs after alignment. Exceptions are in tables, with reasons.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest

from converters import NotInstalledError, environment
from tests.conftest import SCRIPTS, TF_PYTHON
from tests.support.gate_batch import ask_batch, real_outputs
from tests.support.kernel_batch import Outcome
from tflite_align import AlignOptions, align, check

pytestmark = pytest.mark.pipelines

TARGETS = ("litert", "xnnpack", "tflm", "ethos-u55", "ethos-u85")
RUNTIMES = TARGETS[:3]
MAKING_TAKES_AT_MOST = 7200  # seconds
AT_ONCE = 150  # number of files that a runtime's process gets at a time
GAINED_DB = 0.5  # dB gained by alignment, against the float file

# Converter -> minimum number of files that it writes here, and the scripts that make them:
# (environment, script, arguments). TensorFlow's environment has no name.
MADE: Mapping[str, tuple[int, Sequence[tuple[str, str, tuple[str, ...]]]]] = {
    "TensorFlow and ai-edge-quantizer": (
        1000,
        [
            ("", "layer_files.py", ()),
            ("ai-edge-quantizer", "quantizer_files.py", ()),
        ],
    ),
    "onnx2tf": (
        200,
        [
            ("pytorch", "torch_layer_files.py", ("onnx",)),
            ("onnx2tf", "torch_layer_files.py", ("onnx2tf",)),
        ],
    ),
}
# (target, file) -> why an error finding is right although alignment gains nothing.
_DROPPED = "the net takes every second channel, and none that is wrong"
NOTHING_GAINED = {
    (target, f"torch_stack-onnx2tf_{way}"): _DROPPED
    for target in RUNTIMES
    for way in ("int8", "int8_float_io")
}


@pytest.fixture(scope="module", params=MADE)
def files(
    request: pytest.FixtureRequest, environments: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, bytes]:
    least, steps = MADE[request.param]
    folder = tmp_path_factory.mktemp("layers")
    for name, script, arguments in steps:
        try:
            python = environment(name, environments) if name else Path(TF_PYTHON)
        except NotInstalledError as error:
            pytest.skip(str(error))
        command = [str(python), str(SCRIPTS / script), *arguments, str(folder)]
        subprocess.run(command, capture_output=True, check=True, timeout=MAKING_TAKES_AT_MOST)
    made = {path.stem: path.read_bytes() for path in sorted(folder.glob("*.tflite"))}
    assert len(made) >= least
    return made


def _asked(files: Mapping[str, bytes], judge: str, folder: Path) -> dict[str, Outcome]:
    names, found = sorted(files), {}
    for start in range(0, len(names), AT_ONCE):
        part = folder / f"{judge}{start}"
        part.mkdir(parents=True)
        chosen = {name: files[name] for name in names[start : start + AT_ONCE]}
        found.update(ask_batch(chosen, judge, part))
    return found


def _errors(data: bytes, target: str) -> list[str]:
    found = check(data, AlignOptions(targets=(target,))).findings
    return [finding.rule for finding in found if finding.severity == "error"]


@pytest.mark.parametrize("target", TARGETS)
def test_refused_files_have_an_error_finding(
    files: dict[str, bytes],
    target: str,
    tmp_path: Path,
    record_property: Callable[[str, object], None],
) -> None:
    """The numbers of files and of refusals are recorded in the `--junit-xml` report."""
    outcomes = _asked(files, target, tmp_path)
    refused = [name for name, outcome in outcomes.items() if outcome.error]
    unnamed = {name: outcomes[name].error for name in refused if not _errors(files[name], target)}
    record_property("refused", len(refused))
    record_property("refused with an error finding", len(refused) - len(unnamed))
    assert unnamed == {}


@pytest.mark.parametrize("target", RUNTIMES)
def test_error_findings_on_running_files_are_justified(
    files: dict[str, bytes], target: str, tmp_path: Path
) -> None:
    """Aligned, the file's outputs are nearer to the float network's than before."""
    outcomes = _asked(files, target, tmp_path)
    wrong = [n for n, out in outcomes.items() if not out.error and _errors(files[n], target)]
    options = AlignOptions(targets=(target,), verify=False)
    aligned = {name: align(files[name], options).data for name in wrong}
    after = _asked(aligned, target, tmp_path / "after")
    base = {name: data for name, data in files.items() if name.endswith("float32")}
    floats = _asked(base, "litert", tmp_path / "floats")
    gained = {}
    for name in wrong:
        reference = _reference(name, base, floats)
        before = _sqnr(real_outputs(files[name], outcomes[name].outputs), reference)
        gained[name] = _sqnr(real_outputs(aligned[name], after[name].outputs), reference) - before
    known = {name for place, name in NOTHING_GAINED if place == target}
    assert {n for n, gain in gained.items() if gain < GAINED_DB} == known & set(files)


def _reference(name: str, base: Mapping[str, bytes], floats: Mapping[str, Outcome]) -> np.ndarray:
    """Outputs of the float file that the same converter wrote for this network."""
    net = name.partition("-")[0]
    (twin,) = (other for other in base if other.partition("-")[0] == net)
    return real_outputs(base[twin], floats[twin].outputs)


def _sqnr(values: np.ndarray, reference: np.ndarray) -> float:
    """SQNR in dB; -inf if the runtime refused the file and there are no values."""
    if values.shape != reference.shape:
        return -np.inf
    noise = float(np.square(values - reference).sum())
    return float(10 * np.log10(np.square(reference).sum() / max(noise, 1e-30)))
