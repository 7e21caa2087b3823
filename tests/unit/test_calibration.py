"""What real inputs change: how data is matched with inputs, and the labels that come of it."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np
import pytest

from tests.calibrated import quiet_inputs, wide_member
from tests.graphs import SHAPE, Graph
from tflite_align import AlignOptions, UsageError, align
from tflite_align.binder import bind
from tflite_align.checker import check_bound
from tflite_align.numerics import Label, Range
from tflite_align.pipeline import AlignResult
from tflite_align.reader import read
from tflite_align.report.text import render_text
from tflite_align.rules import load_operators, load_target
from tflite_align.solver import Options, solve
from tflite_align.solver.flow import value_flow

Array = np.ndarray[Any, Any]


def two_inputs() -> bytes:
    graph = Graph()
    graph.activation("a", 0.05)
    graph.activation("b", 0.05)
    graph.activation("sum", 0.1)
    graph.add("ADD", ["a", "b"], ["sum"], ("AddOptions", {}))
    return graph.bytes(["a", "b"], ["sum"])


GOOD = np.zeros((5, *SHAPE[1:]))
EXPECTED = "expected shape (samples, 1, 4, 4, 3)"
UNFIT: list[tuple[dict[str | int, Array], str]] = [
    (
        {"a": GOOD, "c": GOOD},
        "input 1 ('b'): found nothing under its name or position (there is 'a', 'c'), " + EXPECTED,
    ),
    (
        {},
        "input 0 ('a'): found nothing under its name or position (there is no array at all), "
        + EXPECTED,
    ),
    (
        {"a": np.zeros((5, 4, 3)), "b": GOOD},
        "input 0 ('a'): found shape (5, 4, 3), " + EXPECTED,
    ),
    (
        {0: np.zeros((0, 4, 4, 3)), 1: GOOD},
        "input 0 ('a'): found shape (0, 4, 4, 3), " + EXPECTED,
    ),
    ({0: GOOD, 1: GOOD[:3]}, "input 1 ('b'): found 3 samples, expected 5 as for input 0"),
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
def test_data_that_does_not_fit_is_refused_before_anything_runs(
    calibration: dict[str | int, Array], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: object, **__: object) -> None:
        raise AssertionError("something ran")

    monkeypatch.setattr("subprocess.run", never)
    with pytest.raises(UsageError) as caught:
        align(two_inputs(), AlignOptions(calibration=calibration))
    assert str(caught.value) == f"calibration: {message}"


@pytest.mark.parametrize("keys", [("a", "b"), (0, 1), ("0", "1"), ("b", "a")])
def test_data_that_fits(keys: tuple[str | int, str | int]) -> None:
    given = {keys[0]: GOOD, keys[1]: GOOD, "answers": np.zeros(3)}
    assert align(two_inputs(), AlignOptions(calibration=given)).report.outcome == "nothing to align"


def label(result: AlignResult, name: str) -> Label:
    tensors = read(result.data).subgraphs[0].tensors
    quant = next(tensor.quant for tensor in tensors if tensor.name == name)
    assert quant is not None
    return Label(*quant.label)


def test_a_member_that_stays_small_does_not_widen_its_group() -> None:
    plain = align(wide_member(), AlignOptions(verify=False))
    assert label(plain, "cat") == Label(float(np.float32(0.1)), 0)
    real = AlignOptions(calibration={"x": quiet_inputs()}, verify=False)
    result = align(wide_member(), real)
    assert label(result, "c1") == label(result, "c2") == label(result, "cat")
    assert label(result, "cat").scale < 0.04
    assert (result.report.remaining, result.report.cuts) == ((), 0)
    assert (result.report.proof, result.report.without_calibration) == (None, ())
    assert align(result.data, real).data == result.data


def kept_join() -> bytes:
    """As wide_member, but the joined tensor, +-5.1, is a graph output and stays as it is."""
    graph = Graph(seed=3)
    graph.activation("x", 0.05)
    graph.conv("x", "c1", 0.4)
    graph.activation("cat", 0.04, shape=(1, 4, 4, 6))
    graph.conv("x", "c2", 0.04)
    graph.add("CONCATENATION", ["c1", "c2"], ["cat"], ("ConcatenationOptions", {"axis": 3}))
    graph.conv("c1", "z", 0.1)
    return graph.bytes(["x"], ["cat", "z"])


def test_a_cut_is_not_needed_where_values_stay_small() -> None:
    """Without calibration the wide member has to be cut, with it it can move."""
    data = kept_join()
    plain = align(data, AlignOptions(verify=False)).report
    real = align(data, AlignOptions(calibration={0: quiet_inputs()}, verify=False)).report
    assert (plain.cuts, real.cuts) == (1, 0)
    assert plain.remaining == real.remaining == ()


@pytest.mark.parametrize(("highest", "cuts"), [(5.09, 0), (5.11, 1), (12.0, 1)])
def test_a_value_that_was_seen_is_never_worth_less_than_a_cut(highest: float, cuts: int) -> None:
    """5.08 is the last value of the kept label; its step is 0.04, half of which is rounding."""
    model = read(kept_join())
    bound = bind(model, load_operators(), [load_target("tflite")])
    wide = next(tensor.index for tensor in model.subgraphs[0].tensors if tensor.name == "c1")
    broken = [finding.slot for finding in check_bound(bound)]
    observed = {(0, wide): Range(-5.0, highest)}
    assert len(solve(bound, broken, Options(observed=observed)).cuts) == cuts


def test_the_report_compares_each_output_with_and_without() -> None:
    report = align(wide_member(), AlignOptions(calibration={"x": quiet_inputs()})).report
    assert report.proof is not None
    assert report.proof.word == "proven"
    without = {level.name: level.declared_aligned_db for level in report.without_calibration}
    real = {score.name: score.declared_aligned_db for score in report.proof.outputs}
    assert list(without) == list(real) == ["y", "z"]
    for name in ("y", "z"):
        before, after = without[name], real[name]
        assert before is not None
        assert after is not None
        assert after > before + 1.0
    text = render_text(report)
    rows = text[text.index("Calibration: declared SQNR in dB") :].splitlines()[:4]
    assert rows[1].split() == ["output", "without", "with"]
    assert rows[2].split() == ["output", "0", "y", f"{without['y']:.1f}", f"{real['y']:.1f}"]


def test_a_calibration_that_decides_nothing_is_compared_with_itself() -> None:
    """Inputs that fill the declared ranges: both plans are one, and judged once."""
    wild = {"x": np.random.default_rng(0).normal(0, 3, (64, 4, 4, 3)).astype(np.float32)}
    report = align(wide_member(), AlignOptions(calibration=wild)).report
    assert report.proof is not None
    real = [score.declared_aligned_db for score in report.proof.outputs]
    assert [level.declared_aligned_db for level in report.without_calibration] == real


def test_without_a_runtime_the_declared_ranges_count_and_the_report_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    module = import_module("tflite_align.verify.observe")  # the room's `observe` is the function
    monkeypatch.setattr(module, "available", lambda _: "no runtime")
    options = AlignOptions(calibration={0: quiet_inputs()}, verify=False)
    result = align(wide_member(), options)
    assert result.report.warnings == ("calibration tightens no ranges: no runtime",)
    assert result.data == align(wide_member(), AlignOptions(verify=False)).data


def test_a_dead_member_asks_for_a_step_of_what_it_declared() -> None:
    """Values that are always 0 give no scale; a label must not shrink to nothing for them."""
    bound = bind(read(wide_member()), load_operators(), [load_target("tflite")])
    broken = [finding.slot for finding in check_bound(bound)]
    observed = dict.fromkeys(value_flow(bound).labels, Range(-1e-12, 0.0))
    for key, arrived in value_flow(bound, observed).arrive.items():
        assert arrived.high - arrived.low == pytest.approx(value_flow(bound).labels[key].scale)
    solution = solve(bound, broken, Options(observed=observed))
    assert solution.conflicts == ()
    assert min(written.scale for written in solution.source.values()) >= 0.04 / 256
