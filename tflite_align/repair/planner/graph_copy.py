"""A subgraph that is being changed; tensors and operators keep their original indices meanwhile."""

from __future__ import annotations

from typing import Any

from ...format.model import Buffer, Operator, QuantParams, SlotKind, Subgraph, Tensor
from ...record import replace

__all__ = ["GraphCopy"]


class GraphCopy:
    """One subgraph of a model with changes. `buffers`: the model's buffers and new ones; copies of
    several subgraphs share the list.
    """

    def __init__(self, graph: Subgraph, buffers: list[Buffer]) -> None:
        self.graph = graph
        self.buffers = buffers
        self.tensors: list[Tensor] = list(graph.tensors)
        self.operators: list[Operator] = list(graph.operators)
        self.inserted: dict[int, list[Operator]] = {}
        self.removed: set[int] = set()
        self.boundary = {"inputs": list(graph.inputs), "outputs": list(graph.outputs)}

    def set_tensor(self, index: int, **fields: Any) -> None:
        """Set fields of the tensor at position `index`."""
        self.tensors[index] = replace(self.tensors[index], **fields)

    def set_data(self, index: int, data: bytes, type_name: str | None = None) -> None:
        """Set the bytes of a constant, and its type if given. `index`: position."""
        new_type = type_name or self.tensors[index].type
        self.set_tensor(index, buffer=self._buffer(data), type=new_type)

    def add_tensor(
        self,
        like: int,
        name: str,
        type_name: str,
        quant: QuantParams | None,
        *,
        data: bytes | None = None,
        shape: tuple[int, ...] | None = None,
    ) -> int:
        """Add a tensor with the shape of the tensor `like`, or another one; returns its index.
        `data`: bytes of a constant. `type_name`: its type.
        """
        shaped = self.tensors[like]
        if shape is not None:
            shaped = replace(shaped, shape=shape, shape_signature=())
        self.tensors.append(
            Tensor(
                index=len(self.tensors),
                name=name,
                type=type_name,
                shape=shaped.shape,
                shape_signature=shaped.shape_signature,
                buffer=self._buffer(data),
                quant=quant,
                like=like,
            )
        )
        return len(self.tensors) - 1

    def insert(self, before: int, operator: Operator) -> None:
        """Insert an operator before the one with this original index; several keep their order."""
        self.inserted.setdefault(before, []).append(operator)

    def remove(self, operator: int) -> None:
        """Remove the operator with this original index."""
        self.removed.add(operator)

    def set_operator(self, index: int, **fields: Any) -> None:
        """Set fields of the operator at position `index`."""
        self.operators[index] = replace(self.operators[index], **fields)

    def set_option(self, index: int, field: str, value: int) -> None:
        """Set an option of an operator. `index`: position. `field`: the option's schema name."""
        self.set_operator(index, options={**self.operators[index].options, field: value})

    def set_operand(self, operator: int, slot_kind: SlotKind, index: int, tensor: int) -> None:
        """Let an operand use another tensor; operator -1 stands for the subgraph's own inputs and
        outputs.

        The position after the last operand adds one. `index`: position.
        """
        if operator < 0:
            self.boundary[slot_kind][index] = tensor
            return
        operands = list(self.operators[operator].operands(slot_kind))
        operands[index : index + 1] = [tensor]
        self.set_operator(operator, **{slot_kind: tuple(operands)})

    def _buffer(self, data: bytes | None) -> int:
        """Add a buffer; returns its index."""
        view = None if data is None else memoryview(data)
        self.buffers.append(Buffer(index=len(self.buffers), data=view, pos=0))
        return len(self.buffers) - 1

    def done(self) -> Subgraph:
        """The changed subgraph, with operators renumbered."""
        operators: list[Operator] = []
        for position in range(len(self.operators) + 1):
            operators += self.inserted.get(position, ())
            if position < len(self.operators) and position not in self.removed:
                operators.append(self.operators[position])
        return replace(
            self.graph,
            tensors=tuple(self.tensors),
            operators=tuple(
                [
                    operator if operator.index == index else replace(operator, index=index)
                    for index, operator in enumerate(operators)
                ]
            ),
            inputs=tuple(self.boundary["inputs"]),
            outputs=tuple(self.boundary["outputs"]),
        )
