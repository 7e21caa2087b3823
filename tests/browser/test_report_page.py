"""The HTML report in a browser: it opens in silence, draws, and can be used without a mouse."""

from __future__ import annotations

from typing import Any

import pytest

import synthetic
from tests.support.models import Graph, concat_example
from tflite_align import AlignOptions, Report, align, check
from tflite_align.record import replace
from tflite_align.report.html.page import render_html

pytestmark = pytest.mark.browser

EVIL = "</script><img src=x onerror=\"document.title='owned'\">"
OPTIONS = AlignOptions(verify=False, compare=True, view=True)


@pytest.fixture(scope="module")
def report() -> Report:
    return align(concat_example(second=0.2, out=0.1), OPTIONS, name="concat.tflite").report


def _drawn(page: Any) -> None:
    page.locator("section.graph").first.scroll_into_view_if_needed()
    page.wait_for_selector("section.graph.drawn canvas")


def _wide(page: Any) -> int:
    return int(page.evaluate("document.documentElement.scrollWidth"))


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_opens_and_draws(report: Report, opened: Any, scheme: str, width: int) -> None:
    page = opened(
        render_html([report]), color_scheme=scheme, viewport={"width": width, "height": 900}
    )
    _drawn(page)
    for canvas in page.locator("canvas[data-kind]").all():
        canvas.scroll_into_view_if_needed()
    page.wait_for_timeout(300)
    assert _wide(page) == width
    assert page.locator("h1").inner_text().startswith("concat.tflite")
    backgrounds = {"light": "rgb(255, 255, 255)", "dark": "rgb(15, 19, 24)"}
    shown = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert shown == backgrounds[scheme]


BLANK = """
[...document.querySelectorAll("canvas[data-kind]")].filter((one) => one.offsetParent).filter((one) =>
  one.width === 0 || !one.getContext("2d").getImageData(0, 0, one.width, one.height).data.some((x) => x))
"""


def test_a_picture_of_the_page_has_its_plots(opened: Any) -> None:
    """Though nobody scrolled there; what is folded away waits until it is opened."""
    report = align(synthetic.build(60).head, OPTIONS, name="long.tflite").report
    page = opened(render_html([report]))
    _drawn(page)
    page.wait_for_function(f"({BLANK}).length === 0")
    assert page.locator("canvas[data-kind]").count() > 6


def test_the_theme_button_switches_to_the_dark_page(report: Report, opened: Any) -> None:
    page = opened(render_html([report]), color_scheme="light")
    _drawn(page)
    page.click("#theme")
    assert page.get_attribute("#theme", "aria-pressed") == "true"
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(15, 19, 24)"


def test_begins_with_an_example(report: Report, opened: Any) -> None:
    """The first repaired operator is chosen, so that a newcomer sees what there is to see."""
    page = opened(render_html([report]))
    _drawn(page)
    assert page.locator('.list [aria-selected="true"]').inner_text() == "2 CONCATENATION repaired"
    assert "Why" in page.locator(".detail").inner_text()


def test_groups_beyond_the_first_are_folded(opened: Any) -> None:
    report = align(synthetic.build(60).head, OPTIONS, name="long.tflite").report
    page = opened(render_html([report]))
    assert page.locator("section.charts > .figures > figure").count() == 6
    folded = page.locator("section.charts > details")
    assert folded.locator("summary").first.inner_text().endswith("more groups")
    folded.locator("summary").first.focus()
    page.keyboard.press("Enter")
    assert folded.locator("canvas").first.is_visible()


def test_keyboard_finds_an_operator_and_its_why(report: Report, opened: Any) -> None:
    page = opened(render_html([report]))
    _drawn(page)
    page.focus(".find")
    page.keyboard.type("concat")
    page.keyboard.press("Enter")
    detail = page.locator(".detail")
    assert "CONCATENATION" in detail.locator("h3").inner_text()
    assert "Why" in detail.inner_text()
    assert "repaired: subgraph[0]/operator[2] CONCATENATION" in detail.inner_text()
    assert page.evaluate("document.activeElement.className") == "list"
    page.fill(".find", "")
    page.select_option(".shown", "all")
    page.focus(".list")
    page.keyboard.press("Home")
    assert page.locator('.list [aria-selected="true"]').inner_text().startswith("0 ")
    page.keyboard.press("ArrowDown")
    assert page.locator('.list [aria-selected="true"]').inner_text().startswith("1 ")


def test_before_shows_the_findings(report: Report, opened: Any) -> None:
    page = opened(render_html([report]))
    _drawn(page)
    assert page.locator(".list .word.bad").count() == 0
    page.click("[data-graph=before]")
    assert page.locator(".list .word.bad").count() == 1


def test_names_do_nothing(report: Report, opened: Any) -> None:
    assert report.view is not None
    operators = tuple(replace(one, name=EVIL) for one in report.view.before[0].operators)
    tensors = tuple(replace(one, name=EVIL) for one in report.view.before[0].tensors)
    graph = replace(report.view.before[0], operators=operators, tensors=tensors)
    finding = replace(report.findings[0], message=EVIL, rule=EVIL)
    evil = replace(
        report,
        name=EVIL,
        findings=(finding,),
        remaining=(finding,),
        view=replace(report.view, before=(graph,), after=()),
    )
    page = opened(render_html([evil]))
    _drawn(page)
    page.fill(".find", "img")
    page.keyboard.press("Enter")
    page.wait_for_timeout(200)
    assert EVIL in page.locator(".detail").inner_text()
    assert page.locator("img").count() == 0
    assert page.title() != "owned"


def test_a_script_that_gets_in_would_not_run(report: Report, opened: Any) -> None:
    script = "<script>document.title='owned'</script>"
    page = opened(render_html([report]).replace("<h2", f"{script}<h2"), refusals=True)
    assert page.title() != "owned"


def test_check_and_several_models(report: Report, opened: Any) -> None:
    other = check(concat_example(), AlignOptions(view=True), name="other.tflite")
    page = opened(render_html([other, report]))
    _drawn(page)
    assert page.locator("section.graph").count() == 2
    assert page.locator("#model-0 [data-graph]").count() == 1


def test_of_two_thousand_operators_the_first_400_are_listed(opened: Any) -> None:
    report = check(_long(2000), AlignOptions(view=True), name="long.tflite")
    page = opened(render_html([report]))
    _drawn(page)
    page.select_option(".shown", "all")
    assert page.locator(".count").inner_text() == "2,000 of 2,000 operators, the first 400 listed"


def _long(count: int) -> bytes:
    """Blocks of two convolutions and an ADD round them, with a pool that breaks a rule."""
    graph = Graph()
    graph.activation("x", 0.05)
    last, made = "x", 0
    while made < count:
        name = f"b{made}"
        if count - made < 4:
            last = graph.conv(last, name, 0.05)
            made += 1
            continue
        graph.conv(last, f"{name}.c", 0.04)
        graph.conv(f"{name}.c", f"{name}.d", 0.06)
        graph.activation(f"{name}.p", 0.05 if made % 40 == 0 else 0.06)
        graph.add("RELU", [f"{name}.d"], [f"{name}.p"])
        graph.activation(name, 0.1)
        graph.add("ADD", [last, f"{name}.p"], [name], ("AddOptions", {}))
        last, made = name, made + 4
    return graph.bytes(["x"], [last])
