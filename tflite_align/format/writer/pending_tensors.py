"""Edits of tensors and buffers, as field values of existing tables and as new tables."""

from __future__ import annotations

from collections import Counter, defaultdict
from functools import cached_property

import numpy as np

from ...errors import UnsupportedError, UsageError
from ...record import replace
from ..model import Model, Subgraph, Tensor
from ..schema import table_layout
from .codes import Codes
from .edits import AddTensor, SetData, SetQuant, SetShape, SetType
from .field_values import FieldValues
from .nodes import NewTable, Scalars, Value, make_table, scalars, string
from .tensor_values import beyond_affine, check_size, code_of_type, new_quant

__all__ = ["PendingTensors"]

_BUFFER = table_layout("Buffer")
_TENSOR = table_layout("Tensor")
_QUANT = table_layout("QuantizationParameters")
_DATA_ALIGN = 16


class PendingTensors:
    """Collects edits of tensors and buffers; PendingEdits adds those of operators and subgraphs.

    `draft`: new values of fields of existing tables. `tensors`, `buffers`: new tables, tensors by
    subgraph. `altered`: (subgraph, tensor) whose type or use changed.
    """

    def __init__(self, draft: FieldValues) -> None:
        self.draft = draft
        self.model: Model = draft.model
        self.tensors: dict[int, list[NewTable]] = defaultdict(list)
        self.operators: dict[int, dict[int, list[NewTable]]] = defaultdict(
            lambda: defaultdict(list)
        )
        self.removed: set[tuple[int, int]] = set()
        self.codes = Codes(self.model)
        self.buffers: list[NewTable] = []
        self.altered: set[tuple[int, int]] = set()
        self.lists: dict[tuple[int, int, str], list[int]] = {}
        self._added: dict[tuple[int, int], AddTensor] = {}

    def replace_buffer(self, index: int, data: bytes) -> int:
        """Overwrite buffer `index` in place if it has one user.

        Returns `index`, or the index of a new buffer with the bytes.
        """
        start, end = int(self._ranges[0][index]), int(self._ranges[1][index])
        if self.draft.view.buf[start:end] == data:
            return index
        if end - start == len(data) and self._owners[index] <= 1:
            # Buffers may share bytes without sharing a table; data at an offset is not in a vector.
            overlaps = (self._ranges[0] < end) & (self._ranges[1] > start)
            own_users = (
                1 if self.draft.current(_BUFFER, self.model.buffers[index].pos, "data") else 0
            )
            owners = self.draft.references.owners(start, end)
            if int(np.count_nonzero(overlaps)) == 1 and owners == own_users:
                self.draft.patches.put(start, data)
                return index
        return self._add_buffer(data)

    # --- tensors -----------------------------------------------------------------------------

    def _graph(self, subgraph: int) -> Subgraph:
        """The subgraph with this index; UsageError if it does not exist."""
        if not 0 <= subgraph < len(self.model.subgraphs):
            msg = f"subgraph {subgraph} does not exist"
            raise UsageError(msg)
        return self.model.subgraphs[subgraph]

    def _tensor(self, subgraph: int, index: int) -> Tensor:
        """The tensor `index` of a subgraph; UsageError if it does not exist."""
        tensors = self._graph(subgraph).tensors
        if not 0 <= index < len(tensors):
            msg = f"subgraph[{subgraph}] has no tensor {index}"
            raise UsageError(msg)
        return tensors[index]

    def _check_named(self, subgraph: int, index: int) -> None:
        """Raise UsageError unless the tensor exists or is added by an edit. `subgraph`: its index."""
        if (subgraph, index) not in self._added:
            self._tensor(subgraph, index)

    def _want_tensor(self, subgraph: int, tensor: Tensor, **fields: Value) -> None:
        """Set fields (name -> value) of a tensor's table."""
        self.draft.want(("tensor", subgraph, tensor.index), _TENSOR, tensor.pos, **fields)

    def _set_quant(self, edit: SetQuant) -> None:
        """Set scales, zero points, axis and recorded ranges of a tensor; UnsupportedError for
        parameters of a scheme other than affine.
        """
        tensor = self._tensor(edit.subgraph, edit.tensor)
        if edit.quant.details or (tensor.quant is not None and tensor.quant.details):
            raise beyond_affine(edit.subgraph, edit.tensor)
        pos = self.draft.current(_TENSOR, tensor.pos, "quantization")
        # A table without parameters may have ranges, which no runtime reads: it is not kept.
        if not pos or (tensor.quant is None and edit.quant.scale):
            self._want_tensor(edit.subgraph, tensor, quantization=new_quant(edit.quant))
            return
        quant = edit.quant
        key = ("quant", edit.subgraph, edit.tensor)
        self.draft.want(
            key,
            _QUANT,
            pos,
            scale=scalars("f", quant.scale),
            quantized_dimension=quant.quantized_dimension,
        )
        points = quant.zero_point or (0,) * len(quant.scale)
        if quant.zero_point or self.draft.current(_QUANT, pos, "zero_point"):
            self.draft.want(key, _QUANT, pos, zero_point=scalars("q", points))
        for name, values in (("min", quant.minimum), ("max", quant.maximum)):
            if values and self.draft.current(_QUANT, pos, name):
                self.draft.want(key, _QUANT, pos, **{name: scalars("f", values)})

    def _set_data(self, edit: SetData) -> None:
        """Set a constant's bytes and, if given, its type; UnsupportedError for sparse, variable or
        external data.
        """
        tensor = self._tensor(edit.subgraph, edit.tensor)
        address = f"subgraph[{edit.subgraph}]/tensor[{edit.tensor}]"
        if tensor.external_buffer or tensor.sparse or tensor.is_variable:
            raise UnsupportedError(f"{address}: sparse, variable or external data cannot be set")
        check_size(address, tensor, edit.type or tensor.type, edit.data)
        buffer = self.replace_buffer(tensor.buffer, edit.data)
        self._want_tensor(edit.subgraph, tensor, buffer=buffer)
        if edit.type is not None:
            self._want_tensor(edit.subgraph, tensor, type=code_of_type(edit.type))
            self.altered.add((edit.subgraph, edit.tensor))

    def _set_type(self, edit: SetType) -> None:
        """Set the type of a computed tensor; UsageError for a constant."""
        tensor = self._tensor(edit.subgraph, edit.tensor)
        if self.model.is_constant(edit.subgraph, edit.tensor):
            msg = f"subgraph[{edit.subgraph}]/tensor[{edit.tensor}]: its data has another type"
            raise UsageError(msg)
        self._want_tensor(edit.subgraph, tensor, type=code_of_type(edit.type))
        self.altered.add((edit.subgraph, edit.tensor))

    def _set_shape(self, edit: SetShape) -> None:
        """Set the shape in place if the rank is equal; otherwise the table is rebuilt."""
        tensor = self._tensor(edit.subgraph, edit.tensor)
        address = f"subgraph[{edit.subgraph}]/tensor[{edit.tensor}]"
        if self.model.is_constant(edit.subgraph, edit.tensor):
            raise UsageError(f"{address}: its data has another shape")
        if bool(edit.signature) != bool(tensor.shape_signature):
            raise UsageError(f"{address}: a signature is neither added nor taken away")
        sizes = {
            "shape": scalars("i", edit.shape),
            "shape_signature": scalars("i", edit.signature),
        }
        self._want_tensor(edit.subgraph, tensor, **sizes)

    def _add_tensor(self, edit: AddTensor) -> None:
        """Add a tensor table with the edit's fields, and with the shape of the tensor `edit.like`
        unless the edit gives one. UsageError if `edit.index` is not the next index.
        """
        added = self.tensors[edit.subgraph]
        like = edit
        while (edit.subgraph, like.like) in self._added:
            like = self._added[edit.subgraph, like.like]
            if edit.shape is None:
                edit = replace(edit, shape=like.shape, signature=like.signature)
        model = self._tensor(edit.subgraph, like.like)
        expected = len(self.model.subgraphs[edit.subgraph].tensors) + len(added)
        if edit.index != expected:
            msg = f"subgraph[{edit.subgraph}]: the next tensor is {expected}, not {edit.index}"
            raise UsageError(msg)
        fields: dict[str, Value] = {
            "type": code_of_type(edit.type),
            "name": string(edit.name),
        }
        if edit.shape is not None:
            model = replace(model, shape=edit.shape, shape_signature=edit.signature)
        if edit.shape is not None or self.draft.current(_TENSOR, model.pos, "shape"):
            fields["shape"] = scalars("i", model.shape)
        if model.shape_signature:
            fields["shape_signature"] = scalars("i", model.shape_signature)
        if self.draft.current(_TENSOR, model.pos, "has_rank"):
            fields["has_rank"] = True
        if edit.quant is not None:
            if edit.quant.details:
                raise beyond_affine(edit.subgraph, edit.index)
            fields["quantization"] = new_quant(edit.quant)
        if edit.data is not None:
            address = f"subgraph[{edit.subgraph}]/tensor[{edit.index}]"
            check_size(address, model, edit.type, edit.data)
        buffer = self._empty_buffer if edit.data is None else self._add_buffer(edit.data)
        fields["buffer"] = buffer
        added.append(make_table("Tensor", fields))
        self._added[edit.subgraph, edit.index] = edit

    # --- buffers -----------------------------------------------------------------------------

    @cached_property
    def _empty_buffer(self) -> int:
        """A buffer without data: 0 by convention, another or a new one if 0 has data."""
        for buffer in self.model.buffers:
            if buffer.data is None:
                return buffer.index
        return self._add_buffer(None)

    def _add_buffer(self, data: bytes | None) -> int:
        """Add a buffer with these bytes (None: no data); returns its index."""
        content = {} if data is None else {"data": Scalars(data, len(data), _DATA_ALIGN)}
        self.buffers.append(make_table("Buffer", content))
        return len(self.model.buffers) + len(self.buffers) - 1

    @cached_property
    def _owners(self) -> Counter[int]:
        """The number of tensors and metadata that use each buffer."""
        owners = Counter(
            tensor.buffer for graph in self.model.subgraphs for tensor in graph.tensors
        )
        owners.update(metadata.buffer for metadata in self.model.metadata)
        return owners

    @cached_property
    def _ranges(self) -> tuple[np.ndarray, np.ndarray]:
        """First byte and end of every buffer's data in the file; (0, 0) for none."""
        starts = np.array([buffer.start for buffer in self.model.buffers], np.int64)
        sizes = [0 if buffer.data is None else len(buffer.data) for buffer in self.model.buffers]
        return starts, starts + np.array(sizes, np.int64)
