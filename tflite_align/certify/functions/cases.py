"""Inputs of a named integer function among which its largest error is found, so that a bound holds
for every input.

Each function takes parameters of operands, no files, and yields `Cases`.
tests/certify/test_cases.py compares the extremes with those of all inputs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from .affine import Affine, DomainError
from .parted import PARTED
from .reach import product_reach, weighted_reach
from .real import BINARY, UNARY
from .registry import ACCUMULATE, PAIRS, SUMS, TABLES
from .resize import weight_error
from .steps import step_ends

__all__ = [
    "LARGEST",
    "Cases",
    "SummedChannel",
    "accumulator_cases",
    "copy_cases",
    "pair_cases",
    "position_cases",
    "product_channel",
    "sum_cases",
    "table_cases",
    "weighted_channels",
]

Array = Any
Values = tuple[Array, Array]  # integers and real values
LARGEST = 2.0**26  # LSB: no value in a bound may exceed it
_PAIRS = 2**17  # most pairs of integers that are enumerated


class Cases(NamedTuple):
    """Results at some inputs of an operator: the integers that the kernel writes, and the exact
    real results of the original operator. `more`: an error (steps of the output) to add to their
    largest difference. `total`: (least, greatest) accumulator.
    """

    written: Array
    real: Array
    more: float = 0.0
    total: tuple[int, int] | None = None


class SummedChannel(NamedTuple):
    """One channel of a sum of products. `data_scale`, `weight_scale`: real value per step. `low`,
    `high`: least and greatest accumulator, with the bias; `bias`: its integer. `offset`: real value
    of the original's bias. `drift`: largest error, real value, caused by rounded weights.
    """

    data_scale: float
    weight_scale: float
    low: int
    high: int
    bias: int = 0
    offset: float = 0.0
    drift: float = 0.0


def _all(by: Affine) -> Array:
    """All integers from the operand's least to its greatest, ascending."""
    return np.arange(by.low, by.high + 1)


def _real(integers: Array, by: Affine) -> Array:
    """The real values of integers, by scale and zero point."""
    return (integers - by.zero_point) * by.scale


def _near(value: Any, output: Affine) -> None:
    """Raise DomainError if a real value exceeds LARGEST steps of the output, as float64 is too
    imprecise for a bound there. `value`: a number or an array, not negative.
    """
    if not np.all(value <= LARGEST * output.scale):
        raise DomainError(
            f"no error bound in float64: real values exceed {LARGEST:g} steps of the output"
        )


def _whole(function: Callable[..., Any], integers: Array, **parameters: Any) -> Array:
    """The results of an integer function (called with keyword parameters) as an array."""
    return np.asarray(function(integers, **parameters))


def copy_cases(operand: Affine, output: Affine) -> Iterator[Cases]:
    """The cases of a copy: each operand integer, clamped to the output's limits, with its real
    value.
    """
    q = _all(operand)
    yield Cases(np.clip(q, output.low, output.high), _real(q, operand))


def table_cases(
    function: str,
    operator: str,
    operand: Affine,
    output: Affine,
    options: tuple[Mapping[str, Any], Mapping[str, Any]],
) -> Iterator[Cases]:
    """The cases of a function of one operand: results for all its integers, with the exact real
    values. `function`: name of the integer function; `options`: (those of the kernel, of the
    original operator).
    """
    slope = {key: value for key, value in options[0].items() if key == "alpha"}
    q = _all(operand)
    written = np.asarray(TABLES[function](q, operand, output, **slope))
    yield Cases(written, UNARY[operator](_real(q, operand), options[1]))


def pair_cases(
    function: str,
    operator: str,
    first: Affine,
    second: Affine,
    output: Affine,
    *,
    meant: tuple[Values | None, Values | None] = (None, None),
) -> Iterator[Cases]:
    """The cases of a function of two operands: every pair of integers, if they are at most
    `_PAIRS`. Else for ADD, SUB and MUL: the values of the one integer on which the output depends;
    for MAXIMUM and MINIMUM of equal parameters: every integer of either operand.

    `function`: name of the integer function. `meant`: for an operand of one of SUMMANDS that is a
    clipped constant, its integers with the original's real values, which can lie outside its range;
    None for any other operand. Raises DomainError where no cases are known.
    """
    if (first.high - first.low) * (second.high - second.low) <= _PAIRS:
        own = [(_all(by), _real(_all(by), by)) for by in (first, second)]
        sides = [values or each for values, each in zip(meant, own, strict=True)]
        a, b = (grid.ravel() for grid in np.meshgrid(*(integers for integers, _ in sides)))
        x = [grid.ravel() for grid in np.meshgrid(*(real for _, real in sides))]
        for real, values in zip(x, meant, strict=True):
            _near(np.abs(real) * (values is None), output)
        written = np.asarray(PAIRS[function](a, b, first, second, output))
        yield Cases(written, BINARY[operator](*x))
    elif any(meant):
        raise DomainError("a constant of 16 bits is not the original's, rounded")
    elif operator in {"MAXIMUM", "MINIMUM"} and first[:2] == second[:2]:
        low, high = min(first.low, second.low), max(first.high, second.high)
        yield from copy_cases(first._replace(low=low, high=high), output)
    elif PARTED.get(function, ("",))[0] == operator:
        part = PARTED[function][1](first, second, output)
        by = part.unit / output.scale
        a, y = step_ends(part.last, part.low, part.high, by, output.zero_point)
        yield Cases(y, part.unit * a, part.off / output.scale)
    else:
        raise DomainError("pairs of 16-bit integers are too many to look at")


def sum_cases(
    function: str, operator: str, counts: Sequence[int], operand: Affine, output: Affine
) -> Iterator[Cases]:
    """The cases of a sum or mean: for each number of elements in `counts`, the results for sums at
    which the output changes; it is monotonic in the sum. `function`: name of the integer function.
    """
    for count in counts:
        unit = operand.scale if operator == "SUM" else operand.scale / count
        zero = output.zero_point - count * operand.zero_point * unit / output.scale
        kernel = partial(_whole, SUMS[function], count=count, operand=operand, output=output)
        total = count * operand.low, count * operand.high
        a, y = step_ends(kernel, *total, unit / output.scale, zero)
        yield Cases(y, unit * (a - count * operand.zero_point), 0.0, total)


def position_cases(
    function: str,
    operand: Affine,
    given: tuple[int, int],
    taken: tuple[int, int],
    options: Mapping[str, Any],
) -> Iterator[Cases]:
    """The case of a bilinear resize of (height, width) `given` to `taken`: the ends of the
    operand's range, with the error that weights and rounding add. `function`: name of the integer
    function.
    """
    off, rounded = weight_error(function, given, taken, options)
    ends = np.array([operand.low, operand.high])
    yield Cases(ends, _real(ends, operand), 0.5 + off * (operand.high - operand.low) + rounded)


def accumulator_cases(
    function: str, channels: Iterator[SummedChannel], output: Affine
) -> Iterator[Cases]:
    """The cases of each channel: accumulators between which the output does not change. The output
    is monotone in the accumulator and the real result linear in it, so that the largest error is at
    one of them. `function`: name of the integer function.
    """
    for channel in channels:
        scales = channel.data_scale, channel.weight_scale
        kernel = partial(
            _whole,
            ACCUMULATE[function],
            input_scale=scales[0],
            weight_scale=scales[1],
            output=output,
        )
        by, total = scales[0] * scales[1], (channel.low, channel.high)
        a, y = step_ends(kernel, *total, by / output.scale, output.zero_point)
        yield Cases(
            y, by * (a - channel.bias) + channel.offset, channel.drift / output.scale, total
        )


def product_channel(
    first: Affine, second: Affine, depth: int, output: Affine
) -> Iterator[SummedChannel]:
    """The accumulator of a matrix product of two activations: any sum of `depth` products of their
    integers less the zero points. DomainError for values too large for a bound.
    """
    low, high = product_reach(first, second, depth)
    _near(first.scale * second.scale * max(-low, high), output)
    yield SummedChannel(first.scale, second.scale, low, high)


def weighted_channels(
    operand: Affine,
    weights: tuple[Array, Array, Array],
    bias: tuple[Array, Array],
    output: Affine,
) -> Iterator[SummedChannel]:
    """The accumulators of constant weights and a bias. `weights`: integers less zero points, shape
    [channels, taps], their scale by channel, and the real values of the original's weights; `bias`:
    integers, and the real values of the original's bias, by channel. DomainError for a bias of
    another length, a negative scale, or values too large for a bound.
    """
    (centred, scale, meant), (added, offset) = weights, bias
    if added.shape != scale.shape:
        raise DomainError("the bias has another number of channels than the output")
    if np.any(scale < 0):
        raise DomainError("a scale of its weights is below 0")
    low, high, most = weighted_reach(operand, centred, added)
    parts = operand.scale * scale * (np.abs(centred).sum(1) * most + np.abs(added))
    _near(parts + np.abs(offset), output)
    drift = most * operand.scale * np.abs(centred * scale[:, None] - meant).sum(1)
    columns = (each.tolist() for each in (scale, low, high, added, offset, drift))
    for values in zip(*columns, strict=True):
        yield SummedChannel(operand.scale, *values)
