"""A plan being drawn up: edits collected, names and new indices handed out."""

from __future__ import annotations

from ...format.edits import AddOperator, AddTensor, Edit, SetGraphIO, SetOperand, SetQuant
from ...format.model import Model, OperatorId, QuantParams, Slot, Tensor, TensorId
from ...format.wiring import Links, links
from ...numerics import Label, label_range, type_limits
from ...record import Record, field, replace
from .changes import Change, ChangeKind

__all__ = ["Draft", "relabelled"]

# Versions by integer type (op_version.cc of LiteRT); 1 for those not listed. QUANTIZE: of its
# output, where int16 came with 2; DEQUANTIZE: of its input.
_VERSIONS = {
    "QUANTIZE": {"int16": 2},
    "DEQUANTIZE": {"int8": 2, "int16": 3},
}


def relabelled(tensor: Tensor, label: Label) -> QuantParams:
    """The tensor's parameters with this label; calibration ranges, where there are any, become
    what the label can hold, so that they do not go stale.
    """
    quant = tensor.quant or QuantParams(scale=(label.scale,), zero_point=(label.zero_point,))
    low: tuple[float, ...] = quant.minimum
    high: tuple[float, ...] = quant.maximum
    if type_limits(tensor.type) is not None and tensor.type != "int64":
        held = label_range(label, tensor.type)
        low, high = (held.low,) * len(low), (held.high,) * len(high)
    return replace(
        quant, scale=(label.scale,), zero_point=(label.zero_point,), minimum=low, maximum=high
    )


class Draft(Record):
    model: Model
    edits: list[Edit] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    touched: set[OperatorId] = field(default_factory=set)
    wiring: dict[int, Links] = field(default_factory=dict)
    _added: dict[int, int] = field(default_factory=dict)
    _names: dict[int, set[str]] = field(default_factory=dict)

    def links(self, subgraph: int) -> Links:
        if subgraph not in self.wiring:
            self.wiring[subgraph] = links(self.model, subgraph)
        return self.wiring[subgraph]

    def tensor(self, subgraph: int, index: int) -> Tensor:
        return self.model.subgraphs[subgraph].tensors[index]

    def set_quant(self, subgraph: int, index: int, quant: QuantParams) -> None:
        """An edit only where something changes; all operators at the tensor count as edited."""
        if self.tensor(subgraph, index).quant == quant:
            return
        self.edits.append(SetQuant(subgraph=subgraph, tensor=index, quant=quant))
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
    ) -> int:
        """Index of a new tensor shaped as `like`, with a name no other tensor has."""
        graph = self.model.subgraphs[subgraph]
        count = self._added.get(subgraph, 0)
        self._added[subgraph] = count + 1
        index = len(graph.tensors) + count
        self.edits.append(
            AddTensor(
                subgraph=subgraph,
                index=index,
                like=like,
                name=self._name(subgraph, f"{graph.tensors[like].name}{ending}"),
                type=type_name or graph.tensors[like].type,
                quant=quant,
                data=data,
            )
        )
        return index

    def free_name(self, subgraph: int, wanted: str) -> str:
        """`wanted`, with a number behind it where a tensor has that name; taken from now on."""
        return self._name(subgraph, wanted)

    def _name(self, subgraph: int, wanted: str) -> str:
        if subgraph not in self._names:
            tensors = self.model.subgraphs[subgraph].tensors
            self._names[subgraph] = {tensor.name for tensor in tensors}
        taken = self._names[subgraph]
        name, number = wanted, 1
        while name in taken:
            number += 1
            name = f"{wanted}_{number}"
        taken.add(name)
        return name

    def add_quantize(
        self, subgraph: int, source: int, target: int, type_name: str, before: int
    ) -> None:
        """A QUANTIZE to integers of this type."""
        self.add_step(subgraph, source, target, ("QUANTIZE", type_name), before)

    def add_step(
        self, subgraph: int, source: int, target: int, step: tuple[str, str], before: int
    ) -> None:
        """A QUANTIZE to, or a DEQUANTIZE from, integers of a type: `step` is the two names."""
        name, type_name = step
        self.edits.append(
            AddOperator(
                subgraph=subgraph,
                before=before,
                name=name,
                version=_VERSIONS[name].get(type_name, 1),
                inputs=(source,),
                outputs=(target,),
            )
        )

    def rewire(self, slot: Slot, tensor: int) -> None:
        if slot.operator < 0:
            kind = "inputs" if slot.kind == "inputs" else "outputs"
            self.edits.append(
                SetGraphIO(subgraph=slot.subgraph, kind=kind, index=slot.index, tensor=tensor)  # type: ignore[arg-type]
            )
            return
        self.edits.append(
            SetOperand(
                subgraph=slot.subgraph,
                operator=slot.operator,
                kind=slot.kind,
                index=slot.index,
                tensor=tensor,
            )
        )
        self.touched.add(slot.operator_id)

    def note(
        self,
        kind: ChangeKind,
        key: TensorId,
        before: str,
        after: str,
        *,
        why: str,
        readers: tuple[Slot, ...] = (),
    ) -> None:
        self.changes.append(
            Change(
                kind=kind,
                subgraph=key[0],
                tensor=key[1],
                name=self.tensor(*key).name,
                before=before,
                after=after,
                why=why,
                readers=tuple(slot.address(self.model) for slot in readers),
            )
        )
