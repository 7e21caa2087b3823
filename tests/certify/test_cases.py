"""The cases that a function is evaluated at contain its extremes: same minimum, maximum and error
as over all inputs.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest

from tflite_align.certify.functions.affine import Affine, DomainError
from tflite_align.certify.functions.cases import (
    Cases,
    SummedChannel,
    accumulator_cases,
    pair_cases,
    sum_cases,
    weighted_channels,
)
from tflite_align.certify.functions.parted import PARTED
from tflite_align.certify.functions.reach import product_reach, weighted_reach
from tflite_align.certify.functions.real import BINARY
from tflite_align.certify.functions.registry import ACCUMULATE, FLOATS, PAIRS, SUMS
from tflite_align.certify.functions.stored import ACTIVATION_LIMITS, stored_integers
from tflite_align.numerics import INTEGER_LIMITS, integers_of, to_float32

Array = Any


def _affine(rng: np.random.Generator, low: int = -128, high: int = 127) -> Affine:
    return Affine(to_float32(10 ** rng.uniform(-2, 0)), int(rng.integers(low, high)), low, high)


def _extremes(cases: Iterable[Cases], out: Affine) -> tuple[int, int, float]:
    """(smallest integer, largest integer, largest error in steps) over the cases."""
    found = list(cases)
    off = [np.abs((c.written - out.zero_point) * out.scale - c.real) / out.scale for c in found]
    return (
        min(int(c.written.min()) for c in found),
        max(int(c.written.max()) for c in found),
        max(float(o.max()) for o in off),
    )


@pytest.mark.parametrize("function", sorted(ACCUMULATE))
def test_cases_of_an_accumulator_contain_its_extremes(function: str) -> None:
    rng = np.random.default_rng(3)
    for _ in range(20):
        out, scale = _affine(rng), to_float32(10 ** rng.uniform(-3, -1))
        low, high = sorted(int(v) for v in rng.integers(-20000, 20000, 2))
        channel = SummedChannel(
            0.1, scale, low, high, int(rng.integers(-99, 99)), float(rng.normal())
        )
        every = np.arange(low, high + 1)
        written = np.asarray(ACCUMULATE[function](every, 0.1, scale, out))
        real = 0.1 * scale * (every - channel.bias) + channel.offset
        cases = accumulator_cases(function, iter([channel]), out)
        assert _extremes(cases, out) == _extremes([Cases(written, real)], out)


@pytest.mark.parametrize("function", sorted(SUMS))
def test_cases_of_a_sum_contain_its_extremes(function: str) -> None:
    rng = np.random.default_rng(4)
    operator = "SUM" if function.startswith("sum") else "MEAN"
    for _ in range(20):
        by, count = _affine(rng), int(rng.integers(1, 40))
        out = by if function == "average_away" else _affine(rng)
        every = np.arange(count * by.low, count * by.high + 1)
        written = np.asarray(SUMS[function](every, count, by, out))
        real = (every - count * by.zero_point) * (by.scale / (1 if operator == "SUM" else count))
        cases = sum_cases(function, operator, [count], by, out)
        assert _extremes(cases, out) == pytest.approx(_extremes([Cases(written, real)], out))


@pytest.mark.parametrize("function", sorted(PARTED))
def test_pairs_by_one_integer_are_bounded(function: str) -> None:
    """The bound computed from one combined integer holds for random pairs of operands."""
    rng = np.random.default_rng(5)
    operator = PARTED[function][0]
    for _ in range(10):
        ends = (sorted(int(v) for v in rng.integers(-30000, 30000, 2)) for _ in range(2))
        first, second = (Affine(to_float32(10 ** rng.uniform(-4, -3)), 0, *end) for end in ends)
        out = Affine(to_float32(10 ** rng.uniform(-3, -2)), 0, -32768, 32767)
        (case,) = pair_cases(function, operator, first, second, out)
        least, most, off = _extremes([case], out)
        a, b = (rng.integers(by.low, by.high + 1, 30000) for by in (first, second))
        written = np.asarray(PAIRS[function](a, b, first, second, out))
        real = BINARY[operator](a * first.scale, b * second.scale)
        inside = (written > out.low) & (written < out.high)
        assert least <= written.min()
        assert written.max() <= most
        distance = np.abs(written * out.scale - real)[inside] / out.scale
        assert distance.max(initial=0) <= off + case.more + 1e-6


def test_the_range_of_an_accumulator_is_that_of_all_inputs() -> None:
    rng = np.random.default_rng(6)
    for _ in range(50):
        by = Affine(0.1, int(rng.integers(-3, 4)), -3, 3)
        weights, bias = rng.integers(-9, 10, (2, 3)), rng.integers(-99, 100, 2)
        inputs = np.array([*itertools.product(range(-3, 4), repeat=3)]) - by.zero_point
        padded = np.concatenate([inputs * mask for mask in itertools.product((0, 1), repeat=3)])
        totals = padded @ weights.T + bias
        low, high, most = weighted_reach(by, weights, bias)
        assert (low.tolist(), high.tolist()) == (totals.min(0).tolist(), totals.max(0).tolist())
        assert most == np.abs(inputs).max()


def test_the_range_of_a_product_is_that_of_all_pairs() -> None:
    rng = np.random.default_rng(7)
    for _ in range(50):
        first, second = _affine(rng, -5, 6), _affine(rng, -7, 3)
        grid = np.multiply.outer(
            np.arange(-5, 7) - first.zero_point, np.arange(-7, 4) - second.zero_point
        )
        assert product_reach(first, second, 4) == (4 * grid.min(), 4 * grid.max())


def test_an_accumulator_that_can_leave_int32_has_no_cases() -> None:
    by, out = Affine(0.1, 0, -128, 127), Affine(1e6, 0, -128, 127)
    weights = np.full((1, 2**18), 127)
    bias = np.zeros(1, np.int64), np.zeros(1)
    with pytest.raises(DomainError, match="can leave int32"):
        list(weighted_channels(by, (weights, np.ones(1), weights * 1.0), bias, out))
    with pytest.raises(DomainError, match="can leave int32"):
        product_reach(by, by, 2**18)


def test_rounded_weights_put_the_result_off_by_their_distance() -> None:
    by, out = Affine(0.5, 0, -128, 127), Affine(0.1, 0, -128, 127)
    weights = np.array([[10, -20]])
    meant = weights * 0.1 + np.array([[0.01, -0.02]])
    bias = np.array([7]), np.array([0.3])
    (channel,) = weighted_channels(by, (weights, np.array([0.1]), meant), bias, out)
    assert channel.drift == pytest.approx(128 * 0.5 * 0.03)
    assert (channel.low, channel.high) == (-128 * 10 - 127 * 20 + 7, 127 * 10 + 128 * 20 + 7)


@pytest.mark.parametrize("function", sorted(FLOATS))
def test_a_quotient_beyond_float32_saturates(function: str) -> None:
    x = np.array([-3e38, 0.0, 3e38], np.float32)
    out = Affine(0.01, 3, -128, 127)
    assert np.asarray(FLOATS[function](x, out)).tolist() == [-128, 3, 127]


@pytest.mark.parametrize("type_name", ["INT4", "INT8", "UINT8", "INT16", "INT32"])
def test_stored_integers_are_those_of_the_reader(type_name: str) -> None:
    data = np.random.default_rng(8).bytes(24)
    count = {"INT4": 47, "INT16": 12, "INT32": 6}.get(type_name, 24)
    expected = integers_of(data, type_name.lower(), count).astype(np.int64)
    assert stored_integers(data, type_name, (1, count)).tolist() == [expected.tolist()]
    if type_name in ACTIVATION_LIMITS:
        assert ACTIVATION_LIMITS[type_name] == INTEGER_LIMITS[type_name.lower()]
