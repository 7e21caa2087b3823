"""The chosen alignment never costs more than PPQ's strategies on the same model."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings

from tests.support.random_models import models
from tflite_align import AlignOptions, align


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(models())
def test_no_ppq_strategy_costs_less(data: bytes) -> None:
    report = align(data, AlignOptions(verify=False, compare=True)).report
    if not report.strategies:
        return
    ours, *others = report.strategies
    assert ours.holds
    assert all(component.optimal for component in report.components)
    assert all(ours.cost <= other.cost + 1e-6 for other in others if other.holds)
