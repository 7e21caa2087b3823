"""RESIZE_BILINEAR: each output element interpolates between four input elements, by weights that
depend only on its position.

Each is output = f(x, size, output, align_corners, half_pixel_centers): an image of shape [height,
width, channels] resized to `size`, (height, width); the result is flat. Scales and zero points are
not used: output integers lie between input integers. Along an axis, output element i lies
`fraction[i]` / `one` of the way between the input elements `lower[i]` and `upper[i]`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .affine import Affine, DomainError

__all__ = [
    "resize_float32",
    "resize_float32_weights",
    "resize_integer",
    "resize_shifted",
]

Array = NDArray[Any]
_F = np.float32
_MOST = 2**24  # largest number of weights of one axis: output size x input size
# Error of float32 arithmetic in LSB: nine roundings of at most 2^-24 x 256, with a margin.
_ROUNDED = 2.0**-24 * 256 * 16


class PlacesAlong(NamedTuple):
    """Positions of output elements along one axis, arrays of shape [output elements]: the indices
    of the two input elements around each (`lower`, `upper`) and the weight of the upper one,
    `fraction` of `one`.
    """

    lower: Array
    upper: Array
    fraction: Array
    one: int


Along = Callable[..., PlacesAlong]


def _along_integer(
    source: int, target: int, *, align_corners: bool, half_pixel: bool
) -> PlacesAlong:
    """Positions with 10 bits of fraction. The step between elements is rounded too, so that its
    error adds up along the axis. `source`, `target`: numbers of input and output elements.
    `align_corners`, `half_pixel`: the operator's options.
    """
    one, corner = 1 << 10, int(align_corners and target > 1)
    step = (one * (source - corner) + (target - corner) // 2) // (target - corner)
    position = np.arange(target) * step + ((step // 2 - one // 2) if half_pixel else 0)
    lower = np.maximum(position // one, 0)
    upper = np.maximum(np.minimum(-(-position // one), source - 1), 0)
    return PlacesAlong(lower, upper, position - one * lower, one)


def _along_float32(
    source: int, target: int, *, align_corners: bool, half_pixel: bool
) -> PlacesAlong:
    """Positions in float32. `source`, `target`: numbers of input and output elements.
    `align_corners`, `half_pixel`: the operator's options.
    """
    corner = int(align_corners and target > 1)
    step = _F(source - corner) / _F(target - corner)
    position = np.arange(target).astype(_F)
    position = (position + _F(0.5)) * step - _F(0.5) if half_pixel else position * step
    lower = np.maximum(np.floor(position), 0).astype(np.int64)
    upper = np.maximum(np.minimum(np.ceil(position), source - 1), 0).astype(np.int64)
    return PlacesAlong(lower, upper, position - lower.astype(_F), 1)


def _along_shifted(
    source: int, target: int, *, align_corners: bool, half_pixel: bool
) -> PlacesAlong:
    """Positions as XNNPACK computes them: in float32, clamped to the image, then 11 bits of
    fraction, ties to even. `source`, `target`: numbers of input and output elements. `align_corners`,
    `half_pixel`: the operator's options.
    """
    corner = int(align_corners and target > 1)
    step = _F(source - corner) / _F(target - corner)
    position = np.arange(target).astype(_F) * step
    if half_pixel:
        position += _F(0.5) * step - _F(0.5)
    position = np.minimum(np.maximum(position, _F(0)), _F(source - 1))
    lower = position.astype(np.int64)
    fraction = np.rint((position - lower.astype(_F)) * _F(2048)).astype(np.int64)
    return PlacesAlong(lower, np.minimum(lower + 1, source - 1), fraction, 2048)


_ALONG: Mapping[str, tuple[Along, float]] = {
    "resize_integer": (_along_integer, 0.0),
    "resize_shifted": (_along_shifted, 0.0),
    "resize_float32": (_along_float32, _ROUNDED),
    "resize_float32_weights": (_along_float32, _ROUNDED),
}


def _exact(source: int, target: int, *, align_corners: bool, half_pixel: bool) -> PlacesAlong:
    """The exact positions, in float64. `source`, `target`: numbers of input and output elements.
    `align_corners`, `half_pixel`: the operator's options.
    """
    corner = int(align_corners and target > 1)
    position = (np.arange(target) + 0.5 * half_pixel) * (source - corner) / (target - corner)
    position = np.clip(position - 0.5 * half_pixel, 0, source - 1)
    lower = position.astype(np.int64)
    return PlacesAlong(lower, np.minimum(lower + 1, source - 1), position - lower, 1)


def _matrix(axis: PlacesAlong, source: int) -> Array:
    """The weight of each input element in each output element, shape [output elements, input
    elements]; each row sums to 1. `source`: number of input elements. DomainError for an image too
    large for this.
    """
    if axis.lower.size * source > _MOST:
        raise DomainError("resize: the image is too large to compute every weight")
    if np.any(axis.lower >= source):
        raise DomainError("resize: the kernel reads outside the image")
    weights, rows = np.zeros((axis.lower.size, source)), np.arange(axis.lower.size)
    fraction = axis.fraction.astype(np.float64) / axis.one
    np.add.at(weights, (rows, axis.lower), 1 - fraction)
    np.add.at(weights, (rows, axis.upper), fraction)
    if np.any(weights < 0):
        raise DomainError(
            "resize: an interpolation weight is below 0; bounds hold for weights from 0 to 1"
        )
    return weights


def weight_error(
    function: str, source: tuple[int, int], target: tuple[int, int], options: Mapping[str, Any]
) -> tuple[float, float]:
    """The error of a kernel's interpolation weights: (an upper bound, for every output element, of
    the sum of the positive differences from the exact weights; the error of intermediate rounding,
    LSB).

    `function`: the kernel's integer function; `source`, `target`: (height, width) of the input and of
    the output; `options`: of RESIZE_BILINEAR.
    """
    along, rounded = _ALONG[function]
    flags = {"align_corners": bool(options["align_corners"])}
    flags["half_pixel"] = bool(options["half_pixel_centers"])
    if all(flags.values()):
        raise DomainError("resize: align_corners and half_pixel_centers cannot both be set")
    off = 0.0
    for size, elements in zip(source, target, strict=True):
        weights = _matrix(along(size, elements, **flags), size)
        meant = _matrix(_exact(size, elements, **flags), size)
        off += float(np.abs(weights - meant).sum(axis=1).max(initial=0)) / 2
    return off, rounded


def _parts(
    x: Array, size: tuple[int, int], along: Along, flags: Mapping[str, bool]
) -> tuple[list[list[Array]], list[Array], list[Array]]:
    """For each output element: the four input elements [upper, lower][left, right], the two rows'
    weights, the two columns' weights. `along`: how positions are computed; `flags`: its keywords.
    `x`: input integers, [height, width, channels]. `size`: (height, width) of the output.
    """
    rows, columns = (along(x.shape[axis], size[axis], **flags) for axis in (0, 1))
    if np.any(rows.lower >= x.shape[0]) or np.any(columns.lower >= x.shape[1]):
        raise DomainError("resize: the kernel reads outside the image")
    corners = [[x[row][:, column] for column in columns[:2]] for row in rows[:2]]
    down, across = rows.fraction[:, None, None], columns.fraction[None, :, None]
    one = down.dtype.type(rows.one)
    return corners, [one - down, down], [one - across, across]


def _summed(x: Array, size: tuple[int, int], along: Along, flags: Mapping[str, bool]) -> Array:
    """The weighted sum of the four input elements for each output element, in int64. `x`: input
    integers, [height, width, channels]. `size`: (height, width) of the output. `along`: how
    positions are computed; `flags`: its keywords.
    """
    at, down, across = _parts(np.asarray(x, dtype=np.int64), size, along, flags)
    return _total(at[i][j] * down[i] * across[j] for i in (0, 1) for j in (0, 1))


def _total(parts: Iterable[Array]) -> Array:
    """The sum of arrays, added from left to right, as rounding depends on the order. `parts`: the
    arrays, of one shape.
    """
    first, *rest = parts
    for part in rest:
        first = first + part
    return first


def _within(values: Array, output: Affine) -> Array:
    """Values clamped to the output's limits, as a flat array of integers."""
    return np.clip(values, output.low, output.high).astype(np.int64).ravel()


def resize_integer(
    x: Array, size: tuple[int, int], output: Affine, *, align_corners: bool, half_pixel: bool
) -> Array:
    """RESIZE_BILINEAR of int8 and int16 in LiteRT, of int8 in TFLM: 10 bits of weight along each
    axis, ties away from zero. `x`: input integers, [height, width, channels]. `size`: (height,
    width) of the output. `align_corners`, `half_pixel`: the operator's options.
    """
    flags = {"align_corners": align_corners, "half_pixel": half_pixel}
    total = _summed(x, size, _along_integer, flags)
    half = 1 << 19
    return _within(np.where(total > 0, (total + half) >> 20, -((half - total) >> 20)), output)


def resize_shifted(
    x: Array, size: tuple[int, int], output: Affine, *, align_corners: bool, half_pixel: bool
) -> Array:
    """RESIZE_BILINEAR of int8 and uint8 in XNNPACK: 11 bits of weight along each axis, ties up.
    `x`: input integers, [height, width, channels]. `size`: (height, width) of the output.
    `align_corners`, `half_pixel`: the operator's options.
    """
    flags = {"align_corners": align_corners, "half_pixel": half_pixel}
    return _within((_summed(x, size, _along_shifted, flags) + (1 << 21)) >> 22, output)


def resize_float32(
    x: Array, size: tuple[int, int], output: Affine, *, align_corners: bool, half_pixel: bool
) -> Array:
    """RESIZE_BILINEAR of uint8 in LiteRT's reference kernels: every step in float32; an element is
    multiplied by its row's weight and then by its column's; ties up. `x`: input integers, [height,
    width, channels]. `size`: (height, width) of the output. `align_corners`, `half_pixel`: the
    operator's options.
    """
    flags = {"align_corners": align_corners, "half_pixel": half_pixel}
    at, down, across = _parts(np.asarray(x, dtype=_F), size, _along_float32, flags)
    total = _total(at[i][j] * down[i] * across[j] for j in (0, 1) for i in (0, 1))
    return _within(np.trunc(total + _F(0.5)), output)


def resize_float32_weights(
    x: Array, size: tuple[int, int], output: Affine, *, align_corners: bool, half_pixel: bool
) -> Array:
    """RESIZE_BILINEAR of uint8 in LiteRT's builtin kernels: every step in float32; the row's and
    column's weights are multiplied first; ties up. `x`: input integers, [height, width, channels].
    `size`: (height, width) of the output. `align_corners`, `half_pixel`: the operator's options.
    """
    flags = {"align_corners": align_corners, "half_pixel": half_pixel}
    at, down, across = _parts(np.asarray(x, dtype=_F), size, _along_float32, flags)
    total = _total(at[i][j] * (down[i] * across[j]) for i in (0, 1) for j in (0, 1))
    return _within(np.trunc(total + _F(0.5)), output)
