"""format/schema.py equals the newest generated schema."""

from __future__ import annotations

import inspect
import re

import pytest
from ai_edge_litert import schema_py_generated as schema

from tests.support.object_api import enum_names
from tflite_align.format.schema import (
    _CORE,
    _OPTION_FIELDS,
    OPTIONS,
    OPTIONS2,
    OPTIONS_OF_OPERATOR,
    table_layout,
)

TABLES = sorted(
    name for name, cls in inspect.getmembers(schema, inspect.isclass) if hasattr(cls, "GetRootAs")
)
_FLAGS = {
    "Bool": "?", "Float32": "f", "Int8": "b", "Int16": "h", "Int32": "i", "Int64": "q",
    "Uint8": "B", "Uint16": "H", "Uint32": "I", "Uint64": "Q",
}  # fmt: skip


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


def _kind(source: str) -> tuple[str, str, float]:
    """(kind of field, scalar type or target table, default) from the source text of a generated
    accessor.
    """
    flags = [name for name in re.findall(r"number_types\.(\w+?)Flags", source) if name in _FLAGS]
    target = re.findall(r"obj = (\w+)\(\)", source)
    if ".Vector(" in source and flags:
        return "scalars", _FLAGS[flags[0]], 0
    if ".Vector(" in source:
        return ("tables", target[0], 0) if target else ("strings", "", 0)
    if ".String(" in source:
        return "string", "", 0
    if "Table(" in source:
        return "union", "", 0
    if target:
        return "table", target[0], 0
    default = re.findall(r"return (\S+)", source)[-1]
    return "scalar", _FLAGS[flags[0]], float({"True": 1, "False": 0}.get(default, default))


def _generated(name: str) -> dict[str, tuple[int, tuple[str, str, float]]]:
    """For each field of table `name`, from the generated accessors: (field id, `_kind` of it)."""
    functions = dict(inspect.getmembers(getattr(schema, name), inspect.isfunction))
    fields = {}
    for accessor, function in functions.items():
        source = inspect.getsource(function)
        found = re.search(r"\.Offset\((\d+)\)\)", source)
        companion = accessor.endswith("Length") and accessor.removesuffix("Length") in functions
        if found is None or companion or accessor.endswith(("AsNumpy", "IsNone")):
            continue
        fields[_snake(accessor)] = ((int(found[1]) - 4) // 2, _kind(source))
    return fields


@pytest.mark.parametrize("name", TABLES)
def test_every_field_has_the_schemas_id_and_kind(name: str) -> None:
    mine = {
        field.name: (
            field.id,
            (
                field.kind,
                field.item or field.target or (field.code if field.kind == "scalar" else ""),
                field.default,
            ),
        )
        for field in table_layout(name).fields
        if not field.name.startswith("deprecated_field_")
    }
    assert mine == _generated(name)


def test_every_row_names_an_existing_table() -> None:
    assert sorted({*_CORE, *_OPTION_FIELDS} - set(TABLES)) == []


@pytest.mark.parametrize(
    ("mine", "enum"), [(OPTIONS, schema.BuiltinOptions), (OPTIONS2, schema.BuiltinOptions2)]
)
def test_union_members_are_those_of_the_schema(mine: dict[int, str], enum: type) -> None:
    assert {0: "NONE", **mine} == enum_names(enum)


def test_every_fused_activation_can_be_set_on_its_operator() -> None:
    fused = {n for n in OPTIONS.values() if "fused_activation_function" in table_layout(n).by_name}
    assert fused == set(OPTIONS_OF_OPERATOR.values())


def test_operators_with_a_generated_option_table_exist() -> None:
    names = set(enum_names(schema.BuiltinOperator).values())
    assert sorted(set(OPTIONS_OF_OPERATOR) - names) == []
