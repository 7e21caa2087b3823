"""Repository configuration: hooks, workflow and pinned dependencies, checked with the real tools
and without a network.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import constraints

CHECKOUT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
HOOKS = CHECKOUT / ".pre-commit-config.yaml"
TEXT_HOOKS = {
    "trailing-whitespace": b"a \n",
    "end-of-file": b"a",
    "line-endings": b"a\r\n",
    "merge-conflict": b"<<<<<<< ours\n",
}
# A hook decides by a file's name whether it is text.
CLEAN = {"a.py": b"x = 1\n", "a.md": b"a\n\nb\n", "a.toml": b"a = 1\n", "empty.txt": b""}


def run(*command: str, cwd: Path = CHECKOUT, **more: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=cwd, capture_output=True, text=True, check=False, timeout=300, **more
    )


def loaded(name: str) -> dict[str, Any]:
    yaml = pytest.importorskip("yaml", reason="PyYAML is not installed")
    document: dict[str, Any] = yaml.safe_load((CHECKOUT / name).read_text(encoding="utf-8"))
    return document


# --- hooks -------------------------------------------------------------------------------------


def test_the_hooks_are_valid_and_local() -> None:
    pytest.importorskip("pre_commit", reason="pre-commit is not installed")
    done = run(sys.executable, "-m", "pre_commit", "validate-config", str(HOOKS))
    assert done.returncode == 0, done.stdout + done.stderr
    repositories = loaded(HOOKS.name)["repos"]
    assert {repository["repo"] for repository in repositories} == {"local"}
    hooks = [hook for repository in repositories for hook in repository["hooks"]]
    assert {hook["id"] for hook in hooks} == {"ruff", "ruff-format", "mypy", *TEXT_HOOKS}
    assert {hook["language"] for hook in hooks} <= {"system", "pygrep"}, "these download nothing"


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A git repository with the hooks and clean files."""
    pytest.importorskip("pre_commit", reason="pre-commit is not installed")
    if shutil.which("git") is None:
        pytest.skip("git is not on the path: the hooks look at what it tracks")
    folder = tmp_path / "repository"
    folder.mkdir()
    shutil.copy(HOOKS, folder)
    for name, content in CLEAN.items():
        (folder / name).write_bytes(content)
    run("git", "init", "-q", cwd=folder)
    return folder


def run_hook(hook: str, folder: Path) -> int:
    run("git", "add", "-A", cwd=folder)
    environment = {**os.environ, "PRE_COMMIT_HOME": str(folder.parent / "hooks")}
    command = [sys.executable, "-m", "pre_commit", "run", hook, "--all-files"]
    done = run(*command, cwd=folder, env=environment)
    assert done.returncode in (0, 1), done.stdout + done.stderr
    return done.returncode


@pytest.mark.parametrize("hook", TEXT_HOOKS)
def test_a_hook_passes_clean_files_and_fails_others(hook: str, repository: Path) -> None:
    assert run_hook(hook, repository) == 0
    (repository / "bad.md").write_bytes(TEXT_HOOKS[hook])
    assert run_hook(hook, repository) == 1


def test_the_checkout_passes_its_text_hooks(repository: Path) -> None:
    """The text hooks accept every tracked file."""
    tracked = run("git", "ls-files", "-z").stdout
    if not tracked:
        pytest.skip("not a git checkout: nothing says which files are the project's")
    for name in filter(None, tracked.split("\0")):
        if (CHECKOUT / name).is_file():
            (repository / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(CHECKOUT / name, repository / name)
    assert [hook for hook in TEXT_HOOKS if run_hook(hook, repository)] == []


# --- the workflow ------------------------------------------------------------------------------


def test_the_workflow_is_valid() -> None:
    pytest.importorskip("check_jsonschema", reason="check-jsonschema is not installed")
    schema = ["--builtin-schema", "vendor.github-workflows"]
    done = run(sys.executable, "-m", "check_jsonschema", *schema, ".github/workflows/ci.yml")
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_workflow_runs_ci_on_every_python_and_system_of_the_classifiers() -> None:
    job = loaded(".github/workflows/ci.yml")["jobs"]["check"]
    ends = [line.rpartition(" :: ")[2] for line in PROJECT["classifiers"]]
    matrix = job["strategy"]["matrix"]
    assert matrix["python"] == [end for end in ends if end.startswith("3.")]
    systems = {"MacOS": "macos", "Windows": "windows", "Linux": "ubuntu"}
    assert {f"{systems[end]}-latest" for end in ends if end in systems} == set(matrix["os"])
    *_, setup, step = job["steps"]
    assert setup["with"]["python-version"] == "${{ matrix.python }}"
    assert (step["run"], step["shell"], step["env"]) == (".ci/run", "bash", {"PYTHON": "python"})


PINNED = re.compile(r"[\w.-]+(?:/[\w.-]+)+@[0-9a-f]{40} # v\d+\.\d+\.\d+")


@pytest.mark.promise(
    "The actions that the GitHub Action and the project's workflow use are named by commit."
)
def test_actions_are_named_by_commit() -> None:
    """A tag can be moved to other code, a commit cannot. A comment names the version of each
    commit.
    """
    workflows = sorted((CHECKOUT / ".github" / "workflows").glob("*.yml"))
    used: dict[str, set[str]] = {}
    for page in (CHECKOUT / "action.yml", *workflows, CHECKOUT / "docs" / "gate.md"):
        for line in page.read_text(encoding="utf-8").splitlines():
            _, found, action = line.partition("uses: ")
            if found and not action.startswith("OWNER/"):
                assert PINNED.fullmatch(action), f"{page.name}: {action}"
                used.setdefault(action.partition("@")[0], set()).add(action)
    assert {"actions/checkout", "actions/setup-python"} <= set(used)
    assert [actions for actions in used.values() if len(actions) > 1] == [], "one version of each"


# --- pins --------------------------------------------------------------------------------------


def requirements(extra: str) -> set[str]:
    """The packages that an extra of this project requires, also through its other extras."""
    found: set[str] = set()
    for line in PROJECT["optional-dependencies"][extra]:
        requirement = Requirement(line)
        name = canonicalize_name(requirement.name)
        inner = [requirements(e) for e in requirement.extras if name == PROJECT["name"]]
        found |= set().union(*inner) if name == PROJECT["name"] else {name}
    return found


def test_every_dependency_is_pinned() -> None:
    pins = constraints.parsed(constraints.FILE.read_text(encoding="utf-8"))
    own = {Requirement(line).name for line in PROJECT["dependencies"]}
    needed = {canonicalize_name(n) for n in own} | requirements("dev")
    assert sorted(needed - set(pins)) == []
    assert {"pytest", "numpy", "ruff", "sphinx", "tensorflow-cpu", "tflite-micro"} <= needed


def test_pins_are_within_what_the_project_declares() -> None:
    pins = constraints.parsed(constraints.FILE.read_text(encoding="utf-8"))
    lines = [*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["test"]]
    declared = [Requirement(line) for line in lines]
    wrong = [
        f"{requirement}, pinned to {pins[name]}"
        for requirement in declared
        for name in [canonicalize_name(requirement.name)]
        if name in pins and not requirement.specifier.contains(pins[name], prereleases=True)
    ]
    assert wrong == []


def test_each_line_of_the_pins_is_one_version_in_order() -> None:
    text = constraints.FILE.read_text(encoding="utf-8")
    assert text.startswith(constraints.HEAD)
    pins = constraints.parsed(text)
    assert list(pins) == sorted(pins)
    known = constraints.hashes(text)
    assert [name for name in pins if not known[name]] == []
    lines = text.removeprefix(constraints.HEAD).splitlines()
    assert len(lines) == len(pins) + sum(map(len, known.values())), "nothing else stands there"


@pytest.mark.promise(
    "`.ci/run` installs files with the hashes in `.ci/constraints.txt`, then the "
    "project without further dependencies."
)
def test_ci_installs_what_has_the_hashes() -> None:
    text = (CHECKOUT / ".ci" / "run").read_text(encoding="utf-8")
    first, second = re.findall(r"^pip install (?:.*\\\n)*.*$", text, re.MULTILINE)
    assert {"--no-deps", "--require-hashes", ".ci/constraints.txt"} <= set(first.split())
    assert {"--no-deps", "--no-build-isolation", "--editable"} <= set(second.split())


def test_a_file_with_another_hash_is_refused(tmp_path: Path) -> None:
    """pip, with the options of .ci/run, refuses a wheel whose hash is not the pinned one."""
    wheel = tmp_path / "made_up-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("made_up-1.0.dist-info/METADATA", "Name: made-up\nVersion: 1.0\n")
        archive.writestr("made_up-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\n")
        archive.writestr("made_up-1.0.dist-info/RECORD", "")
    pins = tmp_path / "pins.txt"
    command = [sys.executable, "-m", "pip", "install", "--no-index", "--find-links", str(tmp_path),
               "--no-deps", "--require-hashes", "--dry-run", "--requirement", str(pins)]  # fmt: skip
    for digest, status in ((hashlib.sha256(wheel.read_bytes()).hexdigest(), 0), ("0" * 64, 1)):
        pins.write_text(f"made-up==1.0 \\\n    --hash=sha256:{digest}\n")
        done = run(*command, cwd=tmp_path)
        assert done.returncode == status, done.stdout + done.stderr
    assert "DO NOT MATCH THE HASHES" in done.stderr


def test_on_demand_tests_run_in_no_other_job() -> None:
    options = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["tool"]["pytest"][
        "ini_options"
    ]
    on_demand = {line.partition(":")[0] for line in options["markers"] if "on demand" in line}
    left_out = options["addopts"][-1].removeprefix("not (").removesuffix(")").split(" or ")
    assert on_demand == set(left_out) - {"packaging"}
