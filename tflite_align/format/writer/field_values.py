"""New field values of existing tables, written in place if possible, else in a new table.

A value that cannot be written in place needs a new table, which needs a new vector in its parent,
and so on up to the root. Only this module decides between the two.
"""

from __future__ import annotations

import struct
from collections import defaultdict
from functools import cached_property
from typing import Any, cast

from ...errors import UnsupportedError
from ..flatbuffer import BufferReader, VtablePlan
from ..model import Model
from ..schema import TableLayout
from .nodes import Moved, NewTable, Old, Refs, Scalars, Value, pack_scalar
from .patch import Patches
from .refs import References

__all__ = ["FieldValues"]

# A table by its path from the root: a shared table has one key per owner.
Key = tuple[str | int, ...]

_FIRST_OFFSET = 2


class FieldValues:
    """Requested values for fields of existing tables, by table key and field name."""

    def __init__(self, view: BufferReader, model: Model, patches: Patches) -> None:
        self.view = view
        self.model = model
        self.patches = patches
        self.wanted: dict[Key, dict[str, Value]] = defaultdict(dict)
        self.tables: dict[Key, tuple[TableLayout, int]] = {}

    @cached_property
    def references(self) -> References:
        """How many objects refer to each byte range of the file."""
        return References(self.view, self.model.pos)

    def want(self, key: Key, layout: TableLayout, pos: int, **fields: Value) -> None:
        """Request these field values for the table `key`, which is at byte `pos`."""
        self.tables[key] = (layout, pos)
        self.wanted[key].update(fields)

    def current(self, layout: TableLayout, pos: int, name: str) -> Any:
        """The value of a scalar field of the table at `pos`, or the position to which a reference
        field points (0: absent).
        """
        field = layout.by_name[name]
        plan, values = self.view.table(layout, pos)
        if field.kind == "scalar":
            return values[field.id]
        return self.view.target(plan, pos, values, field.id)

    def settle(self, key: Key) -> NewTable | None:
        """Overwrite the requested values of a table in place and return None, or return a new table
        that replaces it.
        """
        if key not in self.wanted:
            return None
        layout, pos = self.tables[key]
        plan, values = self.view.table(layout, pos)
        wanted = {
            layout.by_name[name].id: value
            for name, value in self.wanted[key].items()
            if not self._holds(plan, pos, values, name, value)
        }
        if not wanted:
            return None
        places = self._places(plan, pos, values, wanted)
        if places is None:
            return self._remake(plan, pos, values, wanted)
        for position, data in places:
            self.patches.put(position, data)
        return None

    def _holds(
        self, plan: VtablePlan, pos: int, values: tuple[Any, ...], name: str, value: Value
    ) -> bool:
        """Whether the field has this value already. `pos`: byte position of the table."""
        field = plan.layout.by_name[name]
        if field.kind == "scalar":
            return bool(values[field.id] == value)
        if not isinstance(value, Scalars):
            return False
        start, count = self._vector(plan, pos, values, field.id, value)
        if count != value.count:
            return False
        return self.view.buf[start : start + len(value.data)] == value.data

    def _vector(
        self, plan: VtablePlan, pos: int, values: tuple[Any, ...], field_id: int, value: Scalars
    ) -> tuple[int, int]:
        """(first byte, element count) of the existing vector that `value` replaces; (0, 0) if the
        field is absent. `pos`: byte position of the table.
        """
        target = self.view.target(plan, pos, values, field_id)
        if target == 0:
            return 0, 0
        return self.view.vector(target, len(value.data) // value.count if value.count else 1)

    def _places(
        self, plan: VtablePlan, pos: int, values: tuple[Any, ...], changes: dict[int, Value]
    ) -> list[tuple[int, bytes]] | None:
        """The positions and bytes to overwrite; None if the table has to be rebuilt. `pos`: byte
        position of the table. `changes`: field id -> new value.
        """
        places = []
        for field_id, value in changes.items():
            field = plan.layout.fields[field_id]
            if not plan.at[field_id]:
                return None
            if field.kind == "scalar":
                data = pack_scalar(field, cast("float", value))
                places.append((pos + plan.at[field_id], data))
                continue
            position = (
                self._scalars_place(plan, pos, values, field_id, value)
                if isinstance(value, Scalars)
                else self._shorter_place(plan, pos, values, field_id, value)
            )
            if position is None:
                return None
            places.append(position)
        return None if self.references.owners(pos, pos + plan.size) > 1 else places

    def _scalars_place(
        self, plan: VtablePlan, pos: int, values: tuple[Any, ...], field_id: int, value: Scalars
    ) -> tuple[int, bytes] | None:
        """(position, bytes) for overwriting a scalar vector; None unless the old one has the same
        length and one owner. `pos`: byte position of the table. `field_id`: number of the field.
        """
        start, count = self._vector(plan, pos, values, field_id, value)
        end = start + len(value.data)
        if count != value.count or self.references.owners(start, end) > 1:
            return None
        return start, value.data

    def _shorter_place(
        self, plan: VtablePlan, pos: int, values: tuple[Any, ...], field_id: int, value: Value
    ) -> tuple[int, bytes] | None:
        """(position, bytes) for overwriting a vector of references that loses some tables and gains
        none; None for another.

        The remaining references move up, so that they still point forward; unused places at the end
        remain. `pos`: byte position of the table. `field_id`: number of the field.
        """
        if not isinstance(value, Refs) or not all(isinstance(item, Old) for item in value.items):
            return None
        target = self.view.target(plan, pos, values, field_id)
        start, count = self.view.vector(target, 4)
        if self.references.owners(target, start + 4 * count) > 1:
            return None
        tables = [cast("Old", item).pos for item in value.items]
        distances = [table - (start + 4 * index) for index, table in enumerate(tables)]
        return target, struct.pack(f"<I{len(distances)}I", len(distances), *distances)

    def _remake(
        self, plan: VtablePlan, pos: int, values: tuple[Any, ...], changes: dict[int, Value]
    ) -> NewTable:
        """The table with the changed field values; its other references point into the original
        bytes. `pos`: byte position of the table. `changes`: field id -> new value.
        """
        if plan.extra:
            name, field_id = plan.layout.name, plan.extra[0][0]
            msg = (
                f"the {name} table at byte {pos} has a field {field_id} that is newer than this "
                f"version knows: it cannot be rewritten"
            )
            raise UnsupportedError(msg)
        fields: dict[int, Value] = {}
        for field in plan.layout.fields:
            if field.id in changes:
                fields[field.id] = changes[field.id]
            elif not plan.at[field.id]:
                continue
            elif field.kind != "scalar":
                fields[field.id] = Old(self.view.target(plan, pos, values, field.id))
            elif _is_position(field.name) and values[field.id] >= _FIRST_OFFSET:
                fields[field.id] = Moved(values[field.id])
            else:
                fields[field.id] = values[field.id]
        return NewTable(plan.layout, fields)


def _is_position(name: str) -> bool:
    """Whether the field holds an absolute byte offset. Of the tables that are rebuilt, only
    operators have such a field.
    """
    return name == "large_custom_options_offset"
