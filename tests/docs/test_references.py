"""Files, decisions, headings and labels that pages, comments and forms refer to exist."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import architecture
from tests.support.pages import CHECKOUT, PAGES
from tests.test_house import MODULES, TIER

# Prefix of names that are no files of the checkout -> what they are.
ELSEWHERE = {
    "docs/edgetpu/models-intro": "a page of the Edge TPU documentation, as sources name it",
    "schema/arithmetic/NAME": "stands for any runtime",
    "schema/arithmetic/npu9": "what docs/adding.md adds",
    "schema/kernels/NAME": "stands for any set of kernels",
    "schema/kernels/npu9": "what docs/adding.md adds",
    "schema/targets/NAME": "stands for any target",
    "schema/targets/npu9": "what docs/adding.md adds",
    "tflite_align/cmake": "where a wheel has scripts/cmake",
    "tflite_align/report/table": "what docs/adding.md adds",
    "tflite_align/schema": "where a wheel has schema",
    "tflite_align/verify/npu9": "what docs/adding.md adds",
}
PATH = re.compile(
    r"(?<![\w/.:\"-])(?:docs|scripts|tests|schema|tflite_align|\.ci|\.github)/[\w./*-]+\w"
)
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
DECISIONS = CHECKOUT / "docs" / "decisions"


def sources() -> list[Path]:
    scripts = sorted((CHECKOUT / "scripts").glob("*.py"))
    return [*PAGES, *MODULES, *scripts, *sorted((CHECKOUT / "tests").rglob("*.py"))]


def is_there(name: str) -> bool:
    """Whether the name is a file, folder, module or pattern of files of the checkout."""
    if "*" in name:
        return any(CHECKOUT.glob(name))
    return any((CHECKOUT / (name + ending)).exists() for ending in ("", ".py", ".md"))


def test_referenced_files_exist() -> None:
    missing = [
        f"{path.relative_to(CHECKOUT)}: {name}"
        for path in sources()
        for name in dict.fromkeys(PATH.findall(path.read_text(encoding="utf-8")))
        if not is_there(name) and not name.startswith(tuple(ELSEWHERE))
    ]
    assert missing == []


def test_links_between_pages_have_a_target() -> None:
    wrong = [
        f"{page.relative_to(CHECKOUT)}: {link}"
        for page in PAGES
        for link in LINK.findall(page.read_text(encoding="utf-8"))
        if "://" not in link and not (page.parent / link).exists()
    ]
    assert wrong == []


def test_nothing_cites_a_document_outside() -> None:
    """The design is in docs/architecture.md and docs/decisions; nothing refers to a document
    outside the repository.
    """
    cited = re.compile(r"the design's|design\.md|house\.md|style\.md|the brief\b", re.IGNORECASE)
    own = Path(__file__)
    found = [
        str(path.relative_to(CHECKOUT))
        for path in sources()
        if path != own and cited.search(path.read_text(encoding="utf-8"))
    ]
    assert found == []


def test_the_picture_of_the_rooms_is_up_to_date() -> None:
    assert architecture.main(["--check"]) == 0


def test_the_script_finds_all_rooms() -> None:
    assert sorted(architecture.read_imports()) == sorted(TIER)


def test_decisions_are_numbered_listed_and_of_one_form() -> None:
    listed = (CHECKOUT / "docs" / "decisions.md").read_text(encoding="utf-8")
    for number, path in enumerate(sorted(DECISIONS.glob("*.md")), 1):
        text = path.read_text(encoding="utf-8")
        title = text.splitlines()[0].removeprefix(f"# {number}. ")
        assert path.name.startswith(f"{number:04}-")
        assert f"- [{title}](decisions/{path.name})" in listed
        headings = re.findall(r"^## (.+)$", text, re.MULTILINE)
        assert headings == ["Why", "What", "What follows"], path.name


def test_every_room_has_its_tests_in_contributing() -> None:
    text = (CHECKOUT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    folders = {
        path.parent.name for path in MODULES if path.parent.parent == CHECKOUT / "tflite_align"
    }
    assert [room for room in sorted(folders) if f"| `{room}`" not in text] == []


@pytest.mark.parametrize(
    ("schema", "file"),
    [
        ("github-issue-config", "config.yml"),
        ("github-issue-forms", "wrong-result.yml"),
        ("github-issue-forms", "missing-rule.yml"),
    ],
)
def test_issue_forms_are_valid(schema: str, file: str) -> None:
    pytest.importorskip("check_jsonschema", reason="check-jsonschema is not installed")
    form = CHECKOUT / ".github" / "ISSUE_TEMPLATE" / file
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", f"vendor.{schema}"]
    done = subprocess.run([*command, str(form)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_readme_is_short() -> None:
    """Longer texts belong on other pages."""
    lines = (CHECKOUT / "README.md").read_text(encoding="utf-8").count("\n")
    assert lines <= 150
