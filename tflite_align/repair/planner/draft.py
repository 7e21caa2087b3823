"""A stage's working copy of a model, and descriptions of its changes."""

from __future__ import annotations

from ...format.model import (
    Buffer,
    Model,
    Operator,
    OperatorId,
    QuantParams,
    Slot,
    Tensor,
    TensorId,
)
from ...format.signature_entries import followed_signatures
from ...format.wiring import Links, links, slot_tensor
from ...numerics import Label, label_range, type_limits
from ...record import Record, field, replace
from .changes import Change, ChangeKind, Plan
from .graph_copy import GraphCopy

__all__ = ["Draft", "relabelled"]

# Operator version by integer type (op_version.cc of LiteRT); 1 for types not listed. For QUANTIZE
# it depends on the output, where int16 needs 2; for DEQUANTIZE on the input.
_VERSIONS = {
    "QUANTIZE": {"int16": 2},
    "DEQUANTIZE": {"int8": 2, "int16": 3},
}


def relabelled(tensor: Tensor, label: Label) -> QuantParams:
    """The tensor's quantization parameters with this label in place of the declared one.

    Recorded min and max, if there are any, become the range of the new label.
    """
    quant = tensor.quant or QuantParams(scale=(label.scale,), zero_point=(label.zero_point,))
    low: tuple[float, ...] = quant.minimum
    high: tuple[float, ...] = quant.maximum
    if type_limits(tensor.type) is not None and tensor.type != "int64":
        span = label_range(label, tensor.type)
        low, high = (span.low,) * len(low), (span.high,) * len(high)
    return replace(
        quant, scale=(label.scale,), zero_point=(label.zero_point,), minimum=low, maximum=high
    )


class Draft(Record):
    """A model that one stage changes.

    `model` is the unchanged model that the stage started from. Every index refers to it; added
    tensors are numbered after its own. `touched`: operators whose operands changed; `requantized`:
    tensors whose parameters changed.
    """

    model: Model
    changes: list[Change] = field(default_factory=list)
    touched: set[OperatorId] = field(default_factory=set)
    requantized: set[TensorId] = field(default_factory=set)  # tensors with new parameters
    wiring: dict[int, Links] = field(default_factory=dict)
    _graphs: dict[int, GraphCopy] = field(default_factory=dict)
    _buffers: list[Buffer] = field(default_factory=list)
    _names: dict[int, set[str]] = field(default_factory=dict)

    def graph(self, subgraph: int) -> GraphCopy:
        """The subgraph's working copy."""
        if subgraph not in self._graphs:
            if not self._graphs:
                self._buffers.extend(self.model.buffers)
            self._graphs[subgraph] = GraphCopy(self.model.subgraphs[subgraph], self._buffers)
        return self._graphs[subgraph]

    @property
    def changed(self) -> bool:
        """Whether anything has been changed."""
        return bool(self._graphs)

    def plan(self) -> Plan:
        """The plan with the changed model."""
        return Plan(
            model=self._changed(),
            changes=tuple(self.changes),
            edited=frozenset(self.touched),
        )

    def _changed(self) -> Model:
        """The model with all changes; the unchanged one if there are none."""
        if not self._graphs:
            return self.model
        subgraphs = tuple(
            self._graphs[graph.index].done() if graph.index in self._graphs else graph
            for graph in self.model.subgraphs
        )
        return replace(
            self.model,
            subgraphs=subgraphs,
            buffers=tuple(self._buffers),
            signatures=followed_signatures(self.model, subgraphs),
        )

    def links(self, subgraph: int) -> Links:
        """Producers and readers of a subgraph's tensors, without the changes."""
        if subgraph not in self.wiring:
            self.wiring[subgraph] = links(self.model, subgraph)
        return self.wiring[subgraph]

    def tensor(self, subgraph: int, index: int) -> Tensor:
        """A tensor without the changes. `subgraph`: its index. `index`: position."""
        return self.model.subgraphs[subgraph].tensors[index]

    def standing(self, slot: Slot) -> Tensor | None:
        """The tensor that an operator's slot uses, with the changes made so far; None if the
        operand is absent.
        """
        if slot.subgraph not in self._graphs:
            return slot_tensor(self.model, slot)
        graph = self._graphs[slot.subgraph]
        operands = graph.operators[slot.operator].operands(slot.kind)
        exists = slot.index < len(operands) and 0 <= operands[slot.index] < len(graph.tensors)
        return graph.tensors[operands[slot.index]] if exists else None

    def content(self, subgraph: int, tensor: Tensor) -> memoryview | None:
        """The bytes of a constant, as changed so far; None for any other tensor. `subgraph`: its
        index.
        """
        own = self.model.subgraphs[subgraph].tensors
        if tensor.index < len(own) and tensor.buffer == own[tensor.index].buffer:
            return self.model.constant(subgraph, tensor.index)
        return self._buffers[tensor.buffer].data

    def set_quant(self, subgraph: int, index: int, quant: QuantParams) -> None:
        """Set a tensor's parameters if they differ; all operators that use the tensor count as
        changed.

        If `quant` has no calibration ranges, those of the tensor are kept, because the writer can
        rewrite but not remove them. `subgraph`: its index. `index`: position.
        """
        old = self.tensor(subgraph, index).quant
        if old is not None and (old.minimum or old.maximum):
            low, high = quant.minimum or old.minimum, quant.maximum or old.maximum
            quant = replace(quant, minimum=low, maximum=high)
        if old == quant:
            return
        self.graph(subgraph).set_tensor(index, quant=quant)
        self.requantized.add(TensorId(subgraph, index))
        wiring = self.links(subgraph)
        for slot in wiring.readers.get(index, []):
            self.touched.add(OperatorId(subgraph, slot.operator))
        if index in wiring.producer:
            self.touched.add(wiring.producer[index].operator_id)

    def add_tensor(
        self,
        subgraph: int,
        like: int,
        ending: str,
        quant: QuantParams | None,
        *,
        data: bytes | None = None,
        type_name: str | None = None,
        shape: tuple[int, ...] | None = None,
    ) -> int:
        """Add a tensor with the shape of the tensor `like`, or another shape, and a unique name
        (its name with `ending`); returns its index. `data`: bytes of a constant. `subgraph`: its
        index.
        """
        shaped = self.tensor(subgraph, like)
        name = self.free_name(subgraph, f"{shaped.name}{ending}")
        new_type = type_name or shaped.type
        return self.graph(subgraph).add_tensor(like, name, new_type, quant, data=data, shape=shape)

    def free_name(self, subgraph: int, wanted: str) -> str:
        """The name `wanted`, with a number appended if a tensor has it already; the result is
        reserved. `subgraph`: its index.
        """
        if subgraph not in self._names:
            tensors = self.model.subgraphs[subgraph].tensors
            self._names[subgraph] = {tensor.name for tensor in tensors}
        names = self._names[subgraph]
        name, suffix = wanted, 1
        while name in names:
            suffix += 1
            name = f"{wanted}_{suffix}"
        names.add(name)
        return name

    def add_quantize(
        self, subgraph: int, source: int, target: int, type_name: str, before: int
    ) -> None:
        """Insert a QUANTIZE from tensor `source` to tensor `target`, which has this type, before
        the operator `before`. `subgraph`: its index.
        """
        self.add_step(subgraph, source, target, ("QUANTIZE", type_name), before)

    def add_step(
        self, subgraph: int, source: int, target: int, step: tuple[str, str], before: int
    ) -> None:
        """Insert an operator from tensor `source` to tensor `target`, before the operator `before`.
        `step`: QUANTIZE or DEQUANTIZE, and the type that chooses its version. `subgraph`: its
        index.
        """
        name, type_name = step
        operator = Operator(
            index=-1,
            name=name,
            version=_VERSIONS[name].get(type_name, 1),
            custom_code=None,
            inputs=(source,),
            outputs=(target,),
        )
        self.graph(subgraph).insert(before, operator)

    def rewire(self, slot: Slot, tensor: int) -> None:
        """Let a slot use another tensor."""
        self.graph(slot.subgraph).set_operand(slot.operator, slot.kind, slot.index, tensor)
        if slot.operator >= 0:
            self.touched.add(slot.operator_id)

    def note(
        self,
        change_kind: ChangeKind,
        key: TensorId,
        before: str,
        after: str,
        *,
        why: str,
        readers: tuple[Slot, ...] = (),
    ) -> None:
        """Record a change for reports. `before`, `after`, `why`: text; `readers`: the slots that it
        was made for.
        """
        self.changes.append(
            Change(
                kind=change_kind,
                subgraph=key[0],
                tensor=key[1],
                name=self.tensor(*key).name,
                before=before,
                after=after,
                why=why,
                readers=tuple(slot.address(self.model) for slot in readers),
            )
        )
