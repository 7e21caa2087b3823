"""What a limit is tested on: one operator of a model, or the model as a whole."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ...format.model import Model, Operator, Slot, SlotKind, Subgraph, Tensor
from ...format.type_groups import QUANTIZED_TYPES
from ...numerics import DTYPES
from ...record import Record
from ...rules.rows import SlotPattern

__all__ = ["Subject", "hybrid"]


class Subject(Record, frozen=True, kw_only=True):
    """One operator of one model; `operator` None stands for the model as a whole."""

    model: Model
    subgraph: int
    operator: Operator | None

    def select(self, patterns: Sequence[SlotPattern]) -> list[Slot]:
        """Slots that the patterns name and that hold a tensor."""
        if self.operator is None:
            return []
        slots = []
        for pattern in patterns:
            operands = self.operator.operands(pattern.kind)
            slots += [
                Slot(self.subgraph, self.operator.index, pattern.kind, index)
                for index in pattern.select(len(operands))
                if index < len(operands) and operands[index] >= 0
            ]
        return slots

    def tensors(self, *patterns: SlotPattern) -> list[Tensor]:
        tensors = self.model.subgraphs[self.subgraph].tensors
        return [tensors[slot.tensor(self.model)] for slot in self.select(patterns)]

    def option(self, name: str) -> int:
        """An operator without an option table has the schema's zeros."""
        value = self.operator.options.get(name, 0) if self.operator is not None else 0
        return int(value) if not isinstance(value, str) else 0

    def slot(self) -> Slot:
        """Where a limit of the operator itself is reported."""
        if self.operator is None:
            return Slot(self.subgraph, -1, "inputs", 0)
        slot_kind: SlotKind = "outputs" if self.operator.outputs else "inputs"
        return Slot(self.subgraph, self.operator.index, slot_kind, 0)

    def integers(self, tensor: Tensor) -> np.ndarray | None:
        """A constant's integers in the tensor's shape; None where they cannot be read."""
        data = self.model.constant(self.subgraph, tensor.index)
        if data is None or tensor.type not in DTYPES:
            return None
        flat = np.frombuffer(data, dtype=DTYPES[tensor.type])
        shape = tuple(max(size, 0) for size in tensor.shape)
        return flat.reshape(shape) if flat.size == math.prod(shape) else flat

    def constant(self, tensor: Tensor) -> bool:
        return self.model.is_constant(self.subgraph, tensor.index)


def hybrid(model: Model, graph: Subgraph, operator: Operator) -> bool:
    """Whether an operator that computes in float does so with weights in integers."""
    return any(
        graph.tensors[index].type in QUANTIZED_TYPES and model.is_constant(graph.index, index)
        for index in operator.inputs
        if index >= 0
    )
