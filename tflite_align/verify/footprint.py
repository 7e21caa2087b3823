"""A lower bound of the memory needed to run a model, computed from its shapes."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from ..errors import UnsupportedError
from ..record import Record
from .object_api import type_name
from .unpacked import is_constant, operator_name

__all__ = ["Footprint", "footprint", "hold_to"]

_WIDTHS = {"float32": 4, "int32": 4, "uint32": 4, "float16": 2, "bfloat16": 2, "int16": 2}
_WIDTHS |= {"uint16": 2, "int64": 8, "uint64": 8, "float64": 8, "complex64": 8, "complex128": 16}


class Footprint(Record, frozen=True, kw_only=True):
    """The operator whose operands take the most memory together. `place`: its address, "" for the
    graph inputs.

    `stored`: bytes in the file's types; `floats`: bytes as float32, which the float twin needs.
    """

    place: str
    stored: int
    floats: int

    def refusal(self, size: int, memory: int) -> str:
        """The message for a model that needs `size` bytes, more than `memory`, and is therefore not
        run.
        """
        where = f"{self.place} holds" if self.place else "the graph inputs hold"
        return f"size: {where} {size:,} bytes at once, above the {memory:,} of --memory"


def hold_to(memory: int, model: Any) -> None:
    """Raise UnsupportedError if the float twin of `model` (unpacked) would take more than `memory`
    bytes.
    """
    largest = footprint(model)
    if largest.floats > memory:
        raise UnsupportedError(largest.refusal(largest.floats, memory))


def footprint(model: Any) -> Footprint:
    """The largest footprint of an operator: a lower bound, as kernels need more memory and other
    tensors may be alive.
    """
    return max(_each(model), key=lambda operator_footprint: operator_footprint.floats)


def _each(model: Any) -> Iterator[Footprint]:
    """The footprint of each subgraph's inputs and of each operator."""
    for number, graph in enumerate(model.subgraphs):
        yield _of("", _activations(model, graph, _listed(graph.inputs)))
        for index, operator in enumerate(graph.operators):
            address = f"subgraph[{number}]/operator[{index}] {operator_name(model, operator)}"
            operands = [*_listed(operator.inputs), *_listed(operator.outputs)]
            yield _of(address, _activations(model, graph, operands))


def _listed(numbers: Any) -> list[int]:
    """A vector of the file, which may be left out, as Python's integers. `numbers`: the vector;
    None if left out.
    """
    return [] if numbers is None else [int(index) for index in numbers]


def _activations(model: Any, graph: Any, tensors: list[int]) -> list[Any]:
    """Those of the tensors (indices) that are no constants, each once."""
    valid = {index for index in tensors if 0 <= index < len(graph.tensors)}
    existing = [graph.tensors[index] for index in sorted(valid)]
    return [tensor for tensor in existing if not is_constant(model, tensor)]


def _of(address: str, tensors: list[Any]) -> Footprint:
    """The footprint of operands: the bytes that `tensors` take together, as stored and as float32.
    `address`: the operator's place.
    """
    sizes = [(_elements(tensor), _WIDTHS.get(type_name(tensor), 1)) for tensor in tensors]
    return Footprint(
        place=address,
        stored=sum(count * width for count, width in sizes),
        floats=sum(count * 4 for count, _ in sizes),
    )


def _elements(tensor: Any) -> int:
    """The tensor's number of elements; open sizes count as one."""
    return math.prod(max(extent, 1) for extent in _listed(tensor.shape))
