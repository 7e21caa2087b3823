"""The configuration reader: accepted settings, messages, agreement with the schema."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tflite_align.checks.overrides import Override
from tflite_align.cli import main as cli
from tflite_align.cli.commands import commands
from tflite_align.errors import UsageError
from tflite_align.rules.targets import target_names
from tflite_align.settings.config import SETTING_NAMES, Config, config_schema, parse_config

CHECKOUT = Path(__file__).resolve().parents[2]
OWN = "tflite-align.toml"


def parse(document: str, name: str = OWN) -> Config:
    found = parse_config(document, name)
    assert found is not None
    return found


def test_an_empty_file_is_a_configuration() -> None:
    assert parse("") == Config()


def test_the_documented_example_is_read_and_has_every_key() -> None:
    text = (CHECKOUT / "docs" / "configuration.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```toml\n(# tflite-align\.toml;.*?)```", text, flags=re.DOTALL)
    found = parse(example)
    assert sorted(found.settings) == sorted(SETTING_NAMES)
    assert found.settings["target"] == ("tflm", "ethos-u55")
    assert list(found.severity.items()) == [("weight/*/minimum", "off"), ("window/*", "warning")]
    assert [str(one) for one in found.overrides] == [
        'override 1 (tensor "serving_default_*")',
        'override 2 (tensor "model/branch_2/relu")',
        'override 3 (tensor "model/head*", operator "CONCATENATION")',
        'override 4 (slot "subgraph[0]/operator[12] CONCATENATION/inputs[1]")',
        'override 5 (tensor "model/boxes*", operator "CONCATENATION")',
        'override 6 (operator "RESHAPE")',
    ]
    jsonschema.validate(tomllib.loads(example), config_schema())
    inside = example.replace("[severity]", "[tool.tflite-align.severity]")
    inside = inside.replace("[[override]]", "[[tool.tflite-align.override]]")
    assert parse(f"[tool.tflite-align]\n{inside}", "pyproject.toml") == found


@pytest.mark.parametrize("document", ["", "[project]\nname = 'x'", "[tool.ruff]", "tool = 3"])
def test_a_pyproject_without_the_table_is_no_configuration(document: str) -> None:
    assert parse_config(document, "../pyproject.toml") is None


def test_paths_are_relative_to_the_configuration_file() -> None:
    found = parse('baseline = "b.json"\nreport = ["-", "r.json"]\nseed = 3').placed("../up")
    up = str(Path("..", "up"))
    assert found.settings == {
        "baseline": str(Path("../up") / "b.json").replace(up, "../up", 1),
        "report": ("-", str(Path("../up") / "r.json").replace(up, "../up", 1)),
        "seed": 3,
    }


OVERRIDE = "[[override]]\n"
BAD = {
    "unknown key": (
        "targt = ['tflm']",
        "tflite-align.toml: unknown key 'targt'; did you mean 'target'?",
    ),
    "unknown target": (
        "target = ['tfml']",
        (
            f"tflite-align.toml: target[0]: expected one of {', '.join(target_names())}; found 'tfml'"
        ),
    ),
    "no list": (
        "target = 'tflm'",
        "tflite-align.toml: target: expected a list, found 'tflm'",
    ),
    "no target": ("target = []", "tflite-align.toml: target: expected at least one entry"),
    "policy": (
        "concat = 'big'",
        "tflite-align.toml: concat: expected one of none, input, output, large, auto; found 'big'",
    ),
    "number": ("samples = 0", "tflite-align.toml: samples: expected 1 or more, found 0"),
    "float": ("seed = 1.5", "tflite-align.toml: seed: expected an integer, found 1.5"),
    "boolean": ("jobs = true", "tflite-align.toml: jobs: expected an integer, found True"),
    "flag": (
        "optimize = 'yes'",
        "tflite-align.toml: optimize: expected true or false, found 'yes'",
    ),
    "empty path": (
        "baseline = ''",
        "tflite-align.toml: baseline: expected a string that is not empty",
    ),
    "severity": (
        "[severity]\n'same/*' = 'fatal'",
        "tflite-align.toml: severity.same/*: expected one of error, warning, off; found 'fatal'",
    ),
    "no table": ("severity = 3", "tflite-align.toml: severity: expected a table, found 3"),
    "override's key": (
        OVERRIDE + "tensro = 'x'",
        "tflite-align.toml: override[0]: unknown key 'tensro'; did you mean 'tensor'?",
    ),
    "override without place": (
        OVERRIDE + "keep = true",
        "tflite-align.toml: override[0]: no tensor, operator or slot is given; give at least one of them",
    ),
    "override without wish": (
        OVERRIDE + "tensor = 'x'",
        "tflite-align.toml: override[0]: nothing to do is given; give keep, anchor, cut, policy or severity",
    ),
    "override's rule": (
        OVERRIDE + "tensor = 'x'\nkeep = true\nrule = 'same/*'",
        "tflite-align.toml: override[0]: rule selects the findings whose severity changes; give severity too",
    ),
    "override keeps not": (
        OVERRIDE + "tensor = 'x'\nkeep = false",
        "tflite-align.toml: override[0].keep: expected true, found False",
    ),
    "override cuts": (
        OVERRIDE + "tensor = 'x'\ncut = true",
        "tflite-align.toml: override[0].cut: expected false, found True",
    ),
    "override's anchor": (
        OVERRIDE + "tensor = 'x'\nanchor = false",
        (
            "tflite-align.toml: override[0].anchor: expected true or a pattern of tensor names,"
            " found False"
        ),
    ),
    "override's address": (
        OVERRIDE + "slot = 'operator[1]'\nkeep = true",
        (
            "tflite-align.toml: override[0]: slot: 'operator[1]' is not an address; write it as in"
            " reports: subgraph[0]/operator[12] CONCATENATION/inputs[1]"
        ),
    ),
    "no TOML": ("x = ", "tflite-align.toml: Invalid value (at end of document)"),
}


@pytest.mark.parametrize("name", BAD)
def test_unexpected_keys_and_values_are_refused_by_name(name: str) -> None:
    document, sentence = BAD[name]
    with pytest.raises(UsageError) as refusal:
        parse_config(document, OWN)
    assert str(refusal.value) == sentence


def test_a_pyproject_names_its_table() -> None:
    document = "[tool.tflite-align]\ntarget = []"
    with pytest.raises(UsageError) as refusal:
        parse_config(document, "pyproject.toml")
    message = "pyproject.toml: tool.tflite-align.target: expected at least one entry"
    assert str(refusal.value) == message
    with pytest.raises(UsageError) as refusal:
        parse_config("[tool]\ntflite-align = 3", "pyproject.toml")
    assert str(refusal.value) == "pyproject.toml: tool.tflite-align: expected a table, found 3"


# --- the command line's options and the file's keys ---------------------------------------------


def test_every_key_is_an_option_of_some_command_with_the_same_choices() -> None:
    schema = config_schema()["properties"]
    for name in SETTING_NAMES:
        options = [
            param
            for command in ("align", "check", "explain")
            for param in commands.commands[command].params
            if f"--{name}" in param.opts
        ]
        assert options, name
        for option in options:
            choices = getattr(option.type, "choices", None)
            if choices is not None:
                assert list(choices) == schema[name]["enum"], name


# --- the schema ---------------------------------------------------------------------------------


def test_the_schema_is_valid_and_shipped() -> None:
    schema = config_schema()
    jsonschema.Draft7Validator.check_schema(schema)
    shipped = (CHECKOUT / "schema" / "config.schema.json").read_text(encoding="utf-8")
    assert json.loads(shipped) == schema
    assert all(entry.get("description") for entry in schema["properties"].values())


WORDS = st.sampled_from(
    ["", "x", "tflm", "tflite", "auto", "none", "keep", "free", "error", "warning", "off", "int8",
     "same/*", "precision", "forbid", "all", "errors", "subgraph[0]/operator[1]", "CONV_2D",
     "subgraph[0]/operator[1] CONV_2D/inputs[0]", "subgraph[0]/inputs[0]", "operator[1]\n"]
)  # fmt: skip
# 1.0 is an integer for JSON Schema but a float for TOML: not generated here.
VALUES = st.recursive(
    st.one_of(WORDS, st.booleans(), st.integers(-1, 2), st.just(0.5)),
    lambda inner: st.lists(inner, max_size=2),
    max_leaves=3,
)
KEYS = ("tensor", "operator", "slot", "keep", "anchor", "cut", "rule", "severity", "other")
OVERRIDES = st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=4)
PLAUSIBLE = {
    **dict.fromkeys(("tensor", "operator", "rule"), st.just("x")),
    "slot": st.sampled_from(["subgraph[0]/operator[1] CONV_2D", "subgraph[1]/outputs[0]"]),
    "keep": st.just(True),
    "anchor": st.sampled_from([True, "x"]),
    "cut": st.just(False),
    "severity": st.sampled_from(["error", "warning", "off"]),
}
LIKELY = st.fixed_dictionaries({}, optional=PLAUSIBLE)
DOCUMENTS = st.fixed_dictionaries(
    {},
    optional={
        **dict.fromkeys((*SETTING_NAMES, "other"), VALUES),
        "severity": st.one_of(st.dictionaries(WORDS, VALUES, max_size=2), VALUES),
        "override": st.lists(st.one_of(OVERRIDES, LIKELY), max_size=2),
    },
)
SINGLE = st.sampled_from([*SETTING_NAMES, "severity", "other"]).flatmap(
    lambda key: st.fixed_dictionaries({key: VALUES})
)


def toml(value: Any) -> str:
    if isinstance(value, dict):
        pairs = (f"{json.dumps(key)} = {toml(entry)}" for key, entry in value.items())
        return f"{{ {', '.join(pairs)} }}"
    if isinstance(value, list):
        return f"[{', '.join(map(toml, value))}]"
    return json.dumps(value)


def accepted(document: dict[str, Any]) -> bool:
    text = "\n".join(f"{json.dumps(key)} = {toml(value)}" for key, value in document.items())
    assert tomllib.loads(text) == document
    try:
        parse_config(text, OWN)
    except UsageError:
        return False
    return True


VALIDATOR = jsonschema.Draft7Validator(config_schema())


@settings(max_examples=400, deadline=None)
@given(st.one_of(SINGLE, DOCUMENTS, st.fixed_dictionaries({"override": st.lists(LIKELY)})))
def test_reader_and_schema_accept_the_same(document: dict[str, Any]) -> None:
    assert accepted(document) == VALIDATOR.is_valid(document)


# --- which file is read; the command line wins ---------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sample: bytes) -> Path:
    """A project folder with a model, which is returned. The current directory is its subfolder."""
    (tmp_path / "in.tflite").write_bytes(sample)
    (tmp_path / "below").mkdir()
    monkeypatch.chdir(tmp_path / "below")
    return tmp_path


IN = "../in.tflite"


def shown(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[str]:
    assert cli.main([*arguments, "--show-settings"]) == 0
    return capsys.readouterr().out.splitlines()


@pytest.mark.parametrize(
    ("name", "head"), [("tflite-align.toml", ""), ("pyproject.toml", "[tool.tflite-align]\n")]
)
def test_the_nearest_file_above_is_used(
    folder: Path, capsys: pytest.CaptureFixture[str], name: str, head: str
) -> None:
    (folder / name).write_text(f"{head}target = ['tflm', 'xnnpack']\nreport = ['r.json']\n")
    assert cli.main(["check", IN, "-q"]) == 1
    document = json.loads((folder / "r.json").read_text())
    assert document["targets"] == ["tflm", "xnnpack"]
    (folder / "below" / "pyproject.toml").write_text("[project]\nname = 'other'\n")
    assert f'target = ["tflm", "xnnpack"]  # {Path("..") / name}' in shown(capsys, "check")
    (folder / "below" / "tflite-align.toml").write_text("")
    assert 'target = ["tflite"]  # default' in shown(capsys, "check")


def test_the_command_line_wins(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "below" / "tflite-align.toml").write_text(
        "target = ['tflm']\nio = 'free'\noptimize = true\nsamples = 128\n"
        "[[override]]\ntensor = 'x'\nkeep = true\n"
    )
    lines = shown(capsys, "--target", "litert", "--no-optimize", "--no-cut", "y")
    assert 'target = ["litert"]  # command line' in lines
    assert "optimize = false  # command line" in lines
    assert 'io = "free"  # tflite-align.toml' in lines
    assert "samples = 128  # tflite-align.toml" in lines
    assert 'concat = "auto"  # default' in lines
    assert lines[-3:] == ["[[override]]  # command line", 'tensor = "y"', "cut = false"]


@pytest.mark.parametrize("command", [(), ("check",), ("explain",)])
def test_show_settings_prints_a_valid_configuration(
    folder: Path, capsys: pytest.CaptureFixture[str], command: tuple[str, ...]
) -> None:
    (folder / "below" / "tflite-align.toml").write_text(
        "target = ['tflm']\nio = 'free'\n[severity]\n'same/*' = 'off'\n"
        "[[override]]\ntensor = 'x\"y'\nanchor = 'z'\n"
        "[[override]]\nslot = 'subgraph[0]/inputs[0]'\ncut = false\nrule = 'a'\nseverity = 'off'\n"
    )
    printed = parse("\n".join(shown(capsys, *command)))
    assert printed.severity == {"same/*": "off"}
    assert printed.settings["target"] == ("tflm",)
    assert printed.overrides == (
        Override(tensor='x"y', anchor="z", origin="override 1"),
        Override(
            slot="subgraph[0]/inputs[0]", cut=False, rule="a", severity="off", origin="override 2"
        ),
    )


def test_option_config_names_the_file_and_isolated_reads_none(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "tflite-align.toml").write_text("io = 'free'\n")
    (folder / "other.toml").write_text("io = 'keep'\nseed = 7\n")
    assert "seed = 7  # ../other.toml" in shown(capsys, "--config", "../other.toml")
    assert shown(capsys, "--isolated")[1] == "# configuration: none"
    assert cli.main(["check", IN, "--isolated", "--config", "../other.toml"]) == 2
    assert capsys.readouterr().err == (
        "tflite_align: --config reads a file and --isolated reads none: give only one of them\n"
    )
    for name, text, message in (
        ("nowhere.toml", None, "No such file or directory"),
        ("pyproject.toml", "", "it has no table [tool.tflite-align]"),
        ("latin.toml", b"# \xe9", "not UTF-8 text"),
        (
            "bad.toml",
            "x = 1",
            "unknown key 'x'; known: " + ", ".join(config_schema()["properties"]),
        ),
    ):
        if text is not None:
            Path(name).write_bytes(text if isinstance(text, bytes) else text.encode())
        assert cli.main(["check", IN, "--config", name]) == 2
        assert capsys.readouterr().err == f"tflite_align: {name}: {message}\n"


def test_an_invalid_configuration_file_is_an_error(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "tflite-align.toml").write_text("[severity]\n'sme/CONCATENATION' = 'off'\n")
    assert cli.main([IN, "out.tflite", "--no-verify"]) == 2
    assert capsys.readouterr().err == (
        "tflite_align: severity: no rule is called 'sme/CONCATENATION';"
        " did you mean 'same/CONCATENATION'?\n"
    )
    assert not Path("out.tflite").exists()
    assert cli.main([IN, "out.tflite", "--no-verify", "--isolated", "-q"]) == 0


def test_severities_and_overrides_reach_every_command(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = folder / "tflite-align.toml"
    config.write_text("[severity]\n'same/*' = 'off'\n")
    assert cli.main(["check", IN, "-q"]) == 0
    assert cli.main([IN, "out.tflite", "--no-verify", "-q"]) == 0
    assert Path("out.tflite").read_bytes() == (folder / "in.tflite").read_bytes()
    config.write_text("[[override]]\noperator = 'MAX_POOL_2D'\nkeep = true\n")
    assert cli.main(["explain", IN, "subgraph[0]/operator[5]/outputs[0]"]) == 0
    assert 'kept by override 1 (operator "MAX_POOL_2D")' in capsys.readouterr().out
    config.write_text("[[override]]\ntensor = 'nobody'\nkeep = true\n")
    assert cli.main(["check", IN, "--jobs", "2", IN]) == 1
    assert 'warning: override 1 (tensor "nobody") matches nothing' in capsys.readouterr().out


def test_help_reads_no_configuration(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "tflite-align.toml").write_text("x = 1\n")
    assert cli.main(["check", "--help"]) == 0
    assert "--show-settings" in capsys.readouterr().out


def test_a_required_argument_is_still_required(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["check"]) == 2
    assert "no model is named" in capsys.readouterr().err
