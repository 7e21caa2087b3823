"""The pre-commit manifest and the GitHub Action, by the real tools."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

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


@pytest.mark.pipelines
def test_the_hook_runs(tmp_path: Path, sample: bytes, sample_origin: bytes) -> None:
    """A clone of the checkout's last commit, installed by pre-commit into its own environment."""
    pytest.importorskip("pre_commit", reason="pre-commit is not installed")
    if not (CHECKOUT / ".git").exists():
        pytest.skip("not a git checkout: pre-commit clones one")
    run("git", "init", "-q", cwd=tmp_path)
    (tmp_path / "good.tflite").write_bytes(sample_origin)
    run("git", "add", "-A", cwd=tmp_path)
    head = run("git", "rev-parse", "HEAD").stdout.strip()
    hook = [sys.executable, "-m", "pre_commit", "try-repo", str(CHECKOUT), "tflite-align-check"]
    hook += ["--ref", head, "--all-files", "--verbose"]
    environment = {**os.environ, "PRE_COMMIT_HOME": str(tmp_path.parent / "hooks")}
    environment.pop("PYTHONPATH", None)
    good = run(*hook, cwd=tmp_path, env=environment)
    assert good.returncode == 0, good.stdout + good.stderr
    (tmp_path / "bad.tflite").write_bytes(sample)
    run("git", "add", "-A", cwd=tmp_path)
    bad = run(*hook, cwd=tmp_path, env=environment)
    assert bad.returncode == 1
    assert "CONCATENATION" in bad.stdout


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


def test_no_expression_stands_in_a_script(action: dict[str, Any]) -> None:
    scripts = [step["run"] for step in action["runs"]["steps"] if "run" in step]
    assert scripts
    assert [script for script in scripts if "${{" in script] == []


def check_step(
    action: dict[str, Any], folder: Path, **inputs: str
) -> tuple[subprocess.CompletedProcess[str], dict[str, str]]:
    """The step `Check` as the runner runs it: bash -e, inputs through `env`."""
    bash = shutil.which("bash")
    if bash is None or os.name == "nt":
        pytest.skip("no POSIX bash to run the action's steps with")
    (step,) = (step for step in action["runs"]["steps"] if step.get("id") == "check")
    given = {name: spec.get("default", "") for name, spec in action["inputs"].items()} | inputs
    environment = {
        name: given[said.removeprefix("${{ inputs.").removesuffix(" }}")]
        for name, said in step["env"].items()
    }
    (folder / "output").write_text("")
    environment |= {
        "GITHUB_OUTPUT": str(folder / "output"),
        "RUNNER_TEMP": str(folder),
        "PYTHONPATH": str(CHECKOUT),
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
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
