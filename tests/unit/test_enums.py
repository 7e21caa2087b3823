from __future__ import annotations

import pytest
from ai_edge_litert import schema_py_generated as schema

from tflite_align.format.enums import operator_code, operator_name, type_code, type_name


@pytest.mark.parametrize(
    ("code", "name"),
    [(0, "float32"), (9, "int8"), (13, "resource"), (17, "int4"), (20, "uint4"), (57, "type#57")],
)
def test_tensor_types_have_names_and_codes(code: int, name: str) -> None:
    assert type_name(code) == name
    assert type_code(name) == code


@pytest.mark.parametrize(
    ("code", "name"),
    [
        (3, "CONV_2D"),
        (114, "QUANTIZE"),
        (32, "CUSTOM"),
        (209, "STABLEHLO_CASE"),
        (250, "BUILTIN#250"),
    ],
)
def test_operators_have_names_and_codes(code: int, name: str) -> None:
    assert operator_name(code) == name
    assert operator_code(name) == code


def test_unknown_names_raise_key_errors() -> None:
    with pytest.raises(KeyError):
        type_code("int9")
    with pytest.raises(KeyError):
        operator_code("CONV_9D")


def test_every_name_of_the_newest_schema_is_known() -> None:
    """Names and codes are those of the schema module in LiteRT, which is newer than that of the
    `tflite` package.
    """
    for code, name in _members(schema.BuiltinOperator):
        assert operator_name(code) == name
    for code, name in _members(schema.TensorType):
        assert type_name(code) == name.lower()


def _members(enum: type) -> list[tuple[int, str]]:
    return [(code, name) for name, code in vars(enum).items() if isinstance(code, int)]
