"""Edge cases of numerics.py. Most were added since a changed source line (a mutant) passed all
other tests.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tflite_align.numerics import (
    Label,
    Range,
    _balanced,
    close_scale,
    covering_label,
    covers,
    first_apart,
    hull,
    int4_pack,
    int4_unpack,
    integers_of,
    intersect,
    label_range,
    packed_as,
    product_scale,
    requantize,
    requantize_bias,
    symmetric_weights,
    to_float32,
    type_limits,
    usable_label,
)

TINY = float(np.finfo(np.float32).tiny)
QUARTER = float(np.finfo(np.float32).max) / 4


@pytest.mark.parametrize("zero_point", [-128, 127])
def test_both_ends_are_limited_so_that_a_hull_has_a_label(zero_point: int) -> None:
    assert usable_label(Label(QUARTER / 255 * 0.99, zero_point), "int8")
    assert not usable_label(Label(QUARTER / 255 * 1.01, zero_point), "int8")


def test_ranges_intersect_join_and_cover() -> None:
    assert intersect(Range(0, 2), Range(1, 3)) == Range(1, 2)
    assert intersect(Range(0, 1), Range(1, 2)) == Range(1, 1)
    assert hull(Range(0, 2), Range(-1, 1)) == hull(Range(-1, 1), Range(0, 2)) == Range(-1, 2)
    assert covers(Range(0, 1), Range(0, 1))
    assert not covers(Range(0, 1), Range(-0.1, 1))
    assert not covers(Range(0, 1), Range(0, 1.1))
    assert covers(Range(0, 1), Range(-0.1, 1.1), slack=0.125)
    assert not covers(Range(0, 1), Range(-0.2, 1), slack=0.125)
    assert not covers(Range(0, 1), Range(0, 1.2), slack=0.125)
    assert type_limits("int4") == (-8, 7)
    assert type_limits("float32") is None


@pytest.mark.parametrize("type_name", ["int8", "uint8", "int16"])
@given(
    low=st.floats(allow_nan=False, max_value=0.0), high=st.floats(allow_nan=False, min_value=0.0)
)
@example(low=-9.410929733459746e16, high=1.7248033415526152)
@example(low=-1.0, high=float("inf"))
def test_any_range_has_a_usable_label(type_name: str, low: float, high: float) -> None:
    label = covering_label(Range(low, high), type_name)
    least, greatest = type_limits(type_name) or (0, 0)
    assert 0 < label.scale < np.inf
    assert label.scale == to_float32(label.scale)
    assert least <= label.zero_point <= greatest
    known = Range(max(low, -2 * QUARTER), min(high, 2 * QUARTER))
    assert covers(label_range(label, type_name), known)


@pytest.mark.parametrize("type_name", ["int8", "uint8", "int16"])
def test_ends_beyond_every_label_are_limited_to_half_of_the_largest(type_name: str) -> None:
    half = 2 * QUARTER
    for far in (4 * QUARTER, 1e60, np.inf):
        assert covering_label(Range(-far, 0), type_name) == covering_label(
            Range(-half, 0), type_name
        )
        assert covering_label(Range(-1, far), type_name) == covering_label(
            Range(-1, half), type_name
        )


def test_covering_labels_of_tiny_ranges_are_usable() -> None:
    assert covering_label(Range(0, 0), "int16") == Label(TINY, 0)
    assert covering_label(Range(0, 0), "int8") == Label(TINY, -128)
    assert covering_label(Range(0, TINY * 200), "int8") == Label(TINY, -128)
    assert covering_label(Range(0, 1e-3), "int8", symmetric=True).zero_point == 0


@given(st.integers(-300, 0), st.integers(0, 300))
def test_a_tiny_range_around_zero_is_covered_on_both_sides(low: int, high: int) -> None:
    wanted = Range(low * TINY, high * TINY)
    label = covering_label(wanted, "int8")
    assert covers(label_range(label, "int8"), wanted)
    assert TINY <= label.scale <= 3 * TINY


def test_a_tiny_upper_end_gets_exactly_one_step() -> None:
    assert covering_label(Range(-254, 1e-30), "int8") == Label(1.0, 126)


def test_a_range_that_fits_exactly_keeps_its_step() -> None:
    assert covering_label(Range(-128, 127), "int8") == Label(1.0, 0)
    assert covering_label(Range(-127, 32767), "int16") == Label(1.0, 0)
    # A range above or below 0 is extended to 0.
    assert covering_label(Range(255 / 256, 255 / 256), "int8") == Label(2.0**-8, -128)
    assert covering_label(Range(-255, -255), "int8") == Label(1.0, 127)


@given(st.integers(-1000, 0), st.integers(1, 1000), st.sampled_from([1.0, 1e-3, 0.37]))
def test_no_other_zero_point_is_finer(low: int, high: int, unit: float) -> None:
    wanted = Range(low * unit, high * unit)
    found = covering_label(wanted, "int8")
    for zero_point in range(-128, 128):
        below, above = zero_point + 128, 127 - zero_point
        if (low and not below) or not above:
            continue
        least = max(-wanted.low / below if below else 0.0, wanted.high / above)
        assert found.scale <= np.nextafter(np.float32(least), np.float32(np.inf))
    assert covers(label_range(found, "int8"), wanted)


def test_float_noise_is_relative() -> None:
    assert not close_scale(0.001, 0.0011)
    assert not close_scale(1000.0, 1001.0)
    assert close_scale(1000.0, 1000.001)
    assert close_scale(0.0, 0.0)


def test_a_new_zero_point_is_added() -> None:
    data = np.array([-10, 0, 10], np.int8).tobytes()
    moved = requantize(data, "int8", Label(0.5, 2), Label(0.25, 7))
    assert np.frombuffer(moved, np.int8).tolist() == [-17, 3, 23]


def test_int4_is_packed_low_nibble_first() -> None:
    assert int4_unpack(bytes([0x21, 0x8F])).tolist() == [1, 2, -1, -8]
    assert int4_unpack(bytes([0x21])).dtype == np.int8
    assert int4_pack(np.array([1, 2, -1, -8, 7], np.int8)) == bytes([0x21, 0x8F, 0x07])
    finer = requantize(bytes([0x21, 0x8F]), "int4", Label(0.5, 1), Label(1.0, -1))
    assert int4_unpack(finer).tolist() == [-1, 0, -2, -6]
    wider = requantize(bytes([0x21, 0x8F]), "int4", Label(0.5, 0), Label(0.25, 0), "int8")
    assert np.frombuffer(wider, np.int8).tolist() == [2, 4, -2, -16]
    assert integers_of(bytes([0x21, 0x8F]), "int4", 3).tolist() == [1, 2, -1]
    assert integers_of(np.array([300, -2], "<i2").tobytes(), "int16", 9).tolist() == [300, -2]
    assert integers_of(b"", "int8", 0).dtype == np.float64
    assert packed_as(np.array([[1.0, 2.0], [-1.0, -8.0]]), "int4") == bytes([0x21, 0x8F])
    assert packed_as(np.array([1.0, -2.0]), "int16") == b"\x01\x00\xfe\xff"


def test_a_bias_with_zero_points_and_scales_of_its_own() -> None:
    data = np.array([10, -10], "<i4").tobytes()
    new, overflow, error = requantize_bias(
        data, "int32", [0.5, 0.25], [0.125, 0.5], "int32", zero_points=(2, -6)
    )
    assert np.frombuffer(new, "<i4").tolist() == [32, -2]
    assert (overflow, error) == (False, 0.0)
    assert requantize_bias(b"", "int32", [1.0], [1.0], "int64") == (b"", False, 0.0)
    assert requantize_bias(b"", "int32", [], [], "int64") == (b"", False, 0.0)


@pytest.mark.parametrize("type_name", ["int32", "int64"])
def test_overflow_begins_at_the_limits_of_the_type(type_name: str) -> None:
    """The largest and smallest integers that float64 can tell from an overflow fit; those beyond
    are clipped and reported as an overflow.
    """
    low, high = type_limits(type_name) or (0, 0)
    step = 1 if type_name == "int32" else 1024  # the distance of float64 values just below 2**63
    top = high + 1 - step
    kept, overflow, error = requantize_bias(
        np.array([top, low], "<i8").tobytes(), "int64", [1.0], [1.0], type_name
    )
    assert integers_of(kept, type_name, 2).tolist() == [top, low]
    assert (overflow, error) == (False, 0.0)
    for beyond in (1.0, -1.0):
        data = np.array([beyond * 2**60], "<i8").tobytes()
        kept, overflow, error = requantize_bias(data, "int64", [1.0], [1 / 64], type_name)
        assert np.frombuffer(kept, f"<i{step // 1024 * 4 + 4}").tolist() == [
            top if beyond > 0 else low
        ]
        assert overflow
        assert error > 0


def test_products_are_rounded_once() -> None:
    first, seconds = 0.1, (0.3, 0.7)
    assert product_scale(first, seconds) == [to_float32(0.1 * 0.3), to_float32(0.1 * 0.7)]
    assert product_scale(first, (0.3,), 0.5) == [to_float32(0.1 * 0.3 * 0.5)]
    assert product_scale(first, seconds, 2.0) == [to_float32(0.06), to_float32(0.14)]


WEIGHTS = st.lists(st.integers(-255, 255), min_size=12, max_size=12)


@given(WEIGHTS, st.sampled_from([None, 0, 1, 2]))
@example([0, 4, -111, 118, -120, -122, -124, -155, -162, 187, 242, 242], None)
def test_symmetric_weights_stand_for_the_real_ones(values: list[int], axis: int | None) -> None:
    step = to_float32(0.01)
    real = np.array(values, np.float64).reshape(2, 3, 2) * step
    fitted = symmetric_weights(real, axis, step)
    assert fitted.integers.shape == real.shape
    assert fitted.integers.dtype == np.int8
    assert fitted.integers.min() >= -127
    assert len(fitted.scales) == (1 if axis is None else real.shape[axis])
    along = [1] * 3
    if axis is not None:
        along[axis] = -1
    scales = np.array(fitted.scales).reshape(along)
    assert all(to_float32(scale) == scale for scale in fitted.scales)
    off = fitted.integers * scales - real
    assert fitted.noise == pytest.approx(np.sqrt(np.mean(off**2)))
    channels = [off] if axis is None else list(np.moveaxis(off, axis, 0))
    reals = [real] if axis is None else list(np.moveaxis(real, axis, 0))
    for scale, errors, channel in zip(fitted.scales, channels, reals, strict=True):
        top = float(np.max(np.abs(channel)))
        if top <= 127.5 * step:
            assert scale == step
            assert np.all(errors == 0)
            continue
        plain = top / 127
        naive = np.trunc(channel / plain + np.copysign(0.5, channel)) * plain - channel
        cost = np.sum(errors**2) + 4 * np.sum(errors) ** 2
        # One of the scales that are tried differs from the plain one by less than 1e-4 of it, which
        # changes each value by at most 1e-4 of the largest.
        moved = 1e-4 * top
        whole = abs(float(np.sum(naive))) + moved * naive.size
        assert cost <= np.sum((np.abs(naive) + moved) ** 2) + 4 * whole**2


def test_a_channel_within_its_step_keeps_it() -> None:
    for top in (127, -127):
        fitted = symmetric_weights(np.array([top, 1.0, 0.0]), None, 1.0)
        assert fitted.scales == (1.0,)
        assert fitted.integers.tolist() == [top, 1, 0]
    assert symmetric_weights(np.zeros((2, 0)), None, 0.5).noise == 0.0
    assert symmetric_weights(np.array(3.0), 0, 1.0).integers.ravel().tolist() == [3]


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_errors_of_one_sign_are_balanced(sign: float) -> None:
    """Ten weights of 0.4 steps sum to 4. Rounding each to the nearest integer gives 0, so that some
    are rounded up instead.
    """
    row = sign * np.array([0.4] * 9 + [0.45, 127.0])
    taken = _balanced(row, np.array([1.0, 0.5]), np.rint(row / np.array([[1.0], [0.5]])))
    assert np.sum(taken[0]) == sign * 131
    assert taken[0][9] == sign, "the one that was nearly rounded so"
    assert sorted(np.abs(taken[0][:9])) == [0] * 6 + [1] * 3
    assert np.all(np.abs(taken[1][:-1]) <= 1)
    assert np.sum(np.abs(taken[1][:-1])) == 8
    assert np.max(np.abs(taken)) == 127


def test_rounding_is_changed_until_the_sum_of_errors_is_zero() -> None:
    one = np.array([1.0])
    assert _balanced(np.array([-0.4, -0.3, -0.3]), one, np.zeros((1, 3))).tolist() == [[-1, 0, 0]]
    assert _balanced(np.array([0.5, 0.5]), one, np.ones((1, 2))).tolist() == [[0, 1]]


@pytest.mark.parametrize("unit", [2.0**-10, 1.0, 1024.0])
def test_the_search_for_a_scale_is_scale_invariant(unit: float) -> None:
    """Weights times any power of two give the same integers and that multiple of the scale."""
    row = np.array([255.0, -254.0, 131.0, 77.0, 1.0])
    fitted = symmetric_weights(row * unit, None, unit)
    assert fitted.scales[0] == pytest.approx(255 * unit / 127, rel=0.1)
    assert fitted.noise < 255 * unit / 127
    assert fitted.integers.tolist() == symmetric_weights(row, None, 1.0).integers.tolist()


@pytest.mark.parametrize("count", [1_000, 40_000])
def test_a_long_channel_is_searched_with_fewer_tries(count: int) -> None:
    real = np.tile([255.0, -254.0, 131.0, 1.0], count // 4)
    fitted = symmetric_weights(real, None, 1.0)
    assert fitted.integers.shape == (count,)
    assert fitted.noise < 255 / 127


def test_the_first_differing_scale_is_found() -> None:
    assert first_apart([], []) is None
    assert first_apart([1.0, 0.0], [1.000001, 0.0]) is None
    assert first_apart([1.0, 2.0, 3.0], [1.0, 2.1, 3.1]) == 1
    assert first_apart([2.0], [1.0]) == 0
    assert first_apart([float("nan")], [1.0]) == 0
