"""Tensors that hold only zeros in every run: any scale is right for them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..format.enums import constant_size
from ..format.model import Model, Operator, Tensor
from ..format.type_groups import BIAS_TYPES, QUANTIZED_TYPES
from ..numerics import integers_of
from ..rules.operator_rows import load_operators
from ..rules.rows import OperatorRow, SlotPattern

__all__ = ["known_zeros", "only_zeros", "zero_channels"]

_COUNTED = frozenset((*QUANTIZED_TYPES, *BIAS_TYPES))


def zero_channels(model: Model, subgraph: int, tensor: Tensor) -> NDArray[np.bool_] | None:
    """For each scale of a constant, whether all integers under it equal its zero point; shape
    [scales].

    None for a tensor that is no constant, and if shape and number of bytes do not match.
    `subgraph`: its index.
    """
    quant, data = tensor.quant, model.constant(subgraph, tensor.index)
    if quant is None or data is None or tensor.type not in _COUNTED:
        return None
    if len(data) != constant_size(tensor.shape, tensor.type):
        return None
    count, shape = len(quant.scale), tensor.shape
    integers = integers_of(data, tensor.type, tensor.elements).reshape(shape)
    zero = np.asarray(quant.zero_point or (0,), dtype=np.float64)
    if count == 1:
        return np.array([bool(np.all(integers == zero[0]))])
    axis = quant.quantized_dimension
    if not 0 <= axis < len(shape) or shape[axis] != count or zero.size not in (1, count):
        return None
    rows = np.moveaxis(integers, axis, 0).reshape(count, -1)
    zero_rows: NDArray[np.bool_] = np.all(rows == zero.reshape(-1, 1), axis=1)
    return zero_rows


def only_zeros(model: Model, subgraph: int, tensor: Tensor) -> bool:
    """Whether the tensor is a constant of which every real value is 0: each integer equals the zero
    point, or is 0 without parameters. `subgraph`: its index.
    """
    if tensor.quant is not None and tensor.quant.scale:
        channels = zero_channels(model, subgraph, tensor)
        return channels is not None and bool(channels.all())
    data = model.constant(subgraph, tensor.index)
    return data is not None and not any(bytes(data))


def known_zeros(model: Model, subgraph: int) -> frozenset[int]:
    """The indices of a subgraph's tensors that are zero in every run: constants of zeros, and
    outputs that operators compute from such tensors.
    """
    graph, rows = model.subgraphs[subgraph], load_operators()
    zeros = {
        tensor.index
        for tensor in graph.tensors
        if tensor.type in _COUNTED and only_zeros(model, subgraph, tensor)
    }
    for operator in graph.operators:
        row = rows.get(operator.name)
        if row is not None and any(_hold(operator, sources, zeros) for sources in _sources(row)):
            zeros.update(index for index in operator.outputs if index >= 0)
    return frozenset(zeros)


def _sources(row: OperatorRow) -> tuple[Sequence[SlotPattern], ...]:
    """Lists of operand patterns: if all operands of one list are zero, so are the operator's
    outputs.
    """
    copied = () if row.flow is None else (row.flow.inputs,)
    return (*row.zeros, *copied)


def _hold(operator: Operator, patterns: Sequence[SlotPattern], zeros: set[int]) -> bool:
    """Whether the patterns name at least one present operand of the operator, and all of these are
    in `zeros`.
    """
    indices: list[int] = []
    for pattern in patterns:
        operands = operator.operands(pattern.kind)
        indices += [i for i in operands[pattern.start : pattern.stop] if i >= 0]
    return bool(indices) and all(index in zeros for index in indices)
