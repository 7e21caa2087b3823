"""Conversion of edits to new field values of existing tables, and new tables."""

from __future__ import annotations

from collections.abc import Sequence

from ...errors import UnsupportedError, UsageError
from ..model import Operator, OperatorId
from ..schema import OPTIONS, OPTIONS2, OPTIONS_OF_OPERATOR, table_layout
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
from .nodes import NewTable, Value, make_table, scalars, string
from .pending_tensors import PendingTensors

__all__ = ["PendingEdits"]

_OPERATOR = table_layout("Operator")
_CODE = table_layout("OperatorCode")
_OPTION_CODES = {name: code for code, name in OPTIONS.items()}


class PendingEdits(PendingTensors):
    """Collects edits as field values of existing tables (`draft`), and new tables, operators and
    codes that need more than that.
    """

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

    # --- operators ---------------------------------------------------------------------------

    def _operator(self, subgraph: int, index: int) -> Operator:
        """The operator `index` of a subgraph; UsageError if it does not exist."""
        operators = self._graph(subgraph).operators
        if not 0 <= index < len(operators):
            msg = f"subgraph[{subgraph}] has no operator {index}"
            raise UsageError(msg)
        return operators[index]

    def _add_operator(self, edit: AddOperator) -> None:
        """Add an operator table in front of the operator `edit.before`."""
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
        """Raise UsageError if the operator in front of which an operator is added does not exist."""
        if not 0 <= edit.before <= len(self._graph(edit.subgraph).operators):
            msg = f"subgraph[{edit.subgraph}]: there is no place before operator {edit.before}"
            raise UsageError(msg)

    def _remove_operator(self, edit: RemoveOperator) -> None:
        """Remove an operator from its subgraph."""
        operator = self._operator(edit.subgraph, edit.operator)
        self.removed.add((edit.subgraph, edit.operator))
        operands = (*operator.inputs, *operator.outputs)
        self.altered.update((edit.subgraph, tensor) for tensor in operands)

    def _set_versions(self, edits: Sequence[SetVersion]) -> None:
        """Set operators' versions: in their operator code if all its operators change, else by
        another code.
        """
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
        """Let an operand use another tensor (-1: absent); the position after the last input adds
        one.
        """
        operator = self._operator(edit.subgraph, edit.operator)
        operands = operator.operands(edit.kind)
        key = (edit.subgraph, edit.operator, edit.kind)
        listed = self.lists.get(key, list(operands))
        if edit.kind == "inputs" and edit.index == len(listed):
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
        """Let a subgraph's input or output be another tensor."""
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
        """Note one changed index of a list of operands. `key`: (subgraph, operator or -1, inputs or
        outputs); `old`: the list in the file.
        """
        self.lists.setdefault(key, list(old))[index] = tensor
        if old[index] != tensor:
            self.altered.update({(key[0], tensor), (key[0], old[index])})

    def _want_lists(self) -> None:
        """Set the changed lists of operands in the tables of operators and subgraphs."""
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
        """Set an option of an operator, in a new option table if it has none; UnsupportedError if
        its table has no such field.
        """
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
