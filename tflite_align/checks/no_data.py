"""Tensors without data where there has to be some, and with data where there must be none.

LiteRT refuses to run an operator whose operand nobody writes, and a variable that has data of its
own. TFLM and compiled programs read what is in memory.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

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
    """A violated constraint for each tensor that is read (by an operator or as an output of its
    subgraph) but gets no values: no operator writes it, it holds no data, and it is neither an input
    of the subgraph nor a variable. Also one for each variable that holds data.
    """
    buffers = collector.model.buffers
    full = {buffer.index for buffer in buffers if buffer.data or buffer.external}
    for graph in collector.model.subgraphs:
        faults = _faults(graph, full)
        for slot, index in _read(graph) if faults else ():
            if index in faults:
                yield from _violations(collector, faults[index], slot, graph.tensors[index])


def _faults(graph: Subgraph, full: Collection[int]) -> dict[int, str]:
    """The rule that each tensor violates that is read and has no writer. `full`: buffers with data."""
    written = set(graph.inputs).union(*[operator.outputs for operator in graph.operators])
    read = set(graph.outputs).union(*[operator.inputs for operator in graph.operators])
    faults = {}
    for index in read - written - {-1}:
        tensor = graph.tensors[index]
        if tensor.is_variable:
            if tensor.buffer in full:
                faults[index] = _VARIABLE
            continue
        constant = tensor.external_buffer or tensor.buffer in full
        if not constant and 0 not in tensor.shape and tensor.type not in _HANDLES:
            faults[index] = _UNWRITTEN
    return faults


def _read(graph: Subgraph) -> Iterator[tuple[Slot, int]]:
    """(slot, tensor index) of the operands of builtin operators, and of the subgraph's outputs."""
    for operator in graph.operators:
        if not operator.name.startswith(_CUSTOM):
            for place, index in enumerate(operator.inputs):
                yield Slot(graph.index, operator.index, "inputs", place), index
    for place, index in enumerate(graph.outputs):
        yield Slot(graph.index, -1, "outputs", place), index


def _violations(
    collector: Collector, rule: str, slot: Slot, tensor: Tensor
) -> Iterator[WellFormed]:
    """The constraint `rule` that the tensor at this slot violates; nothing if no target has the rule."""
    expected, actual = _WORDS[rule]
    yield from collector.faults(rule, slot, tensor.type, expected=expected, actual=actual)
