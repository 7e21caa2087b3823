"""The pre-commit manifest and the GitHub Action, checked with the real tools."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tflite_align.cli import hook

CHECKOUT = Path(__file__).resolve().parents[2]
TAKES_AT_MOST = 300  # seconds


def run(*command: str, cwd: Path = CHECKOUT, **more: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=cwd, capture_output=True, text=True, check=False, timeout=TAKES_AT_MOST, **more
    )


# --- pre-commit --------------------------------------------------------------------------------


def test_the_manifest_is_valid() -> None:
    pytest.importorskip("pre_commit", reason="pre-commit is not installed")
    manifest = ".pre-commit-hooks.yaml"
    done = run(sys.executable, "-m", "pre_commit", "validate-manifest", manifest)
    assert done.returncode == 0, done.stdout + done.stderr


def tried(folder: Path, above: Path) -> subprocess.CompletedProcess[str]:
    """Run the pre-commit hook on every file of `folder`, which becomes a git repository. pre-commit
    installs the hook from a clone of this checkout's last commit. `above`: folder for its
    environments.
    """
    pytest.importorskip("pre_commit", reason="pre-commit is not installed")
    if not (CHECKOUT / ".git").exists():
        pytest.skip("not a git checkout: pre-commit clones one")
    run("git", "init", "-q", cwd=folder)
    run("git", "add", "-A", cwd=folder)
    head = run("git", "rev-parse", "HEAD").stdout.strip()
    command = [sys.executable, "-m", "pre_commit", "try-repo", str(CHECKOUT), "tflite-align-check"]
    command += ["--ref", head, "--all-files", "--verbose"]
    environment = {**os.environ, "PRE_COMMIT_HOME": str(above / "hooks")}
    environment.pop("PYTHONPATH", None)
    return run(*command, cwd=folder, env=environment)


@pytest.mark.pipelines
def test_the_hook_checks_models(tmp_path: Path, sample: bytes, sample_origin: bytes) -> None:
    folder = tmp_path / "repository"
    folder.mkdir()
    (folder / "good.tflite").write_bytes(sample_origin)
    good = tried(folder, tmp_path)
    assert good.returncode == 0, good.stdout + good.stderr
    (folder / "bad.tflite").write_bytes(sample)
    bad = tried(folder, tmp_path)
    assert bad.returncode == 1
    assert "CONCATENATION" in bad.stdout


ALIKE = ("--write-baseline=x.tflite", "--config=evil.tflite", "-q.tflite", "--report=r/a.tflite")


def lay(folder: Path, data: bytes, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(data)


@pytest.mark.promise("The pre-commit hook never takes a file's name as an option.")
@pytest.mark.parametrize("name", [*ALIKE, "--isolated.tflite"])
def test_a_file_name_is_never_an_option(
    name: str, tmp_path: Path, sample: bytes, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    lay(tmp_path, sample, name)
    before = sorted(tmp_path.rglob("*"))
    for arguments in (["--target", "tflm", name], ["--target", "tflm", "--", name]):
        assert hook.main(arguments) == 1, "it is a model with findings"
        output = capsys.readouterr().out
        assert f"{name}: 7,672 bytes" in output
        assert "target tflm" in output
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("name", ["--fail-on", "--write-baseline=x.tflite\n", "--", "--run"])
def test_an_option_that_is_also_a_file_name_is_refused(
    name: str, tmp_path: Path, sample: bytes, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """An argument that is an option of the hook and the name of an existing file is ambiguous."""
    monkeypatch.chdir(tmp_path)
    lay(tmp_path, sample, name, "good.tflite")
    assert hook.main([name, "good.tflite"]) == 2
    message = "is both an option and a file: rename the file"
    assert capsys.readouterr().err == f"tflite_align: {name.strip()} {message}\n"


@pytest.mark.pipelines
def test_file_names_pass_no_options_through_pre_commit(
    tmp_path: Path, sample_origin: bytes, sample: bytes
) -> None:
    """Files whose names look like options are checked as files."""
    folder = tmp_path / "repository"
    folder.mkdir()
    lay(folder, sample_origin, *ALIKE)
    done = tried(folder, tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    for name in ALIKE:
        assert f"{name}: 7," in done.stdout
    left = [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()]
    assert sorted(name for name in left if not name.startswith(".git/")) == sorted(ALIKE)
    lay(folder, sample, "--write-baseline=x.tflite")
    assert tried(folder, tmp_path).returncode == 1


# --- the action --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def action() -> dict[str, Any]:
    yaml = pytest.importorskip("yaml", reason="PyYAML is not installed")
    loaded: dict[str, Any] = yaml.safe_load((CHECKOUT / "action.yml").read_text(encoding="utf-8"))
    return loaded


def test_the_action_is_valid() -> None:
    pytest.importorskip("check_jsonschema", reason="check-jsonschema is not installed")
    schema = ["--builtin-schema", "vendor.github-actions"]
    done = run(sys.executable, "-m", "check_jsonschema", *schema, "action.yml")
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_action_has_no_expressions_in_scripts(action: dict[str, Any]) -> None:
    scripts = [step["run"] for step in action["runs"]["steps"] if "run" in step]
    assert scripts
    assert [script for script in scripts if "${{" in script] == []


def check_step(
    action: dict[str, Any], folder: Path, **inputs: str
) -> tuple[subprocess.CompletedProcess[str], dict[str, str]]:
    """Run the action's step `Check` as GitHub's runner does: bash -e, inputs in environment
    variables. Returns the process and the step's outputs.
    """
    bash = shutil.which("bash")
    if bash is None or os.name == "nt":
        pytest.skip("no POSIX bash to run the action's steps with")
    (step,) = (step for step in action["runs"]["steps"] if step.get("id") == "check")
    given = {name: spec.get("default", "") for name, spec in action["inputs"].items()} | inputs
    said = {
        name: value.removeprefix("${{ ").removesuffix(" }}") for name, value in step["env"].items()
    }
    command = said.pop("COMMAND")
    assert command == "steps.install.outputs.command"
    environment = {name: given[value.removeprefix("inputs.")] for name, value in said.items()}
    (folder / "output").write_text("")
    environment |= {
        "COMMAND": str(Path(sys.executable).with_name("tflite-align")),
        "GITHUB_OUTPUT": str(folder / "output"),
        "RUNNER_TEMP": str(folder),
        "PYTHONPATH": str(CHECKOUT),
    }
    script = ["--noprofile", "--norc", "-e", "-o", "pipefail", "-c", step["run"]]
    done = run(bash, *script, cwd=folder, env=environment)
    lines = (folder / "output").read_text().splitlines()
    return done, dict(line.split("=", 1) for line in lines)


def test_the_action_finds_and_writes_sarif(
    action: dict[str, Any], tmp_path: Path, sample: bytes, sample_origin: bytes
) -> None:
    (tmp_path / "a model.tflite").write_bytes(sample)
    (tmp_path / "good.tflite").write_bytes(sample_origin)
    done, said = check_step(
        action, tmp_path, files="a model.tflite\ngood.tflite\n", targets="tflite, tflm"
    )
    assert done.returncode == 1, done.stdout + done.stderr
    assert "::error" in done.stdout, "annotations beside the SARIF file"
    assert said["written"] == "true"
    results = json.loads(Path(said["sarif"]).read_text())["runs"][0]["results"]
    assert {entry["ruleId"].split("/")[0] for entry in results} >= {"same"}
    good, said = check_step(action, tmp_path, files="good.tflite")
    assert (good.returncode, said["written"]) == (0, "true")


def test_an_input_is_data_not_script(action: dict[str, Any], tmp_path: Path) -> None:
    hostile = '"; touch owned; $(touch owned) `touch owned` #'
    done, said = check_step(action, tmp_path, files=hostile, targets="$(touch\towned)")
    assert done.returncode == 2
    assert "written" not in said
    assert not (tmp_path / "owned").exists()


# Modules in an untrusted checkout; each would be imported if the current directory were on
# Python's path.
TRAPS = ("click", "venv", "pip", "tflite_align", "msgspec", "pickle")


def set_traps(folder: Path) -> None:
    for name in TRAPS:
        (folder / f"{name}.py").write_text("open('owned', 'w').close()\n")


def test_the_action_imports_no_modules_from_the_checkout(
    action: dict[str, Any], tmp_path: Path, sample_origin: bytes
) -> None:
    (tmp_path / "good.tflite").write_bytes(sample_origin)
    set_traps(tmp_path)
    done, _ = check_step(action, tmp_path, files="good.tflite")
    assert done.returncode == 0, done.stdout + done.stderr
    assert not (tmp_path / "owned").exists()


@pytest.mark.pipelines
def test_the_action_installs_outside_the_checkout(action: dict[str, Any], tmp_path: Path) -> None:
    """The step `Install` makes its environment in the runner's folder, not in the checkout."""
    bash = shutil.which("bash")
    if bash is None or os.name == "nt":
        pytest.skip("no POSIX bash to run the action's steps with")
    (step,) = (step for step in action["runs"]["steps"] if step.get("id") == "install")
    assert step["working-directory"] == "${{ runner.temp }}"
    runner = tmp_path / "runner"
    runner.mkdir()
    set_traps(runner)
    environment = {
        **os.environ,
        "EXTRAS": "",
        "SOURCE": str(CHECKOUT),
        "RUNNER_TEMP": str(runner),
        "GITHUB_OUTPUT": str(tmp_path / "output"),
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
    }
    environment.pop("PYTHONPATH", None)
    script = ["--noprofile", "--norc", "-e", "-o", "pipefail", "-c", step["run"]]
    done = run(bash, *script, cwd=runner, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    assert not (runner / "owned").exists()
    command = (tmp_path / "output").read_text().strip().removeprefix("command=")
    assert run(command, "--version", cwd=tmp_path).stdout.startswith("tflite_align")
