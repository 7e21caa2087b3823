"""Tensors without data where there has to be some, and with data where there must be none.

LiteRT refuses to run an operator whose operand nobody writes, and a variable that has data of its
own. TFLM and compiled programs read what is in memory.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ..format.model import Slot, Subgraph, Tensor
from .binder.bound import Collector
from .constraints import WellFormed

__all__ = ["faults_of_data"]

_UNWRITTEN = "data/none"
_VARIABLE = "data/variable"
# What is expected and found, by rule.
_WORDS = {
    _UNWRITTEN: ("data, or an operator that writes it", "neither"),
    _VARIABLE: ("a variable without data of its own", "data"),
}
_CUSTOM = "CUSTOM"  # their operands may be memory to work in (Ethos-U programs have such)
_HANDLES = ("resource", "variant")  # types without data


def faults_of_data(collector: Collector) -> Iterator[WellFormed]:
    """A violated constraint for each operand, and each output of a subgraph, that no operator
    writes and that holds no data; and for each operand that is a variable with data.
    """
    buffers = collector.model.buffers
    full = {buffer.index for buffer in buffers if buffer.data or buffer.external}
    for graph in collector.model.subgraphs:
        written = {tensor for operator in graph.operators for tensor in operator.outputs}
        sourced = written.union(graph.inputs)
        for slot, tensor in _read(graph, sourced):
            if tensor.is_variable:
                if tensor.buffer in full:
                    yield from _told(collector, _VARIABLE, slot, tensor)
                continue
            constant = collector.model.is_constant(graph.index, tensor.index)
            if not constant and 0 not in tensor.shape and tensor.type not in _HANDLES:
                yield from _told(collector, _UNWRITTEN, slot, tensor)


def _read(graph: Subgraph, sourced: set[int]) -> Iterator[tuple[Slot, Tensor]]:
    """(slot, tensor) of the operands of builtin operators, and of the subgraph's outputs, without
    those in `sourced`.
    """
    for operator in graph.operators:
        if not operator.name.startswith(_CUSTOM) and not sourced.issuperset(operator.inputs):
            yield from _slots(graph, operator.index, "inputs", operator.inputs, sourced)
    if not sourced.issuperset(graph.outputs):
        yield from _slots(graph, -1, "outputs", graph.outputs, sourced)


def _slots(
    graph: Subgraph, operator: int, kind: str, tensors: Iterable[int], sourced: set[int]
) -> Iterator[tuple[Slot, Tensor]]:
    """(slot, tensor) of the tensors (indices) that are not in `sourced`, those with data or a
    writer.
    """
    for index, tensor in enumerate(tensors):
        if tensor >= 0 and tensor not in sourced:
            slot = Slot(graph.index, operator, "inputs" if kind == "inputs" else "outputs", index)
            yield slot, graph.tensors[tensor]


def _told(collector: Collector, rule: str, slot: Slot, tensor: Tensor) -> Iterator[WellFormed]:
    """The violated constraint, on the targets that have the rule."""
    expected, actual = _WORDS[rule]
    yield from collector.faults(rule, slot, tensor.type, expected=expected, actual=actual)
