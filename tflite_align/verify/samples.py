"""The inputs of a verification: random ones of several kinds, or the user's calibration data.

All values are rounded to the integers of the *original's* inputs, so that quantizing the input adds
no noise: twin, declared readings and runs get the same real values.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import UnsupportedError
from ..format.type_groups import QUANTIZED_TYPES
from ..numerics import INTEGER_LIMITS, Label
from ..record import Record, replace
from .budget import MEMORY
from .calibration import Calibration, Wanted, matched
from .object_api import type_name
from .random_inputs import KINDS, GraphInput, draw, mixtures
from .unpacked import Params, is_constant, is_stateful, operator_name, params, tensor_name

__all__ = ["Kind", "Samples", "make_samples"]

Array = npt.NDArray[Any]

SEQUENCE = 16  # consecutive invokes between two resets, for models with variables
_MORE = 4  # factor on the number of invokes where only whole sequences are independent
_BYTES = 8  # bytes per element of a sample, which is drawn as float64
_RAW = {"uint8": (0, 256), "int8": (-128, 128), "int16": (-32768, 32768), "bool": (0, 2)}


class Kind(Record, frozen=True, kw_only=True):
    """The samples `first` up to `last`, which were drawn in one way, `name`, and are judged
    separately.
    """

    name: str
    first: int
    last: int


class Samples(Record, frozen=True, kw_only=True):
    """Inputs for all runs. `arrays[i][n]`: input i of sample n, in the original's own type;
    `sequences`: (first, last) of samples that are run without a reset; `what`: description for
    reports; `stateful`: the model has variables.
    """

    inputs: tuple[GraphInput, ...]
    arrays: tuple[Array, ...]
    sequences: tuple[tuple[int, int], ...]
    kinds: tuple[Kind, ...]
    stateful: bool
    random: bool
    spread: float  # the part of each input's range that random ones use
    what: str

    @property
    def count(self) -> int:
        """The number of samples."""
        return self.sequences[-1][1]

    def sequences_of(self, sample_kind: Kind) -> tuple[tuple[int, int], ...]:
        """The sequences of one kind, counted from its first sample."""
        return tuple(
            (first - sample_kind.first, last - sample_kind.first)
            for first, last in self.sequences
            if sample_kind.first <= first < sample_kind.last
        )


def make_samples(
    model: Any,
    *,
    calibration: Calibration | None = None,
    count: int,
    seed: int,
    spread: float = 1.0,
    topped: bool = True,
    memory: int = MEMORY,
) -> Samples:
    """Inputs for the original `model` (unpacked). Raises UsageError for calibration that does not
    fit it, and UnsupportedError for inputs that need more than `memory` bytes.

    Random ones are of several kinds (random_inputs.KINDS), as many of each; `spread`: the part (0
    to 1) of each input's range that they use. Calibration is one kind; if there are fewer than
    `count` and `topped` is set, mixtures of them are added.
    """
    inputs = tuple(_graph_input(model, index) for index in model.subgraphs[0].inputs)
    stateful = is_stateful(model)
    step = SEQUENCE if stateful else 1
    count = -(-max(count, 1) * _MORE // step) * step if stateful else max(count, 1)
    if not calibration:
        _check_size(inputs, count, memory)
    generator = np.random.default_rng(seed)
    if calibration:
        calibrated = _calibrated(model, inputs, calibration, None if stateful else count)
        parts = [("calibration", calibrated)]
        if topped and calibrated and len(calibrated[0]) < count:
            more = count - len(calibrated[0])
            mixed = mixtures(generator, calibrated, more, window=step)
            parts.append(("mixtures of it", mixed))
        what = "calibration"
    else:
        shares = [len(part) * step for part in np.array_split(range(count // step), len(KINDS))]
        parts = [
            (
                name,
                _on_grid(
                    inputs,
                    draw(generator, inputs, share, kind_name=name, spread=spread, window=step),
                ),
            )
            for name, share in zip(KINDS, shares, strict=True)
            if share
        ]
        what = f"random, seed {seed}" + (f", {spread:.0%} of the range" if spread < 1.0 else "")
    samples = _joined(inputs, parts, what, stateful=stateful, random=not calibration, count=count)
    return replace(samples, spread=spread)


def _joined(
    inputs: tuple[GraphInput, ...],
    parts: list[tuple[str, tuple[Array, ...]]],
    what: str,
    *,
    stateful: bool,
    random: bool,
    count: int,
) -> Samples:
    """The samples of several kinds, (name, arrays) in `parts`, one after the other. `inputs`: the
    graph inputs; `what`: description for reports; `stateful`: the model has variables; `random`:
    the samples are random; `count`: their number.
    """
    kinds: list[Kind] = []
    sequences: list[tuple[int, int]] = []
    for name, arrays in parts:
        first = kinds[-1].last if kinds else 0
        size = len(arrays[0]) if arrays else count // len(parts)
        kinds.append(Kind(name=name, first=first, last=first + size))
        sequences += [(first + a, first + b) for a, b in _sequences(size, stateful=stateful)]
    parts_text = ", ".join(
        f"{sample_kind.last - sample_kind.first} {sample_kind.name}" for sample_kind in kinds
    )
    return Samples(
        inputs=inputs,
        arrays=tuple(np.concatenate(rows) for rows in zip(*(p[1] for p in parts), strict=True)),
        sequences=tuple(sequences),
        kinds=tuple(kinds),
        stateful=stateful,
        random=random,
        spread=1.0,
        what=f"{what}: {parts_text}" if random else parts_text,
    )


def _check_size(inputs: tuple[GraphInput, ...], count: int, memory: int) -> None:
    """Raise UnsupportedError if `count` samples need more than `memory` bytes. `inputs`: the graph
    inputs.
    """
    elements = sum(math.prod(max(size, 1) for size in graph_input.shape) for graph_input in inputs)
    if elements * count * _BYTES > memory:
        raise UnsupportedError(
            f"size: {count} inputs of {elements:,} elements each take more than the {memory:,} bytes of"
            " --memory"
        )


def _sequences(count: int, *, stateful: bool) -> tuple[tuple[int, int], ...]:
    """(first, last) of each sequence of `count` samples: single samples, or for a model with
    variables (`stateful`) runs of at least SEQUENCE.
    """
    if not stateful:
        return tuple((n, n + 1) for n in range(count))
    starts = [n * SEQUENCE for n in range(max(count // SEQUENCE, 1))]
    return tuple(zip(starts, [*starts[1:], count], strict=True))


def _graph_input(model: Any, index: int) -> GraphInput:
    """The input that the tensor `index` of subgraph 0 describes."""
    graph = model.subgraphs[0]
    tensor = graph.tensors[index]
    tensor_type, quant = type_name(tensor.type), params(tensor)
    shape = tuple(int(size) for size in (tensor.shape if tensor.shape is not None else []))
    label = (
        quant.label
        if quant is not None and quant.per_tensor and tensor_type in QUANTIZED_TYPES
        else None
    )
    if label is not None:
        low, high = _range(tensor_type, label)
    elif tensor_type.startswith("float"):
        low, high = _float_range(model, index)
    elif tensor_type in ("int32", "int64", "uint32", "uint64"):
        low, high = 0.0, float(_rows(model, index))
    elif tensor_type in _RAW:
        low, high = _RAW[tensor_type]
    else:
        raise UnsupportedError(
            f"no inputs of type {tensor_type} can be made for {tensor_name(tensor)}"
        )
    whole = label is None and not tensor_type.startswith("float")
    return GraphInput(
        name=tensor_name(tensor),
        kind=tensor_type,
        shape=shape,
        label=label,
        low=low,
        high=high,
        whole=whole,
    )


def _range(tensor_type: str, label: Label) -> tuple[float, float]:
    """(least, greatest) real value of a type under a label."""
    lowest, highest = INTEGER_LIMITS[tensor_type]
    return (lowest - label.zero_point) * label.scale, (highest - label.zero_point) * label.scale


def _float_range(model: Any, index: int) -> tuple[float, float]:
    """The range for a float input, real values: that of the QUANTIZE that reads it, else [-1, 1].
    `index`: the input's tensor.
    """
    graph = model.subgraphs[0]
    for operator in graph.operators:
        if operator_name(model, operator) == "QUANTIZE" and index in operator.inputs:
            target = graph.tensors[operator.outputs[0]]
            quant, tensor_type = params(target), type_name(target.type)
            if isinstance(quant, Params) and quant.per_tensor and tensor_type in QUANTIZED_TYPES:
                return _range(tensor_type, quant.label)
    return -1.0, 1.0


def _rows(model: Any, index: int) -> int:
    """The number of rows that an input of table indices may address: that of the smallest table it
    is used with. `index`: the input's tensor.
    """
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


# --- values on the grid --------------------------------------------------------------------------


def _on_grid(inputs: tuple[GraphInput, ...], real: tuple[Array, ...]) -> tuple[Array, ...]:
    """The real values of all inputs, each rounded to the integers that its graph input can
    represent, stored in that input's type.
    """
    return tuple(
        _grid(graph_input, values) for graph_input, values in zip(inputs, real, strict=True)
    )


def _grid(graph_input: GraphInput, real: Array) -> Array:
    """Real values rounded to the integers that one graph input can represent, stored in
    its type.
    """
    if graph_input.label is not None:
        scale, zero = graph_input.label
        lowest, highest = INTEGER_LIMITS[graph_input.kind]
        stored = np.empty(real.shape, graph_input.kind)
        for sample, values in enumerate(real):  # one at a time, which stays in the cache
            steps: Array = values / scale
            np.rint(steps, out=steps)
            steps += zero
            stored[sample] = np.clip(steps, lowest, highest, out=steps)
        return stored
    if graph_input.whole:
        whole: Array = np.clip(np.floor(real), graph_input.low, graph_input.high - 1)
        return whole.astype(graph_input.kind)
    return real.astype(graph_input.kind)


# --- calibration ---------------------------------------------------------------------------------


def _calibrated(
    model: Any, inputs: tuple[GraphInput, ...], calibration: Calibration, most: int | None
) -> tuple[Array, ...]:
    """The calibration arrays of all inputs, in their own types; at most `most` samples, evenly
    selected.
    """
    arrays = matched(
        [
            Wanted(
                name=graph_input.name, shape=graph_input.shape, aliases=_aliases(model, position)
            )
            for position, graph_input in enumerate(inputs)
        ],
        calibration,
    )
    count = len(arrays[0])
    if most is not None and count > most:
        chosen = np.linspace(0, count - 1, most).round().astype(int)
        arrays = tuple(array[chosen] for array in arrays)
    return tuple(
        array
        if array.dtype == np.dtype(graph_input.kind) and graph_input.label
        else _grid(graph_input, array)
        for graph_input, array in zip(inputs, arrays, strict=True)
    )


def _aliases(model: Any, position: int) -> tuple[str, ...]:
    """The input's names in the signatures of subgraph 0. `position`: the input's index."""
    return tuple(
        (mapping.name or b"").decode(errors="replace")
        for definition in model.signatureDefs or []
        for mapping in definition.inputs or []
        if definition.subgraphIndex == 0
        and mapping.tensorIndex == model.subgraphs[0].inputs[position]
    )
