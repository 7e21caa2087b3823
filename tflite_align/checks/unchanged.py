"""Operators of a model that are, bit for bit, what they were in an earlier state of it.

What the rules of an operator say of it depends on the operator and on its operands alone.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..format.model import Model, Operator, OperatorId, Tensor

__all__ = ["unchanged"]

_PART = 1 << 20  # bytes of a constant that are compared at once


def unchanged(model: Model, earlier: Model) -> dict[OperatorId, OperatorId]:
    """The operators whose `origin` is the same operator in `earlier`, on the same operands, with
    their places there.

    Both models have the same subgraphs; a tensor's index is the same in both.
    """
    same_data = _SameData(model, earlier)
    found: dict[OperatorId, OperatorId] = {}
    for graph, before in zip(model.subgraphs, earlier.subgraphs, strict=True):
        pairs = zip(graph.tensors, before.tensors, strict=False)
        same = [_same_tensor(one, was) and same_data(one, was) for one, was in pairs]
        same += [False] * (len(graph.tensors) - len(same))
        same.append(True)  # an operand that is absent, -1
        for operator in graph.operators:
            if operator.origin is None:
                continue
            was = before.operators[operator.origin]
            if _same_operator(operator, was) and all(map(same.__getitem__, operator.named)):
                place = OperatorId(graph.index, operator.index)
                found[place] = OperatorId(graph.index, operator.origin)
    return found


def _same_operator(one: Operator, was: Operator) -> bool:
    return (
        one.name == was.name
        and one.version == was.version
        and one.custom_code == was.custom_code
        and one.inputs == was.inputs
        and one.outputs == was.outputs
        and one.intermediates == was.intermediates
        and one.options == was.options
    )


def _same_tensor(one: Tensor, was: Tensor) -> bool:
    """Whether all but the constant is the same; written out, since it is asked of every tensor."""
    quant, before = one.quant, was.quant
    if quant is None or before is None:
        alike = quant is before
    else:
        alike = (
            quant.scale == before.scale
            and quant.zero_point == before.zero_point
            and quant.quantized_dimension == before.quantized_dimension
            and quant.minimum == before.minimum
            and quant.maximum == before.maximum
            and quant.details == before.details
        )
    return (
        alike
        and one.type == was.type
        and one.shape == was.shape
        and one.shape_signature == was.shape_signature
        and one.is_variable == was.is_variable
        and one.external_buffer == was.external_buffer
        and one.sparse == was.sparse
    )


class _SameData:
    """Whether two tensors have the same constant, or both have none."""

    def __init__(self, model: Model, earlier: Model) -> None:
        self.buffers = model.buffers
        self.before = earlier.buffers

    def __call__(self, one: Tensor, was: Tensor) -> bool:
        if one.buffer >= len(self.buffers) or was.buffer >= len(self.before):
            return one.buffer == was.buffer and not (self.buffers or self.before)
        now, then = self.buffers[one.buffer], self.before[was.buffer]
        if now.data is None or then.data is None:
            return now.data is then.data and now.external == then.external
        return _same_bytes(now.data, then.data)


def _same_bytes(one: memoryview, other: memoryview) -> bool:
    if len(one) != len(other):
        return False
    if len(one) <= _PART:
        return one.tobytes() == other.tobytes()
    return _address(one) == _address(other) or all(_equal_parts(one, other))


def _equal_parts(one: memoryview, other: memoryview) -> Iterator[bool]:
    for start in range(0, len(one), _PART):
        end = start + _PART
        yield one[start:end].tobytes() == other[start:end].tobytes()


def _address(data: memoryview) -> int:
    found: int = np.frombuffer(data, np.uint8).__array_interface__["data"][0]
    return found
