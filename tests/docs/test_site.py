"""The site builds without warnings; a missing page, link or heading is a warning."""

from __future__ import annotations

import html
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import tflite_align
from tests.support.pages import CHECKOUT, project_copy
from tflite_align.cli.commands import commands

for library in ("sphinx", "myst_parser", "furo", "sphinx_click"):
    pytest.importorskip(library, reason=f"{library} is not installed: pip install '.[docs]'")

BUILD = ["-m", "sphinx", "--fail-on-warning", "--keep-going", "--quiet", "docs"]
LINK = re.compile(r"\]\(([^)#:]+)(?:#[^)]*)?\)")


def build(folder: Path, out: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *BUILD, str(out)],
        cwd=folder,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("site")
    done = build(CHECKOUT, out)
    assert done.returncode == 0, done.stderr
    return out


def words(page: Path) -> str:
    return html.unescape(re.sub(r"<[^>]*>", "", page.read_text(encoding="utf-8")))


def test_every_page_is_in_the_navigation(site: Path) -> None:
    """A git host shows index.md, from which the site's navigation is generated."""
    index = (CHECKOUT / "docs" / "index.md").read_text(encoding="utf-8")
    pages = {path.name for path in (CHECKOUT / "docs").glob("*.md")} - {"index.md"}
    assert {*re.findall(r"^- \[.+?\]\(([\w-]+\.md)\)", index, re.MULTILINE)} == pages
    tree = (site / "index.html").read_text(encoding="utf-8").partition("sidebar-tree")[2]
    assert [p for p in pages if f'href="{p.removesuffix(".md")}.html"' not in tree] == []


def test_public_names_are_in_the_reference(site: Path) -> None:
    text = (site / "api.html").read_text(encoding="utf-8")
    names = [name for name in tflite_align.__all__ if name != "__version__"]
    missing = [name for name in names if f'"tflite_align.{name}"' not in text]
    assert missing == []


def test_every_option_is_in_the_reference(site: Path) -> None:
    text = words(site / "cli.html")
    options = {o for c in commands.commands.values() for p in c.params for o in p.opts}
    assert [o for o in sorted(options) if o.startswith("--") and o not in text] == []


def test_the_site_names_the_version(site: Path) -> None:
    assert f"tflite_align {tflite_align.__version__}" in words(site / "index.html")


def test_the_site_fetches_nothing_from_other_hosts(site: Path) -> None:
    """No font, script or style from another host."""
    loads = re.compile(r'<(?:script|link|img)[^>]*(?:src|href)="(https?://[^"]*)"')
    text = "".join(page.read_text(encoding="utf-8") for page in site.glob("*.html"))
    assert loads.findall(text) == []


def test_the_search_finds_operators_as_people_type_them(site: Path) -> None:
    index = (site / "searchindex.js").read_text(encoding="utf-8")
    assert '"conv2d"' in index or "conv2d:" in index
    assert "maxpool2d" in index


def test_code_has_no_typographic_characters(site: Path) -> None:
    """Options start with two hyphens and strings with straight quotes, also on the CLI page."""
    curly = re.compile("[\u2018\u2019\u201c\u201d\u2013]")
    pages = [page for page in site.glob("*.html") if curly.search(words(page))]
    assert [page.name for page in pages] == []


def test_cells_of_tables_carry_the_name_of_their_column(site: Path) -> None:
    """On a narrow screen each cell is a line of its own, below its column's name."""
    text = (site / "messages.html").read_text(encoding="utf-8")
    assert '<td data-label="rule"><p><code' in text
    assert "same/<wbr>CONCATENATION" in text
    assert text.count("<td") == text.count("<td data-label=")


def test_a_missing_page_or_link_fails_the_build(tmp_path: Path) -> None:
    folder = project_copy(tmp_path)
    docs = folder / "docs"
    shutil.copy(docs / "solver.md", docs / "unlisted.md")
    with (docs / "writer.md").open("a", encoding="utf-8") as page:
        page.write("[a](no-such-page.md) [b](solver.md#no-such-heading) [c](#nor-this-one)\n")
    done = build(folder, tmp_path / "out")
    assert done.returncode != 0
    warnings = [line for line in done.stderr.splitlines() if "WARNING" in line]
    for word in ("unlisted.md", "no-such-page.md", "no-such-heading", "nor-this-one"):
        assert any(word in line for line in warnings), (word, warnings)
    assert len(warnings) == 4


def test_links_of_the_readme_lead_somewhere() -> None:
    found = LINK.findall((CHECKOUT / "README.md").read_text(encoding="utf-8"))
    assert found
    assert [link for link in found if not (CHECKOUT / link).exists()] == []
