"""Values that do not fit a table's fields: the error names the key, what was expected and what was
found.
"""

from __future__ import annotations

from typing import Annotated, Any

import pytest

from tflite_align.errors import RuleError
from tflite_align.rules import fields as f


class Inner(f.TomlTable, frozen=True, kw_only=True):
    slots: tuple[f.SlotText, ...] = ()
    by_type: dict[f.QuantizedType, tuple[int, ...]] = f.LEFT_OUT
    free: dict[str, dict[str, f.Word]] = f.LEFT_OUT
    pair: f.LabelPair = f.LEFT_OUT
    count: Annotated[int, f.about("How many.", called="number of things")] = 1


class Outer(f.TomlTable, frozen=True, kw_only=True):
    rows: tuple[Inner, ...]
    origin: f.Number = f.field(name="from", default=0)


MISFITS: dict[str, tuple[dict[str, Any], str]] = {
    "a key of a free table in a free table": (
        {"rows": [{}, {"free": {"a": {"b": "x"}, "c": {"d": "x", "e.f[0]": 3}}}]},
        "here.rows[1].free.c.e.f[0]: expected a string, found 3",
    ),
    "an empty word": (
        {"rows": [{"free": {"a": {"b": ""}}}]},
        "here.rows[0].free.a.b: expected a string that is not empty",
    ),
    "an entry behind others that fit": (
        {"rows": [{"by_type": {"int8": [1], "int16": [1, 2, "3"]}}]},
        "here.rows[0].by_type.int16[2]: expected an integer, found '3'",
    ),
    "a key that is no type": (
        {"rows": [{"by_type": {"int8": [1], "float16": []}}]},
        "here.rows[0].by_type: 'float16' is not a valid quantized type",
    ),
    "a value of our own types": (
        {"rows": [{"slots": ["inputs[0]", "input[0]"]}]},
        (
            "here.rows[0].slots[1]: 'input[0]' is not a slot;"
            " write inputs[0], inputs[*], inputs[1:], outputs[0]"
        ),
    ),
    "a wrong type for one of our own": (
        {"rows": [{"slots": ["inputs[0]", 3]}]},
        "here.rows[0].slots[1]: expected a slot, found 3",
    ),
    "a pair": (
        {"rows": [{"pair": ["1/0", 3]}]},
        "here.rows[0].pair: expected [scale, zero_point], found ['1/0', 3]",
    ),
    "a value with a unique name": (
        {"rows": [{"count": 1.5}]},
        "here.rows[0].count: 1.5 is not a valid number of things",
    ),
    "a key whose attribute is called otherwise": (
        {"rows": [], "from": []},
        "here.from: expected a number, found []",
    ),
    "a misspelled key": (
        {"rows": [{"slost": []}]},
        "here.rows[0]: unknown key 'slost'; did you mean 'slots'?",
    ),
    "the name of an attribute": (
        {"rows": [], "origin": 1},
        "here: unknown key 'origin'; known: rows, from",
    ),
    "a key with quotes and dots": (
        {"rows": [], "a `b` - at `$.c`": 1},
        "here: unknown key 'a `b` - at `$.c`'; known: rows, from",
    ),
    "a missing key": ({"from": "1/2"}, "here: key 'rows' is missing"),
    "no table": ({"rows": [3]}, "here.rows[0]: expected a table, found 3"),
}


@pytest.mark.parametrize("name", MISFITS)
def test_an_error_names_the_place_of_the_wrong_value(name: str) -> None:
    document, sentence = MISFITS[name]
    with pytest.raises(RuleError) as refusal:
        f.parse_table(document, Outer, "here")
    assert str(refusal.value) == sentence


def test_valid_values_keep_their_order() -> None:
    document = {"from": "2^-1", "rows": [{"count": 2, "slots": ["outputs[*]"]}, {}]}
    read = f.parse_table(document, Outer, "here")
    assert list(read) == ["from", "rows"]
    assert read["from"] == 0.5
    assert [list(row) for row in read["rows"]] == [["count", "slots"], []]
    assert [str(slot) for slot in read["rows"][0]["slots"]] == ["outputs[*]"]


def test_the_schema_says_the_same_without_references() -> None:
    schema = f.schema_of(Outer)
    assert schema["required"] == ["rows"]
    assert schema["additionalProperties"] is False
    row = schema["properties"]["rows"]["items"]
    assert row["properties"]["count"] == {"description": "How many.", "type": "integer"}
    assert row["properties"]["slots"]["items"]["pattern"].startswith("^(inputs|outputs")
