"""One operator with the known shapes and values of its operands."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...format.model import Model, Operator, Subgraph
from ...numerics import DTYPES
from ...record import Record, field
from ...rules.rows import SlotPattern
from ...rules.shape_rows import ShapeRow

__all__ = [
    "ContradictionError",
    "Scene",
    "Shape",
    "ShapeFunction",
    "UnknownShapeError",
    "axis_of",
    "shape_text",
]

Shape = tuple[int, ...]

_MOST_VALUES = 256  # largest number of elements of a tensor whose values are computed
_COUNTED = frozenset({"int32", "int64"})


class UnknownShapeError(Exception):
    """The output shape cannot be known before the run."""


class ContradictionError(Exception):
    """No kernel takes operands of these shapes together. Arguments: what was expected, and what was
    found.
    """

    def __init__(self, expected: str, actual: str) -> None:
        super().__init__(expected, actual)
        self.expected = expected
        self.actual = actual


class Scene(Record):
    """One operator of a subgraph during shape inference.

    `row`: the operator's shape row. `shapes`: of the tensors known so far, by tensor index;
    `values`: of small integer tensors. `sizes`, `whole_shapes`: what the names in the operator's row
    of operands stand for.
    """

    model: Model
    graph: Subgraph
    operator: Operator
    row: ShapeRow
    shapes: dict[int, Shape] = field(default_factory=dict)
    values: dict[int, NDArray[Any] | None] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)
    whole_shapes: dict[str, Shape] = field(default_factory=dict)

    @property
    def operand(self) -> SlotPattern:
        """The input that the operator's shape row names."""
        return self.row.operand

    def has(self, index: int) -> bool:
        """Whether the input at this position is present. `index`: the input's position."""
        return index < len(self.operator.inputs) and self.operator.inputs[index] >= 0

    def shape(self, index: int = 0) -> Shape:
        """The shape of the input at this position; UnknownShapeError if it is not known. `index`:
        the input's position.
        """
        inputs = self.operator.inputs
        found = self.shapes.get(inputs[index]) if index < len(inputs) else None
        if found is None:
            raise UnknownShapeError
        return found

    def ranked(self, index: int, *ranks: int) -> Shape:
        """The shape of an input that must have one of these numbers of dimensions;
        ContradictionError otherwise. UnknownShapeError for a shape without dimensions, which may
        have been left out of the file. `index`: the input's position.
        """
        shape = self.shape(index)
        if not shape:
            raise UnknownShapeError
        if len(shape) not in ranks:
            dimensions = " or ".join(map(str, ranks))
            raise ContradictionError(
                f"inputs[{index}] of {dimensions} dimensions", shape_text(shape)
            )
        return shape

    def certain(self, index: int) -> bool:
        """Whether a shape without dimensions at this position is one, and not left out of the file:
        the input is a constant or written by an operator. `index`: the input's position.
        """
        tensor = self.operator.inputs[index]
        if self.model.is_constant(self.graph.index, tensor):
            return True
        return tensor not in self.graph.inputs and not self.graph.tensors[tensor].is_variable

    def axis(self, axis: int, index: int = 0) -> int:
        """`axis`, which may be negative (-1: the last), counted from the front of the shape of
        inputs[index]. ContradictionError if that input has no such axis.
        """
        shape = self.shape(index)
        if not shape and self.certain(index):
            raise ContradictionError("an operand with an axis", "a scalar")
        return axis_of(axis, len(shape))

    def vector(self, index: int) -> list[int]:
        """As `listed`, of an input that must have one dimension; ContradictionError otherwise.
        `index`: the input's position.
        """
        items = self.value(index)
        if items.ndim != 1:
            raise ContradictionError(f"a vector at inputs[{index}]", shape_text(items.shape))
        return self.listed(index)

    def option(self, name: str) -> int:
        """An option of the operator as an int; 0 if it is not stored."""
        return int(self.operator.options.get(name, 0))

    def value(self, index: int) -> NDArray[Any]:
        """The integers of the input at this position, in its shape; UnknownShapeError if they are
        not known. `index`: the input's position.
        """
        tensor = self.operator.inputs[index] if self.has(index) else -1
        if tensor not in self.values:
            self.values[tensor] = self._constant(tensor) if tensor >= 0 else None
        found = self.values[tensor]
        if found is None:
            raise UnknownShapeError
        return found

    def listed(self, index: int) -> list[int]:
        """The integers of the input at this position as a flat list; UnknownShapeError if they are
        not known. `index`: the input's position.
        """
        return [int(item) for item in self.value(index).reshape(-1)]

    def single(self, index: int) -> int:
        """The only integer of the input at this position; UnknownShapeError if it is unknown or one
        of several. `index`: the input's position.
        """
        items = self.listed(index)
        if len(items) != 1:
            raise UnknownShapeError
        return items[0]

    def _constant(self, index: int) -> NDArray[Any] | None:
        """The integers of a constant without scale; None for another tensor. `index`: the input's
        position.
        """
        tensor = self.graph.tensors[index]
        quant = tensor.quant
        if tensor.type not in _COUNTED or tensor.sparse or (quant is not None and quant.scale):
            return None
        data = self.model.constant(self.graph.index, index)
        dtype = np.dtype(DTYPES[tensor.type])
        count = int(np.prod(tensor.shape)) if min(tensor.shape, default=1) > 0 else 0
        if data is None or count > _MOST_VALUES or len(data) != count * dtype.itemsize:
            return None
        return np.frombuffer(data, dtype).reshape(tensor.shape)

    @property
    def counts(self) -> bool:
        """Whether the first output is an integer tensor whose values are inferred."""
        outputs = self.operator.outputs
        return bool(outputs) and self.graph.tensors[outputs[0]].type in _COUNTED

    def keep(self, value: NDArray[Any]) -> None:
        """Store the values of the operator's first output, unless there are too many."""
        tensor = self.graph.tensors[self.operator.outputs[0]]
        if value.size <= _MOST_VALUES:
            self.values[tensor.index] = value.astype(DTYPES[tensor.type])


# Returns the shapes of the first outputs; raises one of the two errors above.
ShapeFunction = Callable[[Scene], Sequence[Shape]]


def shape_text(*shapes: Shape) -> str:
    """Shapes as text, joined by `and`."""
    return " and ".join(str(list(shape)) for shape in shapes)


def axis_of(axis: int, rank: int) -> int:
    """The axis counted from the front; a negative one counts from the end. ContradictionError if it
    does not exist; UnknownShapeError for rank 0, as a shape may have been left out.
    """
    position = axis + rank if axis < 0 else axis
    if not rank:
        raise UnknownShapeError
    if not 0 <= position < rank:
        raise ContradictionError(f"an axis of {rank} dimensions", f"axis {axis}")
    return position
