"""SARIF and Code Quality as GitHub and GitLab require them, beyond their schemas.

Sources: docs.github.com, "SARIF support for code scanning"; docs.gitlab.com, "Code Quality report
format".
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tests.support.models import Graph
from tflite_align import AlignOptions, check
from tflite_align.cli import main as cli
from tflite_align.record import replace
from tflite_align.report.gitlab import render_gitlab
from tflite_align.report.locations import relative_path, uri
from tflite_align.report.report import Report, Unread
from tflite_align.report.sarif import render_sarif
from tflite_align.rules.operator_rows import load_operators
from tflite_align.rules.rule_story import anchor, rule_page
from tflite_align.rules.rule_text import GENERAL
from tflite_align.rules.targets import load_target, target_names

DOCS = Path(__file__).parents[2] / "docs"
SAMPLE = (Path(__file__).parents[1] / "data" / "sample_dealigned.tflite").read_bytes()
TARGETS = ("tflite", "tflm", "ethos-u55", "edgetpu")
REPORT = check(SAMPLE, AlignOptions(targets=TARGETS), name="models/sample.tflite")


def run_of(*reports: Report) -> dict[str, Any]:
    run: dict[str, Any] = json.loads(render_sarif(reports))["runs"][0]
    return run


def prints(report: Report) -> list[str]:
    return [
        one["partialFingerprints"]["primaryLocationLineHash"] for one in run_of(report)["results"]
    ]


# --- GitHub --------------------------------------------------------------------------------------


def test_each_rule_has_every_field_that_github_shows() -> None:
    rules = run_of(REPORT)["tool"]["driver"]["rules"]
    assert rules
    for rule in rules:
        assert re.fullmatch(r"[A-Z][A-Za-z0-9]*", rule["name"]), rule
        assert 0 < len(rule["shortDescription"]["text"]) <= 1024
        assert 0 < len(rule["fullDescription"]["text"]) <= 1024
        assert rule["defaultConfiguration"]["level"] in ("error", "warning", "note", "none")
        assert rule["help"]["text"].startswith(rule["id"])
        assert f"**`{rule['id']}`**" in rule["help"]["markdown"]
        assert rule["helpUri"] == rule_page(rule["id"])
        assert 0 < len(rule["properties"]["tags"]) <= 20
    names = [rule["name"] for rule in rules]
    assert len(set(names)) == len(names)


def test_the_default_level_is_the_gravest_of_the_targets() -> None:
    def level(*targets: str) -> str:
        rules = run_of(check(SAMPLE, AlignOptions(targets=targets)))["tool"]["driver"]["rules"]
        (rule,) = [one for one in rules if one["id"] == "weight/FULLY_CONNECTED/zero_points"]
        return str(rule["defaultConfiguration"]["level"])

    assert (level("ethos-u55"), level("tflite")) == ("warning", "error")
    assert level("ethos-u55", "tflite") == "error"


def test_each_result_has_a_line_and_a_byte_offset() -> None:
    for result in run_of(REPORT)["results"]:
        (location,) = result["locations"]
        region = location["physicalLocation"]["region"]
        assert region["startLine"] == 1
        assert region["byteOffset"] > 0
        assert region["byteLength"] == 4
        assert result["message"]["text"]


def test_runs_for_other_targets_do_not_replace_each_other() -> None:
    own = run_of(check(SAMPLE, AlignOptions(targets=("tflm",))))["automationDetails"]["id"]
    assert own == "tflite_align/tflm/"
    assert run_of(REPORT)["automationDetails"]["id"] != own


@pytest.mark.parametrize(
    "spelled",
    [
        "{here}/models/a b.tflite",
        "./models/a b.tflite",
        "models/../models/a b.tflite",
        "models/a b.tflite",
    ],
)
def test_uris_are_relative_however_a_path_was_spelled(
    spelled: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    name = spelled.format(here=tmp_path)
    assert (uri(name), relative_path(name)) == ("models/a%20b.tflite", "models/a b.tflite")
    assert uri("/elsewhere/a.tflite") == "file:///elsewhere/a.tflite"
    renamed = replace(REPORT, name=name)
    assert prints(renamed) == prints(REPORT)
    (issue, *_) = json.loads(render_gitlab([renamed]))
    assert issue["location"]["path"] == "models/a b.tflite"


def joined(operators_before: int) -> bytes:
    """`operators_before` convolutions, then a CONCATENATION whose operands have other scales than
    its output.
    """
    graph = Graph()
    graph.activation("x", 0.05)
    names = [f"before{number}" for number in range(operators_before)]
    for name in names:
        graph.conv("x", name, 0.1)
    graph.conv("x", "c1", 0.1)
    graph.conv("x", "c2", 0.2)
    graph.activation("cat", 0.4, shape=(1, 4, 4, 6))
    graph.add("CONCATENATION", ["c1", "c2"], ["cat"], ("ConcatenationOptions", {"axis": 3}))
    return graph.bytes(["x"], ["cat", *names])


def test_fingerprints_do_not_depend_on_operator_indices() -> None:
    one, other = check(joined(0)), check(joined(3))
    assert len(one.remaining) == 2
    assert [f.address for f in one.remaining] != [f.address for f in other.remaining]
    assert prints(one) == prints(other)
    assert prints(check(joined(0), name="renamed.tflite")) == prints(one)


def test_equal_problems_have_different_ordinals() -> None:
    twice = replace(REPORT, remaining=(*REPORT.remaining, *REPORT.remaining))
    found = prints(twice)
    assert len(set(found)) == len(found)
    assert [one.partition(":")[2] for one in found] == ["1"] * 4 + ["2"] * 4


# --- anchors -------------------------------------------------------------------------------------


def rule_ids() -> set[str]:
    ids = {rule.id for row in load_operators().values() for rule in row.rules}
    for name in target_names():
        for row in load_target(name).support:
            ids |= {row.rule(operator) for operator in row.operators if "*" not in operator}
    return ids


def test_every_rule_has_an_anchor_of_its_own_on_the_page() -> None:
    places = re.findall(r'<a id="([^"]+)"></a>', (DOCS / "rules.md").read_text(encoding="utf-8"))
    assert len(set(places)) == len(places)
    ids = rule_ids()
    assert len({anchor(one) for one in ids}) == len(ids)
    general = [
        "types/ADD",
        "version/ADD",
        "shape/ADD",
        "lock/scale",
        "judge/tflm",
        "support/ADD/xyz",
    ]
    for rule_id in [*ids, *general, *(one for one in GENERAL if not one.endswith("/"))]:
        page, _, place = rule_page(rule_id).partition("#")
        assert page == "rules.html"
        assert place in places, rule_id
    assert rule_page("same/CONCATENATION") == "rules.html#same-concatenation"


# --- GitLab --------------------------------------------------------------------------------------

CODE_QUALITY = {
    "type": "array",
    "items": {
        "type": "object",
        "required": ["description", "check_name", "fingerprint", "severity", "location"],
        "properties": {
            "description": {"type": "string", "minLength": 1},
            "check_name": {"type": "string", "minLength": 1},
            "fingerprint": {"type": "string", "pattern": "^[0-9a-f]{32}$"},
            "severity": {"enum": ["info", "minor", "major", "critical", "blocker"]},
            "location": {
                "type": "object",
                "required": ["path", "lines"],
                "properties": {
                    "path": {"type": "string", "pattern": "^(?!\\./)"},
                    "lines": {
                        "type": "object",
                        "required": ["begin"],
                        "properties": {"begin": {"type": "integer", "minimum": 1}},
                    },
                },
            },
        },
    },
}


def test_code_quality_has_the_fields_that_gitlab_requires(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("a.tflite", "b.tflite"):
        (tmp_path / name).write_bytes(SAMPLE)
    (tmp_path / "c.tflite").write_bytes(b"no model")
    assert cli.main(["check", "./", "--output-format", "gitlab"]) == 2
    issues = json.loads(capsys.readouterr().out)
    jsonschema.validate(issues, CODE_QUALITY)
    assert len({issue["fingerprint"] for issue in issues}) == len(issues) == 9
    assert [issue["severity"] for issue in issues] == ["major"] * 8 + ["blocker"]
    assert {issue["location"]["path"] for issue in issues} == {"a.tflite", "b.tflite", "c.tflite"}


def test_code_quality_leaves_out_findings_of_the_baseline() -> None:
    passed = replace(REPORT, accepted=REPORT.remaining[:3])
    issues = json.loads(render_gitlab([passed], [Unread(name="x", message="no")]))
    assert len(issues) == len(REPORT.remaining) - 3 + 1
