"""Conventions of command-line tools: help, suggestions for misspelled names, selection of rules."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import click
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tflite_align import AlignOptions, check
from tflite_align.cli import main as cli
from tflite_align.cli.commands import commands
from tflite_align.cli.help_groups import GROUPS
from tflite_align.errors import UsageError
from tflite_align.report.column_layout import laid_out, wrapped
from tflite_align.rules.operator_rows import load_operators
from tflite_align.rules.rule_story import rule_page

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sample: bytes) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in.tflite").write_bytes(sample)
    return tmp_path


# --- help ----------------------------------------------------------------------------------------


def test_without_arguments_there_is_help(capsys: Capture) -> None:
    assert cli.main([]) == 2
    said = capsys.readouterr()
    assert said.out.startswith("Usage: ")
    assert said.err == ""


def test_help_has_groups_and_the_version(capsys: Capture) -> None:
    assert cli.main(["--help"]) == 0
    output = capsys.readouterr().out
    titles = re.findall(r"^(\S.*):$", output, re.MULTILINE)
    assert titles == ["Commands", *GROUPS, "General"]
    assert "\n  --version " in output


def test_the_help_of_completion_shows_a_line_for_each_shell(capsys: Capture) -> None:
    assert cli.main(["completion", "--help"]) == 0
    output = capsys.readouterr().out
    assert '\n  bash, in ~/.bashrc:   eval "$(tflite-align completion bash)"\n' in output
    assert "\\b" not in output


def test_groups_list_only_existing_options() -> None:
    options = {str(p.name) for c in commands.commands.values() for p in c.params}
    listed = [name for names in GROUPS.values() for name in names]
    assert len(set(listed)) == len(listed)
    assert set(listed) <= options


def test_every_option_of_a_configured_command_stands_in_a_group() -> None:
    listed = {name for names in GROUPS.values() for name in names}
    for name in ("align", "check", "explain"):
        options = [p for p in commands.commands[name].params if isinstance(p, click.Option)]
        assert {str(one.name) for one in options} <= listed


# --- names ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("chek", "check"),
        ("Check", "check"),
        ("explian", "explain"),
        ("rule", "rules"),
        ("fixs", "fixes"),
    ],
)
@pytest.mark.parametrize("more", [[], ["x"], ["x", "--target", "tflm"]])
def test_a_misspelled_command_is_answered_with_the_right_one(
    word: str, meant: str, more: list[str], folder: Path, capsys: Capture
) -> None:
    assert cli.main([word, *more]) == 2
    message = f"tflite_align: {word}: no file and no command; did you mean {meant!r}?\n"
    assert capsys.readouterr().err == message


def test_a_file_name_similar_to_a_command_is_a_file(folder: Path, sample_origin: bytes) -> None:
    (folder / "chek").write_bytes(sample_origin)
    assert cli.main(["chek", "out.tflite", "--no-verify", "-q"]) == 0


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        (["TFLM"], "tflm"), (["tflite,tflm"], "tflite, tflm"), (["Ethos_U55"], "ethos-u55"),
        (["ethosu55, TFLM"], "ethos-u55, tflm"), (["tflite", "tflm,edgetpu"], "tflite, tflm, edgetpu"),
    ],
)  # fmt: skip
def test_target_names_ignore_case_and_punctuation(
    given: list[str], meant: str, folder: Path, capsys: Capture
) -> None:
    options = [word for name in given for word in ("--target", name)]
    cli.main(["check", "in.tflite", *options])
    assert f"tensors; target{'s' if ',' in meant else ''} {meant}\n" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("given", "hint"),
    [
        ("ethos-u", "; did you mean ethos-u55, ethos-u65 or ethos-u85?"),
        ("ethos-u55-128", "; did you mean ethos-u55?"),
        ("tfml", "; did you mean tflm?"),
        ("coral", "; did you mean edgetpu?"),
        ("Micro", "; did you mean tflm?"),
        ("zzz", "; known: edgetpu, ethos-u55"),
    ],
)
def test_an_unknown_target_gets_a_suggestion(
    given: str, hint: str, folder: Path, capsys: Capture
) -> None:
    assert cli.main(["check", "in.tflite", "--target", given]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith(f"tflite_align: there is no target {given!r}{hint}")


def test_judge_names_are_normalized_and_suggested(folder: Path, capsys: Capture) -> None:
    assert cli.main(["check", "in.tflite", "--judge", "LITERT,Litert-Ref", "-q"]) == 1
    assert "(judge/litert-ref)" in capsys.readouterr().out
    assert cli.main(["check", "in.tflite", "--judge", "vela"]) == 2
    assert capsys.readouterr().err == (
        "tflite_align: no judge named 'vela'; did you mean ethos-u55, ethos-u65 or ethos-u85?\n"
    )


@pytest.mark.parametrize("given", ["", ",", " , "])
def test_an_empty_name_is_an_error(given: str, folder: Path) -> None:
    assert cli.main(["check", "in.tflite", "--target", given]) == 2


# --- selecting rules -----------------------------------------------------------------------------


def found(sample: bytes, **options: Any) -> set[str]:
    return {finding.rule for finding in check(sample, AlignOptions(**options)).findings}


def test_rules_are_selected_and_ignored(sample: bytes) -> None:
    both = {"same/CONCATENATION", "same/MAX_POOL_2D"}
    assert found(sample) == both
    assert found(sample, select=("same",)) == both
    assert found(sample, select=("same/C*",)) == {"same/CONCATENATION"}
    assert found(sample, ignore=("same/CONCATENATION",)) == {"same/MAX_POOL_2D"}
    assert found(sample, select=("same",), ignore=("same/M*",)) == {"same/CONCATENATION"}
    assert found(sample, select=("window",)) == set()
    assert found(sample, ignore=("same",)) == set()


def test_a_severity_selects_no_further_rule(sample: bytes) -> None:
    graded = {"same/MAX_POOL_2D": "warning"}
    assert found(sample, select=("same/CONCATENATION",), severity=graded) == {"same/CONCATENATION"}


def test_an_ignored_rule_is_not_repaired(folder: Path, capsys: Capture) -> None:
    arguments = ["in.tflite", "out.tflite", "--no-verify", "--ignore", "same"]
    assert cli.main(arguments) == 0
    assert "nothing to align" in capsys.readouterr().out
    assert (folder / "out.tflite").read_bytes() == (folder / "in.tflite").read_bytes()


@pytest.mark.parametrize("option", ["select", "ignore"])
def test_an_unknown_rule_is_an_error(option: str, folder: Path, capsys: Capture) -> None:
    """Otherwise a misspelled --select would check nothing, and a misspelled --ignore would ignore
    nothing.
    """
    for wrong, meant in (("smae/PAD", "same/PAD"), ("windw", "window")):
        assert cli.main(["check", "in.tflite", f"--{option}", wrong]) == 2
        message = f"tflite_align: {option}: no rule is called {wrong!r}; did you mean {meant!r}?\n"
        assert capsys.readouterr().err == message
    with pytest.raises(UsageError, match=f"{option}: no rule is called 'x/Y'"):
        found((folder / "in.tflite").read_bytes(), **{option: ("x/Y",)})


# --- describing rules -----------------------------------------------------------------------------


def test_rules_and_explain_print_the_same_description(folder: Path, capsys: Capture) -> None:
    assert cli.main(["rules", "same/CONCATENATION"]) == 0
    output = capsys.readouterr().out
    assert cli.main(["explain", "same/CONCATENATION"]) == 0
    assert capsys.readouterr().out == output
    lines = output.splitlines()
    assert lines[0] == (
        "same/CONCATENATION: inputs[*], outputs[0] share scale and zero point (int8, uint8, int16)"
    )
    assert "  tflm: error for int8: TFLM refuses the model" in lines
    assert lines[-1] == f"  page: {rule_page('same/CONCATENATION')}"
    assert cli.main(["rules", "same/CONCATENATION", "--target", "TFLM"]) == 0
    output = capsys.readouterr().out
    assert "tflm: " in output
    assert "tflite: " not in output


def test_a_family_or_pattern_selects_several_rules(capsys: Capture) -> None:
    assert cli.main(["rules", "power"]) == 0
    ids = [
        line.partition(":")[0] for line in capsys.readouterr().out.splitlines() if line[:1].strip()
    ]
    assert len(ids) > 1
    assert {one.partition("/")[0] for one in ids} == {"power"}


def test_an_unknown_rule_gets_a_suggestion(folder: Path, capsys: Capture) -> None:
    assert cli.main(["rules", "same/CONCAT"]) == 2
    assert capsys.readouterr().err == (
        "tflite_align: no rule is called 'same/CONCAT'; did you mean 'same/CONCATENATION'?\n"
    )
    assert cli.main(["explain", "smae/CONCATENATION"]) == 2
    assert capsys.readouterr().err == (
        "tflite_align: smae/CONCATENATION: no file and no rule; did you mean 'same/CONCATENATION'?\n"
    )
    assert cli.main(["explain", "models/absent.tflite"]) == 2
    assert "No such file" in capsys.readouterr().err


def test_all_rules_in_json(capsys: Capture) -> None:
    assert cli.main(["rules", "--json", "--target", "tflm,edgetpu"]) == 0
    document = json.loads(capsys.readouterr().out)
    rules = {rule["id"]: rule for rule in document["rules"]}
    assert {rule.id for row in load_operators().values() for rule in row.rules} <= rules.keys()
    one = rules["same/CONCATENATION"]
    assert one["page"] == "rules.html#same-concatenation"
    assert {grade["target"] for grade in one["grades"]} == {"tflm", "edgetpu"}
    assert rules["types/ADD"]["grades"][0]["behaviour"].startswith("TFLM: ")
    assert cli.main(["rules", "--json", "--op", "add"]) == 0
    few = json.loads(capsys.readouterr().out)["rules"]
    assert {rule["id"].split("/")[1] for rule in few} == {"ADD"}
    assert cli.main(["explain", "same/PAD", "--json"]) == 0
    assert [rule["id"] for rule in json.loads(capsys.readouterr().out)["rules"]] == ["same/PAD"]


# --- strategies ----------------------------------------------------------------------------------


def test_strategies_are_compared_only_with_compare(folder: Path, capsys: Capture) -> None:
    plain = ["in.tflite", "out.tflite", "--no-verify", "--report", "r.json"]
    assert cli.main([*plain, "-v"]) == 0
    assert "PPQ" not in capsys.readouterr().out
    assert json.loads((folder / "r.json").read_text())["strategies"] == []
    assert cli.main([*plain, "--compare"]) == 0
    output = capsys.readouterr().out
    assert "PPQ's strategies on this model\n  strategy " in output
    assert "cost: the unitless sum that an alignment minimizes" in output
    assert json.loads((folder / "r.json").read_text())["strategies"] != []


# --- tables --------------------------------------------------------------------------------------

WORDS = st.lists(st.text("abc[]/", min_size=1, max_size=24), max_size=12).map(" ".join)
TABLES = st.integers(1, 4).flatmap(
    lambda n: st.lists(st.tuples(*[WORDS] * n), min_size=1, max_size=6)
)


@settings(max_examples=200, deadline=None)
@given(rows=TABLES, width=st.sampled_from([None, 60, 80, 120]))
def test_tables_split_no_word_and_pad_no_cell(
    rows: list[tuple[str, ...]], width: int | None
) -> None:
    head = tuple(f"h{number}" for number in range(len(rows[0])))
    lines = ["".join(text for text, _ in line) for line in laid_out(head, rows, width)]
    words = [word for row in rows for cell in row for word in cell.split()]
    shown = [word for line in lines for word in line.split() if not re.fullmatch(r"h\d:?", word)]
    assert sorted(shown) == sorted(words)
    assert [line for line in lines if line != line.rstrip()] == []
    if width is not None:
        assert [line for line in lines if len(line) > width] == []
    else:
        widest = sum(
            max(len(cell) for cell in (*column, "h0")) for column in zip(*rows, strict=True)
        )
        assert max(map(len, lines), default=0) <= widest + 2 * (len(head) - 1)


def test_a_row_of_words_too_long_for_their_columns_becomes_a_block() -> None:
    rows = [("tensor " + "a" * 40, "b" * 40), ("c", "")]
    lines = ["".join(text for text, _ in line) for line in laid_out(("name", "why"), rows, 60)]
    assert lines == ["name: tensor " + "a" * 40, "why: " + "b" * 40, "", "name: c"]
    assert wrapped("a " + "b" * 70, 60) == ["a", "b" * 70]
