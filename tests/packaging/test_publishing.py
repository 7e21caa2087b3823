"""sdist and wheel build, and their metadata is complete."""

from __future__ import annotations

import re
import shutil
import sys
import tarfile
from email.message import Message
from pathlib import Path

import pytest

import tflite_align
from tests.support.distribution import CHECKOUT, PROJECT, build, contents, run

pytestmark = pytest.mark.packaging

NOT_IN_SDIST = {".gitattributes"}  # files that only git reads


def test_the_sdist_makes_the_wheel_of_the_checkout(dist: Path, wheel: Path, tmp_path: Path) -> None:
    build(CHECKOUT, tmp_path, "--wheel")
    (direct,) = tmp_path.glob("*.whl")
    assert contents(direct) == contents(wheel)
    assert sorted(path.suffix for path in dist.iterdir()) == [".gz", ".whl"]


def test_the_sdist_holds_what_is_tracked(dist: Path) -> None:
    """With the sdist one can run all tests and build the documentation."""
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
    """Rendered with the library that the package index uses."""
    pytest.importorskip("readme_renderer", reason="readme-renderer[md] is not installed")
    from readme_renderer import markdown

    if not markdown.variants:
        pytest.skip("readme-renderer is installed without what its extra `md` brings")
    page = markdown.render(str(metadata.get_payload()))
    assert page is not None
    assert page.count("<h2") >= 6
    assert page.count("<table>") >= 3


def test_the_metadata_is_complete(metadata: Message) -> None:
    assert metadata["Version"] == tflite_align.__version__
    assert metadata["Requires-Python"] == ">=3.11"
    assert metadata["License-Expression"] == "Apache-2.0 AND MIT"
    assert metadata["Description-Content-Type"] == "text/markdown"
    assert metadata["Summary"] == PROJECT["description"]
