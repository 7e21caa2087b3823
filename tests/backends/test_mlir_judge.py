"""LiteRT's MLIR dialect as a judge: what its verifiers refuse, and failures of the tool that are no
refusals.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

import tests
from tests.rules.operators.all_cases import ROWS, SATISFIED
from tests.rules.operators.mutations import violated
from tests.support.models import Graph
from tflite_align.verify import mlir
from tflite_align.verify.judges import available, judge_file
from tflite_align.verify.mlir import parse_words

pytestmark = pytest.mark.backends

SHAPE = (1, 4, 4, 3)


@pytest.fixture
def installed() -> None:
    missing = available("mlir")
    if missing is not None:
        pytest.skip(missing)


def reshaped(second: float = 0.4) -> bytes:
    """Two RESHAPEs in a row. `second`: the last output's scale; 0.4 is right."""
    graph = Graph()
    graph.activation("x", 0.4)
    graph.constant("shape", list(SHAPE), "int32")
    graph.activation("one", 0.4, shape=SHAPE)
    graph.activation("two", second, shape=SHAPE)
    graph.add("RESHAPE", ["x", "shape"], ["one"], ("ReshapeOptions", {}))
    graph.add("RESHAPE", ["one", "shape"], ["two"], ("ReshapeOptions", {}))
    return graph.bytes(["x"], ["two"])


def test_a_sound_file_is_accepted(installed: None) -> None:
    found = judge_file(reshaped(), "mlir")
    assert (found.status, found.reason, found.facts) == ("accepted", "", ())


def test_a_refusal_quotes_the_verifier_and_names_the_operator(installed: None) -> None:
    found = judge_file(reshaped(0.25), "mlir")
    assert found.status == "refused"
    assert found.reason.startswith(
        "'tfl.reshape' op quantization parameters violate the same scale constraint: "
        "!quant.uniform<i8:f32, "
    )
    assert (found.operator, found.place) == (1, "subgraph[0]/operator[1] RESHAPE")
    assert judge_file(reshaped(0.25), "mlir") == found


def test_bytes_that_are_no_model_are_refused(installed: None) -> None:
    found = judge_file(b"no model", "mlir")
    assert (found.status, found.reason) == ("refused", "couldn't parse flatbuffer")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        pytest.param("ELU-int8", "'tosa.exp' op requires the same element type", id="an error"),
        pytest.param("FILL-int16", "failed to legalize operation", id="no lowering"),
        pytest.param("READ_VARIABLE-int8", "unable to find corresponding TosaOp", id="status 0"),
    ],
)
def test_operators_without_a_lowering_are_accepted(name: str, words: str, installed: None) -> None:
    found = judge_file(SATISFIED[name].model(), "mlir")
    assert (found.status, found.reason) == ("accepted", "")
    ((fact, value),) = found.facts
    assert fact == "not lowered to TOSA"
    assert value.startswith(words)


def test_errors_from_rewriting_uint8_to_int8_are_no_refusal(installed: None) -> None:
    """The tool converts uint8 to int8 before lowering, and then requires equal scales at
    CONCATENATION.
    """
    row = ROWS["CONCATENATION"]
    (rule,) = (rule for rule in row.rules if rule.id == "same/CONCATENATION")
    found = judge_file(next(iter(violated(row, rule, "uint8"))).model(), "mlir")
    assert found.status == "accepted"
    assert (
        "'tfl.concatenation' op quantization parameters violate" in dict(found.facts).popitem()[1]
    )


def test_a_crash_is_reported(installed: None) -> None:
    """The tool crashes on a BATCH_MATMUL whose right operand has scales along the wrong axis."""
    row = ROWS["BATCH_MATMUL"]
    (rule,) = (rule for rule in row.rules if rule.id == "weight/BATCH_MATMUL/axis")
    case = next(iter(violated(row, rule, "int8")))
    found = judge_file(case.model(), "mlir")
    assert (found.status, found.operator) == ("crashed", None)
    assert found.reason.startswith("SIGSEGV" if sys.platform != "win32" else "exception")


def test_a_hang_is_a_timeout(installed: None) -> None:
    assert judge_file(reshaped(), "mlir", seconds=0.01).status == "timeout"


def test_a_missing_tool_is_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    monkeypatch.setattr(sys, "platform", "linux")
    found = judge_file(b"", "mlir")
    assert found.status == "skipped"
    assert found.reason == "tosa-converter-for-tflite is not installed (extra: mlir)"
    monkeypatch.setattr(sys, "platform", "darwin")
    assert available("mlir") == "tosa-converter-for-tflite: no wheel for this platform"


# --- which operator an error names -------------------------------------------------------------

SAME = "quantization parameters violate the same scale constraint"


def test_the_first_error_is_the_reason() -> None:
    said = (
        "W0000 a warning\n"
        'loc("caf\\C3\\A9 \\22x\\22"("model.tflite":0:0)): error: \'tfl.reshape\' op is wrong\n'
        'loc("model.tflite":0:0): error: Failed VHLO to version 1.13.7\n'
        "[ERROR] Conversion failed: Could not convert\n"
    )
    assert parse_words(said) == (('café "x"',), "'tfl.reshape' op is wrong")
    assert parse_words("error: plain\n") == ((), "plain")
    assert parse_words("[ERROR] Conversion failed: no memory\n") == ((), "")


def test_an_operator_is_found_by_any_of_its_output_names() -> None:
    said = 'loc(fused["a"("model.tflite":0:0), "b"("model.tflite":0:0)]): error: words'
    assert parse_words(said) == (("a", "b"), "words")


@pytest.mark.parametrize(
    ("names", "words", "operator"),
    [
        pytest.param(("two",), "'tfl.reshape' op is wrong", 1, id="kind and name"),
        pytest.param(("two",), "words without a kind", 1, id="name alone"),
        pytest.param((), f"'tfl.reshape' op {SAME}", None, id="two of the kind"),
        pytest.param(("two",), "'tfl.squeeze' op is wrong", None, id="another kind"),
        pytest.param(("two", "one"), "'tfl.reshape' op is wrong", None, id="both names"),
        pytest.param((), "couldn't parse flatbuffer", None, id="neither"),
        pytest.param(
            (),
            f"'tfl.reshape' op {SAME}: !quant.uniform<i8:f32, 0.4> vs. !quant.uniform<i8:f32, 0.25>",
            1,
            id="parameters",
        ),
        pytest.param(
            (),
            f"'tfl.reshape' op {SAME}: !quant.uniform<i8<-127:127>:f32, 4.0E-1:7>",
            None,
            id="a zero point that none has",
        ),
    ],
)
def test_the_only_operator_of_a_kind_is_named(
    names: tuple[str, ...], words: str, operator: int | None
) -> None:
    assert mlir._operator(names, words, reshaped(0.25)) == operator


def test_unrecognized_output_is_no_verdict(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another version of the tool may print other messages; these do not count as acceptance."""
    monkeypatch.setattr(mlir, "_RUN", "raise SystemExit('error: all is different')")
    found = mlir.judge(reshaped(), "mlir", 60)
    assert found.status == "skipped"
    assert found.reason == "could not start the judge: error: all is different"


def test_the_tests_folder_is_not_hidden_by_another_package() -> None:
    """The tool's wheel also installs a package `tests`, which would hide a folder without
    __init__.py.
    """
    assert Path(tests.__file__ or "").resolve().parent == Path(__file__).resolve().parents[1]
