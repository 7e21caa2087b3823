"""What is published: it builds, it says what an index wants to know, and it works on its own."""

from __future__ import annotations

import email
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from email.message import Message
from pathlib import Path

import pytest

import tflite_align
from tests.registry import registry_missing

CHECKOUT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
PYTHONS = [
    word for line in PROJECT["classifiers"] if (word := line.rpartition(" :: ")[2]).startswith("3.")
]
# `dev` brings `test`, and that brings `docs` and `tflm`: one resolution is enough.
EXTRAS = sorted(set(PROJECT["optional-dependencies"]) - {"test"})
NOT_IN_SDIST = {".gitattributes"}  # git's own
TAKES_AT_MOST = 600  # seconds


def run(*command: str, cwd: Path = CHECKOUT, status: int = 0) -> str:
    hidden = ("CI", "PYTHONPATH", "VIRTUAL_ENV")
    ran = subprocess.run(
        command,
        cwd=cwd,
        env={key: value for key, value in os.environ.items() if key not in hidden},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        check=False,
        timeout=TAKES_AT_MOST,
    )
    assert ran.returncode == status, f"{command}\n{ran.stdout}"
    return ran.stdout


def build(source: Path, out: Path, *what: str) -> None:
    run(sys.executable, "-m", "build", "--no-isolation", *what, "--outdir", str(out), str(source))


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An sdist of the checkout, and the wheel that is made from that sdist."""
    for library in ("build", "hatchling", "hatch_fancy_pypi_readme"):
        pytest.importorskip(library, reason=f"{library} is not installed: the extra `test` has it")
    out = tmp_path_factory.mktemp("dist")
    build(CHECKOUT, out)
    return out


@pytest.fixture(scope="module")
def wheel(dist: Path) -> Path:
    (path,) = dist.glob("*.whl")
    return path


def contents(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.fixture(scope="module")
def metadata(wheel: Path) -> Message:
    (text,) = (data for name, data in contents(wheel).items() if name.endswith("/METADATA"))
    return email.message_from_bytes(text)


def test_the_sdist_makes_the_wheel_of_the_checkout(dist: Path, wheel: Path, tmp_path: Path) -> None:
    build(CHECKOUT, tmp_path, "--wheel")
    (direct,) = tmp_path.glob("*.whl")
    assert contents(direct) == contents(wheel)
    assert sorted(path.suffix for path in dist.iterdir()) == [".gz", ".whl"]


def test_the_sdist_holds_what_is_tracked(dist: Path) -> None:
    """So that who has it can run all tests and build the documentation."""
    if not (CHECKOUT / ".git").exists() or shutil.which("git") is None:
        pytest.skip("not a git checkout: nothing says which files are the project's")
    tracked = set(run("git", "ls-files").splitlines())
    (path,) = dist.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        files = [member.name for member in archive if member.isfile()]
    shipped = {name.partition("/")[2] for name in files} - {"PKG-INFO"}
    there = {name for name in tracked if (CHECKOUT / name).is_file()}
    assert there - shipped == NOT_IN_SDIST
    assert not [n for n in shipped - tracked if not run("git", "status", "--short", n).strip()]


def test_an_index_takes_both(dist: Path) -> None:
    pytest.importorskip("twine", reason="twine is not installed: the extra `test` has it")
    files = [str(path) for path in sorted(dist.iterdir())]
    said = run(sys.executable, "-m", "twine", "--no-color", "check", "--strict", *files)
    assert said.count("PASSED") == len(files)


def test_the_project_table_is_valid() -> None:
    pytest.importorskip("validate_pyproject", reason="validate-pyproject is not installed")
    run(sys.executable, "-m", "validate_pyproject", "pyproject.toml")


def test_the_description_has_no_link_that_leads_nowhere(metadata: Message) -> None:
    text = str(metadata.get_payload())
    assert text.lstrip().startswith("# tflite_align")
    links = re.findall(r"\]\(([^)\s]+)\)", text)
    assert [link for link in links if not link.startswith(("https://", "#"))] == []


def test_the_description_is_rendered(metadata: Message) -> None:
    """By the library that the index uses."""
    pytest.importorskip("readme_renderer", reason="readme-renderer[md] is not installed")
    from readme_renderer import markdown

    if not markdown.variants:
        pytest.skip("readme-renderer is installed without what its extra `md` brings")
    page = markdown.render(str(metadata.get_payload()))
    assert page is not None
    assert page.count("<h2") >= 6
    assert page.count("<table>") >= 3


def test_the_metadata_says_what_it_is(metadata: Message) -> None:
    assert metadata["Version"] == tflite_align.__version__
    assert metadata["Requires-Python"] == ">=3.11"
    assert metadata["License-Expression"] == "Apache-2.0 AND MIT"
    assert metadata["Description-Content-Type"] == "text/markdown"
    assert metadata["Summary"] == PROJECT["description"]


# --- what needs the registry -------------------------------------------------------------------


def needs_registry() -> None:
    if missing := registry_missing():
        pytest.skip(missing)


def interpreter(version: str) -> str:
    """A Python of that version: this one, or one on the path that starts."""
    if sys.version.startswith(f"{version}."):
        return sys.executable
    found = shutil.which(f"python{version}")
    if (
        found is None
        or subprocess.run([found, "-c", ""], capture_output=True, check=False).returncode
    ):
        pytest.skip(f"there is no python{version} on the path")
    return found


@pytest.mark.parametrize("version", PYTHONS)
def test_the_wheel_alone_works(version: str, wheel: Path, tmp_path: Path, sample: bytes) -> None:
    """In an environment with nothing but it and what it requires; no extras, no checkout."""
    python = interpreter(version)
    needs_registry()
    run(python, "-m", "venv", str(tmp_path / "venv"))
    programs = tmp_path / "venv" / ("Scripts" if os.name == "nt" else "bin")
    own = str(programs / "python")
    run(own, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", str(wheel))
    run(own, "-m", "pip", "check")
    (tmp_path / "in.tflite").write_bytes(sample)

    def tool(*arguments: str, status: int = 0) -> str:
        return run(own, "-m", "tflite_align", *arguments, cwd=tmp_path, status=status)

    told = f"tflite-align {tflite_align.__version__}\n"
    assert run(str(programs / "tflite-align"), "--version").replace("_", "-") == told
    assert "4 errors" in tool("check", "in.tflite", status=1)
    assert "proven -> out.tflite" in tool("in.tflite", "out.tflite", "--report", "x.html")
    assert "no findings" in tool("check", "out.tflite", "--target", "tflm")
    assert "<html" in (tmp_path / "x.html").read_text(encoding="utf-8")
    assert "same/CONCATENATION" in tool("rules")
    assert "not installed" in tool("targets")
    skipped = tool("in.tflite", "tflm.tflite", "--target", "tflm", "--require", "tflm", status=1)
    assert "tflite-micro is not installed" in skipped or "no wheel" in skipped
    typed = (
        "import tflite_align as t, pathlib as p; print(p.Path(t.__file__).with_name('py.typed'))"
    )
    assert Path(run(own, "-c", typed, cwd=tmp_path).strip()).is_file()


@pytest.mark.parametrize("extra", EXTRAS)
def test_extras_resolve(extra: str, wheel: Path, tmp_path: Path) -> None:
    """From nothing, as in a new environment; nothing is installed."""
    needs_registry()
    run(sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "venv"))
    python = str(tmp_path / "venv" / ("Scripts/python.exe" if os.name == "nt" else "bin/python"))
    pip = [sys.executable, "-m", "pip", "--python", python, "--disable-pip-version-check"]
    said = run(*pip, "install", "--dry-run", f"{wheel}[{extra}]")
    assert "Would install" in said
