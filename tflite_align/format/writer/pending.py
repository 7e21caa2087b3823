"""Conversion of edits to new field values of existing tables, and new tables."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from functools import cached_property

import numpy as np

from ...errors import UnsupportedError, UsageError
from ...record import replace
from ..model import Model, Operator, OperatorId, Subgraph, Tensor
from ..schema import OPTIONS, OPTIONS2, OPTIONS_OF_OPERATOR, table_layout
from .codes import Codes
from .edits import (
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
    SetShape,
    SetType,
    SetVersion,
)
from .field_values import FieldValues
from .nodes import NewTable, Scalars, Value, make_table, scalars, string
from .tensor_values import beyond_affine, check_size, code_of_type, new_quant

__all__ = ["PendingEdits"]

_BUFFER = table_layout("Buffer")
_TENSOR = table_layout("Tensor")
_QUANT = table_layout("QuantizationParameters")
_OPERATOR = table_layout("Operator")
_CODE = table_layout("OperatorCode")
_OPTION_CODES = {name: code for code, name in OPTIONS.items()}
_DATA_ALIGN = 16


class PendingEdits:
    """Collects edits as field values of existing tables (`draft`), and new tables, operators and
    codes that need more than that.
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

    def take(self, edits: Sequence[Edit]) -> None:
        """Process all edits; raises UsageError for one that names a missing tensor, operator or
        field.
        """
        # Added tensors first: other edits may refer to them in any order.
        for edit in edits:
            if isinstance(edit, AddTensor):
                self._add_tensor(edit)
        for edit in edits:
            if isinstance(edit, SetQuant):
                self._set_quant(edit)
            elif isinstance(edit, SetData):
                self._set_data(edit)
            elif isinstance(edit, AddOperator):
                self._add_operator(edit)
            elif isinstance(edit, RemoveOperator):
                self._remove_operator(edit)
            elif isinstance(edit, SetOperand):
                self._set_operand(edit)
            elif isinstance(edit, SetOption):
                self._set_option(edit)
            elif isinstance(edit, SetGraphIO):
                self._set_graph_io(edit)
            elif isinstance(edit, SetType):
                self._set_type(edit)
            elif isinstance(edit, SetShape):
                self._set_shape(edit)
            elif isinstance(edit, SetName):
                renamed = self._tensor(edit.subgraph, edit.tensor)
                self._want_tensor(edit.subgraph, renamed, name=string(edit.name))
        self._want_lists()
        self._set_versions([edit for edit in edits if isinstance(edit, SetVersion)])

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
        if not 0 <= subgraph < len(self.model.subgraphs):
            msg = f"subgraph {subgraph} does not exist"
            raise UsageError(msg)
        return self.model.subgraphs[subgraph]

    def _tensor(self, subgraph: int, index: int) -> Tensor:
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
        self.draft.want(("tensor", subgraph, tensor.index), _TENSOR, tensor.pos, **fields)

    def _set_quant(self, edit: SetQuant) -> None:
        tensor = self._tensor(edit.subgraph, edit.tensor)
        if tensor.quant is not None and tensor.quant.details:
            raise beyond_affine(edit.subgraph, edit.tensor)
        pos = self.draft.current(_TENSOR, tensor.pos, "quantization")
        # A table without parameters may have ranges, which no runtime reads.
        ranged = [name for name in ("min", "max") if pos and self.draft.current(_QUANT, pos, name)]
        if not pos or (tensor.quant is None and ranged and edit.quant.scale):
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
        self._want_tensor(edit.subgraph, tensor, shape=scalars("i", edit.shape))
        if edit.signature:
            self._want_tensor(edit.subgraph, tensor, shape_signature=scalars("i", edit.signature))

    def _add_tensor(self, edit: AddTensor) -> None:
        added = self.tensors[edit.subgraph]
        like = edit
        while (edit.subgraph, like.like) in self._added:
            like = self._added[edit.subgraph, like.like]
            if edit.shape is None and like.shape is not None:
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
        return self._add_buffer(None) if self.model.buffers else 0

    def _add_buffer(self, data: bytes | None) -> int:
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

    # --- operators ---------------------------------------------------------------------------

    def _operator(self, subgraph: int, index: int) -> Operator:
        operators = self._graph(subgraph).operators
        if not 0 <= index < len(operators):
            msg = f"subgraph[{subgraph}] has no operator {index}"
            raise UsageError(msg)
        return operators[index]

    def _add_operator(self, edit: AddOperator) -> None:
        self._check_place(edit)
        for tensor in edit.inputs + edit.outputs:
            if tensor != -1:
                self._check_named(edit.subgraph, tensor)
                self.altered.add((edit.subgraph, tensor))
        table = make_table(
            "Operator",
            {
                "opcode_index": self.codes.index(edit.name, edit.version),
                "inputs": scalars("i", edit.inputs),
                "outputs": scalars("i", edit.outputs),
            },
        )
        self.operators[edit.subgraph][edit.before].append(table)

    def _check_place(self, edit: AddOperator) -> None:
        if not 0 <= edit.before <= len(self._graph(edit.subgraph).operators):
            msg = f"subgraph[{edit.subgraph}]: there is no place before operator {edit.before}"
            raise UsageError(msg)

    def _remove_operator(self, edit: RemoveOperator) -> None:
        operator = self._operator(edit.subgraph, edit.operator)
        self.removed.add((edit.subgraph, edit.operator))
        operands = (*operator.inputs, *operator.outputs)
        self.altered.update((edit.subgraph, tensor) for tensor in operands)

    def _set_versions(self, edits: Sequence[SetVersion]) -> None:
        if not edits:
            return
        versions = {OperatorId(edit.subgraph, edit.operator): edit.version for edit in edits}
        changed = {operator_id: self._operator(*operator_id) for operator_id in versions}
        codes = {
            OperatorId(graph.index, operator.index): self.draft.current(
                _OPERATOR, operator.pos, "opcode_index"
            )
            for graph in self.model.subgraphs
            for operator in graph.operators
            if (graph.index, operator.index) not in self.removed
        }
        self.codes.alter(codes, versions)
        for code, version in self.codes.altered.items():
            pos = self.model.operator_codes[code].pos
            self.draft.want(("code", code), _CODE, pos, version=version)
        for operator_id, operator in changed.items():
            if codes.get(operator_id) not in self.codes.altered:
                index = self.codes.index(operator.name, versions[operator_id])
                self.draft.want(
                    ("operator", *operator_id), _OPERATOR, operator.pos, opcode_index=index
                )

    def _set_operand(self, edit: SetOperand) -> None:
        operator = self._operator(edit.subgraph, edit.operator)
        operands = operator.operands(edit.kind)
        key = (edit.subgraph, edit.operator, edit.kind)
        listed = self.lists.get(key, list(operands))
        if edit.kind == "inputs" and edit.index == len(listed) >= len(operands):
            self._check_named(edit.subgraph, edit.tensor)
            self.lists[key] = [*listed, edit.tensor]
            self.altered.add((edit.subgraph, edit.tensor))
            return
        if not 0 <= edit.index < len(operands):
            address = f"subgraph[{edit.subgraph}]/operator[{edit.operator}] {operator.name}"
            msg = f"{address} has no {edit.kind}[{edit.index}]"
            raise UsageError(msg)
        if edit.tensor != -1:
            self._check_named(edit.subgraph, edit.tensor)
        self._set_listed(key, operands, edit.index, edit.tensor)

    def _set_graph_io(self, edit: SetGraphIO) -> None:
        self._check_named(edit.subgraph, edit.tensor)
        graph = self._graph(edit.subgraph)
        tensors = graph.inputs if edit.kind == "inputs" else graph.outputs
        if not 0 <= edit.index < len(tensors):
            msg = f"subgraph[{edit.subgraph}] has no {edit.kind}[{edit.index}]"
            raise UsageError(msg)
        self._set_listed((edit.subgraph, -1, edit.kind), tensors, edit.index, edit.tensor)

    def _set_listed(
        self, key: tuple[int, int, str], old: tuple[int, ...], index: int, tensor: int
    ) -> None:
        self.lists.setdefault(key, list(old))[index] = tensor
        if old[index] != tensor:
            self.altered.update({(key[0], tensor), (key[0], old[index])})

    def _want_lists(self) -> None:
        for (subgraph, operator, slot_kind), tensors in self.lists.items():
            graph = self.model.subgraphs[subgraph]
            value: dict[str, Value] = {slot_kind: scalars("i", tensors)}
            if operator < 0:
                layout = table_layout("SubGraph")
                self.draft.want(("graph", subgraph), layout, graph.pos, **value)
            else:
                pos = graph.operators[operator].pos
                self.draft.want(("operator", subgraph, operator), _OPERATOR, pos, **value)

    def _set_option(self, edit: SetOption) -> None:
        operator = self._operator(edit.subgraph, edit.operator)
        key = ("operator", edit.subgraph, edit.operator)
        address = f"subgraph[{edit.subgraph}]/operator[{edit.operator}] {operator.name}"
        for key_kind, reference, names in (
            ("builtin_options_type", "builtin_options", OPTIONS),
            ("builtin_options2_type", "builtin_options2", OPTIONS2),
        ):
            name = names.get(self.draft.current(_OPERATOR, operator.pos, key_kind), "")
            pos = self.draft.current(_OPERATOR, operator.pos, reference)
            field = table_layout(name).by_name.get(edit.field)
            if pos and field is not None and field.kind == "scalar":
                inner = ("options", edit.subgraph, edit.operator, reference)
                self.draft.want(inner, table_layout(name), pos, **{edit.field: edit.value})
                return
        name = OPTIONS_OF_OPERATOR.get(operator.name, "")
        field = table_layout(name).by_name.get(edit.field)
        if self.draft.current(_OPERATOR, operator.pos, "builtin_options") or field is None:
            msg = f"{address}: its options have no field {edit.field!r} that could be set"
            raise UnsupportedError(msg)
        # Several options of one operator without an option table go into one new table.
        made = self.draft.wanted.get(key, {}).get("builtin_options")
        fields = made.fields if isinstance(made, NewTable) else {}
        if edit.value == field.default and not fields:
            return
        table = NewTable(table_layout(name), {**fields, field.id: edit.value})
        code = _OPTION_CODES[name]
        self.draft.want(
            key, _OPERATOR, operator.pos, builtin_options_type=code, builtin_options=table
        )
