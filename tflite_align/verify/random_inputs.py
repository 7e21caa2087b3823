"""Random values for a model's inputs, of several kinds.

No single kind shows everything. Values over the whole declared range saturate inner tensors, and
the noise of clipping then hides a loss of resolution; values near the middle never reach a range's
end. White noise drives image networks into a state in which all outputs are equal.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..numerics import Label
from ..record import Record

__all__ = ["KINDS", "GraphInput", "draw", "mixtures"]

Array = npt.NDArray[Any]

_WHOLE, _MIDDLE, _SPARSE, _NORMAL = "whole range", "its middle", "sparse", "normal"
KINDS = (_WHOLE, _MIDDLE, _NORMAL, _SPARSE)
_MIDDLE_PART = 0.3  # share of the range around zero
_SIGMAS = 8.0  # standard deviations that a range calibrated on normal values spans
_SPARSE_PART = 0.1  # share of elements that are not zero
_LEAVES = 120


class GraphInput(Record, frozen=True, kw_only=True):
    """One input of subgraph 0. `kind`: its type; `label` None: not quantized; `low`, `high`: ends
    of its range, real values; `whole`: only whole numbers.
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    label: Label | None
    low: float
    high: float
    whole: bool  # integers without parameters, e.g. indices or raw pixels

    @property
    def index(self) -> bool:
        """Whether it holds indices of table rows, for which there is only one kind of values."""
        return self.whole and self.kind not in ("uint8", "int8", "int16")


def draw(
    generator: np.random.Generator,
    inputs: tuple[GraphInput, ...],
    count: int,
    *,
    kind_name: str,
    spread: float,
    window: int,
) -> tuple[Array, ...]:
    """`count` random samples of one kind for each input: real values, [count, *shape]. `spread`:
    the part (0 to 1) of the range that they use; `window`: number of consecutive samples that form
    a sequence; if it is more than 1, they resemble each other.
    """
    return tuple(
        _drawn(generator, graph_input, count, kind_name=kind_name, spread=spread, linked=window > 1)
        for graph_input in inputs
    )


def _drawn(
    generator: np.random.Generator,
    graph_input: GraphInput,
    count: int,
    *,
    kind_name: str,
    spread: float,
    linked: bool,
) -> Array:
    """`count` samples of one input, see draw. `linked`: consecutive samples resemble each other.
    `kind_name`: kind of distribution. `spread`: share of the input's range to use, 0 to 1.
    """
    shape = tuple(size if size >= 0 else 1 for size in graph_input.shape)
    if 0 in shape:
        return np.zeros((count, *shape), np.float32)
    if graph_input.index:
        return generator.integers(int(graph_input.low), int(graph_input.high), (count, *shape))
    samples = np.empty((count, *shape), np.float32)
    if kind_name in (_NORMAL, _SPARSE):
        for sample in range(count):
            samples[sample] = _scattered(generator, graph_input, shape, kind_name) * spread
        return samples
    low, width = _part(graph_input, spread * (_MIDDLE_PART if kind_name == _MIDDLE else 1.0))
    field = _field(generator, shape)
    for sample in range(count):
        fresh = _field(generator, shape)
        field = 0.6 * field + 0.4 * fresh if linked else fresh
        contrast = generator.uniform(0.4, 1.0)
        offset = generator.uniform(0.0, 1.0 - contrast)
        values = samples[sample]
        np.multiply(field, contrast, out=values)
        values += offset
        values *= width
        values += low
    return samples


def _part(graph_input: GraphInput, spread: float) -> tuple[float, float]:
    """(lower end, width) of a part of the input's range, around zero or, for whole numbers, around
    its middle. `spread`: share of the input's range to use, 0 to 1.
    """
    width = (graph_input.high - graph_input.low) * spread
    middle = (graph_input.low + graph_input.high) / 2 if graph_input.whole else 0.0
    return min(max(middle - width / 2, graph_input.low), graph_input.high - width), width


def _scattered(
    generator: np.random.Generator, graph_input: GraphInput, shape: tuple[int, ...], kind_name: str
) -> Array:
    """Values with a normal distribution around the middle of the range; or for another kind zeros,
    with a few values from the whole range.
    """
    if kind_name == _NORMAL:
        sigma = (graph_input.high - graph_input.low) / _SIGMAS
        return generator.normal((graph_input.low + graph_input.high) / 2, sigma, shape)
    values = generator.uniform(graph_input.low, graph_input.high, shape)
    zero = min(max(0.0, graph_input.low), graph_input.high)
    return np.where(generator.random(shape) < _SPARSE_PART, values, zero)


def mixtures(
    generator: np.random.Generator, arrays: tuple[Array, ...], count: int, *, window: int
) -> tuple[Array, ...]:
    """`count` samples that are each a weighted mean of two of `arrays` ([samples, *shape] for each
    input, in stored types). For models with variables, whole windows of consecutive samples are
    mixed.
    """
    size = len(arrays[0])
    starts = max(size - window + 1, 1)
    rows: list[list[Array]] = [[] for _ in arrays]
    while len(rows[0]) < count:
        first, second = generator.integers(0, starts, 2)
        weight = generator.uniform(0.3, 0.7)
        for step in range(window):
            near, far = min(first + step, size - 1), min(second + step, size - 1)
            for position, array in enumerate(arrays):
                mean = weight * array[near] + (1.0 - weight) * array[far]
                rows[position].append(_stored(mean, array.dtype))
    return tuple(np.stack(values[:count]) for values in rows)


def _stored(values: Array, dtype: np.dtype[Any]) -> Array:
    """Values in a stored type; rounded for integers. `dtype`: the numpy type."""
    whole: Array = np.rint(values) if dtype.kind in "iu" else values
    return whole.astype(dtype)


# --- pictures and other fields -------------------------------------------------------------------


def _field(generator: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """Values in [0, 1]: white noise in a quarter of all calls, else a sum of noise of several
    resolutions; for the shape of an image with a "dead leaves" picture.
    """
    white = generator.random(shape, np.float32)
    axes = [axis for axis, size in enumerate(shape) if size >= 8]
    if not axes or generator.random() < 0.25:
        return white
    total = 0.15 * generator.random() * white
    for octave in (4, 12, 40):
        coarse = [min(octave, size) if axis in axes else size for axis, size in enumerate(shape)]
        total = total + np.float32(generator.random()) * _stretch(
            generator.random(coarse, np.float32), shape, axes
        )
    if len(shape) == 4 and min(shape[1:3]) >= 16 and shape[3] <= 4:
        total = 0.3 * total + _leaves(generator, shape)
    spread = float(total.max() - total.min())
    return (total - total.min()) / spread if spread > 0 else white


def _leaves(generator: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """A "dead leaves" picture: overlapping discs, with the statistics of photographs. Shape [1,
    height, width, channels].
    """
    _, height, width, depth = shape
    picture = np.full(shape, 0.5, np.float32)
    for _ in range(_LEAVES):
        radius = min(height, width) * 0.02 * (1 - 0.96 * generator.random()) ** -1.0
        top, left = generator.random(2) * (height, width)
        stretch = generator.uniform(0.4, 2.5)
        color = generator.random() * 0.6 + 0.4 * generator.random(depth)
        rows = slice(max(int(top - radius), 0), int(top + radius) + 2)
        columns = slice(max(int(left - radius / stretch), 0), int(left + radius / stretch) + 2)
        down, across = np.ogrid[rows, columns]
        down, across = down[: height - rows.start], across[:, : width - columns.start]
        inside = (down - top) ** 2 + ((across - left) * stretch) ** 2 < radius**2
        np.copyto(picture[0, rows, columns], color, where=inside[..., None], casting="same_kind")
    return picture


def _stretch(values: Array, shape: tuple[int, ...], axes: list[int]) -> Array:
    """Linear interpolation along `axes` to `shape`."""
    for axis in axes:
        positions = np.linspace(0, values.shape[axis] - 1, shape[axis], dtype=np.float32)
        low = np.minimum(positions.astype(int), max(values.shape[axis] - 2, 0))
        high = np.minimum(low + 1, values.shape[axis] - 1)
        weight = (positions - low).reshape([-1 if a == axis else 1 for a in range(values.ndim)])
        weight = weight.astype(np.float32)
        values = values.take(low, axis) * (1 - weight) + values.take(high, axis) * weight
    return values
