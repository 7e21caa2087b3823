"""Messages of `check` as a gate: nothing to check, findings, files written or not written."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tflite_align.cli import main as cli
from tflite_align.cli.commands import commands
from tflite_align.report.formats import OUTPUTS

LINE = re.compile(r"(?P<path>[^:]+): (?P<place>[^:]+): (error|warning): .+ \((?P<rule>\S+)\)")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sample: bytes) -> Path:
    """The current directory `below` with a model; a configuration may be in it or in its parent."""
    monkeypatch.delenv("CI", raising=False)
    below = tmp_path / "below"
    below.mkdir()
    monkeypatch.chdir(below)
    (below / "in.tflite").write_bytes(sample)
    return below


# --- names of configurations -------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        "tflite_align.toml", ".tflite-align.toml", "tflitealign.toml", "TFLite-Align.toml",
        "tflite-aling.toml", "tflite-align.yaml", "tflite-align.cfg", ".tflite-align",
    ],
)  # fmt: skip
@pytest.mark.parametrize("above", ["", ".."])
def test_a_misspelled_configuration_file_name_is_an_error(
    name: str, above: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = Path(above, name)
    path.write_text("fail-on = 'warning'\n")
    assert cli.main(["check", "in.tflite"]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err == (
        f"tflite_align: {path}: this name is not supported; rename the configuration to tflite-align.toml\n"
    )
    assert cli.main(["check", "in.tflite", "--isolated"]) == 1


@pytest.mark.parametrize(
    "name", ["tflite-align.json", "tflite-align", "tflite-align2.toml", "align.toml", "tflite.toml"]
)
def test_other_files_are_not_mistaken_for_a_configuration(name: str, folder: Path) -> None:
    (folder / name).write_text("")
    assert cli.main(["check", "in.tflite"]) == 1


@pytest.mark.parametrize(
    ("table", "shown_table"),
    [
        ("tool.tflite_align", "tool.tflite_align"),
        ("tool.tflitealign", "tool.tflitealign"),
        ("tool.TFLite-Align", "tool.TFLite-Align"),
        ("tool.tflite-algin", "tool.tflite-algin"),
        ("tools.tflite-align", "tools.tflite-align"),
        ("tflite-align", "tflite-align"),
        ("tflite_align.severity", "tflite_align"),
    ],
)
def test_a_misspelled_table_name_is_an_error(
    table: str, shown_table: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "pyproject.toml").write_text(f"[{table}]\n'same/*' = 'off'\n")
    for arguments in ([], ["--config", "pyproject.toml"]):
        assert cli.main(["check", "in.tflite", *arguments]) == 2
        assert capsys.readouterr().err == (
            f"tflite_align: pyproject.toml: the table [{shown_table}] is not read;"
            " rename it to [tool.tflite-align]\n"
        )


@pytest.mark.parametrize(
    "document",
    [
        "[tool.align]\nx = 1",
        "[tool.tflite]\nx = 1",
        "[project]\ndependencies = ['tflite-align']",
        "tfl = {{",
    ],
)
def test_other_tables_are_ignored(document: str, folder: Path) -> None:
    (folder / "pyproject.toml").write_text(document)
    assert cli.main(["check", "in.tflite"]) == 1


def test_a_table_for_pyproject_in_the_file_of_its_own(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "tflite-align.toml").write_text("[tool.tflite-align]\ntarget = ['tflm']\n")
    assert cli.main(["check", "in.tflite"]) == 2
    assert capsys.readouterr().err == (
        "tflite_align: tflite-align.toml: [tool.tflite-align] is for pyproject.toml;"
        " write its keys without the table here\n"
    )


# --- messages ----------------------------------------------------------------------------------


def test_quiet_check_prints_each_finding_on_one_line(
    folder: Path, sample_origin: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    (folder / "good.tflite").write_bytes(sample_origin)
    assert cli.main(["check", ".", "-q"]) == 1
    said = capfd.readouterr()
    lines = said.out.splitlines()
    found = [LINE.fullmatch(line) for line in lines]
    assert all(found)
    assert [one["rule"] for one in found if one] == ["same/MAX_POOL_2D"] + [
        "same/CONCATENATION"
    ] * 3
    assert lines[1] == (
        "in.tflite: subgraph[0]/operator[6] CONCATENATION/inputs[0]: error: scale 0.0215660054"
        " differs from outputs[0]'s 0.0255309511; LiteRT refuses the model (same/CONCATENATION)"
    )
    assert said.err == ""


def test_the_concise_format_has_refusals_and_unreadable_files(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "no.tflite").write_bytes(b"no model")
    arguments = ["check", ".", "--judge", "litert", "--output-format", "concise"]
    assert cli.main(arguments) == 2
    lines = capsys.readouterr().out.splitlines()
    assert all(LINE.fullmatch(line) for line in lines)
    assert len(lines) == 6
    assert lines[-2].startswith(
        "in.tflite: subgraph[0]/operator[6] CONCATENATION: error: refused: "
    )
    assert lines[-2].endswith(" (judge/litert)")
    assert lines[-1].startswith("no.tflite: file: error: ")
    assert lines[-1].endswith(" (unreadable)")


def test_a_missing_required_judge_is_in_every_format(
    folder: Path, sample_origin: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every output format names the reason of exit status 1, also if there is no finding."""
    (folder / "in.tflite").write_bytes(sample_origin)
    (folder / "tflite-align.toml").write_text("require = ['litert']")
    for form in ("concise", "github"):
        assert cli.main(["check", "in.tflite", "--output-format", form]) == 1
        assert "litert is required, but not run" in capsys.readouterr().out


def test_quiet_align_says_that_a_file_is_not_verified(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["in.tflite", "out.tflite", "--target", "ppq", "-q"]) == 0
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("aligned: ")
    assert "not verified (inconclusive)" in said.err
    assert len(said.err.splitlines()) == 1


def test_quiet_align_says_why_nothing_is_written(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["in.tflite", "out.tflite", "--no-verify", "--require", "litert", "-q"]) == 1
    assert capsys.readouterr().out == (
        "in.tflite: model: error: litert is required, but no judge was run (verification)\n"
        "not aligned: litert is required, but no judge was run; out.tflite is not written\n"
    )


def test_a_refusal_is_shown_in_one_column_and_the_verification_fails(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`check` shows one column for the file, none for before and after. One judge refuses the file,
    so the verification has failed although another judge accepts it.
    """
    assert cli.main(["check", "in.tflite", "--judge", "tflm", "--judge", "ethos-u55"]) == 1
    output = capsys.readouterr().out
    (head,) = [line for line in output.splitlines() if line.split()[:2] == ["judge", "the"]]
    assert head.split() == ["judge", "the", "file", "why"]
    assert "  tflm       refused at subgraph[0]/operator[5] MAX_POOL_2D" in output
    assert "\n  ethos-u55  accepted\n" in output
    assert "\n  ethos-u55  CPU operators   0 (0.0%)\n" in output
    assert "verification: failed: tflm refuses the file at subgraph[0]/operator[5]" in output
    assert "in.tflite: 4 errors; failed: tflm refuses the file" in output.splitlines()[-1]


def test_a_baseline_says_what_it_lists_or_why_it_is_not_written(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["check", "in.tflite", "--write-baseline", "b.json"]) == 0
    assert capsys.readouterr().err == (
        "tflite_align: b.json: baseline written: 4 findings of 1 file\n"
    )
    (folder / "no.tflite").write_bytes(b"no model")
    assert cli.main(["check", ".", "--write-baseline", "c.json"]) == 2
    assert capsys.readouterr().err.splitlines()[-1] == (
        "tflite_align: c.json: baseline not written: 1 file could not be read"
    )
    assert not (folder / "c.json").exists()


def test_a_lock_says_that_it_is_not_written_and_why(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lock = ["--lock", "io.json", "--update-lock"]
    assert cli.main(["check", "in.tflite", *lock]) == 1
    assert capsys.readouterr().err == (
        "tflite_align: io.json: lock not written: 4 error findings\n"
    )
    assert cli.main(["in.tflite", "out.tflite", *lock, "--dry-run"]) == 0
    assert capsys.readouterr().err == (
        "tflite_align: io.json: lock not written: a dry run writes nothing\n"
    )
    assert not (folder / "io.json").exists()
    assert cli.main(["in.tflite", "out.tflite", *lock, "--no-verify"]) == 0
    assert capsys.readouterr().err == "tflite_align: io.json: lock written\n"


def test_every_output_format_can_be_selected() -> None:
    (option,) = [one for one in commands.commands["check"].params if one.name == "output_format"]
    assert sorted(option.type.choices) == sorted(["text", *OUTPUTS])  # type: ignore[attr-defined]
