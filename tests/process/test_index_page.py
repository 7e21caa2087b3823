"""`--report x.html` of many models: an index with every model's page, which fetches nothing."""

from __future__ import annotations

import base64
import json
import re
import zlib
from pathlib import Path
from typing import Any

import html5lib
import pytest

from tests.support.model_folder import put
from tests.support.models import concat_example
from tflite_align.cli import main as cli

FAST = "--no-verify"


def island(page: str, name: str) -> Any:
    found = re.search(f'<script type="application/json" id="{name}">(.*?)</script>', page)
    assert found is not None
    return json.loads(found[1])


def inside(page: str, path: str) -> str:
    rows, pages = island(page, "rows"), island(page, "pages")
    (number,) = (number for number, row in enumerate(rows) if row[0] == path)
    return zlib.decompress(base64.b64decode(pages[number])).decode()


def test_many_models_give_an_index_with_pages(zoo_folder: Path) -> None:
    put("zoo/bad.tflite", b"no model")
    assert cli.main(["check", "zoo", "-q", "--jobs", "2", "--report", "zoo.html"]) == 2
    page = Path("zoo.html").read_text()
    html5lib.HTMLParser(strict=True).parse(page)
    rows = [row[:5] for row in island(page, "rows")]
    assert rows == [
        ["a.tflite", "fails", "", 4, 0],
        ["bad.tflite", "could not be done", "", 0, 0],
        ["deep/er/c.tflite", "fails", "", 1, 0],
        ["good.tflite", "passes", "", 0, 0],
    ]
    assert "same/CONCATENATION" in inside(page, "a.tflite")
    assert '"graphs":{"before":[{' in inside(page, "a.tflite")
    assert island(page, "pages")[1] == ""
    assert cli.main(["check", "zoo", "-q", "--report", "again.html"]) == 2
    assert Path("again.html").read_text() == page, "same in, same out"


def test_a_resumed_run_has_the_same_index(zoo_folder: Path) -> None:
    for _ in range(2):
        assert cli.main(["zoo", "out", FAST, "-q", "--report", "r.html"]) == 0
        page = Path("r.html").read_text()
        assert [row[1] for row in island(page, "rows")] == [
            "aligned",
            "aligned",
            "nothing to align",
        ]
        assert "a.tflite" in inside(page, "a.tflite")


def test_merged_reports_give_an_index(zoo_folder: Path) -> None:
    cli.main(["check", "zoo", "-q", "--report", "r.jsonl"])
    assert cli.main(["report", "merge", "r.jsonl", "-q", "--report", "r.html"]) == 1
    assert "same/CONCATENATION" in inside(Path("r.html").read_text(), "a.tflite")


def test_one_model_gives_a_page_without_index(zoo_folder: Path) -> None:
    cli.main(["check", "zoo/a.tflite", "-q", "--report", "r.html"])
    assert '<article id="model-0"' in Path("r.html").read_text()


EVIL = "</script><img src=x onerror=\"document.title='owned'\">.tflite"


@pytest.mark.browser
def test_a_browser_filters_and_opens_a_model(zoo_folder: Path, chromium: Any) -> None:
    put(f"zoo/{EVIL.replace('/', '_')}", concat_example())
    cli.main(["check", "zoo", "-q", "--report", "zoo.html"])
    said: list[str] = []
    page = chromium.new_page()
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda r: said.append(r.url) if r.url.startswith("http") else None)
    page.goto(Path("zoo.html").resolve().as_uri())
    assert page.locator("#models tbody tr").count() == 4
    page.select_option("#outcome", "passes")
    assert page.locator("#models tbody tr").all_inner_texts()[0].startswith("good.tflite")
    page.select_option("#outcome", "")
    page.fill("#words", "a.tflite")
    page.locator("#models button.open").first.click()
    inner = page.frame_locator("#page")
    inner.locator("h1").first.wait_for()
    assert inner.locator("h1").first.inner_text().startswith("a.tflite")
    inner.locator("section.graph").first.scroll_into_view_if_needed()
    inner.locator("section.graph.drawn canvas").first.wait_for()
    page.click("#close")
    assert page.title() == "Models - tflite_align"
    page.close()
    assert said == []
