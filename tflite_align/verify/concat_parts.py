"""The operands of the CONCATENATION that writes an output, which are compared separately.

A detection head joins boxes in pixels and scores below 1: the SQNR of the joined tensor would be
that of the boxes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..record import Record
from .kept_elements import kept_elements
from .unpacked import operator_name, tensor_name

__all__ = ["Part", "concat_parts"]

Array = npt.NDArray[Any]

# Operators that copy values without changing their flat order.
_SAME_ORDER = frozenset({"QUANTIZE", "DEQUANTIZE", "RESHAPE", "SQUEEZE", "EXPAND_DIMS"})
_MOST = 16  # most parts of one output


class _Cut(Record, frozen=True, kw_only=True):
    """Where an operand stands in the output of a CONCATENATION: at the positions from `start` up to
    `stop` of an axis of `length` positions, each of `inner` flat elements.
    """

    start: int
    stop: int
    length: int
    inner: int

    def take(self, flat: Array) -> tuple[Array, Array]:
        """(positions in `flat` of the indices that belong to the operand, their flat indices in the
        operand). `flat`: flat indices of the output.
        """
        position = (flat // self.inner) % self.length
        mine = np.flatnonzero((position >= self.start) & (position < self.stop))
        outer, position = flat[mine] // (self.length * self.inner), position[mine] - self.start
        within = flat[mine] % self.inner
        return mine, (outer * (self.stop - self.start) + position) * self.inner + within


class Part(Record, frozen=True, kw_only=True):
    """The elements of an output (of `size` elements) that come from the tensor `name`, through one
    CONCATENATION or several in a row.
    """

    name: str
    size: int
    cuts: tuple[_Cut, ...]

    def columns(self, count: int) -> Array | None:
        """Which of the compared elements of an output belong to this part, as indices; None if the
        sizes in the file are not those of the run. `count`: number of compared elements of each
        sample.
        """
        chosen = kept_elements(self.size)
        flat: Array = np.arange(self.size) if chosen is None else chosen
        if len(flat) != count:
            return None
        columns = np.arange(count)
        for cut in self.cuts:
            mine, flat = cut.take(flat)
            columns = columns[mine]
        return columns


def concat_parts(model: Any, writer: dict[int, Any], tensor: int) -> tuple[Part, ...]:
    """The parts of a tensor of subgraph 0, in order; empty if no CONCATENATION writes it, or too
    many operands are joined. `writer`: operator by the tensor that it writes.
    """
    shape = _shape(model.subgraphs[0].tensors[tensor])
    size = int(np.prod(shape, dtype=np.int64))
    parts = [Part(name="", size=size, cuts=())]
    leaves: list[Part] = []
    sources = [tensor]
    while parts:
        part, source = parts.pop(0), sources.pop(0)
        pieces = _operands(model, writer, source)
        if not pieces and part.cuts:
            leaves.append(part)
        for operand, cut in reversed(pieces):
            name = tensor_name(model.subgraphs[0].tensors[operand])
            parts.insert(0, Part(name=name, size=size, cuts=(*part.cuts, cut)))
            sources.insert(0, operand)
        if len(leaves) + len(parts) > _MOST:
            return ()
    return tuple(leaves)


def _operands(model: Any, writer: dict[int, Any], tensor: int) -> list[tuple[int, _Cut]]:
    """(tensor, cut) of each operand of the CONCATENATION that writes a tensor; empty if another
    operator writes it. `writer`: tensor -> operator that writes it.
    """
    graph = model.subgraphs[0]
    while tensor in writer and operator_name(model, writer[tensor]) in _SAME_ORDER:
        tensor = writer[tensor].inputs[0]
    operator = writer.get(tensor)
    if operator is None or operator_name(model, operator) != "CONCATENATION":
        return []
    whole, *shapes = (_shape(graph.tensors[t]) for t in (tensor, *operator.inputs))
    axis = int(operator.builtinOptions.axis)
    axis += len(whole) if axis < 0 else 0
    if not 0 <= axis < len(whole) or any(len(shape) != len(whole) for shape in shapes):
        return []
    edges = np.cumsum([0, *(shape[axis] for shape in shapes)]).tolist()
    inner = int(np.prod(whole[axis + 1 :], dtype=np.int64))
    if inner < 1 or edges[-1] != whole[axis]:
        return []
    return [
        (operand, _Cut(start=start, stop=stop, length=edges[-1], inner=inner))
        for operand, start, stop in zip(operator.inputs, edges[:-1], edges[1:], strict=True)
        if stop > start
    ]


def _shape(tensor: Any) -> tuple[int, ...]:
    """The shape of an unpacked tensor."""
    return tuple(int(size) for size in (tensor.shape if tensor.shape is not None else ()))
