"""The largest distance of two functions over an interval, computed step by step, equals that over
all integers.
"""

from __future__ import annotations

from functools import partial

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tflite_align.certify.functions.accumulate import (
    accumulate_double,
    accumulate_double_second_tie_up,
    accumulate_float32,
)
from tflite_align.certify.functions.affine import Affine
from tflite_align.certify.step_distances import apart_on, apart_over, steps

KINDS = (accumulate_double, accumulate_double_second_tie_up, accumulate_float32)


def _kernels(scale: float, zero_point: int) -> list[list[partial[np.ndarray]]]:
    output = Affine(float(np.float32(scale)), zero_point, -128, 127)

    def of(kind: object, a: np.ndarray) -> np.ndarray:
        return kind(a, 0.02, 0.005, output)  # type: ignore[operator,no-any-return]

    return [
        [partial(of, KINDS[0])],
        [partial(of, KINDS[1]), partial(of, KINDS[0])],
        [partial(of, KINDS[2])],
    ]


@given(
    scale=st.floats(2e-5, 0.05),
    zero_point=st.integers(-128, 127),
    low=st.integers(-9000, 2000),
    length=st.integers(0, 9000),
)
def test_distances_by_steps_equal_distances_by_integers(
    scale: float, zero_point: int, low: int, length: int
) -> None:
    kernels = _kernels(scale, zero_point)
    every = apart_on(kernels, np.arange(low, low + length + 1))
    parts = apart_over(kernels, [(low, low + length)])
    assert parts.cases == every.cases == length + 1
    for pair, found in every.pairs.items():
        assert (parts.pairs[pair].largest, parts.pairs[pair].differing) == (
            found.largest,
            found.differing,
        )


def _guess(zero_point: int, real: float, shift: float, k: np.ndarray) -> np.ndarray:
    return (k - zero_point - 0.5) / real + shift


@given(scale=st.floats(2e-5, 0.05), zero_point=st.integers(-128, 127))
def test_the_estimate_of_steps_does_not_change_the_result(scale: float, zero_point: int) -> None:
    ((function,), *_) = _kernels(scale, zero_point)
    real = 0.02 * 0.005 / scale
    for shift in (0.0, 5.0, 1e6):
        about = partial(_guess, zero_point, real, shift)
        guessed = steps(function, -9000, 9000, about)
        assert np.array_equal(guessed, steps(function, -9000, 9000))


def test_overlapping_intervals_are_counted_separately() -> None:
    kernels = _kernels(0.01, 3)
    both = apart_over(kernels, [(-5000, 4000), (-100, 9000)])
    alone = [apart_over(kernels, [ends]) for ends in ((-5000, 4000), (-100, 9000))]
    assert both.cases == sum(one.cases for one in alone)
    assert both.every.differing == sum(one.every.differing for one in alone) > 0
