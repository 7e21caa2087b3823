"""The inputs of a verification: random ones that look like something, or the user's calibration data.

All values are kept on the *original's* input grid, so that quantizing the input is no noise: twin,
declared readings and runs get the very same real values.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import UnsupportedError
from ..format.type_groups import QUANTIZED_TYPES
from ..numerics import INTEGER_LIMITS, Label
from ..record import Record
from .calibration import Calibration, Wanted, matched
from .object_api import type_name
from .unpacked import Params, is_constant, is_stateful, operator_name, params, tensor_name

__all__ = ["GraphInput", "Samples", "make_samples"]

Array = npt.NDArray[Any]

SEQUENCE = 16  # consecutive invokes between two resets, for models with variables
_MORE = 4  # times as many invokes where only whole sequences are independent
_LEAVES = 120
_RAW = {"uint8": (0, 256), "int8": (-128, 128), "int16": (-32768, 32768), "bool": (0, 2)}


class GraphInput(Record, frozen=True, kw_only=True):
    """One input of subgraph 0. `label` None: not quantized; `low`, `high` in real values."""

    name: str
    kind: str
    shape: tuple[int, ...]
    label: Label | None
    low: float
    high: float
    whole: bool  # integers without parameters: indices, raw pixels


class Samples(Record, frozen=True, kw_only=True):
    """`arrays[i][n]`: input i of sample n, in the original's own type."""

    inputs: tuple[GraphInput, ...]
    arrays: tuple[Array, ...]
    sequences: tuple[tuple[int, int], ...]
    stateful: bool
    random: bool
    what: str

    @property
    def count(self) -> int:
        return self.sequences[-1][1]


def make_samples(
    model: Any,
    *,
    calibration: Calibration | None = None,
    count: int,
    seed: int,
    spread: float = 1.0,
) -> Samples:
    """Inputs for the original `model`. Raises UsageError for calibration that does not fit it.

    `spread`: the part of each input's range that random samples use, around its zero.
    """
    inputs = tuple(_graph_input(model, index) for index in model.subgraphs[0].inputs)
    stateful = is_stateful(model)
    if calibration:
        arrays = _calibrated(model, inputs, calibration, None if stateful else max(count, 1))
        what = f"calibration, {len(arrays[0])} samples"
    else:
        generator = np.random.default_rng(seed)
        count = max(count, 1) if not stateful else -(-count * _MORE // SEQUENCE) * SEQUENCE
        arrays = tuple(
            _random(generator, one, count, in_sequence=stateful, spread=spread) for one in inputs
        )
        what = f"random, seed {seed}" + (f", {spread:.0%} of the range" if spread < 1.0 else "")
    total = len(arrays[0]) if arrays else count
    return Samples(
        inputs=inputs,
        arrays=arrays,
        sequences=_sequences(total, stateful=stateful),
        stateful=stateful,
        random=not calibration,
        what=what,
    )


def _sequences(count: int, *, stateful: bool) -> tuple[tuple[int, int], ...]:
    """Stateful: runs of at least SEQUENCE samples (one run when there are fewer)."""
    if not stateful:
        return tuple((n, n + 1) for n in range(count))
    starts = [n * SEQUENCE for n in range(max(count // SEQUENCE, 1))]
    return tuple(zip(starts, [*starts[1:], count], strict=True))


def _graph_input(model: Any, index: int) -> GraphInput:
    graph = model.subgraphs[0]
    tensor = graph.tensors[index]
    kind, found = type_name(tensor.type), params(tensor)
    shape = tuple(int(size) for size in (tensor.shape if tensor.shape is not None else []))
    label = (
        found.label if found is not None and found.per_tensor and kind in QUANTIZED_TYPES else None
    )
    if label is not None:
        low, high = _range(kind, label)
    elif kind.startswith("float"):
        low, high = _float_range(model, index)
    elif kind in ("int32", "int64", "uint32", "uint64"):
        low, high = 0.0, float(_rows(model, index))
    elif kind in _RAW:
        low, high = _RAW[kind]
    else:
        raise UnsupportedError(f"input {tensor_name(tensor)} is of type {kind}")
    whole = label is None and not kind.startswith("float")
    return GraphInput(
        name=tensor_name(tensor),
        kind=kind,
        shape=shape,
        label=label,
        low=low,
        high=high,
        whole=whole,
    )


def _range(kind: str, label: Label) -> tuple[float, float]:
    lowest, highest = INTEGER_LIMITS[kind]
    return (lowest - label.zero_point) * label.scale, (highest - label.zero_point) * label.scale


def _float_range(model: Any, index: int) -> tuple[float, float]:
    """A float input that is quantized at once has the range of that QUANTIZE; else [-1, 1]."""
    graph = model.subgraphs[0]
    for operator in graph.operators:
        if operator_name(model, operator) == "QUANTIZE" and index in operator.inputs:
            target = graph.tensors[operator.outputs[0]]
            found, kind = params(target), type_name(target.type)
            if isinstance(found, Params) and found.per_tensor and kind in QUANTIZED_TYPES:
                return _range(kind, found.label)
    return -1.0, 1.0


def _rows(model: Any, index: int) -> int:
    """How many rows an index input may name: those of the smallest table it looks into."""
    graph = model.subgraphs[0]
    sizes = [1 << 20]
    for operator in graph.operators:
        name = operator_name(model, operator)
        if name not in ("GATHER", "EMBEDDING_LOOKUP") or index not in operator.inputs:
            continue
        table = operator.inputs[1 if name == "EMBEDDING_LOOKUP" else 0]
        shape = graph.tensors[table].shape
        axis = getattr(operator.builtinOptions, "axis", 0) if name == "GATHER" else 0
        if shape is not None and len(shape) and is_constant(model, graph.tensors[table]):
            sizes.append(int(shape[axis]))
    return min(sizes) if len(sizes) > 1 else 2


# --- random --------------------------------------------------------------------------------------


def _random(
    generator: np.random.Generator,
    one: GraphInput,
    count: int,
    *,
    in_sequence: bool,
    spread: float,
) -> Array:
    """`count` samples between low and high: mixtures of octaves, contrasts and offsets.

    White noise alone drives image networks into a corner where every output is the same.
    """
    shape = tuple(max(size, 1) for size in one.shape)
    if one.whole and one.kind not in ("uint8", "int8", "int16"):
        return generator.integers(int(one.low), int(one.high), (count, *shape)).astype(one.kind)
    first = _grid(one, np.zeros(shape))
    samples = np.empty((count, *shape), first.dtype)
    field = _field(generator, shape)
    width = (one.high - one.low) * spread
    middle = (one.low + one.high) / 2 if one.whole else 0.0
    bottom = min(max(middle - width / 2, one.low), one.high - width)
    for number in range(count):
        fresh = _field(generator, shape)
        field = 0.6 * field + 0.4 * fresh if in_sequence else fresh
        contrast = generator.uniform(0.4, 1.0)
        offset = generator.uniform(0.0, 1.0 - contrast)
        samples[number] = _grid(one, bottom + width * (offset + contrast * field))
    return samples


def _field(generator: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """Values in [0, 1]: pictures where the shape is one; else a quarter white, the rest octaves."""
    white = generator.random(shape)
    axes = [axis for axis, size in enumerate(shape) if size >= 8]
    if not axes or generator.random() < 0.25:
        return white
    total = 0.15 * generator.random() * white
    for octave in (4, 12, 40):
        coarse = [min(octave, size) if axis in axes else size for axis, size in enumerate(shape)]
        total = total + generator.random() * _stretch(generator.random(coarse), shape, axes)
    if len(shape) == 4 and min(shape[1:3]) >= 16 and shape[3] <= 4:
        total = 0.3 * total + _leaves(generator, shape)
    spread = float(total.max() - total.min())
    return (total - total.min()) / spread if spread > 0 else white


def _leaves(generator: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """Dead leaves: discs in front of one another, whose statistics are those of photographs."""
    _, height, width, depth = shape
    picture = np.full(shape, 0.5)
    down, across = np.ogrid[:height, :width]
    for _ in range(_LEAVES):
        radius = min(height, width) * 0.02 * (1 - 0.96 * generator.random()) ** -1.0
        top, left = generator.random(2) * (height, width)
        stretch = generator.uniform(0.4, 2.5)
        inside = (down - top) ** 2 + ((across - left) * stretch) ** 2 < radius**2
        picture[:, inside] = generator.random() * 0.6 + 0.4 * generator.random(depth)
    return picture


def _stretch(values: Array, shape: tuple[int, ...], axes: list[int]) -> Array:
    """Linear interpolation along `axes` to `shape`."""
    for axis in axes:
        place = np.linspace(0, values.shape[axis] - 1, shape[axis])
        low = np.minimum(place.astype(int), max(values.shape[axis] - 2, 0))
        high = np.minimum(low + 1, values.shape[axis] - 1)
        weight = (place - low).reshape([-1 if a == axis else 1 for a in range(values.ndim)])
        values = values.take(low, axis) * (1 - weight) + values.take(high, axis) * weight
    return values


def _grid(one: GraphInput, real: Array) -> Array:
    """Real values -> the input's own type, on its own grid."""
    if one.label is not None:
        scale, zero = one.label
        lowest, highest = INTEGER_LIMITS[one.kind]
        steps: Array = np.clip(np.rint(real / scale) + zero, lowest, highest)
        return steps.astype(one.kind)
    if one.whole:
        whole: Array = np.clip(np.floor(real), one.low, one.high - 1)
        return whole.astype(one.kind)
    return real.astype(one.kind)


# --- calibration ---------------------------------------------------------------------------------


def _calibrated(
    model: Any, inputs: tuple[GraphInput, ...], calibration: Calibration, most: int | None
) -> tuple[Array, ...]:
    arrays = matched(
        [
            Wanted(name=one.name, shape=one.shape, aliases=_aliases(model, number))
            for number, one in enumerate(inputs)
        ],
        calibration,
    )
    count = len(arrays[0])
    if most is not None and count > most:
        chosen = np.linspace(0, count - 1, most).round().astype(int)
        arrays = tuple(array[chosen] for array in arrays)
    return tuple(
        array if array.dtype == np.dtype(one.kind) and one.label else _grid(one, array)
        for one, array in zip(inputs, arrays, strict=True)
    )


def _aliases(model: Any, number: int) -> tuple[str, ...]:
    """The input's names in the signatures of subgraph 0."""
    return tuple(
        (entry.name or b"").decode(errors="replace")
        for definition in model.signatureDefs or []
        for entry in definition.inputs or []
        if definition.subgraphIndex == 0 and entry.tensorIndex == model.subgraphs[0].inputs[number]
    )
