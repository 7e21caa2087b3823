"""OperatorCase: an operator with the inputs of integer functions: types, options, parameters, and
intervals of operands.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..format.enums import Activation
from ..format.model import Model, Operator, Subgraph, Tensor
from ..numerics import INTEGER_LIMITS, integers_of
from ..record import Record
from ..rules.operand_types import ABSENT, OperandTypes
from .functions.affine import Affine
from .functions.limits import LIMITS
from .functions.operand_slots import WEIGHTED, WeightedSlots
from .functions.shapes import Parameters, row_facts, summed_counts

__all__ = ["CHANNELED", "Channel", "OperatorCase", "UnknownHereError"]

Array = NDArray[Any]

# Operator -> input indices of data, weights and bias, and the channel axis of the weights.
CHANNELED = {
    **WEIGHTED,
    "BATCH_MATMUL": WeightedSlots(0, 1, -1, 0),  # the second operand, with one channel per column
}


class UnknownHereError(Exception):
    """No integer function is known for the operator, or its parameters are missing; the message
    says why.
    """


class Channel(Record, frozen=True, kw_only=True):
    """One output channel of a convolution or matrix product: its index, the scale of its weights,
    and the least and greatest possible accumulator.
    """

    index: int
    weight_scale: float
    low: int
    high: int


class OperatorCase(Record, frozen=True, kw_only=True):
    """An operator in its model, with what integer functions take."""

    model: Model
    graph: Subgraph
    operator: Operator

    @property
    def address(self) -> str:
        """The operator's address, such as `subgraph[0]/operator[12] CONV_2D`."""
        graph_address = f"subgraph[{self.graph.index}]/operator[{self.operator.index}]"
        return f"{graph_address} {self.operator.name}"

    @property
    def types(self) -> OperandTypes:
        """Operand types, ABSENT for a left-out operand."""
        named = [self._type(index) for index in self.operator.inputs]
        return OperandTypes(tuple(named), tuple(self._type(i) for i in self.operator.outputs))

    def _type(self, index: int) -> str:
        """The type of the tensor at this index; ABSENT for -1."""
        return self.graph.tensors[index].type if index >= 0 else ABSENT

    @property
    def facts(self) -> Mapping[str, Any]:
        """Properties that conditions of rows test: options, and properties of shapes and scales."""
        tensors = [self.graph.tensors[i] if i >= 0 else None for i in self._operands]
        operands = [_parameters(tensor) for tensor in tensors]
        return row_facts(self.operator.name, self.operator.options, operands, self._axes())

    @property
    def _operands(self) -> tuple[int, ...]:
        """The tensor indices of all inputs and of the first output."""
        return (*self.operator.inputs, self.operator.outputs[0])

    def _axes(self) -> list[int]:
        """The integers of a constant second operand; none if it is no such constant."""
        try:
            return [int(axis) for axis in self.integers("inputs", 1).reshape(-1)]
        except UnknownHereError:
            return []

    @property
    def fused(self) -> str:
        """Schema name of the fused activation. Raises UnknownHereError for one that no kernel
        fuses.
        """
        code = int(self.operator.options.get("fused_activation_function", 0))
        name = Activation(code).name if code in set(Activation) else str(code)
        if name not in LIMITS:
            raise UnknownHereError(f"fused activation {name}")
        return name

    def operand(self, role: str, index: int) -> Tensor:
        """The tensor at a position of `inputs` or `outputs` (`role`). Raises UnknownHereError for a
        missing one. `index`: position.
        """
        listed = self.operator.inputs if role == "inputs" else self.operator.outputs
        if index >= len(listed) or listed[index] < 0:
            raise UnknownHereError(f"no {role}[{index}]")
        return self.graph.tensors[listed[index]]

    def affine(self, role: str, index: int) -> Affine:
        """An operand's scale and zero point, with its type's integer limits. Raises
        UnknownHereError if it does not have exactly one scale. `role`: inputs or outputs; `index`:
        position.
        """
        tensor = self.operand(role, index)
        label, limits = tensor.label, INTEGER_LIMITS.get(tensor.type)
        if label is None or limits is None or not 0 < label.scale < math.inf:
            raise UnknownHereError(f"{role}[{index}] does not have exactly one scale")
        return Affine(label.scale, label.zero_point, *limits)

    def integers(self, role: str, index: int) -> Array:
        """The integers of a constant operand, in its shape. UnknownHereError if it is no plain
        constant. `role`: inputs or outputs; `index`: position.
        """
        tensor = self.operand(role, index)
        data = self.model.constant(self.graph.index, tensor.index)
        if data is None or tensor.type not in INTEGER_LIMITS or tensor.sparse:
            raise UnknownHereError(f"{role}[{index}] is not a plain constant of the file")
        if tensor.type == "int64":
            flat: Array = np.frombuffer(data, dtype="<i8")
        else:
            flat = integers_of(data, tensor.type, tensor.elements).astype(np.int64)
        if flat.size != tensor.elements:
            raise UnknownHereError(
                f"{role}[{index}] the number of its integers differs from its shape"
            )
        return flat.reshape(tensor.shape)

    def channels(self) -> Iterator[Channel]:
        """Every output channel of an operator with weights and bias."""
        if self.operator.name == "BATCH_MATMUL":
            yield from self._products()
            return
        data_index, weights, bias, axis = CHANNELED[self.operator.name]
        data_affine, tensor = self.affine("inputs", data_index), self.operand("inputs", weights)
        quant = tensor.quant
        if quant is None or not quant.scale or not quant.sound:
            raise UnknownHereError("weights without a scale")
        rows = np.moveaxis(self.integers("inputs", weights), axis, 0)
        count = rows.shape[0]
        points = np.resize(np.asarray(quant.zero_point or (0,), dtype=np.int64), count)
        rows = rows.reshape(count, -1) - points[:, None]
        added = self._added(bias, count)
        low, high = (
            data_affine.low - data_affine.zero_point,
            data_affine.high - data_affine.zero_point,
        )
        ends = rows * low, rows * high
        least = np.minimum(*ends).sum(axis=1) + added
        most = np.maximum(*ends).sum(axis=1) + added
        scales = quant.scale if len(quant.scale) == count else quant.scale[:1] * count
        for index, scale in enumerate(scales):
            yield Channel(
                index=index, weight_scale=scale, low=int(least[index]), high=int(most[index])
            )

    def _products(self) -> Iterator[Channel]:
        """Channels of a matrix product: one per column of a constant second operand.

        For a second operand that is no constant: one channel that covers all integers.
        """
        first, second = self.affine("inputs", 0), self.affine("inputs", 1)
        shape = self.operand("inputs", 1).shape
        turned = bool(self.operator.options.get("adj_y", 0))
        try:
            columns = self.integers("inputs", 1) - second.zero_point
            columns = columns if turned else np.swapaxes(columns, -1, -2)
            columns = columns.reshape(-1, columns.shape[-1])
            ends = [columns]
        except UnknownHereError:
            depth = shape[-1] if turned else shape[-2]
            limits = (second.low - second.zero_point, second.high - second.zero_point)
            ends = [np.full((1, depth), end, dtype=np.int64) for end in limits]
        products = [
            column * (limit - first.zero_point)
            for column in ends
            for limit in (first.low, first.high)
        ]
        least = np.minimum.reduce(products).sum(axis=1)
        most = np.maximum.reduce(products).sum(axis=1)
        for index, (low, high) in enumerate(zip(least.tolist(), most.tolist(), strict=True)):
            yield Channel(index=index, weight_scale=second.scale, low=low, high=high)

    def _added(self, bias: int, count: int) -> Array:
        """The bias, by channel; zeros without one. `bias`: its input position; `count`: number of
        channels.
        """
        inputs = self.operator.inputs
        if bias >= len(inputs) or inputs[bias] < 0:
            return np.zeros(count, dtype=np.int64)
        integers = self.integers("inputs", bias).reshape(-1)
        if integers.size != count:
            raise UnknownHereError("bias and weights have different numbers of channels")
        return integers

    def counts(self) -> list[int]:
        """The possible numbers of elements in one output of a sum."""
        given, taken = self.operand("inputs", 0).shape, self.operand("outputs", 0).shape
        return summed_counts(self.operator.name, given, taken, self.operator.options)


def _parameters(tensor: Tensor | None) -> Parameters:
    """(shape, scales) of a tensor; empty for None or without scales."""
    if tensor is None:
        return (), ()
    return tensor.shape, tensor.quant.scale if tensor.quant is not None else ()
