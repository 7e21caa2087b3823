"""No real kernel exceeds its certified bound. Each case is one operator, over every input integer
or, for accumulators, at every step of the function.
"""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.certify.test_arithmetic import available, elementwise
from tests.support.arithmetic_models import KernelCase, accumulator_case
from tests.support.kernel_batch import run_batch
from tflite_align.certify.functions.real import BINARY, UNARY
from tflite_align.certify.functions.registry import INDICES
from tflite_align.certify.make import certify
from tflite_align.numerics import INTEGER_LIMITS, to_float32

Array = Any

_SUMMED = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "TRANSPOSE_CONV")


def _cases() -> list[KernelCase]:
    """One model of each kind, and convolutions whose accumulators take every value at which the
    function's result changes.
    """
    cases = []
    for kind, make in elementwise():
        rng = np.random.default_rng([7, zlib.crc32(kind.encode())])
        cases.append(make(rng, kind))
    for operator in _SUMMED:
        for power in (-3.0, -2.0, -0.7):
            rng = np.random.default_rng([7, zlib.crc32(operator.encode()), int(-power * 10)])
            cases.append(
                accumulator_case(
                    operator,
                    "int8",
                    10.0**power,
                    rng,
                    several=operator == "CONV_2D",
                    dense=512,
                    name=f"{operator}{power}",
                )
            )
    return cases


def _real(case: KernelCase) -> Array:
    """The exact real result for each element that the kernel writes."""
    if case.operator in _SUMMED:
        # The accumulator consists of the bias alone, whose scale is a float32.
        accumulators, input_scale, weight_scale = case.arguments
        return accumulators * to_float32(input_scale * weight_scale)
    if case.operator == "RESIZE_BILINEAR":
        return _resized(case)
    if case.operator in ("AVERAGE_POOL_2D", "MEAN", "SUM"):
        totals, count, given = case.arguments
        whole = (totals - count * given.zero_point) * given.scale
        return whole if case.operator == "SUM" else whole / count
    if case.operator in BINARY:
        a, b, first, second = case.arguments
        x, y = ((q - by.zero_point) * by.scale for q, by in ((a, first), (b, second)))
        return BINARY[case.operator](x, y)
    x, given = case.arguments
    return UNARY[case.operator]((x - given.zero_point) * given.scale, case.facts)


def _resized(case: KernelCase) -> Array:
    """The exact result of a bilinear interpolation, real values."""
    (image, size), by = case.arguments, case.output
    real = (image - by.zero_point) * by.scale
    for axis in (0, 1):
        given, taken = real.shape[axis], size[axis]
        corner = case.keywords["align_corners"] and taken > 1
        half = 0.5 * case.keywords["half_pixel"]
        place = (np.arange(taken) + half) * (given - corner) / (taken - corner) - half
        place = np.clip(place, 0, given - 1)
        below = np.floor(place).astype(int)
        above = np.minimum(below + 1, given - 1)
        part = (place - below).reshape((-1, 1, 1) if axis == 0 else (1, -1, 1))
        real = real.take(below, axis) * (1 - part) + real.take(above, axis) * part
    return real.ravel()


def _exceeded(case: KernelCase, runtime: str, computed: Array) -> tuple[bool, str]:
    """(whether the operator has a bound, text of an error that exceeds it or ""). `computed`: the
    kernel's integers.
    """
    row = certify(case.data, runtimes=(runtime,))["subgraphs"][0]["operators"][0]
    if row["status"] != "certified":
        return False, ""
    if row["functions"][runtime][0] in INDICES:
        return True, _chosen(case, runtime, computed)
    out, real = case.output, _real(case)
    low, high = INTEGER_LIMITS[case.types.outputs[0]]
    least, most = ((end - out.zero_point) * out.scale for end in (low, high))
    written = (computed.astype(np.int64).ravel() - out.zero_point) * out.scale
    off = float(np.max(np.abs(written - np.clip(real, least, most)))) / out.scale
    bound = row["bounds"][runtime]
    return True, f"{runtime} {case.name}: {off:.6f} LSB, not {bound:.6f}" if off > bound else ""


def _chosen(case: KernelCase, runtime: str, computed: Array) -> str:
    """Text of an error if ARG_MAX or ARG_MIN returned the index of an element that is not an
    extreme; else "". `computed`: the kernel's indices.
    """
    (x,) = case.arguments
    best = x.max(axis=1) if case.operator == "ARG_MAX" else x.min(axis=1)
    written = x[np.arange(len(x)), computed.ravel()]
    return "" if np.array_equal(written, best) else f"{runtime} {case.name}: another element"


@pytest.mark.parametrize("runtime", available())
def test_no_bound_is_exceeded_by_a_real_kernel(runtime: str, tmp_path: Path) -> None:
    cases = _cases()
    outcomes = run_batch(cases, runtime, tmp_path)
    bounded, wrong = 0, []
    for case in cases:
        found = outcomes[case.name]
        if not found.outputs:
            continue
        known, what = _exceeded(case, runtime, found.outputs[0])
        bounded += known
        wrong += [what] if what else []
    assert wrong == []
    assert bounded >= 20
