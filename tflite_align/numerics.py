"""Arithmetic on scales: float32 scales, representable ranges, requantization, multiplier ratios.

Units: a *real* value is what an integer stands for; a *step* (LSB) is one integer, `scale` real
units wide. Scales are float32 values held exactly in Python floats; ranges are float64.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "DTYPES",
    "INTEGER_LIMITS",
    "SMALLEST_SCALE",
    "Fitted",
    "Label",
    "Range",
    "close_scale",
    "covering_label",
    "covers",
    "first_apart",
    "hull",
    "int4_pack",
    "int4_unpack",
    "integers_of",
    "intersect",
    "is_power_of_two",
    "label_range",
    "packed_as",
    "product_scale",
    "requantize",
    "requantize_bias",
    "symmetric_weights",
    "to_float32",
    "type_limits",
    "usable_label",
]

DTYPES: dict[str, np.dtype[np.generic]] = {
    "int8": np.dtype("<i1"),
    "uint8": np.dtype("<u1"),
    "int16": np.dtype("<i2"),
    "int32": np.dtype("<i4"),
    "int64": np.dtype("<i8"),
}

# Smallest and largest integer of each type.
INTEGER_LIMITS = {
    "int4": (-8, 7),
    "int8": (-128, 127),
    "uint8": (0, 255),
    "int16": (-32768, 32767),
    "int32": (-(2**31), 2**31 - 1),
    "int64": (-(2**63), 2**63 - 1),
}

# Relative difference below which two scales differ only by rounding: float32 products differ by
# 2e-7, a text with six decimals by 5e-6 at 1/256. Over the 255 steps of an 8-bit tensor it moves
# the range's end by 0.003 steps.
_FLOAT_NOISE = 1e-5

# The largest float32.
_LARGEST = float(np.finfo(np.float32).max)
_MOST = _LARGEST / 4  # of the real values of a usable label: the hull of two ranges fits float32
_UPWARDS = np.float32(np.inf)
# The smallest normal float32. Smaller units count as 0, as in kernels.
SMALLEST_SCALE = float(np.finfo(np.float32).tiny)


class Label(NamedTuple):
    """A per-tensor (scale, zero_point) pair."""

    scale: float
    zero_point: int

    def __str__(self) -> str:
        """The text in reports: `(0.05, 3)`."""
        return f"({self.scale:.7g}, {self.zero_point})"

    @property
    def in_words(self) -> str:
        """The text in findings, exact for every float32: `scale 0.05, zero_point 3`."""
        return f"scale {self.scale:.9g}, zero_point {self.zero_point}"


class Range(NamedTuple):
    """A closed interval of real values."""

    low: float
    high: float


def to_float32(value: float) -> float:
    """The nearest float32 value, as a Python float; infinite if the value is out of range."""
    with np.errstate(over="ignore"):
        return float(np.float32(value))


def type_limits(type_name: str) -> tuple[int, int] | None:
    """Smallest and largest integer of a quantized type; None for any other type."""
    return INTEGER_LIMITS.get(type_name)


def label_range(label: Label, type_name: str) -> Range:
    """The range of real values that a tensor of this type and label can represent."""
    low, high = INTEGER_LIMITS[type_name]
    scale, zero_point = label
    # Past the constructor, which is written in Python: several are made for each tensor.
    return tuple.__new__(Range, (scale * (low - zero_point), scale * (high - zero_point)))


def usable_label(label: Label, type_name: str) -> bool:
    """Whether the scale is positive and finite, its real values fit float32 and the type holds the
    zero point.
    """
    low, high = INTEGER_LIMITS[type_name]
    scale, zero_point = label
    if not 0 < scale < math.inf or not low <= zero_point <= high:
        return False
    return scale * (zero_point - low) < _MOST and scale * (high - zero_point) < _MOST


def hull(first: Range, second: Range) -> Range:
    """The smallest range that contains both."""
    return Range(min(first.low, second.low), max(first.high, second.high))


def intersect(first: Range, second: Range) -> Range:
    """The overlap of two ranges; without an overlap, the point of `second` nearest to `first`."""
    low, high = max(first.low, second.low), min(first.high, second.high)
    if low <= high:
        return Range(low, high)
    point = second.low if first.high < second.low else second.high
    return Range(point, point)


def covers(outer: Range, inner: Range, slack: float = 0.0) -> bool:
    """Whether `outer` contains both edges of `inner`, with at most `slack` real units missing per
    side.
    """
    return outer.low <= inner.low + slack and outer.high >= inner.high - slack


def covering_label(wanted: Range, type_name: str, *, symmetric: bool = False) -> Label:
    """The finest label whose range contains both edges of `wanted` and zero.

    The scale is widened until an integer zero point fits, so neither edge is clipped. Symmetric
    (always so for int16): zero point 0, and the scale is the largest quotient of an edge and the
    type's limit on its side, so that the range of a label is covered by that label. The smallest
    scale is the smallest normal float32, which an empty range gets; edges beyond half of the
    largest float32 are treated as lying there.
    """
    low, high = INTEGER_LIMITS[type_name]
    smallest = SMALLEST_SCALE
    bottom = max(min(wanted.low, 0.0), -_LARGEST / 2)
    top = min(max(wanted.high, 0.0), _LARGEST / 2)
    if symmetric or type_name == "int16":
        below = bottom / low if low else -bottom / high  # uint8 has no integers below 0
        return Label(_scale_up(max(below, top / high, smallest)), 0)
    if top == bottom:
        return Label(smallest, low)
    # Rounding may move the zero point past the end, so that an edge near zero gets no step.
    ideal = min(max(low - bottom * (high - low) / (top - bottom), low), high)
    # An edge near zero rounds to zero, but needs a step on its side.
    near = (math.floor(ideal), math.floor(ideal) + 1, math.ceil(ideal) - 1)
    candidates = {min(max(zero_point, low), high) for zero_point in near}
    return min([_fit(bottom, top, zero_point, low, high) for zero_point in candidates])


def _fit(bottom: float, top: float, zero_point: int, low: int, high: int) -> Label:
    """The smallest scale at which this zero point covers [bottom, top]; infinite if there is none."""
    scale = SMALLEST_SCALE
    if bottom < 0:
        scale = max(scale, -bottom / (zero_point - low) if zero_point > low else math.inf)
    if top > 0:
        scale = max(scale, top / (high - zero_point) if zero_point < high else math.inf)
    return Label(_scale_up(scale) if scale < math.inf else math.inf, zero_point)


def _scale_up(scale: float) -> float:
    """The smallest float32 that is not below `scale`."""
    nearest = np.float32(scale)
    found = float(nearest)
    return found if found >= scale else float(np.nextafter(nearest, _UPWARDS))


def close_scale(first: float, second: float, tolerance: float = _FLOAT_NOISE) -> bool:
    """Whether two scales are equal up to float rounding (relative)."""
    return abs(first - second) <= tolerance * max(abs(first), abs(second))


def first_apart(first: list[float], second: list[float]) -> int | None:
    """Index of the first pair of scales that differ by more than float rounding; None without one."""
    a, b = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    apart = ~(np.abs(a - b) <= _FLOAT_NOISE * np.maximum(np.abs(a), np.abs(b)))
    place = int(apart.argmax()) if apart.size else 0
    return place if apart.size and apart[place] else None


def is_power_of_two(scale: float) -> bool:
    """Whether the scale is a power of two."""
    return scale > 0 and math.isfinite(scale) and math.frexp(scale)[0] == 0.5


def product_scale(first: float, seconds: tuple[float, ...], factor: float = 1.0) -> list[float]:
    """Scales of a bias: input scale x each weight scale x factor, rounded once to float32."""
    if len(seconds) == 1:
        return [to_float32(first * seconds[0] * factor)]
    products = first * np.asarray(seconds, dtype=np.float64)
    if factor != 1.0:
        products = products * factor
    found: list[float] = products.astype(np.float32).tolist()
    return found


def _round(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Round half away from zero, as TFLite's kernels do."""
    return np.trunc(values + np.copysign(0.5, values))


def requantize(
    data: bytes | memoryview, type_name: str, old: Label, new: Label, new_type: str | None = None
) -> bytes:
    """Requantize a constant's integers to another label and type: the nearest real values,
    saturated.

    Per-tensor parameters only.
    """
    target = new_type or type_name
    packed = type_name == "int4"
    integers = int4_unpack(data) if packed else np.frombuffer(data, dtype=DTYPES[type_name])
    real = (integers.astype(np.float64) - old.zero_point) * old.scale
    low, high = INTEGER_LIMITS[target]
    steps = np.clip(_round(real / new.scale) + new.zero_point, low, high)
    if target == "int4":
        return int4_pack(steps.astype(np.int8))
    return steps.astype(DTYPES[target]).tobytes()


def requantize_bias(
    data: bytes | memoryview,
    type_name: str,
    old: Sequence[float],
    new: Sequence[float],
    new_type: str,
    *,
    zero_points: tuple[int, ...] = (),
) -> tuple[bytes, bool, float]:
    """Requantize a bias from its declared parameters to new scales (one, or one per channel).

    float32 values are in units of their single old scale. Returns the new bytes, whether a value
    left the new type's range (it is then saturated), and the largest rounding error in real units.
    A scale that is not positive and finite counts as leaving the range. An integer 0 stays 0
    whatever its old scale.
    """
    dtype = np.dtype("<f4") if type_name == "float32" else DTYPES[type_name]
    integers = np.frombuffer(data, dtype=dtype).astype(np.float64)
    if not np.all(np.isfinite(integers)):
        return bytes(data), True, math.inf
    if zero_points:
        integers = integers - np.asarray(zero_points, dtype=np.float64)
    new_scales = np.asarray(new, dtype=np.float64)
    old_scales = np.where(integers == 0, 1.0, np.asarray(old, dtype=np.float64))
    for scales in (old_scales, new_scales):
        if scales.size and not 0 < scales.min() <= scales.max() < math.inf:
            return bytes(data), True, math.inf
    real = integers * old_scales
    steps = _round(real / new_scales)
    low, high = INTEGER_LIMITS[new_type]
    # float64 rounds 2^63 - 1 up; the cast must not wrap.
    limit = float(high) if float(high) <= high else float(np.nextafter(float(high), 0.0))
    overflow = bool(np.any((steps < low) | (steps > limit)))
    steps = np.clip(steps, low, limit)
    error = float(np.max(np.abs(steps * new_scales - real), initial=0.0))
    return steps.astype(DTYPES[new_type]).tobytes(), overflow, error


def int4_unpack(data: bytes | memoryview) -> NDArray[np.int8]:
    """Unpack signed 4-bit values, two per byte, the first in the low nibble (an odd count is
    padded).
    """
    packed = np.frombuffer(data, dtype=np.uint8)
    values = np.empty(packed.size * 2, dtype=np.int8)
    values[0::2] = (packed << 4).astype(np.int8) >> 4
    values[1::2] = packed.astype(np.int8) >> 4
    return values


def integers_of(data: bytes | memoryview, type_name: str, count: int) -> NDArray[np.float64]:
    """The first `count` integers of a constant, unpacked if they are packed."""
    packed = type_name == "int4"
    found = int4_unpack(data) if packed else np.frombuffer(data, dtype=DTYPES[type_name])
    return found[:count].astype(np.float64)


def packed_as(values: NDArray[np.float64], type_name: str) -> bytes:
    """The bytes of a constant with these integers, which lie within the type's limits."""
    if type_name == "int4":
        return int4_pack(values.astype(np.int8).ravel())
    return values.astype(DTYPES[type_name]).tobytes()


def int4_pack(values: NDArray[np.int8]) -> bytes:
    """The inverse of int4_unpack; the last byte of an odd count is padded with 0."""
    if values.size % 2:
        values = np.append(values, np.int8(0))
    low = values[0::2].astype(np.uint8) & 0x0F
    high = (values[1::2].astype(np.uint8) & 0x0F) << 4
    result: bytes = (low | high).astype(np.uint8).tobytes()
    return result


class Fitted(NamedTuple):
    """Symmetric int8 weights: integers in the weights' shape, and one scale or one per channel.

    `noise`: root mean square of the deviation, in real units.
    """

    integers: NDArray[np.int8]
    scales: tuple[float, ...]
    noise: float


_SYMMETRIC = 127  # largest magnitude of a symmetric int8 weight
_TRIES = 2048  # number of scales tried for a channel whose step must change
_ONE_SIDED = 4.0  # squared mean of an input over its variance, as after a ReLU
_ELEMENTS = 1 << 20  # most weights processed at once, counted for each tried scale


def symmetric_weights(real: NDArray[np.float64], axis: int | None, step: float) -> Fitted:
    """int8 weights nearest to real ones, with a scale for each index of `axis` (None: one scale).

    `step`: the real weights are multiples of it. A channel within 127 steps keeps it as its scale
    and is exact, as does a channel of zeros. Another channel gets the best of many scales: the
    smallest sum of squared errors plus a few times the square of their sum. Inputs of a kernel
    mostly have one sign, so that a sum of errors shifts the output.
    """
    axis = None if real.ndim == 0 else axis
    if axis is None:
        rows = real.reshape(1, -1)
    else:
        rows = np.moveaxis(real, axis, 0).reshape(real.shape[axis], -1)
    fitted = [_best_scale(row, to_float32(step)) for row in rows]
    steps = np.stack([taken for _, taken in fitted])
    scales = tuple(scale for scale, _ in fitted)
    off = steps * np.asarray(scales)[:, None] - rows
    if axis is None:
        integers = steps.reshape(real.shape)
    else:
        integers = np.moveaxis(steps.reshape(np.moveaxis(real, axis, 0).shape), 0, axis)
    noise = math.sqrt(float(np.mean(off**2))) if off.size else 0.0
    return Fitted(np.ascontiguousarray(integers.astype(np.int8)), scales, noise)


def _best_scale(row: NDArray[np.float64], step: float) -> tuple[float, NDArray[np.float64]]:
    """(scale, integers) of one weight channel with the least rounding error. `row`: its real
    values; `step`: scale to keep if all values fit.
    """
    top = float(np.max(np.abs(row), initial=0.0))
    if top <= (_SYMMETRIC + 0.5) * step:
        return step, _round(row / step)
    tries = max(min(_TRIES, _ELEMENTS // row.size), 32)
    # Scales from clipping a tenth of the range to slightly coarser than necessary.
    ratios = np.linspace(0.9, 1.05, tries)
    scales = (top / _SYMMETRIC * ratios).astype(np.float32).astype(np.float64)
    best = math.inf, step, row
    for part in np.array_split(np.append(scales, step), max(tries * row.size // _ELEMENTS, 1)):
        taken = np.clip(_round(row / part[:, None]), -_SYMMETRIC, _SYMMETRIC)
        taken = _balanced(row, part, taken)
        off = taken * part[:, None] - row
        cost = np.sum(off**2, axis=1) + _ONE_SIDED * np.sum(off, axis=1) ** 2
        least = int(np.argmin(cost))
        if cost[least] < best[0]:
            best = float(cost[least]), float(part[least]), taken[least]
    return best[1], best[2]


def _balanced(
    row: NDArray[np.float64], scales: NDArray[np.float64], taken: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Integers, for each scale, whose sum of errors is as near to zero as possible.

    The integers nearest to a rounding boundary are rounded the other way.
    """
    off = taken - row / scales[:, None]  # steps; positive: rounded up
    excess = np.rint(np.sum(off, axis=1))
    sign = np.where(excess > 0, 1.0, -1.0)[:, None]
    # Rounding the other way turns an error f into f - 1 and costs 1 - 2f: largest f of that sign
    # first.
    order = np.argsort(-off * sign, axis=1, kind="stable")
    rank = np.empty_like(order)
    np.put_along_axis(rank, order, np.arange(row.size)[None, :], axis=1)
    turned = (rank < np.abs(excess)[:, None]) & (np.abs(off) <= 0.5) & (off * sign > 0)
    moved = np.where(turned, taken - sign, taken)
    return np.asarray(np.clip(moved, -_SYMMETRIC, _SYMMETRIC), dtype=np.float64)
