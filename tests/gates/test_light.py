"""`check` works without LiteRT and HiGHS; docs/gate.md lists the packages that it needs."""

from __future__ import annotations

import importlib.metadata
import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
# Requirements that only run models or solve integer programs.
LEFT_OUT = {"ai-edge-litert", "highspy"}
# Their modules, the modules that only they need, and every extra. None in `sys.modules` makes a
# module count as not installed, for `import` and for `importlib.util.find_spec`.
BLOCKED = (
    *("ai_edge_litert", "highspy", "ml_dtypes", "tqdm", "google", "tensorflow", "tflite_micro"),
    *("ethosu", "tosa_converter_for_tflite", "pandas", "fsspec", "pyarrow", "distributed"),
)


@pytest.fixture
def light(tmp_path: Path) -> dict[str, str]:
    """Environment variables that make Python find no runtime and no integer solver, also in worker
    processes.
    """
    folder = tmp_path / "site"
    folder.mkdir()
    blocked = f"import sys\nsys.modules.update(dict.fromkeys({BLOCKED!r}))\n"
    (folder / "sitecustomize.py").write_text(blocked)
    path = os.pathsep.join([str(folder), str(CHECKOUT)])
    kept = {name: value for name, value in os.environ.items() if name != "CI"}
    return {**kept, "PYTHONPATH": path, "COLUMNS": "200"}


@pytest.fixture
def models(tmp_path: Path, sample: bytes, sample_origin: bytes) -> Path:
    folder = tmp_path / "models"
    folder.mkdir()
    (folder / "bad.tflite").write_bytes(sample)
    (folder / "good.tflite").write_bytes(sample_origin)
    return folder


def check(
    environment: dict[str, str], cwd: Path, *arguments: str, status: int
) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "tflite_align", "check", *arguments],
        cwd=cwd, env=environment, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == status, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done


def test_the_light_environment_lacks_litert_and_highs(
    light: dict[str, str], tmp_path: Path
) -> None:
    for name in ("ai_edge_litert", "highspy"):
        done = subprocess.run(
            [sys.executable, "-c", f"import {name}"],
            cwd=tmp_path, env=light, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert "ModuleNotFoundError" in done.stderr


def test_a_folder_with_every_form_of_report(
    light: dict[str, str], models: Path, tmp_path: Path
) -> None:
    names = [f"findings{ending}" for ending in (".sarif", ".xml", ".json", ".txt", ".html")]
    reports = [word for name in names for word in ("--report", name)]
    targets = ["--target", "tflm", "--target", "ethos-u55"]
    done = check(light, tmp_path, "models", "--jobs", "2", *targets, *reports, status=1)
    assert "CONCATENATION" in done.stdout
    assert [name for name in names if not (tmp_path / name).stat().st_size] == []
    found = json.loads((tmp_path / "findings.sarif").read_text())["runs"][0]["results"]
    assert "same/CONCATENATION" in {entry["ruleId"] for entry in found}


@pytest.mark.parametrize("form", ["gitlab", "github", "concise"])
def test_output_formats(form: str, light: dict[str, str], models: Path) -> None:
    done = check(light, models, "bad.tflite", "--output-format", form, status=1)
    assert "same/CONCATENATION" in done.stdout


def test_a_configuration_a_baseline_and_a_lock(light: dict[str, str], models: Path) -> None:
    (models / "tflite-align.toml").write_text('target = ["tflm"]\n')
    done = check(light, models, "bad.tflite", status=1)
    assert "target tflm" in done.stdout
    check(light, models, "bad.tflite", "--write-baseline", "known.json", status=0)
    check(light, models, "bad.tflite", "--baseline", "known.json", status=0)
    check(light, models, "good.tflite", "--lock", "io.json", status=0)
    check(light, models, "good.tflite", "--lock", "io.json", status=0)


def test_judges_without_their_runtime_are_skipped_with_a_reason(
    light: dict[str, str], models: Path
) -> None:
    done = check(light, models, "good.tflite", "--require", "litert", status=1)
    assert "litert is required, but skipped" in done.stdout
    assert "neither ai-edge-litert nor tensorflow is installed" in done.stdout


# --- required packages -------------------------------------------------------------------------


def written(requirements: list[str]) -> set[str]:
    return {text for text in requirements if re.split("[<>=;]", text)[0] not in LEFT_OUT}


@pytest.fixture(scope="module")
def needed() -> set[str]:
    text = (CHECKOUT / "pyproject.toml").read_text(encoding="utf-8")
    return written(tomllib.loads(text)["project"]["dependencies"])


def test_the_page_installs_what_is_needed(needed: set[str]) -> None:
    page = (CHECKOUT / "docs" / "gate.md").read_text(encoding="utf-8")
    first, second = re.findall(
        r"^python -m pip install (.*)\n.* install (.*)$", page, re.MULTILINE
    )[0]
    assert set(first.split()) == {text.split(">=")[0] for text in needed}
    assert second == "--no-deps ."


def test_the_hook_installs_what_is_needed(needed: set[str]) -> None:
    """pre-commit installs the hook's dependencies without their own requirements, so that the list
    has to contain these, too.
    """
    yaml = pytest.importorskip("yaml", reason="PyYAML is not installed")
    (hook,) = yaml.safe_load((CHECKOUT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
    given = hook["additional_dependencies"]
    assert given[0] == "--no-deps"
    assert written(given[1:]) == set(given[1:]), "neither LiteRT nor HiGHS"
    assert needed <= set(given)
    named = {re.split("[<>=;]", text)[0] for text in given}
    assert {name for text in needed for name in asked_for(text.split(">=")[0])} <= named


def asked_for(package: str) -> set[str]:
    """The names of all packages that an installed package requires on this platform, directly or
    indirectly, without extras.
    """
    requirements = pytest.importorskip("packaging.requirements", reason="packaging is missing")
    found = set()
    for text in importlib.metadata.requires(package) or []:
        read = requirements.Requirement(text)
        if read.marker is None or read.marker.evaluate({"extra": ""}):
            found |= {read.name.lower(), *asked_for(read.name)}
    return found
