"""The shipped rule tables load and are complete, and generated files are up to date."""

from __future__ import annotations

import fnmatch
import json
import shutil
import tomllib
from pathlib import Path

import jsonschema
import pytest

import gen_rules_doc
import gen_schemas
from tests.support.target_texts import LEVEL, TARGET
from tflite_align.checks.shapes.inference import FUNCTIONS
from tflite_align.errors import RuleError, UsageError
from tflite_align.format.enums import operator_name
from tflite_align.format.schema import OPTIONS, table_layout
from tflite_align.rules import rule_text, store
from tflite_align.rules.known_names import suggestion
from tflite_align.rules.operator_rows import (
    CATEGORIES,
    load_operators,
    operators_schema,
    parse_operators,
)
from tflite_align.rules.rows import BiasRule, FixedRule, Rule, WeightRule
from tflite_align.rules.shape_rows import load_shapes, parse_shapes
from tflite_align.rules.store import Rows, read_data
from tflite_align.rules.support_rows import WHOLE_MODEL
from tflite_align.rules.targets import (
    Target,
    load_target,
    parse_target,
    target_names,
    targets_schema,
)
from tflite_align.rules.versions import load_versions, parse_versions
from tflite_align.verify.judges import require_known

SCHEMA = Path(__file__).resolve().parents[2] / "schema"
ROWS = load_operators()
RULES = [rule for row in ROWS.values() for rule in row.rules]
TARGETS = {name: load_target(name) for name in target_names()}

# Rules without an entry in a row: for any quantized tensor, for variables and for calls.
PARAMETERS = "zero_point/none axis channels length missing none range scale steps subnormal unknown zero_point zero_scale zero_scale/aborts zero_scales"
GENERAL = (
    "minmax/stale",
    "data/none",
    "data/variable",
    "names/duplicate",
    "variable/first_value",
    "variable/type",
    *(f"params/{part}" for part in PARAMETERS.split()),
)
SHAPES = [f"shape/{name}{part}" for name in load_shapes() for part in ("", "/operands")]
VERSIONS = [f"version/{name}" for name in load_versions()]
TIED = [f"resource/{row.name}" for row in ROWS.values() if row.resource] + [
    f"boundary/{row.name}" for row in ROWS.values() if row.calls
]
BUILTIN = {operator_name(code) for code in range(256)}
REPOSITORIES = {"aeq", "edgetpu", "litert", "measured", "ppq", "tflm", "vela", "xnnpack"}


def test_rows_read_one_by_one_are_those_of_the_whole_table() -> None:
    operators = read_data("operators.toml")
    assert dict(load_operators()) == parse_operators(operators)
    versions = read_data("versions.toml")
    assert dict(load_versions()) == parse_versions(versions, "versions.toml")


def test_rows_of_shapes_name_operators_and_functions_that_exist() -> None:
    assert load_shapes().keys() <= BUILTIN
    assert {row.function for row in load_shapes().values()} == FUNCTIONS.keys()
    cited = {source for row in load_shapes().values() for source in row.sources}
    assert {source.split(":")[0] for source in cited} <= REPOSITORIES


def test_two_rows_of_shapes_for_one_operator_are_refused() -> None:
    row = '[[shape]]\nfunction = "same"\noperators = ["ABS"]\nsources = []\n'
    with pytest.raises(
        RuleError, match=r"^here:6: shape\[1\]: ABS has two rows; remove one of them$"
    ):
        parse_shapes(f"format = 1\n{row}{row}", "here")
    for document, words in (("format = = 1", "line 1"), (f"format = 2\n{row}", "reads 1")):
        with pytest.raises(RuleError, match=words):
            parse_shapes(document, "here")


def test_an_error_in_a_row_names_its_line_in_the_table() -> None:
    document = read_data("operators.toml") + "\n[operator.DILATE]\nsources = [\n"
    with pytest.raises(RuleError) as whole:
        parse_operators(document)
    with pytest.raises(RuleError) as row:
        Rows(document, parse_operators, "operators.toml")["DILATE"]
    assert str(row.value) == str(whole.value)


def grades() -> list[tuple[str, str]]:
    """Every pair (rule id, type) for which a target has a severity."""
    own = [(rule.id, kind) for rule in RULES for kind in sorted(rule.types)]
    free = [
        (i, kind)
        for i in (*GENERAL, *TIED, *VERSIONS, *SHAPES)
        for kind in ("int8", "uint8", "int16", "int32", "float32")
    ]
    return own + free


def test_the_tables_are_valid_by_their_schemas() -> None:
    operators = tomllib.loads((SCHEMA / "operators.toml").read_text(encoding="utf-8"))
    jsonschema.validate(operators, operators_schema())
    for path in sorted((SCHEMA / "targets").glob("*.toml")):
        target = tomllib.loads(path.read_text(encoding="utf-8"))
        jsonschema.validate(target, targets_schema())


@pytest.mark.parametrize("schema", [operators_schema(), targets_schema()], ids=["rows", "targets"])
def test_the_schemas_are_schemas(schema: dict[str, object]) -> None:
    jsonschema.Draft202012Validator.check_schema(schema)


def test_the_shipped_schemas_are_up_to_date() -> None:
    assert gen_schemas.main(["--check"]) == 0
    shipped = json.loads((SCHEMA / "operators.schema.json").read_text(encoding="utf-8"))
    assert shipped == operators_schema()


def test_the_rules_document_is_up_to_date() -> None:
    assert gen_rules_doc.main(["--check"]) == 0


def test_a_stale_schema_is_noticed(tmp_path: Path) -> None:
    current, old = tmp_path / "a.json", tmp_path / "b.json"
    current.write_text("same", encoding="utf-8")
    old.write_text("old", encoding="utf-8")
    missing = tmp_path / "c.json"
    assert gen_schemas.stale({current: "same", old: "new", missing: ""}) == [old, missing]


def test_the_document_has_every_rule_and_operator() -> None:
    text = gen_rules_doc.render()
    general = [rule for rule in rule_text.GENERAL if not rule.endswith("/")]
    ids = [*general, *(rule.id for rule in RULES)]
    assert [rule_id for rule_id in ids if f"`{rule_id}` |" not in text] == []
    assert [name for name in ROWS if f"- **{name}**" not in text] == []


@pytest.mark.parametrize("name", ROWS)
def test_every_row_says_where_it_comes_from(name: str) -> None:
    row = ROWS[name]
    cited = [*row.sources, *(source for rule in row.rules for source in rule.sources)]
    assert row.sources
    assert all(rule.sources for rule in row.rules)
    assert {source.split(":")[0] for source in cited} <= REPOSITORIES
    assert row.category in CATEGORIES


def test_rows_stand_in_the_order_of_the_categories() -> None:
    order = [CATEGORIES.index(row.category) for row in ROWS.values()]
    assert order == sorted(order)


def test_rule_ids_are_unique() -> None:
    ids = [rule.id for rule in RULES]
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize("name", TARGETS)
def test_a_target_grades_every_rule_of_every_type(name: str) -> None:
    for rule, kind in grades():
        level = TARGETS[name].requirement(rule, kind)
        assert level.behaviour, (rule, kind)


@pytest.mark.parametrize("name", TARGETS)
def test_every_level_of_a_target_has_an_effect(name: str) -> None:
    """A level without effect names a rule that was renamed, or is an exception that is no longer
    needed.
    """
    target = TARGETS[name]
    operators = {name for level in target.requirements for name in level.operators} | {""}
    reached = {
        id(target.requirement(rule, kind, name)) for rule, kind in grades() for name in operators
    }
    idle = [level.rules for level in target.requirements if id(level) not in reached]
    assert idle == []


@pytest.mark.parametrize("name", TARGETS)
def test_every_pattern_of_a_target_names_a_rule(name: str) -> None:
    known = {rule for rule, _ in grades()}
    patterns = [pattern for level in TARGETS[name].requirements for pattern in level.rules]
    lost = [p for p in patterns if not fnmatch.filter(known, p)]
    assert [f"{p}: no rule has this id{suggestion(p, known)}" for p in lost] == []


@pytest.mark.parametrize("name", TARGETS)
def test_the_judges_of_a_target_exist(name: str) -> None:
    require_known(TARGETS[name].judges)


def test_a_target_is_named_as_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(SCHEMA, tmp_path / "schema")
    (tmp_path / "schema" / "targets" / "there.toml").write_text(TARGET + LEVEL, encoding="utf-8")
    monkeypatch.setattr(store, "data_root", lambda: tmp_path / "schema")
    with pytest.raises(RuleError, match=r"^targets/there\.toml: name: expected 'there', as the"):
        load_target("there")


@pytest.mark.parametrize("name", TARGETS)
def test_support_rows_say_where_they_come_from(name: str) -> None:
    for row in TARGETS[name].support:
        assert {source.split(":")[0] for source in row.sources} <= REPOSITORIES, row.operators
        assert row.sources, row.operators


@pytest.mark.parametrize("name", TARGETS)
def test_support_rows_name_operators_that_exist(name: str) -> None:
    for row in TARGETS[name].support:
        named = [*row.operators, *row.unless, *row.limits.get("operator", ())]
        for pattern in named:
            assert pattern == WHOLE_MODEL or fnmatch.filter(BUILTIN, pattern), pattern


@pytest.mark.parametrize("name", TARGETS)
def test_support_rows_name_options_that_exist(name: str) -> None:
    fields = {field for table in OPTIONS.values() for field in table_layout(table).by_name}
    for row in TARGETS[name].support:
        for limits in (row.limits, row.when):
            named = [*limits.get("options", ()), *limits.get("options_at_most", ())]
            named += [option for pair in limits.get("options_equal", ()) for option in pair]
            named += [limits["axes"]["option"]] if "option" in limits.get("axes", {}) else []
            assert set(named) <= fields, row.operators


@pytest.mark.parametrize("name", TARGETS)
def test_no_target_turns_int16_into_uint8(name: str) -> None:
    assert "uint8" not in TARGETS[name].quantize["int16"]


def test_tflm_separates_no_uint8_tensors() -> None:
    assert TARGETS["tflm"].quantize["uint8"] == ("int8",)


def severity(target: Target, rule: str, kind: str) -> str:
    return target.requirement(rule, kind).severity


def test_the_lowest_weight_is_never_an_error() -> None:
    lowest = [r for r in RULES if isinstance(r, WeightRule) and r.minimum is not None]
    assert lowest
    assert {severity(t, r.id, "int8") for t in TARGETS.values() for r in lowest} == {
        "off",
        "warning",
    }


def test_int16_softmax_has_the_fixed_output_of_its_input_type() -> None:
    found = {
        types: rule.labels["int16"][0]
        for rule in ROWS["SOFTMAX"].rules
        if isinstance(rule, FixedRule) and "int16" in rule.types
        for _, types in rule.where
    }
    assert found == {("int16",): (1 / 32768, 0), ("int8", "uint8"): (1 / 65536, -32768)}


def test_the_first_legal_bias_type_is_the_one_to_write() -> None:
    rules = [r for r in ROWS["FULLY_CONNECTED"].rules if isinstance(r, BiasRule)]
    assert {rule.bias_types["int16"] for rule in rules} == {("int64", "int32")}


def test_uint8_concatenation_is_a_warning_of_the_specification_alone() -> None:
    graded = {name: severity(t, "same/CONCATENATION", "uint8") for name, t in TARGETS.items()}
    assert graded["tflite"] == "warning"
    assert graded["litert"] == graded["xnnpack"] == "off"


# --- levels of targets ---------------------------------------------------------------------------


def test_a_target_without_a_severity_for_a_rule_is_refused() -> None:
    target = parse_target(TARGET + LEVEL.replace('"*"', '"same/*"'), "here.toml")
    with pytest.raises(RuleError, match=r"^target here: no level covers rule zero/ADD; add one"):
        target.requirement("zero/ADD", "int8")


def test_later_levels_are_exceptions_to_earlier_ones() -> None:
    exception = LEVEL.replace('"*"', '"same/ADD"').replace("error", "off")
    target = parse_target(TARGET + LEVEL + exception + 'types = ["uint8"]', "here.toml")
    assert severity(target, "same/ADD", "uint8") == "off"
    assert severity(target, "same/ADD", "int8") == "error"
    rule = Rule(id="same/ADD", types=frozenset({"uint8", "int8"}))
    assert not target.requires(rule, "uint8")
    assert target.requires(rule, "int8")
    assert not target.requires(rule, "int16")


def test_an_unknown_target_lists_the_known_ones() -> None:
    with pytest.raises(UsageError) as refusal:
        load_target("hexagon")
    known = "edgetpu, ethos-u55, ethos-u65, ethos-u85, litert, ppq, tflite, tflm, xnnpack"
    assert str(refusal.value).startswith("there is no target 'hexagon'")
    assert all(name in str(refusal.value) for name in known.split(", "))
