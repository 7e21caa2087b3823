"""Constants in another type, and folding of a DEQUANTIZE of a constant."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...format.model import Model, Operator, QuantParams, Slot, Tensor, TensorId
from ...numerics import DTYPES, Label, Range, covering_label, integers_of, packed_as, type_limits
from ...record import Record
from ..planner.draft import Draft
from ..planner.weights import along_axis

__all__ = ["Reexpressed", "fold_dequantize", "reexpressed"]

_FLOATS: dict[str, np.dtype[Any]] = {"float16": np.dtype("<f2"), "float32": np.dtype("<f4")}
_Values = NDArray[np.float64]
_DEQUANTIZE = "DEQUANTIZE"


class Reexpressed(Record, frozen=True, kw_only=True):
    """A constant's bytes in another type, with their parameters."""

    data: bytes
    quant: QuantParams | None


def reexpressed(model: Model, subgraph: int, tensor: Tensor, to_type: str) -> Reexpressed | None:
    """The constant in another type, its real values rounded once. None if that is impossible.

    Integers without parameters (indices, shapes) keep their values; None if the new type is too
    narrow. `subgraph`: its index.
    """
    values = _values(model, subgraph, tensor)
    if values is None:
        return None
    plain = tensor.quant is None or not tensor.quant.scale
    if plain and tensor.type not in _FLOATS:
        return _plain(values, to_type)
    if to_type in _FLOATS:
        return Reexpressed(data=values.astype(_FLOATS[to_type]).tobytes(), quant=None)
    limits = type_limits(to_type)
    if limits is None or not values.size or not np.all(np.isfinite(values)):
        return None
    label = _label(values, to_type, symmetric=plain or _symmetric(tensor))
    steps = np.rint(values / label.scale) + label.zero_point
    quant = QuantParams(scale=(label.scale,), zero_point=(label.zero_point,))
    return Reexpressed(data=packed_as(np.clip(steps, *limits), to_type), quant=quant)


def _symmetric(tensor: Tensor) -> bool:
    """Whether all zero points are 0."""
    return tensor.quant is not None and not any(tensor.quant.zero_point)


def _label(values: _Values, to_type: str, *, symmetric: bool) -> Label:
    """The finest label of the type that covers the values; with zero point 0 if `symmetric`."""
    span = Range(float(values.min()), float(values.max()))
    if symmetric and to_type != "uint8":
        edge = max(-span.low, span.high)
        span = Range(-edge * 127 / 128 if to_type == "int8" else -edge, edge)
    return covering_label(span, to_type, symmetric=symmetric and to_type != "uint8")


def _plain(values: _Values, to_type: str) -> Reexpressed | None:
    """The integers in another type, without parameters; None if one does not fit."""
    limits = type_limits(to_type)
    if limits is None or (
        values.size and not limits[0] <= values.min() <= values.max() <= limits[1]
    ):
        return None
    return Reexpressed(data=packed_as(values, to_type), quant=None)


def _values(model: Model, subgraph: int, tensor: Tensor) -> _Values | None:
    """Real values of a constant in its shape; None if the number of bytes does not match.
    `subgraph`: its index.
    """
    data = model.constant(subgraph, tensor.index)
    count = math.prod(tensor.shape)
    if data is None or tensor.sparse or (tensor.quant is not None and tensor.quant.details):
        return None
    if tensor.type in _FLOATS:
        floats = np.frombuffer(data, _FLOATS[tensor.type]).astype(np.float64)
        return floats.reshape(tensor.shape) if floats.size == count else None
    if tensor.type != "int4" and tensor.type not in DTYPES:
        return None
    integers = integers_of(data, tensor.type, count)
    if integers.size != count:
        return None
    values = integers.reshape(tensor.shape)
    quant = tensor.quant
    if quant is None or not quant.scale:
        return values
    points, axis = quant.zero_point or (0,), quant.quantized_dimension
    channels = tensor.shape[axis] if 0 <= axis < len(tensor.shape) else 1
    if not {len(quant.scale), len(points)} <= {1, channels} or not quant.sound:
        return None
    scale, point = (
        along_axis(values_of_axis, tensor.shape, axis) for values_of_axis in (quant.scale, points)
    )
    return (values - point) * scale


def fold_dequantize(draft: Draft, subgraph: int, operator: Operator) -> bool:
    """Replace a DEQUANTIZE of a constant by a float constant. Returns False, without changes, for
    any other operator. `subgraph`: its index.
    """
    if operator.name != _DEQUANTIZE or len(operator.inputs) != 1 or len(operator.outputs) != 1:
        return False
    source = draft.tensor(subgraph, operator.inputs[0])
    result = draft.tensor(subgraph, operator.outputs[0])
    readers = draft.links(subgraph).readers.get(result.index, [])
    if result.type not in _FLOATS or source.shape != result.shape or not readers:
        return False
    if any(slot.operator < 0 for slot in readers):
        return False  # a graph output needs an operator that writes it
    values = _values(draft.model, subgraph, source)
    if values is None:
        return False
    data = values.astype(_FLOATS[result.type]).tobytes()
    new = draft.add_tensor(subgraph, result.index, "_constant", None, data=data)
    for slot in readers:
        draft.rewire(slot, new)
    draft.graph(subgraph).remove(operator.index)
    slot = Slot(subgraph, operator.index, "outputs", 0)
    why = "a DEQUANTIZE of a constant, computed here"
    key = TensorId(subgraph, result.index)
    draft.note("retyped", key, source.type, result.type, why=why, readers=(slot,))
    return True
