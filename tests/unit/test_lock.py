"""The lock: graph inputs and outputs that firmware was compiled against cannot change unnoticed."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tflite_align
from tests.support.models import Graph
from tflite_align.cli import main as cli
from tflite_align.errors import UsageError
from tflite_align.format.reader import read
from tflite_align.record import replace
from tflite_align.settings.lock import (
    Lock,
    Port,
    Signed,
    lock_findings,
    lock_of,
    lock_schema,
    parse_lock,
    render_lock,
)

FAST = "--no-verify"


def model(scale: float = 0.1, zero_point: int = 0, *, out: str = "y", more: bool = False) -> bytes:
    graph = Graph()
    graph.activation("x", scale, zero_point)
    graph.conv("x", out, 0.2)
    return graph.bytes(["x"], [out, "x"] if more else [out])


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CI", raising=False)
    (tmp_path / "in.tflite").write_bytes(model())
    return tmp_path


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


# --- the record and its text -------------------------------------------------------------------


def test_the_same_model_has_no_differences(sample: bytes) -> None:
    parsed = read(sample)
    assert lock_findings(parsed, parse_lock(render_lock(lock_of(parsed)))) == []


FLOATS = st.floats(width=32, allow_nan=False, allow_infinity=False)
PORTS = st.builds(
    Port,
    name=st.text(max_size=5),
    type=st.sampled_from(["int8", "float32", "type#57"]),
    shape=st.lists(st.integers(0, 9)).map(tuple),
    shape_signature=st.lists(st.integers(-1, 9)).map(tuple),
    scale=st.lists(FLOATS, max_size=3).map(tuple),
    zero_point=st.lists(st.integers(-(2**63), 2**63 - 1), max_size=3).map(tuple),
    quantized_dimension=st.integers(0, 4),
)
MANY = st.lists(PORTS, max_size=3).map(tuple)


# Made once, since the property tests would otherwise repeat it for each example.
VALIDATOR = jsonschema.Draft202012Validator(lock_schema())
VALIDATOR.check_schema(lock_schema())


@given(MANY, MANY)
def test_a_lock_written_and_parsed_is_the_same_bit_by_bit(
    inputs: tuple[Port, ...], outputs: tuple[Port, ...]
) -> None:
    signed = Signed(key="k", subgraph=0, inputs=inputs, outputs=outputs)
    lock = Lock(inputs=inputs, outputs=outputs, signatures=(signed,))
    text = render_lock(lock)
    assert parse_lock(text) == lock
    VALIDATOR.validate(json.loads(text))


def test_a_scale_is_the_shortest_decimal_of_its_float32() -> None:
    text = render_lock(lock_of(read(model(float(np.float32(0.1))))))
    assert json.loads(text)["inputs"][0]["scale"] == [0.1]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not a lock file: not JSON: "),
        ("[]", "expected a table of format 1, found a document without `format`"),
        ('{"format": 2}', "expected a table of format 1, found format 2"),
        ('{"format": 1}', "lock: key 'inputs' is missing"),
        (
            '{"format": 1, "input": [], "outputs": [], "signatures": []}',
            "lock: unknown key 'input'; did you mean 'inputs'?",
        ),
        (
            '{"format": 1, "inputs": [{"name": "x"}], "outputs": [], "signatures": []}',
            "lock.inputs[0]: key 'type' is missing",
        ),
        (
            '{"format": 1, "inputs": [{"name": 3}], "outputs": [], "signatures": []}',
            "lock.inputs[0].name: expected a string, found 3",
        ),
        (
            '{"format": 1, "inputs": [{"scale": [0.5, 1e39]}], "outputs": [], "signatures": []}',
            "lock.inputs[0].scale[1]: expected a float32 number, found 1e+39",
        ),
    ],
)
def test_a_malformed_lock_error_names_the_key(text: str, message: str) -> None:
    with pytest.raises(UsageError) as error:
        parse_lock(text)
    assert message in str(error.value)


# --- differences -------------------------------------------------------------------------------


def differences(before: bytes, after: bytes) -> list[str]:
    return [one.message for one in lock_findings(read(after), lock_of(read(before)))]


def test_each_difference_is_a_sentence() -> None:
    assert differences(model(), model(0.3, 7, out="z")) == [
        "subgraph[0]/inputs[0]: scale is 0.3, the lock has 0.1 (rule lock/scale)",
        "subgraph[0]/inputs[0]: zero point is 7, the lock has 0 (rule lock/zero_point)",
        "subgraph[0]/outputs[0]: name is z, the lock has y (rule lock/name)",
    ]


def test_a_new_output_is_a_difference_both_ways() -> None:
    (more,) = differences(model(), model(more=True))
    assert more == "subgraph[0]/outputs: count is 2, the lock has 1 outputs (rule lock/count)"
    (fewer,) = differences(model(more=True), model())
    assert fewer == "subgraph[0]/outputs: count is 1, the lock has 2 outputs (rule lock/count)"


@pytest.mark.parametrize("field", [name for name in Port.__struct_fields__ if name != "name"])
def test_a_change_of_any_field_is_a_difference(field: str) -> None:
    parsed = read(model())
    lock = lock_of(parsed)
    other = {"type": "int16", "quantized_dimension": 3}.get(field, (41,))
    changed = replace(lock, inputs=(replace(lock.inputs[0], **{field: other}),))
    (found,) = lock_findings(parsed, changed)
    assert (found.rule, found.address) == (f"lock/{field}", "subgraph[0]/inputs[0]")


def test_a_tensor_of_graph_and_signature_is_reported_once(sample: bytes) -> None:
    parsed = read(sample)
    lock = lock_of(parsed)
    extra = Signed(key="train", subgraph=9, inputs=(), outputs=())
    found = lock_findings(parsed, replace(lock, signatures=(*lock.signatures, extra)))
    assert [one.message for one in found] == [
        "signature[train]: signature is none, the lock has signature 'train' (rule lock/signature)"
    ]
    # A difference of a graph input that a signature also names is reported once.
    port = replace(lock.inputs[0], zero_point=(99,))
    locked = replace(lock, inputs=(port, *lock.inputs[1:]))
    assert len(lock_findings(parsed, locked)) == 1


# --- the command line --------------------------------------------------------------------------


def test_a_lock_is_written_once_then_checked(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["check", "in.tflite", "--lock", "io.json", "-q"]) == 0
    assert capsys.readouterr().err == "tflite_align: io.json: lock written\n"
    text = (folder / "io.json").read_text()
    assert cli.main(["check", "in.tflite", "--lock", "io.json", "-q"]) == 0
    assert capsys.readouterr().err == ""
    (folder / "in.tflite").write_bytes(model(0.3))
    assert cli.main(["check", "in.tflite", "--lock", "io.json", "--report", "r.sarif"]) == 1
    assert "subgraph[0]/inputs[0]: scale is 0.3" in (folder / "r.sarif").read_text()
    assert (folder / "io.json").read_text() == text
    assert cli.main(["check", "in.tflite", "--lock", "io.json", "--update-lock", "-q"]) == 0
    assert json.loads((folder / "io.json").read_text())["inputs"][0]["scale"] == [0.3]


def test_ci_makes_no_lock(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CI", "true")
    assert cli.main(["check", "in.tflite", "--lock", "io.json"]) == 2
    assert capsys.readouterr().err == (
        "tflite_align: io.json: lock file not found, and none is created in CI:"
        " run with --update-lock where the file can be committed\n"
    )
    assert names(folder) == ["in.tflite"]


def test_align_checks_the_written_file_against_the_lock(folder: Path) -> None:
    assert cli.main(["in.tflite", "out.tflite", FAST, "--lock", "io.json", "-q"]) == 0
    assert names(folder) == ["in.tflite", "io.json", "out.tflite"]
    (folder / "out.tflite").unlink()
    convert = ["--input-type", "uint8"]
    assert cli.main(["in.tflite", "out.tflite", FAST, "--lock", "io.json", "-q", *convert]) == 1
    assert names(folder) == ["in.tflite", "io.json"]


def test_a_dry_run_writes_no_lock(folder: Path) -> None:
    assert cli.main(["in.tflite", "out.tflite", "--dry-run", "--lock", "io.json", "-q"]) == 0
    assert names(folder) == ["in.tflite"]


def test_a_model_with_findings_is_not_locked(folder: Path, sample: bytes) -> None:
    (folder / "in.tflite").write_bytes(sample)
    assert tflite_align.check(sample).findings
    assert cli.main(["check", "in.tflite", "--lock", "io.json", "-q"]) == 1
    assert names(folder) == ["in.tflite"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["check", "in.tflite", "b.tflite", "--lock", "io.json"], "--lock is for a single model"),
        (["check", "in.tflite", "--update-lock"], "--update-lock needs --lock FILE"),
        (["check", "in.tflite", "--lock", "in.tflite"], "in.tflite: not a lock file: not JSON"),
        (["check", "in.tflite", "--lock", "in.tflite", "--update-lock"], "the path of the model"),
    ],
)
def test_contradictory_lock_options_are_refused(
    folder: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    (folder / "b.tflite").write_bytes(model())
    assert cli.main(arguments) == 2
    assert message in capsys.readouterr().err
    assert names(folder) == ["b.tflite", "in.tflite"]
    assert (folder / "in.tflite").read_bytes() == model()
