from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tflite_align.numerics import (
    Label,
    Range,
    close_scale,
    covering_label,
    covers,
    int4_pack,
    int4_unpack,
    intersect,
    is_power_of_two,
    label_range,
    requantize,
    requantize_bias,
    to_float32,
    usable_label,
)

TYPES = st.sampled_from(["int8", "uint8", "int16"])
EDGES = st.floats(-1e4, 1e4, width=32).filter(lambda v: v == 0 or abs(v) > 1e-4)


@given(low=EDGES, high=EDGES, type_name=TYPES)
def test_covering_label_covers_both_edges_and_zero(low: float, high: float, type_name: str) -> None:
    wanted = Range(min(low, high), max(low, high))
    label = covering_label(wanted, type_name)
    held = label_range(label, type_name)
    assert covers(held, Range(min(wanted.low, 0.0), max(wanted.high, 0.0)))
    assert float(np.float32(label.scale)) == label.scale


@given(low=EDGES, high=EDGES)
def test_covering_label_wastes_less_than_two_steps(low: float, high: float) -> None:
    wanted = Range(min(low, high, 0.0), max(low, high, 0.0))
    label = covering_label(wanted, "int8")
    held = label_range(label, "int8")
    if wanted.high - wanted.low > 1e-3:
        assert (held.high - held.low) - (wanted.high - wanted.low) <= 2 * label.scale


def test_covering_label_keeps_a_range_that_starts_at_zero() -> None:
    assert covering_label(Range(0.0, 25.5), "int8").zero_point == -128
    assert covering_label(Range(0.0, 25.5), "uint8").zero_point == 0
    assert covering_label(Range(-25.5, 0.0), "int8").zero_point == 127


@given(st.floats(1e-6, 1e6))
def test_the_range_of_an_int16_label_is_covered_by_that_label(scale: float) -> None:
    """Covering a label's own range gives the label itself; otherwise each alignment would make the
    scale a little larger.
    """
    label = Label(to_float32(scale), 0)
    assert covering_label(label_range(label, "int16"), "int16") == label


def test_covering_label_of_int16_is_symmetric() -> None:
    """The zero point is 0 and the scale is the larger magnitude over 32767, rounded up to a float32
    so that the end is covered.
    """
    label = covering_label(Range(-1.0, 3.0), "int16")
    assert label.zero_point == 0
    assert 3 / 32767 <= label.scale <= np.nextafter(np.float32(3 / 32767), np.float32(1))


def test_covering_label_contains_ends_that_the_naive_formula_clips() -> None:
    """(high - low) / 255 with a rounded zero point does not contain both ends; `covering_label`
    makes the scale a little larger, so that it does.
    """
    wanted = Range(-1.0, 2.0)
    scale = 3.0 / 255
    naive = label_range(Label(scale, round(-128 + 1.0 / scale)), "int8")
    assert not covers(naive, wanted, slack=1e-9) or scale <= covering_label(wanted, "int8").scale
    assert covers(label_range(covering_label(wanted, "int8"), "int8"), wanted)


def test_intersection_of_disjoint_ranges_is_the_nearest_point() -> None:
    assert intersect(Range(0, 1), Range(2, 3)) == Range(2, 2)
    assert intersect(Range(2, 3), Range(0, 1)) == Range(1, 1)


@given(st.lists(st.integers(-128, 127), min_size=1, max_size=40), st.integers(-20, 20))
def test_requantize_to_a_finer_label_is_exact(values: list[int], zero_point: int) -> None:
    old, new = Label(0.5, zero_point), Label(0.25, 0)
    data = np.array(values, dtype=np.int8).tobytes()
    wide = np.frombuffer(requantize(data, "int8", old, new, "int16"), dtype="<i2")
    assert np.array_equal(wide * 0.25, (np.array(values) - zero_point) * 0.5)


def test_requantize_saturates_and_rounds_half_away_from_zero() -> None:
    data = np.array([127, -128, 1, -1], dtype=np.int8).tobytes()
    doubled = requantize(data, "int8", Label(1.0, 0), Label(2.0, 0))
    assert np.frombuffer(doubled, dtype=np.int8).tolist() == [64, -64, 1, -1]
    halved = requantize(data, "int8", Label(1.0, 0), Label(0.5, 0))
    assert np.frombuffer(halved, dtype=np.int8).tolist() == [127, -128, 2, -2]


def test_bias_overflow_is_reported_and_does_not_wrap() -> None:
    data = np.array([2**30, -5], dtype="<i4").tobytes()
    new, overflow, _ = requantize_bias(data, "int32", [1.0], [0.25], "int32")
    assert overflow
    assert np.frombuffer(new, dtype="<i4").tolist() == [2**31 - 1, -20]
    wide, overflow, error = requantize_bias(data, "int32", [1.0], [0.25], "int64")
    assert not overflow
    assert error == 0
    assert np.frombuffer(wide, dtype="<i8").tolist() == [2**32, -20]


def test_a_bias_is_requantized_channel_by_channel() -> None:
    data = np.array([10, 10, 10], dtype="<i4").tobytes()
    new, _, error = requantize_bias(data, "int32", [1.0], [0.5, 1.0, 4.0], "int32")
    assert np.frombuffer(new, dtype="<i4").tolist() == [20, 10, 3]
    assert error == pytest.approx(2.0)


@given(st.lists(st.integers(-8, 7), min_size=2, max_size=20).filter(lambda v: len(v) % 2 == 0))
def test_int4_round_trip(values: list[int]) -> None:
    packed = int4_pack(np.array(values, dtype=np.int8))
    assert int4_unpack(packed).tolist() == values
    assert len(packed) * 2 == len(values)


def test_float_noise_and_powers() -> None:
    assert close_scale(0.1, float(np.nextafter(np.float32(0.1), np.float32(1))))
    assert not close_scale(0.1, 0.1001)
    assert is_power_of_two(1 / 4096)
    assert not is_power_of_two(0.3)
    assert not is_power_of_two(0.0)


def test_a_tiny_negative_end_is_covered() -> None:
    """With a lower end of -1e-30 the rounded zero point is the type's minimum, with which no scale
    covers a negative value. The next zero point is taken.
    """
    label = covering_label(Range(-1e-30, 1.0), "int8")
    assert label.zero_point == -127
    assert covers(label_range(label, "int8"), Range(-1e-30, 1.0))


@pytest.mark.parametrize("scale", [0.0, -0.5, float("nan"), float("inf")])
def test_a_bias_is_not_re_expressed_in_an_invalid_scale(scale: float) -> None:
    data = np.array([100, -7], dtype=np.int32).tobytes()
    for old, new in (([0.1, 0.1], [0.1, scale]), ([0.1, scale], [0.1, 0.1])):
        kept, overflow, error = requantize_bias(data, "int32", old, new, "int32")
        assert (kept, overflow, error) == (data, True, float("inf"))


@pytest.mark.parametrize(
    ("scale", "usable"),
    [(0.1, True), (1e-45, True), (1e35, True), (1e38, False), (0.0, False), (-1.0, False)],
)
def test_a_label_stands_for_float32_values(scale: float, usable: bool) -> None:  # noqa: FBT001
    assert usable_label(Label(scale, 0), "int8") is usable


def test_a_value_beyond_float32_becomes_infinite() -> None:
    assert to_float32(1e39) == float("inf")
