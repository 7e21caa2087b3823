"""Whether a tensor can hold the smallest integer of its type, which has no opposite there.

A kernel that negates integers leaves it as it is: -128, while 128 does not fit int8.
"""

from __future__ import annotations

from collections.abc import Mapping

from ...format.enums import Activation
from ...format.model import Operator, Tensor
from ...format.wiring import links
from ...numerics import INTEGER_LIMITS, usable_label
from ...rules.operator_rows import load_operators
from .subject import Mismatch, Subject

__all__ = ["above_least"]

_SIGNED = ("int8", "int16")
# Fused activation -> smallest real value of the output.
_FLOORS: Mapping[int, float] = {
    Activation.RELU: 0.0,
    Activation.RELU6: 0.0,
    Activation.RELU_N1_TO_1: -1.0,
}


def above_least(subject: Subject, tensor: Tensor, _: object) -> Mismatch:
    """None if no integer of the tensor can be the smallest one of its type (-128 of int8), else
    (expected, found). Constants are known; the output of another operator counts as above it if the
    operator writes only greater values, or copies or averages tensors for which that holds.
    """
    if tensor.type not in _SIGNED or tensor.label is None:
        return None
    waiting, seen = [tensor.index], {tensor.index}
    while waiting:
        sources = _sources(subject, tensor, waiting.pop())
        if sources is None:
            least, highest = INTEGER_LIMITS[tensor.type]
            return f"integers of {least + 1}..{highest}", f"integers of {least}..{highest}"
        waiting += sources - seen
        seen |= sources
    return None


def _sources(subject: Subject, like: Tensor, index: int) -> set[int] | None:
    """The tensors (indices) that operators copy or average into tensor `index`; empty if that
    cannot hold the smallest integer of the type of `like`. None if it may hold it, or nothing is
    known.
    """
    model, subgraph = subject.model, subject.subgraph
    tensor = model.subgraphs[subgraph].tensors[index]
    if tensor.type != like.type or tensor.label != like.label:
        return None
    least = INTEGER_LIMITS[like.type][0]
    integers = subject.integers(tensor)
    if integers is not None:
        return set() if integers.min(initial=0) > least else None
    producer = links(model, subgraph).producer.get(index)
    if producer is None or producer.operator < 0:
        return None
    operator = model.subgraphs[subgraph].operators[producer.operator]
    if _written_above(operator, tensor, least):
        return set()
    row = load_operators().get(operator.name)
    if row is None or row.flow is None:
        return None
    return {found.index for found in _flowing(subject, operator)} or None


def _flowing(subject: Subject, operator: Operator) -> list[Tensor]:
    """The operands whose values the operator copies or averages into its output."""
    flow = load_operators()[operator.name].flow
    asked = Subject(model=subject.model, subgraph=subject.subgraph, operator=operator)
    return [] if flow is None else asked.tensors(*flow.inputs)


def _written_above(operator: Operator, tensor: Tensor, least: int) -> bool:
    """Whether all values that the operator can write, by its function and fused activation, are
    above the smallest integer `least` of the tensor's type.
    """
    label = tensor.label
    if label is None or not usable_label(label, tensor.type):
        return False
    row = load_operators().get(operator.name)
    reach = None if row is None else row.range
    code = int(operator.options.get("fused_activation_function", 0))
    floor: float = max(
        _FLOORS.get(code, float("-inf")), float("-inf") if reach is None else reach.low
    )
    return floor > (least + 0.5 - label.zero_point) * label.scale
