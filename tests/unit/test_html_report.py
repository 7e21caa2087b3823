"""The HTML report without a browser: valid, escaped, reproducible, self-contained."""

from __future__ import annotations

import re

import html5lib
import pytest

from tests.support.models import concat_example
from tflite_align import AlignOptions, Report, align, check
from tflite_align.record import replace
from tflite_align.report.html.assets import LIBRARIES, asset
from tflite_align.report.html.page import render_html
from tflite_align.report.report import Unread

EVIL = "</script><img src=x onerror=alert(1)><!--\u2028'\"&"


@pytest.fixture(scope="module")
def report() -> Report:
    options = AlignOptions(verify=False, compare=True)
    return align(concat_example(), options, name="folder/concat.tflite").report


def _parsed(page: str) -> html5lib.treebuilders.etree.Element:
    return html5lib.HTMLParser(strict=True, namespaceHTMLElements=False).parse(page)


def test_the_page_is_valid_html(report: Report) -> None:
    tree = _parsed(render_html([report]))
    assert tree.find(".//h1").text.strip() == "concat.tflite"
    heads = [one.text for one in tree.findall(".//article//h3")]
    assert heads[:3] == ["What was wrong", "What was done", "Is it verified?"]
    assert len(tree.findall(".//main")) == 1


def test_the_page_is_self_contained(report: Report) -> None:
    tree = _parsed(render_html([report]))
    for name in ("src", "href"):
        found = [one.get(name) for one in tree.iter() if one.get(name)]
        assert [link for link in found if not link.startswith("#")] == []
    assert tree.findall(".//link") == []
    policy = tree.find(".//meta[@http-equiv]").get("content")
    assert "default-src 'none'" in policy
    assert "'unsafe-inline'" not in policy.split("style-src")[0]


def test_licences_are_in_the_page(report: Report) -> None:
    page = render_html([report])
    for name in LIBRARIES.values():
        assert asset(f"vendor/{name}").strip() in page


def test_equal_reports_give_equal_pages(report: Report) -> None:
    again = align(
        concat_example(), AlignOptions(verify=False, compare=True), name="folder/concat.tflite"
    ).report
    assert render_html([again]) == render_html([report])


@pytest.mark.promise(
    "Reports escape them for HTML, JSON, SARIF and JUnit; on a terminal, control characters are shown as escapes."
)
def test_names_in_the_page_are_escaped(report: Report) -> None:
    finding = replace(report.findings[0], tensor_name=EVIL, message=EVIL, rule=EVIL)
    evil = replace(report, name=EVIL, findings=(finding,), remaining=(finding,))
    page = render_html([evil], [Unread(name=EVIL, message=EVIL)])
    tree = _parsed(page)
    assert tree.findall(".//img") == []
    assert "alert(1)" in "".join(tree.find(".//body/main").itertext())
    island = next(one for one in tree.iter("script") if one.get("type") == "application/json")
    assert re.search("[<>&\u2028\u2029]", island.text) is None


def test_a_page_of_several_models_links_each_once(report: Report) -> None:
    other = check(concat_example(), name="other.tflite")
    tree = _parsed(render_html([report, other], [Unread(name="bad.tflite", message="no model")]))
    ids = [one.get("id") for one in tree.iter() if one.get("id")]
    assert len(ids) == len(set(ids))
    links = [one.get("href") for one in tree.findall(".//nav//a")]
    assert links == ["#model-0", "#model-1"]
    assert "no model" in "".join(tree.find(".//main").itertext())


# --- the first screen -------------------------------------------------------------------------------


def _text(report: Report) -> tuple[str, str, list[str]]:
    """(text of the badge, its CSS class, cells of the summary table) of the report's page."""
    tree = _parsed(render_html([report]))
    badge = tree.find(".//h1/span")
    cells = ["".join(cell.itertext()) for cell in tree.findall(".//article/section//table//th")]
    return "".join(badge.itertext()), badge.get("class"), cells


def test_a_file_left_with_findings_is_not_shown_as_sound() -> None:
    left = align(concat_example(), no_fix="all", verify=False).report
    assert _text(left)[:2] == ("Not aligned", "badge bad")
    sound = align(align(concat_example(), verify=False).data, verify=False).report
    assert _text(sound)[:2] == ("Nothing to align, not verified", "badge warn")


def test_only_a_verified_file_is_green(report: Report) -> None:
    assert _text(report)[:2] == ("Aligned, not verified", "badge warn")
    page = render_html([report])
    assert 'How to decide it: Align again without <code class="option">--no-verify</code>' in page


def test_one_file_has_one_column_and_its_reason_once() -> None:
    found = check(concat_example(), run=True)
    _, _, cells = _text(found)
    assert cells[:2] == ["SQNR against float", "the file"]
    assert "before" not in cells
    summary = render_html([found]).split('class="summary"')[1].split("<table>")[0]
    assert summary.count("t-&gt;params.scale != output-&gt;params.scale") == 1
