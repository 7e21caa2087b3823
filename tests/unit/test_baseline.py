"""The baseline: which findings it accepts, how entries are matched, and its file format."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.models import Graph
from tflite_align import AlignOptions, UsageError, align, check
from tflite_align.cli import main as cli
from tflite_align.settings.baseline import Accepted, Baseline, accepted_in, entry_of

TEXT = st.text(max_size=12)
ENTRIES = st.builds(Accepted, rule=TEXT, slot=TEXT, tensor=TEXT)


@given(st.dictionaries(TEXT, st.lists(ENTRIES, min_size=1, max_size=4).map(tuple), max_size=3))
def test_a_baseline_written_and_parsed_is_the_same(models: dict[str, tuple[Accepted, ...]]) -> None:
    known = Baseline(models=models)
    again = Baseline.parse(known.text())
    assert {name: sorted(found) for name, found in again.models.items()} == {
        name: sorted(found) for name, found in models.items()
    }
    assert again.text() == known.text()


def test_a_finding_is_matched_after_operators_are_inserted_before_it() -> None:
    def model(*, more: bool) -> bytes:
        graph = Graph()
        graph.activation("x", 0.05)
        source = "x"
        if more:
            graph.activation("x2", 0.05)
            graph.add("RELU", ["x"], ["x2"])
            source = "x2"
        graph.activation("y", 0.07)
        graph.add("RELU", [source], ["y"])
        graph.activation("a", 0.02)
        graph.add("MAXIMUM", ["y", "y"], ["a"])
        return graph.bytes(["x"], ["a"])

    old = check(model(more=False)).findings
    new = check(model(more=True)).findings
    assert old[0].address != new[0].address
    passed, stale = accepted_in(new, [entry_of(finding) for finding in old])
    assert passed == new
    assert stale == ()


def test_one_entry_accepts_one_finding() -> None:
    graph = Graph()
    graph.activation("x", 0.05)
    graph.activation("y", 0.07)
    graph.add("MAXIMUM", ["x", "x"], ["y"])
    data = graph.bytes(["x"], ["y"])
    first, second = check(data).findings
    entries = (entry_of(first), Accepted(rule="same/GONE", slot="s", tensor="t"))
    report = check(data, AlignOptions(accepted=entries))
    assert report.accepted == (first,)
    assert report.open == (second,)
    assert report.reasons == ("1 error finding",)
    assert report.warnings == ("the baseline lists findings that no longer occur: s same/GONE",)


def test_align_repairs_findings_that_the_baseline_accepts(sample: bytes) -> None:
    entries = tuple(entry_of(finding) for finding in check(sample).findings)
    result = align(sample, AlignOptions(accepted=entries, verify=False))
    assert result.report.remaining == ()
    assert result.report.warnings == ()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{", "line 1: not JSON: Expecting property name enclosed in double quotes"),
        ("[]", "not a baseline: expected an object of `format` and `models`"),
        (
            '{"format": 9, "models": {}}',
            "format 9; this version reads 1: write it again with --write-baseline",
        ),
        ('{"format": 1, "models": []}', "models: expected a table, found []"),
        ('{"format": 1, "models": {"a": {}}}', "models.a: expected a list, found {}"),
        (
            '{"format": 1, "models": {"a": [{"rule": "x"}]}}',
            "models.a[0]: key 'slot' is missing",
        ),
        (
            '{"format": 1, "models": {"a": [{"rule": 1, "slot": "", "tensor": ""}]}}',
            "models.a[0].rule: expected a string, found 1",
        ),
        (
            '{"format": 1, "models": {"a": [{"rule": "", "slots": "", "tensor": ""}]}}',
            "models.a[0]: unknown key 'slots'; did you mean 'slot'?",
        ),
        ('{"format": true, "models": {}}', "format: expected an integer, found True"),
    ],
)
def test_a_malformed_baseline_is_refused(text: str, why: str) -> None:
    with pytest.raises(UsageError) as caught:
        Baseline.parse(text)
    assert str(caught.value) == why


# --- on the command line -----------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sample: bytes) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "in.tflite").write_bytes(sample)
    return tmp_path


def test_check_fails_without_a_baseline(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["check", "models", "--write-baseline", "ci.json", "-q"]) == 0
    listed = json.loads((folder / "ci.json").read_text(encoding="utf-8"))["models"]
    assert list(listed) == ["models/in.tflite"]
    assert len(listed["models/in.tflite"]) == 4
    assert cli.main(["check", "models", "--baseline", "ci.json"]) == 0
    said = capsys.readouterr().out
    assert said.splitlines()[-1] == (
        "models/in.tflite: no findings, 4 accepted by the baseline (static check; --run asks the runtimes)"
    )


def test_the_baseline_may_be_named_from_anywhere(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert cli.main(["check", "models", "--write-baseline", "ci.json", "-q"]) == 0
    monkeypatch.chdir(folder / "models")
    assert cli.main(["check", "in.tflite", "--baseline", "../ci.json", "-q"]) == 0
    assert cli.main(["check", "in.tflite", "-q"]) == 1


def test_an_invalid_baseline_file_is_refused(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "ci.json").write_text("[]", encoding="utf-8")
    assert cli.main(["check", "models", "--baseline", "ci.json"]) == 2
    assert cli.main(["check", "models", "--baseline", "gone.json"]) == 2
    said = capsys.readouterr().err.splitlines()
    assert said == [
        "tflite_align: ci.json: not a baseline: expected an object of `format` and `models`",
        "tflite_align: gone.json: No such file or directory",
    ]


def test_the_baseline_is_not_written_over_a_model(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["check", "models/in.tflite", "--write-baseline", "models/in.tflite"]
    assert cli.main(arguments) == 2
    assert "the report has the path of the model; give another path" in capsys.readouterr().err
