"""Calibration data: matching with graph inputs, and the parameters that follow."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np
import pytest

from tests.support.models import SHAPE, kept_join, quiet_inputs, two_inputs, wide_member
from tflite_align import AlignOptions, UsageError, align
from tflite_align.checks.binder.bind import bind
from tflite_align.checks.checker import check_bound
from tflite_align.format.model import TensorId
from tflite_align.format.reader import read
from tflite_align.numerics import Range
from tflite_align.rules.operator_rows import load_operators
from tflite_align.rules.targets import load_target
from tflite_align.solver.problem_records import SolverOptions
from tflite_align.solver.ranges import value_flow
from tflite_align.solver.solve import solve

Array = np.ndarray[Any, Any]


GOOD = np.zeros((5, *SHAPE[1:]))
EXPECTED = "expected shape (samples, 1, 4, 4, 3)"
UNFIT: list[tuple[dict[str | int, Array], str]] = [
    (
        {"a": GOOD, "c": GOOD},
        "input 1 ('b'): found no array under its name or position (found 'a', 'c'), " + EXPECTED,
    ),
    (
        {},
        "input 0 ('a'): found no array under its name or position (found no array), " + EXPECTED,
    ),
    (
        {"a": np.zeros((5, 4, 3)), "b": GOOD},
        "input 0 ('a'): found shape (5, 4, 3), " + EXPECTED,
    ),
    (
        {0: np.zeros((0, 4, 4, 3)), 1: GOOD},
        "input 0 ('a'): found shape (0, 4, 4, 3), " + EXPECTED,
    ),
    ({0: GOOD, 1: GOOD[:3]}, "input 1 ('b'): found 3 samples, expected 5 samples, as for input 0"),
    (
        {0: GOOD.astype(str), 1: GOOD},
        "input 0 ('a'): found values of type <U32, expected real numbers",
    ),
    (
        {0: GOOD, 1: np.full_like(GOOD, np.nan)},
        "input 1 ('b'): found values that are not finite, expected real numbers",
    ),
]


@pytest.mark.parametrize(("calibration", "message"), UNFIT)
def test_calibration_of_wrong_shape_is_refused_before_any_run(
    calibration: dict[str | int, Array], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: object, **__: object) -> None:
        raise AssertionError("something ran")

    monkeypatch.setattr("subprocess.run", never)
    with pytest.raises(UsageError) as caught:
        align(two_inputs(), AlignOptions(calibration=calibration))
    assert str(caught.value) == f"calibration: {message}"


@pytest.mark.parametrize(("highest", "cuts"), [(5.09, 0), (5.11, 1), (12.0, 1)])
def test_clipping_an_observed_value_costs_more_than_a_quantize(highest: float, cuts: int) -> None:
    """The label that is kept reaches to 5.08 in steps of 0.04. Observed values up to 5.09 are less
    than half a step beyond, which rounding would change as much; larger ones would be clipped, so a
    QUANTIZE is inserted.
    """
    model = read(kept_join())
    bound = bind(model, load_operators(), [load_target("tflite")])
    wide = next(tensor.index for tensor in model.subgraphs[0].tensors if tensor.name == "c1")
    broken = [finding.slot for finding in check_bound(bound)]
    observed = {TensorId(0, wide): Range(-5.0, highest)}
    assert len(solve(bound, broken, SolverOptions(observed=observed)).cuts) == cuts


def test_without_a_runtime_the_declared_ranges_count_and_the_report_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    module = import_module(
        "tflite_align.verify.observe"
    )  # as `tflite_align.verify.observe` is also a function
    monkeypatch.setattr(module, "available", lambda _: "no runtime")
    options = AlignOptions(calibration={0: quiet_inputs()}, verify=False)
    result = align(wide_member(), options)
    assert result.report.warnings == ("calibration tightens no ranges: no runtime",)
    assert result.data == align(wide_member(), AlignOptions(verify=False)).data


def test_a_tensor_observed_as_zero_keeps_a_range_of_one_step() -> None:
    """Calibration saw only zeros in every tensor, which gives no scale. The range then is one
    declared step wide, so that no label's scale shrinks towards 0.
    """
    bound = bind(read(wide_member()), load_operators(), [load_target("tflite")])
    broken = [finding.slot for finding in check_bound(bound)]
    observed = dict.fromkeys(value_flow(bound).labels, Range(-1e-12, 0.0))
    for key, arrived in value_flow(bound, observed).arrive.items():
        assert arrived.high - arrived.low == pytest.approx(value_flow(bound).labels[key].scale)
    solution = solve(bound, broken, SolverOptions(observed=observed))
    assert solution.conflicts == ()
    assert min(written.scale for written in solution.source.values()) >= 0.04 / 256
