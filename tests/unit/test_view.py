"""The graph view of a report, which only the HTML page draws; no other format contains it."""

from __future__ import annotations

import pytest

import synthetic
from tests.support.models import concat_example
from tflite_align import AlignOptions, align, check
from tflite_align.pipeline.aligning import question
from tflite_align.report.explanation_text import explanation_lines
from tflite_align.report.html.data import page_data
from tflite_align.report.json import render_json
from tflite_align.report.model_view import ModelView
from tflite_align.rules.families import Policy
from tflite_align.solver import prepare
from tflite_align.solver.explain import explain

DRAWN = AlignOptions(verify=False, view=True)


def _aligned(data: bytes, options: AlignOptions = DRAWN) -> ModelView:
    view = align(data, options).report.view
    assert view is not None
    return view


def test_the_view_is_made_only_if_requested() -> None:
    assert align(concat_example(), AlignOptions(verify=False)).report.view is None
    assert check(concat_example()).view is None


def test_the_view_is_in_no_other_format() -> None:
    plain = align(concat_example(), AlignOptions(verify=False)).report
    drawn = align(concat_example(), DRAWN).report
    assert render_json(drawn) == render_json(plain)


def test_the_view_of_check_has_no_after_graph() -> None:
    view = check(concat_example(), AlignOptions(view=True)).view
    assert view is not None
    assert view.after == ()
    assert [one.name for one in view.before[0].operators] == [
        "CONV_2D", "CONV_2D", "CONCATENATION", "HARD_SWISH",
    ]  # fmt: skip
    assert [member.after for member in view.groups[0].members] == [None, None, None]


def test_group_ranges_and_bits() -> None:
    (group,) = _aligned(concat_example(first=0.1, second=0.05, out=0.1)).groups
    assert group.rules == ("same/CONCATENATION",)
    moved = next(member for member in group.members if member.name == "c2")
    assert moved.after == pytest.approx((-12.8, 12.7), rel=1e-5)
    assert moved.bits == pytest.approx(1.0, abs=1e-5)
    assert group.hull == pytest.approx((-12.8, 12.7), rel=1e-5)


def test_decided_tensors_have_reasons() -> None:
    view = _aligned(concat_example())
    names = {tensor.index: tensor.name for tensor in view.before[0].tensors}
    assert {names[why.key[1]] for why in view.whys} >= {"c1", "c2", "cat"}
    lines = next(why.lines for why in view.whys if names[why.key[1]] == "c2")
    assert any(
        line.startswith("Rules that tie it to other tensors: same/CONCATENATION") for line in lines
    )


def test_inserted_operators_are_marked_and_the_others_paired() -> None:
    options = AlignOptions(verify=False, view=True, policies={"concat": "none"})
    view = _aligned(concat_example(), options)
    after = view.after[0].operators
    added = [one.index for one in after if one.mark == "added"]
    assert [after[at].name for at in added] == ["QUANTIZE"] * len(added)
    assert added
    kept = [one for one in after if not one.mark]
    assert [one.other for one in kept] == [0, 1, 2, 3]
    assert [view.before[0].operators[one.other].other for one in kept] == [o.index for o in kept]


def test_a_group_contains_the_side_of_a_quantize_with_its_label() -> None:
    options = AlignOptions(verify=False, view=True, policies={"concat": "none"})
    report = align(concat_example(), options).report
    (drawn,) = page_data([report])
    graph = drawn["graphs"]["after"][0]
    concatenation = next(one for one in graph["operators"] if one[0] == "CONCATENATION")
    held = [graph["tensors"][str(at)].get("group") for at in (*concatenation[1], *concatenation[2])]
    assert held == [0, 0, 0]
    (cut,) = [one for one in graph["operators"] if one[3] == "added"]
    assert "group" not in graph["tensors"][str(cut[1][0])]


@pytest.mark.parametrize("policy", ["none", "auto"])
def test_reasons_come_from_the_solution(policy: Policy, monkeypatch: pytest.MonkeyPatch) -> None:
    """The view solves no component again, and each tensor's reasons are the sentences of `explain`."""
    data = synthetic.build(20).head
    options = AlignOptions(verify=False, view=True, policies={"concat": policy})
    asked = question(data, options)
    with monkeypatch.context() as patched:
        patched.setattr(prepare, "minimise", lambda *_: pytest.fail("solved again"))
        view = _aligned(data, options)
    assert any(line.startswith("A QUANTIZE to") for why in view.whys for line in why.lines)
    assert len(view.whys) > 4
    for why in view.whys:
        alone = explain(asked.bound, asked.broken, asked.settings, why.key)
        lines = explanation_lines(alone, alternatives=False)
        assert list(why.lines) == [line.partition(" Without it")[0] for line in lines]
