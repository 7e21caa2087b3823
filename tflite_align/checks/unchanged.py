"""Operators that are unchanged, bit for bit, since an earlier state of the model.

Rules depend only on an operator and its operands, so that these need no new check.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..format.model import Buffer, Model, Operator, Tensor

__all__ = ["unchanged"]

_PART = 1 << 20  # bytes: chunk in which constants are compared


def unchanged(model: Model, earlier: Model) -> list[dict[int, int]]:
    """By subgraph, the index of each unchanged operator of `model` -> its index in `earlier`.
    Unchanged: its `origin` leads to an equal operator on equal operands.

    Both models have the same subgraphs, and a tensor has one index in both.
    """
    same_buffer = _same_buffers(model, earlier)
    places = []
    for graph, before in zip(model.subgraphs, earlier.subgraphs, strict=True):
        pairs = zip(graph.tensors, before.tensors, strict=False)
        same = [
            tensor.buffer == was.buffer
            and tensor.buffer < len(same_buffer)
            and same_buffer[tensor.buffer]
            and _same_tensor(tensor, was)
            for tensor, was in pairs
        ]
        same += [False] * (len(graph.tensors) - len(same))
        same.append(True)  # an operand that is absent, -1
        found = {}
        for operator in graph.operators:
            if operator.origin is None:
                continue
            was = before.operators[operator.origin]
            if _same_operator(operator, was) and all(map(same.__getitem__, operator.named)):
                found[operator.index] = operator.origin
        places.append(found)
    return places


def _same_operator(operator: Operator, was: Operator) -> bool:
    """Whether name, version, custom code, operands and options are equal."""
    return (
        operator.name == was.name
        and operator.version == was.version
        and operator.custom_code == was.custom_code
        and operator.inputs == was.inputs
        and operator.outputs == was.outputs
        and operator.intermediates == was.intermediates
        and operator.options == was.options
        and operator.numbers == was.numbers
    )


def _same_tensor(tensor: Tensor, was: Tensor) -> bool:
    """Whether everything but the constant's bytes is equal. Written out for speed: it runs for
    every tensor.
    """
    quant, before = tensor.quant, was.quant
    if quant is None or before is None:
        same_quant = quant is before
    else:
        same_quant = (
            quant.scale == before.scale
            and quant.zero_point == before.zero_point
            and quant.quantized_dimension == before.quantized_dimension
            and quant.minimum == before.minimum
            and quant.maximum == before.maximum
            and quant.details == before.details
        )
    return (
        same_quant
        and tensor.type == was.type
        and tensor.shape == was.shape
        and tensor.shape_signature == was.shape_signature
        and tensor.is_variable == was.is_variable
        and tensor.external_buffer == was.external_buffer
        and tensor.sparse == was.sparse
    )


def _same_buffers(model: Model, earlier: Model) -> list[bool]:
    """For each buffer that both models have, whether it holds the same bytes in both. The tensors of
    a model without any buffer name buffer 0.
    """
    if not (model.buffers or earlier.buffers):
        return [True]
    pairs = zip(model.buffers, earlier.buffers, strict=False)
    return [_same_buffer(buffer, was) for buffer, was in pairs]


def _same_buffer(buffer: Buffer, was: Buffer) -> bool:
    """Whether two buffers hold the same bytes in this file, or both hold none."""
    if buffer.data is None or was.data is None:
        return buffer.data is was.data and buffer.external == was.external
    return _same_bytes(buffer.data, was.data)


def _same_bytes(data: memoryview, earlier: memoryview) -> bool:
    """Whether two byte ranges are equal; quick if both are one piece of memory."""
    if len(data) != len(earlier):
        return False
    if len(data) <= _PART:
        return data.tobytes() == earlier.tobytes()
    return _address(data) == _address(earlier) or all(_equal_parts(data, earlier))


def _equal_parts(data: memoryview, earlier: memoryview) -> Iterator[bool]:
    """Whether two buffers hold equal bytes; compared chunk by chunk to save memory."""
    for start in range(0, len(data), _PART):
        end = start + _PART
        yield data[start:end].tobytes() == earlier[start:end].tobytes()


def _address(data: memoryview) -> int:
    """The address of the first byte in memory."""
    address: int = np.frombuffer(data, np.uint8).__array_interface__["data"][0]
    return address
