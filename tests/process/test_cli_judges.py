"""The command line with judges and calibration; LiteRT runs in separate processes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import tflite_align
from tests.support.models import quiet_inputs, wide_member
from tflite_align.cli import main as cli

FAST = "--no-verify"
DATA = Path(__file__).parents[1] / "data"


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_align_verifies_and_writes(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["in.tflite", "out.tflite"]) == 0
    said = capsys.readouterr()
    assert said.err == ""
    last = said.out.splitlines()[-1]
    assert last.startswith("aligned: 4 tensors moved, 3 biases re-expressed, ")
    assert last.endswith(" -> out.tflite")
    assert "right integers" not in said.out, "no runtime takes the original, so none is wrong"
    assert not tflite_align.check((folder / "out.tflite").read_bytes()).findings
    assert names(folder) == ["in.tflite", "out.tflite"]


def test_a_runtime_that_computed_the_original_wrongly_is_named(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "unet.tflite").write_bytes((DATA / "unet_onnx2tf.tflite").read_bytes())
    assert cli.main(["unet.tflite", "out.tflite"]) == 0
    said = capsys.readouterr().out
    assert "(same/RESIZE_BILINEAR, same/RESIZE_NEAREST_NEIGHBOR)" in said
    assert "the aligned model gives different, right integers" in said


def test_calibration_data_is_used_for_ranges_and_verification(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from tflite_align.format.reader import read

    graph = read((folder / "in.tflite").read_bytes()).subgraphs[0]
    shape = graph.tensors[graph.inputs[0]].shape
    np.save("real.npy", np.random.default_rng(0).random((70, *shape[1:]), np.float32))
    assert cli.main(["in.tflite", "out.tflite", "--calibration", "real.npy"]) == 0
    said = capsys.readouterr().out
    assert "(64 inputs: 64 calibration; " in said
    assert "Calibration: declared SQNR in dB\n  output " in said


def test_calibration_files_match_by_name_position_and_folder(folder: Path) -> None:
    real = quiet_inputs(16)
    (folder / "wide.tflite").write_bytes(wide_member())
    (folder / "arrays").mkdir()
    np.save(folder / "arrays" / "x.npy", real)
    np.savez(folder / "name.npz", x=real, labels=np.zeros(16))
    np.savez(folder / "position.npz", real)
    assert cli.main(["wide.tflite", "plain.tflite", FAST, "-q"]) == 0
    outputs = set()
    for given in ("name.npz", "position.npz", "arrays"):
        command = ["wide.tflite", "out.tflite", "--calibration", given, FAST, "-q"]
        assert cli.main(command) == 0
        outputs.add((folder / "out.tflite").read_bytes())
    assert len(outputs) == 1
    assert (folder / "plain.tflite").read_bytes() not in outputs


def test_check_starts_no_judge_by_default(
    folder: Path, sample_origin: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "good.tflite").write_bytes(sample_origin)
    assert cli.main(["check", "good.tflite", "--judge", "litert", "-q"]) == 0
    assert cli.main(["check", "in.tflite", "--judge", "litert"]) == 1
    assert (
        "exit status 1: litert refuses the file at subgraph[0]/operator[" in capsys.readouterr().out
    )
