"""The subject of a limit: one operator of a model, or the model as a whole."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ...format.model import Model, Operator, Slot, SlotKind, Subgraph, Tensor
from ...format.type_groups import QUANTIZED_TYPES
from ...numerics import DTYPES
from ...record import Record
from ...rules.rows import SlotPattern

__all__ = ["Mismatch", "Subject", "hybrid"]

# The result of a limit's test: None if the limit is kept, else (expected, found) as text.
Mismatch = tuple[str, str] | None


class Subject(Record, frozen=True, kw_only=True):
    """One operator of a model, to which a limit applies; `operator` None: the model as a whole."""

    model: Model
    subgraph: int
    operator: Operator | None

    def operands(self, patterns: Sequence[SlotPattern]) -> list[tuple[SlotKind, int, Tensor]]:
        """(kind, position, tensor) of the present operands that the patterns name."""
        if self.operator is None:
            return []
        tensors = self.model.subgraphs[self.subgraph].tensors
        found = []
        for pattern in patterns:
            indices = self.operator.operands(pattern.kind)
            found += [
                (pattern.kind, place, tensors[indices[place]])
                for place in pattern.select(len(indices))
                if place < len(indices) and indices[place] >= 0
            ]
        return found

    def tensors(self, *patterns: SlotPattern) -> list[Tensor]:
        """The tensors of the present operands that the patterns name."""
        return [tensor for _, _, tensor in self.operands(patterns)]

    def option(self, name: str) -> int:
        """An option of the operator as an int; 0, the schema's default, if it is not stored."""
        value = self.operator.options.get(name, 0) if self.operator is not None else 0
        return int(value) if not isinstance(value, str) else 0

    def number(self, name: str) -> float:
        """As `option`, of a float."""
        value = self.operator.options.get(name, 0) if self.operator is not None else 0
        return float(value) if not isinstance(value, str) else 0.0

    def slot(self) -> Slot:
        """The slot at which a violation of a limit on the operator is reported."""
        if self.operator is None:
            return Slot(self.subgraph, -1, "inputs", 0)
        slot_kind: SlotKind = "outputs" if self.operator.outputs else "inputs"
        return Slot(self.subgraph, self.operator.index, slot_kind, 0)

    def integers(self, tensor: Tensor) -> np.ndarray | None:
        """A constant's integers in the tensor's shape, or flat if that does not match; None if it
        is no constant of an integer type.
        """
        data = self.model.constant(self.subgraph, tensor.index)
        if data is None or tensor.type not in DTYPES:
            return None
        flat = np.frombuffer(data, dtype=DTYPES[tensor.type])
        shape = tuple(max(size, 0) for size in tensor.shape)
        return flat.reshape(shape) if flat.size == math.prod(shape) else flat

    def constant(self, tensor: Tensor) -> bool:
        """Whether the tensor is a constant."""
        return self.model.is_constant(self.subgraph, tensor.index)


def hybrid(model: Model, graph: Subgraph, operator: Operator) -> bool:
    """Whether the operator has constant weights of a quantized type, as float operators with
    quantized weights do.
    """
    return any(
        graph.tensors[index].type in QUANTIZED_TYPES and model.is_constant(graph.index, index)
        for index in operator.inputs
        if index >= 0
    )
