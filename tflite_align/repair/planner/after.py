"""The model as it will be read once a plan's edits are made: records only, no bytes.

Later steps of a plan look at what earlier ones leave behind, and a second run of align sees the
very same: what they decide here, they decide there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ...format.edits import (
    AddOperator,
    AddTensor,
    Edit,
    RemoveOperator,
    SetData,
    SetGraphIO,
    SetName,
    SetOperand,
    SetOption,
    SetQuant,
    SetType,
    SetVersion,
)
from ...format.model import Buffer, Model, Operator, OperatorId, Slot, Subgraph, Tensor
from ...record import Record, replace

__all__ = ["After", "applied"]


class After(Record, frozen=True):
    """`origin`: where an operator of `model` comes from, by (subgraph, operator): its index in
    the original, or the edit that adds it.
    """

    model: Model
    origin: Mapping[OperatorId, int | AddOperator]

    def old_slot(self, slot: Slot) -> Slot | None:
        """The same slot in the original; None where its operator is an added one."""
        if slot.operator < 0:
            return slot
        old = self.origin[slot.operator_id]
        return slot._replace(operator=old) if isinstance(old, int) else None


def applied(model: Model, edits: Iterable[Edit]) -> After:
    """The model with the edits made. Positions of what is new are 0."""
    buffers = list(model.buffers)
    graphs = [_Graph(graph, buffers) for graph in model.subgraphs]
    for edit in edits:
        graphs[edit.subgraph].take(edit)
    origin: dict[OperatorId, int | AddOperator] = {}
    subgraphs = tuple(graph.done(origin) for graph in graphs)
    return After(replace(model, subgraphs=subgraphs, buffers=tuple(buffers)), origin)


class _Graph:
    """One subgraph while edits are made; `buffers` is shared by all of them."""

    def __init__(self, graph: Subgraph, buffers: list[Buffer]) -> None:
        self.graph = graph
        self.buffers = buffers
        self.tensors: dict[int, Tensor] = {tensor.index: tensor for tensor in graph.tensors}
        self.operators: list[Operator] = list(graph.operators)
        self.added: dict[int, list[AddOperator]] = {}
        self.removed: set[int] = set()
        self.boundary = {"inputs": list(graph.inputs), "outputs": list(graph.outputs)}

    def take(self, edit: Edit) -> None:
        match edit:
            case AddOperator():
                self.added.setdefault(edit.before, []).append(edit)
            case RemoveOperator():
                self.removed.add(edit.operator)
            case SetGraphIO():
                self.boundary[edit.kind][edit.index] = edit.tensor
            case SetOperand():
                old = self.operators[edit.operator]
                operands = list(old.operands(edit.kind))
                operands[edit.index] = edit.tensor
                changed: dict[str, tuple[int, ...]] = {edit.kind: tuple(operands)}
                self.operators[edit.operator] = replace(old, **changed)
            case SetOption():
                old = self.operators[edit.operator]
                options = {**old.options, edit.field: edit.value}
                self.operators[edit.operator] = replace(old, options=options)
            case SetVersion():
                old = self.operators[edit.operator]
                self.operators[edit.operator] = replace(old, version=edit.version)
            case SetName():
                old_tensor = self.tensors[edit.tensor]
                self.tensors[edit.tensor] = replace(old_tensor, name=edit.name)
            case _:
                self.tensors[edit.index if isinstance(edit, AddTensor) else edit.tensor] = (
                    self._tensor(edit)
                )

    def _tensor(self, edit: AddTensor | SetQuant | SetData | SetType) -> Tensor:
        if isinstance(edit, AddTensor):
            like = self.tensors[edit.like]
            return Tensor(
                index=edit.index,
                name=edit.name,
                type=edit.type,
                shape=like.shape,
                shape_signature=like.shape_signature,
                buffer=self._buffer(edit.data),
                quant=edit.quant,
                like=edit.like if like.like is None else like.like,
            )
        old = self.tensors[edit.tensor]
        if isinstance(edit, SetQuant):
            return replace(old, quant=edit.quant)
        if isinstance(edit, SetType):
            return replace(old, type=edit.type)
        return replace(old, buffer=self._buffer(edit.data), type=edit.type or old.type)

    def _buffer(self, data: bytes | None) -> int:
        view = None if data is None else memoryview(data)
        self.buffers.append(Buffer(index=len(self.buffers), data=view, pos=0))
        return len(self.buffers) - 1

    def done(self, origin: dict[OperatorId, int | AddOperator]) -> Subgraph:
        """The subgraph, its operators numbered anew; where they come from goes to `origin`."""
        operators: list[Operator] = []

        def put(operator: Operator, source: int | AddOperator) -> None:
            origin[OperatorId(self.graph.index, len(operators))] = source
            moved = operator.index != len(operators)
            operators.append(replace(operator, index=len(operators)) if moved else operator)

        for place in range(len(self.operators) + 1):
            for edit in self.added.get(place, ()):
                put(_added(edit), edit)
            if place < len(self.operators) and place not in self.removed:
                put(self.operators[place], place)
        return replace(
            self.graph,
            tensors=tuple([self.tensors[index] for index in sorted(self.tensors)]),
            operators=tuple(operators),
            inputs=tuple(self.boundary["inputs"]),
            outputs=tuple(self.boundary["outputs"]),
        )


def _added(edit: AddOperator) -> Operator:
    return Operator(
        index=-1,
        name=edit.name,
        version=edit.version,
        custom_code=None,
        inputs=edit.inputs,
        outputs=edit.outputs,
    )
