"""The HTML report in a browser: no console errors, a drawn graph, usable by keyboard."""

from __future__ import annotations

from typing import Any

import pytest

import synthetic
from tests.conftest import DATA
from tests.support.models import POOL, Graph, concat_example
from tflite_align import AlignOptions, Report, align, check
from tflite_align.record import replace
from tflite_align.report.html.index_page import IndexEntry, render_index
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
    assert _wide(page) == width
    assert page.locator("h1").inner_text().startswith("concat.tflite")
    backgrounds = {"light": "rgb(255, 255, 255)", "dark": "rgb(15, 19, 24)"}
    shown = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert shown == backgrounds[scheme]


# Texts whose contrast with their background is too low (WCAG 2.1 AA), with the contrast.
FAINT = """() => {
  const paint = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const rgb = (colour) => { paint.clearRect(0, 0, 1, 1); paint.fillStyle = colour; paint.fillRect(0, 0, 1, 1); return [...paint.getImageData(0, 0, 1, 1).data]; };
  const light = (colour) => {
    const [r, g, b] = rgb(colour).map((one) => { const x = one / 255; return x <= 0.04045 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4; });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (one) => { for (; one; one = one.parentElement) { const c = getComputedStyle(one).backgroundColor; if (rgb(c)[3] === 255) return c; } return "white"; };
  const found = [];
  for (const details of document.querySelectorAll("details")) details.open = true;
  for (const one of document.querySelectorAll("body *")) {
    const words = [...one.childNodes].filter((node) => node.nodeType === 3 && node.textContent.trim());
    if (!words.length || !one.getClientRects().length) continue;
    const [a, b] = [light(getComputedStyle(one).color), light(behind(one))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) found.push(`${one.tagName}.${one.className}: ${ratio.toFixed(2)}: ${words[0].textContent.trim().slice(0, 40)}`);
  }
  return found;
}"""
# Elements whose text is cut off by their container or by the page.
CUT_OFF = """() => {
  for (const details of document.querySelectorAll("details")) details.open = true;
  const found = [];
  for (const one of document.querySelectorAll("section.charts *, h1, h2, .summary *, .legend *, .bar *")) {
    const place = one.getBoundingClientRect();
    if (!place.width || one.closest("svg") || one.closest(".scroll") || getComputedStyle(one).position === "absolute" && !one.textContent.trim()) continue;
    if (place.left < -0.5 || place.right > innerWidth + 0.5) found.push(`${one.tagName}.${one.className}: ${one.textContent.slice(0, 40)}`);
    if (one.scrollWidth > one.clientWidth + 1 && getComputedStyle(one).overflowX === "hidden" && !one.classList.contains("hidden")) found.push(`cut: ${one.tagName}.${one.className}`);
  }
  return found;
}"""


@pytest.fixture(scope="module")
def measured() -> Report:
    """A report with figures of every operator: a real verification of the shipped sample."""
    return align(DATA / "sample_dealigned.tflite", view=True, compare=True).report


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_words_can_be_read_in_both_themes(measured: Report, opened: Any, scheme: str) -> None:
    page = opened(render_html([measured]), color_scheme=scheme)
    _drawn(page)
    assert page.evaluate(FAINT) == []


@pytest.mark.parametrize("width", [1280, 390, 320])
def test_no_words_are_cut_off(measured: Report, opened: Any, width: int) -> None:
    page = opened(render_html([measured]), viewport={"width": width, "height": 844})
    _drawn(page)
    assert page.evaluate(CUT_OFF) == []
    assert _wide(page) == width


BROKEN = """() => {
  for (const details of document.querySelectorAll("details")) details.open = true;
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode;
    if (!node.parentElement.closest(".summary td, .tables td, .option")) continue;
    for (const match of node.data.matchAll(/(?<![\\w\\/;.])(--[a-z-]+|-?\\d[\\d.,]*\\d( dB)?)/g)) {
      const range = document.createRange();
      range.setStart(node, match.index);
      range.setEnd(node, match.index + match[0].length);
      if (new Set([...range.getClientRects()].map((line) => line.top)).size > 1) found.push(match[0]);
    }
  }
  return found;
}"""


@pytest.mark.parametrize("width", [1280, 390, 320])
def test_no_figure_is_broken(measured: Report, opened: Any, width: int) -> None:
    page = opened(render_html([measured]), viewport={"width": width, "height": 844})
    _drawn(page)
    assert page.evaluate(BROKEN) == []


def test_a_dot_leads_to_its_operator(measured: Report, opened: Any) -> None:
    page = opened(render_html([measured]))
    _drawn(page)
    button = page.locator(".goto").first
    wanted = button.inner_text().rpartition("/")[2]
    button.click()
    assert page.locator(".detail h3").inner_text() == wanted
    plane = page.locator(".plane")
    box = plane.bounding_box()
    plane.click(position={"x": box["width"] - 1, "y": box["height"] / 2})
    last = page.locator(".plane").get_attribute("data-high")
    assert page.locator(".detail h3").inner_text().startswith(f"operator[{last}] ")


@pytest.fixture(scope="module")
def large() -> Report:
    return align(_mostly_sound(40), OPTIONS, name="long.tflite").report


def _labels(page: Any) -> Any:
    """Width and height in pixels, as seen on the screen, of the labels that are drawn."""
    return page.evaluate(
        """() => { const cy = document.querySelector(".drawn-graph")._cyreg.cy;
        return cy.nodes().filter((node) => node.style("label"))
          .map((node) => parseFloat(node.style("font-size")) * cy.zoom()); }"""
    )


def test_labels_can_be_read_at_every_zoom(large: Report, opened: Any) -> None:
    page = opened(render_html([large]))
    _drawn(page)
    for button in [*[".farther"] * 6, ".fit", *[".nearer"] * 14]:
        page.click(button)
        page.wait_for_timeout(60)
        sizes = _labels(page)
        assert sizes
        assert min(sizes) > 9


def test_unchanged_parts_are_folded_until_they_are_opened(large: Report, opened: Any) -> None:
    page = opened(render_html([large]))
    _drawn(page)
    count = "document.querySelector('.drawn-graph')._cyreg.cy.nodes().length"
    few = page.evaluate(count)
    page.click(".fold")
    every = page.evaluate(count)
    assert few < every / 2
    page.click(".fold")
    assert page.evaluate(count) == few
    page.select_option(".shown", "all")
    page.focus(".list")
    page.keyboard.press("Home")
    assert page.evaluate(count) == every, "an operator that is chosen is shown"


def test_the_small_map_leads_there(large: Report, opened: Any) -> None:
    page = opened(render_html([large]))
    _drawn(page)
    small = page.locator(".minimap")
    assert not small.is_visible(), "folded, all of it is seen"
    page.click(".fold")
    assert small.is_visible()
    pan = "document.querySelector('.drawn-graph')._cyreg.cy.pan().y"
    before = page.evaluate(pan)
    box = small.bounding_box()
    small.click(position={"x": box["width"] / 2, "y": box["height"] - 6})
    assert page.evaluate(pan) < before
    page.click(".fit")
    page.wait_for_timeout(100)
    assert not small.is_visible()


def test_the_theme_button_switches_to_the_dark_page(report: Report, opened: Any) -> None:
    page = opened(render_html([report]), color_scheme="light")
    _drawn(page)
    page.click("#theme")
    assert page.get_attribute("#theme", "aria-pressed") == "true"
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(15, 19, 24)"


def test_the_first_repaired_operator_is_selected_at_first(report: Report, opened: Any) -> None:
    """The first repaired operator is selected when the page opens."""
    page = opened(render_html([report]))
    _drawn(page)
    assert page.locator('.list [aria-selected="true"]').inner_text() == "2 CONCATENATION repaired"
    assert "Why" in page.locator(".detail").inner_text()


def test_groups_beyond_the_first_are_folded(opened: Any) -> None:
    report = align(synthetic.build(60).head, OPTIONS, name="long.tflite").report
    page = opened(render_html([report]))
    assert page.locator("section.charts > .figures > figure").count() == 6
    folded = page.locator("section.charts > details").filter(has_text="more groups")
    assert folded.locator("summary").first.inner_text().endswith("more groups")
    folded.locator("summary").first.focus()
    page.keyboard.press("Enter")
    assert folded.locator("figure").first.is_visible()


def test_keyboard_finds_an_operator_and_its_reasons(report: Report, opened: Any) -> None:
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


def test_names_with_markup_have_no_effect(report: Report, opened: Any) -> None:
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


@pytest.mark.parametrize("width", [1280, 390, 320])
def test_the_table_of_many_models_fits(opened: Any, width: int) -> None:
    row = (
        "folder/of/models/concat.tflite",
        "aligned",
        "verified",
        3,
        12,
        "aligned: 1 tensor moved",
    )
    entry = IndexEntry(row=row, page=b"")
    page = opened(
        render_index([entry, entry]),
        viewport={"width": width, "height": 844},
    )
    page.wait_for_selector("#models td")
    assert _wide(page) == width
    assert page.locator("#models tbody tr").nth(1).inner_text().count("concat.tflite") == 1


def test_the_first_400_of_two_thousand_operators_are_listed(opened: Any) -> None:
    report = check(_long(2000), AlignOptions(view=True), name="long.tflite")
    page = opened(render_html([report]))
    _drawn(page)
    page.select_option(".shown", "all")
    assert page.locator(".count").inner_text() == "2,000 of 2,000 operators, the first 400 listed"


def _mostly_sound(count: int) -> bytes:
    """A chain of `count` convolutions in which two distant operators violate a rule."""
    graph = Graph()
    last = "x"
    graph.activation(last, 0.05)
    for part in range(3):
        for at in range(count):
            last = graph.conv(last, f"c{part}.{at}", 0.05)
        if part < 2:
            graph.activation(f"p{part}", 0.06)
            graph.add("MAX_POOL_2D", [last], [f"p{part}"], POOL)
            last = f"p{part}"
    return graph.bytes(["x"], [last])


def _long(count: int) -> bytes:
    """`count` residual blocks (two convolutions and an ADD), with a pool that violates a rule."""
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
