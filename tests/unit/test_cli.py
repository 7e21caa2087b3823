"""The command line's contract: arguments, exit status, one-line errors, written files."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import jsonschema
import numpy as np
import pytest

import tflite_align
from tests.support.models import wide_member
from tflite_align.cli import main as cli
from tflite_align.report.formats import FORMATS
from tflite_align.report.json_schema import report_schema

FAST = "--no-verify"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sample: bytes) -> Path:
    """The working folder: it contains in.tflite, which is the sample, and nothing else."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in.tflite").write_bytes(sample)
    return tmp_path


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


# --- align -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments",
    [
        ["in.tflite", "out.tflite", FAST],
        ["align", "in.tflite", "out.tflite", FAST],
        [FAST, "--target", "tflite", "in.tflite", "out.tflite"],
        ["--target=tflite", "in.tflite", FAST, "--", "out.tflite"],
        ["--concat", "auto", FAST, "align", "in.tflite", "out.tflite"],
    ],
)
def test_align_is_the_default_command(folder: Path, arguments: list[str]) -> None:
    assert cli.main(arguments) == 0
    assert (folder / "out.tflite").is_file()


def test_in_may_be_out_and_aligning_twice_changes_nothing(folder: Path) -> None:
    model = folder / "in.tflite"
    assert cli.main(["in.tflite", "in.tflite", FAST, "-q"]) == 0
    once, written = model.read_bytes(), model.stat()
    assert not tflite_align.check(once).findings
    assert cli.main(["in.tflite", "in.tflite", FAST, "-q"]) == 0
    assert model.read_bytes() == once
    assert model.stat().st_ino == written.st_ino, "an aligned model is its own answer"
    assert names(folder) == ["in.tflite"]


def test_a_sound_model_is_copied_unchanged(
    folder: Path, sample_origin: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "good.tflite").write_bytes(sample_origin)
    assert cli.main(["good.tflite", "out.tflite", FAST]) == 0
    assert (
        capsys.readouterr().out.splitlines()[-1] == "nothing to align; not verified -> out.tflite"
    )
    assert (folder / "out.tflite").read_bytes() == sample_origin


def test_quiet_prints_nothing_on_success(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["in.tflite", "out.tflite", FAST, "--quiet"]) == 0
    assert cli.main(["check", "out.tflite", "-q"]) == 0
    assert capfd.readouterr() == ("", "")


def test_dry_run_writes_no_model(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["in.tflite", "out.tflite", "--dry-run", "--require", "tflm"]) == 0
    assert names(folder) == ["in.tflite"]
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.startswith("would align: 4 tensors moved")
    assert last.endswith(", not judged (dry run: nothing written)")


def test_an_unmet_requirement_prevents_writing(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing is written while a requirement is not met: litert is required, but --no-verify runs
    no judge.
    """
    arguments = ["in.tflite", "out.tflite", FAST, "--require", "litert", "--report", "r.json"]
    assert cli.main(arguments) == 1
    assert names(folder) == ["in.tflite", "r.json"]
    assert capsys.readouterr().out.splitlines()[-1] == (
        "not aligned: litert is required, but no judge was run; out.tflite is not written"
    )
    assert cli.main([*arguments, "--keep-going"]) == 1
    assert names(folder) == ["in.tflite", "out.tflite", "r.json"]


def test_only_errors_leaves_warnings_unrepaired(folder: Path) -> None:
    assert cli.main(["in.tflite", "out.tflite", FAST, "--only", "errors", "-q"]) == 0


def test_calibration_of_another_shape_is_refused(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "wide.tflite").write_bytes(wide_member())
    np.save(folder / "real.npy", np.zeros((3, 5)))
    assert cli.main(["wide.tflite", "out.tflite", "--calibration", "real.npy"]) == 2
    assert capsys.readouterr().err == (
        "tflite_align: calibration: input 0 ('x'): found shape (3, 5),"
        " expected shape (samples, 1, 4, 4, 3)\n"
    )
    assert not (folder / "out.tflite").exists()


# --- reports -----------------------------------------------------------------------------------


def test_reports_are_valid_and_reproducible(folder: Path) -> None:
    arguments = ["in.tflite", "out.tflite", FAST, "--report", "r.json", "--report", "r.txt"]
    assert cli.main(arguments) == 0
    document = json.loads((folder / "r.json").read_text())
    jsonschema.validate(document, report_schema())
    assert (document["name"], document["command"]) == ("in.tflite", "align")
    assert (folder / "r.txt").read_text().startswith("in.tflite: ")
    first = (folder / "r.json").read_bytes()
    assert cli.main(arguments) == 0
    assert (folder / "r.json").read_bytes() == first


def test_json_on_stdout_stands_alone(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["check", "in.tflite", "--report", "-"]) == 1
    said = capsys.readouterr()
    assert json.loads(said.out)["exit_status"] == 1
    assert said.err.splitlines()[-1] == "in.tflite: 4 errors"
    assert cli.main(["in.tflite", "out.tflite", FAST, "--report", "-"]) == 0
    assert json.loads(capsys.readouterr().out)["outcome"] == "aligned"


def test_report_of_several_files(folder: Path, sample_origin: bytes) -> None:
    (folder / "good.tflite").write_bytes(sample_origin)
    assert cli.main(["check", ".", "--report", "r.json", "-q"]) == 1
    document = json.loads((folder / "r.json").read_text())
    jsonschema.validate(document, report_schema())
    assert [report["exit_status"] for report in document["reports"]] == [0, 1]


# --- check -------------------------------------------------------------------------------------


def test_check_takes_patterns_and_folders_and_names_each_file_once(
    folder: Path, sample_origin: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "good.tflite").write_bytes(sample_origin)
    (folder / "below").mkdir()
    shutil.copy("in.tflite", "below/other.tflite")
    assert cli.main(["check", "good.tflite"]) == 0
    capsys.readouterr()
    assert cli.main(["check", "*.tflite", "below", "in.tflite"]) == 1
    said = capsys.readouterr()
    assert said.err == ""
    assert said.out.splitlines()[-1] == "3 files checked: 1 clean, 2 with findings (8 errors)"
    assert "subgraph[0]/operator[6] CONCATENATION/inputs[0]: scale " in said.out


def test_check_goes_on_after_an_unreadable_file(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "empty.tflite").write_bytes(b"")
    status = cli.main(["check", "empty.tflite", "no*.tflite", "in.tflite", "--report", "r.json"])
    said = capsys.readouterr()
    assert status == 2
    assert said.err.splitlines() == [
        "tflite_align: empty.tflite: byte 0: not a TFLite model: the file is empty",
        "tflite_align: no*.tflite: matches no file",
    ]
    assert said.out.splitlines()[-1] == (
        "1 file checked: 0 clean, 1 with findings (4 errors); 2 could not be read"
    )
    assert names(folder) == ["empty.tflite", "in.tflite", "r.json"]
    document = json.loads((folder / "r.json").read_text(encoding="utf-8"))
    jsonschema.validate(document, report_schema())
    assert [one["name"] for one in document["unread"]] == ["empty.tflite", "no*.tflite"]


# --- errors -------------------------------------------------------------------------------------

BAD_USAGE = {
    ("in.tflite", "out.tflite", "--target", "no"): None,
    ("in.tflite",): "Missing argument 'OUT'.",
    ("in.tflite", "out.tflite", "--targt"): "No such option '--targt'. Did you mean '--target'?",
    ("in.tflite", "out.tflite", "--overlap", "x"): (
        "Invalid value for '--overlap': 'x' is not one of 'forbid', 'force', 'auto'."
    ),
    ("in.tflite", "out.tflite", "--report", "in.tflite"): None,
    ("in.tflite", "out.tflite", "--report", "r.json", "--report", "./r.json"): (
        "./r.json: two outputs have the same path; give different paths"
    ),
    ("in.tflite", "-", "--report", "-"): "-: two outputs have the same path; give different paths",
    ("missing.tflite", "out.tflite"): "missing.tflite: No such file or directory",
    ("in.tflite", "no/out.tflite"): "no/out.tflite: its folder does not exist; create it first",
    ("in.tflite", "folder"): "folder: is a directory, not a file to write",
    ("folder", "out.tflite"): "folder: no .tflite file in the folder",
    ("empty", "out.tflite"): "empty: byte 0: not a TFLite model: the file is empty",
    ("picture.png", "out.tflite"): (
        "picture.png: byte 0: not a TFLite model: the file looks like a PNG image"
    ),
    ("short.tflite", "out.tflite"): None,
    ("in.tflite", "out.tflite", "--calibration", "picture.png"): (
        "picture.png: not a .npy or .npz file of numbers"
    ),
    ("in.tflite", "out.tflite", "--calibration", "missing.npz"): (
        "missing.npz: No such file or directory"
    ),
    ("check",): "no model is named: give files, folders, patterns or --files-from FILE",
    ("check", "folder"): "folder: no .tflite file in the folder",
    ("rules", "--op", "CONV2D"): "no rules for operator 'CONV2D'; did you mean CONV_2D?",
}


@pytest.mark.parametrize("arguments", BAD_USAGE, ids=" ".join)
def test_an_error_is_one_line_and_nothing_is_written(
    folder: Path, arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "folder").mkdir()
    (folder / "empty").write_bytes(b"")
    (folder / "picture.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(64))
    (folder / "short.tflite").write_bytes((folder / "in.tflite").read_bytes()[:3000])
    before = {path: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    assert cli.main(arguments) == 2
    said = capsys.readouterr()
    assert said.err.startswith("tflite_align: ")
    assert said.err.count("\n") == 1
    sentence = BAD_USAGE[arguments]
    if sentence is not None:
        assert said.err == f"tflite_align: {sentence}\n"
    assert said.out == ""
    assert {path: path.read_bytes() for path in folder.iterdir() if path.is_file()} == before


def test_an_unknown_report_format_lists_the_known_ones(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["in.tflite", "out.tflite", "--report", "r.docx"]) == 2
    assert capsys.readouterr().err.startswith(
        "tflite_align: unknown report format '.docx': expected one of .html, .json, .me.json, .sarif, .txt,"
        " .xml; .jsonl, .parquet, .sqlite are for many models"
    )


def test_the_help_names_every_form(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--help"]) == 0
    assert set(FORMATS) <= set(capsys.readouterr().out.split())


def test_an_internal_error_is_one_line(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import tflite_align.cli.align_command as room

    def broken(*_arguments: object, **_options: object) -> None:
        raise KeyError("first\nsecond")

    monkeypatch.setattr(room, "align", broken)
    assert cli.main(["in.tflite", "out.tflite"]) == 2
    assert capsys.readouterr().err == (
        "tflite_align: in.tflite: internal error: KeyError: 'first\\nsecond'; please report\n"
    )
    monkeypatch.setenv("TFLITE_ALIGN_DEBUG", "1")
    assert cli.main(["in.tflite", "out.tflite"]) == 2
    assert "Traceback" in capsys.readouterr().err
    assert names(folder) == ["in.tflite"]


def test_an_interrupt_writes_nothing(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import tflite_align.cli.align_command as room

    def interrupted(*_arguments: object, **_options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(room, "align", interrupted)
    assert cli.main(["in.tflite", "out.tflite"]) == 130
    assert capsys.readouterr().err == "tflite_align: interrupted; nothing is written\n"


# --- listings ----------------------------------------------------------------------------------


def test_help_names_commands_and_options_and_version_the_number(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out == f"tflite_align {tflite_align.__version__}\n"
    assert cli.main(["--help"]) == 0
    output = capsys.readouterr().out
    for word in ("IN OUT", "check IN...", "targets", "rules", "--concat", "--keep-going"):
        assert word in output


def test_targets_and_rules(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["targets"]) == 0
    listed = [line.split()[0] for line in capsys.readouterr().out.splitlines()[1:]]
    assert listed == tflite_align.target_names()
    assert cli.main(["rules", "--op", "concatenation", "--target", "tflite"]) == 0
    output = capsys.readouterr().out
    assert output.startswith("CONCATENATION (data movement, family concat)\n")
    assert "  same/CONCATENATION: " in output
    assert "    tflite: error for " in output
    assert "  source: litert:" in output


def test_rules_has_words_for_every_rule_and_target(capsys: pytest.CaptureFixture[str]) -> None:
    targets = [word for name in tflite_align.target_names() for word in ("--target", name)]
    assert cli.main(["rules", *targets]) == 0
    assert capsys.readouterr().out.count("\n") > 100


def test_the_report_of_one_file_ends_with_its_closing_line(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["check", "in.tflite"]) == 1
    assert capsys.readouterr().out.endswith("\n\nin.tflite: 4 errors\n")
