"""A configuration file in an untrusted folder starts no process and writes no file elsewhere."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from tflite_align.cli import main as cli

OWN = "tflite-align.toml"
STARTS = pytest.mark.promise(
    "A configuration file that was found, not named on the command line, starts no judge until the"
    " command line or the environment says that it is yours."
)
REPORTS = pytest.mark.promise(
    "Reports that a configuration file requests are written below the file's folder, "
    "and overwrite nothing but reports."
)


class Started(Exception):  # noqa: N818 - no error: what the tests wait for
    pass


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sample: bytes) -> Path:
    """An untrusted folder, which is the current directory. Starting a process raises `Started`."""

    def refuse(*_: object, **__: object) -> None:
        raise Started

    place = tmp_path / "theirs"
    (place / ".git").mkdir(parents=True)
    (place / "in.tflite").write_bytes(sample)
    monkeypatch.chdir(place)
    monkeypatch.delenv("TFLITE_ALIGN_TRUSTED", raising=False)
    monkeypatch.setattr(subprocess, "Popen", refuse)
    return place


def check(*arguments: str) -> int:
    return cli.main(["check", "in.tflite", *arguments])


# --- judges -------------------------------------------------------------------------------------

PASSING = "severity = {'*' = 'off'}\n"


@STARTS
@pytest.mark.parametrize("setting", ["judge = ['litert']", "require = ['litert', 'numbers']"])
def test_an_untrusted_configuration_starts_no_process(
    setting: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / OWN).write_text(f"{setting}\n{PASSING}")
    required = setting.startswith("require")
    assert check("--report", "r.json") == int(required)
    report = json.loads(Path("r.json").read_text())
    assert report["verification"] is None
    captured = capsys.readouterr()
    assert captured.err.count("--trust-config allows it") == 1
    if required:
        why = "required, but not run: only a configuration file named with --config"
        assert f"litert is {why}" in captured.out
        assert f"numbers are {why}" in captured.out


@STARTS
@pytest.mark.parametrize("way", ["--trust-config", "--config", "the environment", "--judge"])
def test_a_trusted_file_starts_judges(
    way: str, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / OWN).write_text("require = ['litert']\n")
    given = {"--trust-config": (way,), "--config": (way, OWN), "--judge": (way, "litert")}
    if way == "the environment":
        monkeypatch.setenv("TFLITE_ALIGN_TRUSTED", os.pathsep.join(["/nowhere", str(folder)]))
    assert check(*given.get(way, ())) == 2
    assert "Started" in capsys.readouterr().err


def test_the_environment_trusts_no_other_folder(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / OWN).write_text(f"judge = ['litert']\n{PASSING}")
    (folder.parent / "own").mkdir()
    monkeypatch.setenv("TFLITE_ALIGN_TRUSTED", os.pathsep.join(["", str(folder.parent / "own")]))
    assert check() == 0
    (folder.parent / "own" / "link").symlink_to(folder, target_is_directory=True)
    monkeypatch.chdir(folder.parent / "own" / "link")
    assert check() == 0


def test_the_command_line_overrules_an_untrusted_configuration(folder: Path) -> None:
    """A judge named by the user runs even if the file names it too; no other judge runs."""
    (folder / OWN).write_text(f"judge = ['edgetpu']\n{PASSING}")
    assert check("--judge", "litert") == 2, "no judge was started"


@pytest.mark.promise(
    "`--isolated` reads no configuration file and no such record, so that every model is aligned"
    " again: **use it in a folder that you do not trust.**"
)
def test_isolated_reads_no_configuration(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / OWN).write_text(f"judge = ['litert']\nreport = ['r.json']\n{PASSING}")
    assert check("--isolated", "-q") == 1
    assert capsys.readouterr().err == ""
    assert sorted(path.name for path in folder.iterdir()) == [".git", "in.tflite", OWN]


@pytest.mark.promise(
    "`align` runs the judges of its targets without an option for it; if the "
    "configuration file names the targets, it runs those of these targets, and none "
    "with `--no-verify`."
)
def test_an_untrusted_configuration_sets_the_targets_whose_judges_run(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / OWN).write_text("target = ['ethos-u55']\n")
    assert cli.main(["in.tflite", "out.tflite", "--no-verify", "-q"]) == 0
    assert cli.main(["in.tflite", "out.tflite", "-q"]) == 2
    assert "Started" in capsys.readouterr().err


# --- reports ------------------------------------------------------------------------------------


@REPORTS
@pytest.mark.parametrize("name", ["../r.json", "below/../../r.json", "link/r.json", "{up}/r.json"])
def test_a_report_beyond_the_files_folder_is_refused(
    name: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "below").mkdir()
    (folder / "link").symlink_to(folder.parent, target_is_directory=True)
    named = name.format(up=folder.parent.as_posix())
    (folder / OWN).write_text(f"report = ['{named}']\n")
    for more in ((), ("--trust-config",), ("--config", OWN)):
        assert check(*more) == 2
        errors = capsys.readouterr().err
        assert "lies outside the file's own folder" in errors
        assert errors.count("\n") == 1
    assert not (folder.parent / "r.json").exists()
    assert check("--report", named, "-q") == 1, "the command line may name it"


@REPORTS
def test_a_link_out_of_the_folder_is_refused(folder: Path) -> None:
    victim = folder.parent / "victim.json"
    victim.write_text("{}")
    (folder / "r.json").symlink_to(victim)
    (folder / OWN).write_text("report = ['r.json']\n")
    assert check() == 2
    assert victim.read_text() == "{}"


FOREIGN = ('{"name": "tflite_align"}', '{"format": 2, "tool": {"name": "eslint"}}', "", "x\n" * 9)


@REPORTS
@pytest.mark.parametrize("ending", ["json", "sarif", "xml", "txt", "html"])
def test_only_reports_are_replaced(
    ending: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = folder / f"r.{ending}"
    (folder / OWN).write_text(f"report = ['{report.name}']\n")
    assert check() == 1
    assert check() == 1, "its own report is replaced"
    (folder / "bad.tflite").write_bytes(b"x")
    for sources in (["bad.tflite"], ["bad.tflite", "in.tflite"], ["in.tflite", "in.tflite"]):
        for _ in range(2):
            assert cli.main(["check", *sources]) in (1, 2)
            assert "no report of tflite_align" not in capsys.readouterr().err
    for text in FOREIGN:
        report.write_text(text)
        assert check() == 2
        assert "would replace a file that is no report of tflite_align" in capsys.readouterr().err
        assert report.read_text() == text


def test_a_pipe_is_no_report(folder: Path) -> None:
    if not hasattr(os, "mkfifo"):
        pytest.skip("no pipes with names here")
    os.mkfifo("r.json")
    (folder / OWN).write_text("report = ['r.json']\n")
    assert check() == 2


def test_lines_of_a_folder_are_replaced(folder: Path) -> None:
    (folder / "models").mkdir()
    (folder / "in.tflite").rename(folder / "models" / "in.tflite")
    (folder / OWN).write_text("report = ['r.jsonl']\n")
    for _ in range(2):
        assert cli.main(["models", "out", "--no-verify", "-q"]) == 0
    assert Path("r.jsonl").stat().st_size


# --- checks that are switched off ---------------------------------------------------------------

SWITCHES = {
    "severity = {'same/*' = 'off'}": "same/* (off)",
    "severity = {'same/*' = 'warning'}": "same/* (warning)",
    "[[override]]\ntensor = '*'\nseverity = 'off'": 'all rules at override 1 (tensor "*") (off)',
    "baseline = 'base.json'": "what base.json lists",
    "select = ['window', 'same/PAD']": "all rules but window, same/PAD",
    "ignore = ['same/*']": "same/*",
    "allow-refused = ['litert']": "the refusal of litert",
}


@pytest.mark.promise(
    "Checks that a configuration file switches off are listed on one line of stderr, also with"
    " `--quiet` if the file is not yours."
)
@pytest.mark.parametrize("setting", SWITCHES)
def test_checks_that_a_file_switches_off_are_listed(
    setting: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert check("--write-baseline", "base.json", "-q") == 0
    capsys.readouterr()
    (folder / OWN).write_text(setting)
    line = f"tflite_align: {OWN}: switches off {SWITCHES[setting]}; --isolated ignores"
    for quiet in ((), ("-q",)):
        assert check(*quiet) in (0, 1)
        assert capsys.readouterr().err == f"{line} the file\n"
    assert check("-q", "--trust-config") in (0, 1)
    assert capsys.readouterr().err == ""


def test_raised_severities_are_not_listed(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / OWN).write_text("fail-on = 'warning'\n[severity]\n'same/*' = 'error'\n")
    assert check() == 1
    assert capsys.readouterr().err == ""
