"""Properties of align on random graphs of copying operators, CONCATENATION and arithmetic."""

from __future__ import annotations

import random
from collections.abc import Mapping

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.random_models import PLAIN, models
from tflite_align import AlignOptions, align, check
from tflite_align.format.reader import read
from tflite_align.pipeline import session
from tflite_align.record import replace
from tflite_align.rules.operator_rows import load_operators
from tflite_align.rules.rows import OperatorRow


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(models())
def test_aligned_models_have_no_findings_and_aligning_twice_changes_nothing(data: bytes) -> None:
    once = align(data, PLAIN)
    assert once.report.conflicts == ()
    assert once.report.remaining == ()
    assert check(once.data).findings == ()
    assert align(once.data, PLAIN).data == once.data


@settings(max_examples=40, deadline=None)
@given(models())
def test_graph_inputs_and_outputs_are_unchanged(data: bytes) -> None:
    before, after = read(data).subgraphs[0], read(align(data, PLAIN).data).subgraphs[0]
    assert (before.inputs, before.outputs) == (after.inputs, after.outputs)
    for index in (*before.inputs, *before.outputs):
        assert replace(after.tensors[index], pos=0) == replace(before.tensors[index], pos=0)


@settings(max_examples=40, deadline=None)
@given(models(), st.sampled_from(["input", "output", "large", "none"]))
def test_every_policy_leaves_no_findings(data: bytes, policy: str) -> None:
    policies = dict.fromkeys(("concat", "elementwise", "pooling", "resize"), policy)
    for overlap in ("auto", "forbid"):
        options = AlignOptions(verify=False, policies=policies, overlap=overlap)  # type: ignore[arg-type]
        assert align(data, options).report.remaining == ()


@settings(max_examples=25, deadline=None)
@given(models(), st.randoms(use_true_random=False))
def test_the_order_of_rules_does_not_matter(data: bytes, order: random.Random) -> None:
    expected = align(data, PLAIN).data
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(session, "load_operators", lambda: _shuffled(order))
        assert align(data, PLAIN).data == expected


def _shuffled(order: random.Random) -> Mapping[str, OperatorRow]:
    rows = list(load_operators().values())
    order.shuffle(rows)
    return {
        row.name: replace(row, rules=tuple(order.sample(row.rules, len(row.rules)))) for row in rows
    }
