"""The HTML page's charts, drawn without scripts: axes, bars, dots, histograms."""

from __future__ import annotations

import math
import re

import pytest

from tests.support.models import concat_example
from tflite_align import AlignOptions, Report, align
from tflite_align.record import replace
from tflite_align.report.graph_folding import folded, folded_edges
from tflite_align.report.graph_layout import Edge
from tflite_align.report.html.article import article
from tflite_align.report.html.charts import charts
from tflite_align.report.html.plots import Axis, DrawnBar, bars, dots, number
from tflite_align.report.settling import settling
from tflite_align.verdicts import (
    Acceptance,
    FidelityScore,
    Histogram,
    JudgeVerdict,
    OperatorFigure,
    OutputScore,
    StepCheck,
    Verification,
)

EVIL = "<img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def report() -> Report:
    return align(concat_example(), AlignOptions(verify=False, compare=True, view=True)).report


def verified(report: Report, **words: object) -> Report:
    """The report with a verification of one output and three operators; two of the operators also
    have a value before alignment.
    """
    score = OutputScore(
        name="scores",
        subgraph=0,
        index=0,
        tensor=9,
        declared_original_db=20.0,
        declared_aligned_db=40.0,
        runs=(
            FidelityScore(
                judge="litert",
                sqnr_db=math.inf,
                original_db=None,
                gap_db=None,
                gap_low_db=None,
                word="verified",
                largest=0.25,
                top1=1.0,
            ),
        ),
        word="verified",
        largest_original=1.5,
        largest_aligned=0.5,
        top1_original=0.5,
        top1_aligned=0.984375,
    )
    operators = tuple(_operator(at, level) for at, level in enumerate((30.0, None, math.inf)))
    steps = StepCheck(checked=3, beyond=(), not_judged=(), operators=operators)
    found = Verification(word="verified", why="", outputs=(score,), steps=steps, samples=64)
    return replace(report, verification=replace(found, **words))


def _operator(at: int, level: float | None) -> OperatorFigure:
    histogram = Histogram(low=-1.0, high=1.0, counts=(0, 3, 1), below=0, above=0)
    wide = Histogram(low=-2.0, high=2.0, counts=(2, 0, 1), below=1, above=0)
    return OperatorFigure(
        address=f"subgraph[0]/operator[{at}] RELU",
        subgraph=0,
        operator=at,
        tensor=at,
        name=f"tensor of {at} {EVIL}",
        lsb=0.5,
        largest_lsb=0.75,
        tolerance_lsb=2.5,
        sqnr_db=level,
        original_sqnr_db=12.0 if at == 0 else None,
        arrives=histogram if at == 0 else None,
        original_arrives=wide if at == 0 else None,
    )


def test_an_axis_has_round_ticks_within_it() -> None:
    for low, high in ((0, 17.2), (-3, 240), (-2e-4, 1e-5), (0, 1), (5, 5), (-1e6, 1e9)):
        axis = Axis.over([low, high])
        assert 2 <= len(axis.ticks) <= 7
        assert all(axis.low <= tick <= axis.high for tick in axis.ticks[:-1])
        assert axis.at(axis.low) == 0
        assert axis.at(axis.high) == 100
    assert Axis.over([None, math.inf, math.nan], zero=True).high > 0
    assert number(-1234.5) == "\u22121,234"


def test_values_beyond_the_axis_are_drawn_at_its_end() -> None:
    axis = Axis(low=0, high=10)
    assert 'style="left:50%;width:50.00%"' in bars(axis, [DrawnBar(start=5, end=99, kind="before")])
    assert dots(axis, axis, [(5, 20)], "after").count("M50 0h") == 1


def test_every_operator_is_a_dot(report: Report) -> None:
    page = charts(verified(report), 0)
    (before, after) = re.findall(r'<path class="dots (?:before|after)" d="([^"]*)"', page)
    assert before.count("M") == 1
    assert after.count("M") == 2  # the third operator has no value
    assert page.count('class="goto"') == 2
    assert "30.0 dB" in page
    assert "exact" in page


def test_outputs_show_error_and_top1(report: Report) -> None:
    page = charts(verified(report), 0)
    assert "largest error against float, as declared: 1.5 \u2192 0.5" in page
    assert "top-1 agreement with float: 50 % \u2192 98.4 % (as run: litert 100 %)" in page
    assert "did not run \u2192 exact" in page


def test_histograms_show_the_clipped_share(report: Report) -> None:
    page = charts(verified(report), 0)
    assert "25 % clipped" in page
    assert "nothing clipped" in page
    assert EVIL not in page


def test_a_tensor_is_called_by_its_name(report: Report) -> None:
    named = verified(report)
    assert named.verification is not None
    inner = replace(named.verification.outputs[0], index=-1)
    found = replace(named, verification=replace(named.verification, outputs=(inner,)))
    assert 'inner tensor <code title="scores">scores</code>' in charts(found, 0)
    assert '<code title="scores">scores</code>, as declared' in article(found, 0)


def _badge(report: Report) -> str:
    found = re.search(r'<span class="badge (\w+)">([^<]*)<', article(report, 0))
    assert found is not None
    return f"{found[1]}: {found[2]}"


def test_aligned_is_green_only_if_verified(report: Report) -> None:
    assert _badge(verified(report)) == "good: Aligned"
    assert _badge(report) == "warn: Aligned, not verified"
    for word in ("inconclusive", "skipped"):
        assert _badge(verified(report, word=word)) == "warn: Aligned, not verified"
    failed = replace(verified(report, word="failed"), reasons=("the numbers are wrong",))
    assert _badge(failed) == "bad: Aligned"


def _skipped(judge: str, reason: str, status: str = "skipped") -> JudgeVerdict:
    before = Acceptance(status="accepted")
    after = replace(before, status=status, reason=reason)
    return JudgeVerdict(judge=judge, before=before, after=after, word="skipped")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            {"judges": (_skipped("tflm", "tflite-micro is not installed"),)},
            "Install the requirements of tflm (tflite-micro is not installed).",
        ),
        (
            {"judges": (_skipped("vela", "", "timeout"),)},
            "Give vela more time with --judge-seconds.",
        ),
        ({"samples": 8}, "Use at least 64 inputs: --samples 64."),
        ({"why": "numbers not judged: size: 9 GB"}, "Allow more memory with --memory."),
    ],
)
def test_an_inconclusive_verification_gets_advice(
    report: Report, words: dict[str, object], said: str
) -> None:
    found = verified(report, **{"word": "inconclusive", **words})
    assert said in settling(found)
    assert said in re.sub("<[^>]*>", "", article(found, 0)).replace("&quot;", '"')


def test_a_decided_verification_gets_no_advice(report: Report) -> None:
    assert settling(verified(report)) == ()
    assert settling(verified(report, word="failed")) == ()
    assert settling(report) == ("Align again without --no-verify.",)


def test_runs_between_touched_operators_are_folded() -> None:
    assert folded(10, {4}) == [(0, 3), (4, 4), (5, 9)]
    assert folded(5, {2}) == [(0, 0), (1, 1), (2, 2), (3, 3), (4, 4)]
    assert folded(7, set()) == [(0, 6)]
    assert folded(0, set()) == []


def test_edges_connect_the_items_that_contain_their_ends() -> None:
    """A graph input, a chain of five operators with one edge that skips operators, a graph output.
    After folding operators 0 to 3 into one item, the edges connect items.
    """
    chain = [Edge(source=at, target=at + 1, tensor=at) for at in range(6)]
    round_ = Edge(source=1, target=5, tensor=1)
    items = folded(5, {4})
    assert items == [(0, 3), (4, 4)]
    found = folded_edges([*chain, round_], 1, items)
    assert {(edge.source, edge.target, edge.tensor) for edge in found} == {
        (0, 1, 0), (1, 2, 1), (1, 2, 4), (2, 3, 5),
    }  # fmt: skip
