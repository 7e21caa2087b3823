"""Support rows of targets: read, bound to models, reported and never repaired."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.models import Graph, concat_example
from tests.support.target_texts import TARGET
from tflite_align import AlignOptions, align, check
from tflite_align.checks.binder.bind import bind
from tflite_align.checks.checker import Finding, check_bound
from tflite_align.checks.support.breaches import OPERATOR_TESTS, TENSOR_TESTS
from tflite_align.errors import RuleError
from tflite_align.format.model import Model
from tflite_align.format.reader import read
from tflite_align.pipeline import aligning, session
from tflite_align.record import replace
from tflite_align.report.component_summary import overview
from tflite_align.rules.operator_rows import load_operators
from tflite_align.rules.support_rows import LIMITS, SupportRow
from tflite_align.rules.targets import Target, load_target, parse_target
from tflite_align.solver.solve import solve

HEAD = TARGET + '[[level]]\nrules = ["*"]\nseverity = "off"\nbehaviour = "right"\n'


def target(row: str, *, severity: str = "warning", name: str = "here") -> Target:
    document = HEAD.replace('"here"', f'"{name}"') + (
        f"[[support]]\n{row}\nseverity = '{severity}'\nbehaviour = 'left out'\nsources = ['x:y']\n"
    )
    return parse_target(document, "here.toml")


def findings(model: Model, *targets: Target) -> list[Finding]:
    return check_bound(bind(model, load_operators(), targets))


def rows(*pairs: tuple[str, str]) -> str:
    return "\n".join(f"{key} = {value}" for key, value in pairs)


def _with_support(monkeypatch: pytest.MonkeyPatch, found: tuple[SupportRow, ...]) -> None:
    """Let every target that is loaded have just the support rows `found`."""

    def loaded(name: str) -> Target:
        return replace(load_target(name), support=found)

    monkeypatch.setattr(session, "load_target", loaded)


@pytest.fixture(scope="module")
def model() -> Model:
    return read(concat_example())


def test_a_target_without_rows_gives_no_findings(model: Model) -> None:
    bare = parse_target(HEAD, "here.toml")
    assert bare.support == ()
    assert findings(model, bare) == []


def test_a_broken_limit_is_a_finding_at_its_slot(model: Model) -> None:
    row = rows(("operators", "['CONV_2D']"), ("limits", "{ types = ['uint8'] }"))
    row += "\nslots = ['inputs[0]']\npart = 'types'"
    first, second = findings(model, target(row))
    assert first.rule == "support/CONV_2D/types"
    assert first.message == (
        "subgraph[0]/operator[0] CONV_2D/inputs[0]: not supported: found int8, expected uint8"
        " (rule support/CONV_2D/types)"
    )
    assert (first.expected, first.actual, first.behaviour) == ("uint8", "int8", "left out")
    assert (first.severity, first.fixable, first.targets) == ("warning", False, ("here",))
    assert second.address == "subgraph[0]/operator[1] CONV_2D/inputs[0]"


def test_equal_limits_of_two_targets_are_one_finding_of_the_higher_severity(model: Model) -> None:
    row = rows(("operators", "['HARD_SWISH']"), ("limits", "{ operator = ['ADD'] }"))
    both = (target(row), target(row, severity="error", name="there"))
    (finding,) = findings(model, *both)
    assert (finding.severity, finding.targets) == ("error", ("here", "there"))


def test_align_does_not_change_unsupported_operators(monkeypatch: pytest.MonkeyPatch) -> None:
    """A warning without repair is reported; the written bytes and the exit status stay the same."""
    data = concat_example()
    plain = align(data, AlignOptions(verify=False))
    row = rows(("operators", "['HARD_SWISH']"), ("limits", "{ operator = ['ADD'] }"))
    found = target(row).support
    _with_support(monkeypatch, found)
    noted = align(data, AlignOptions(verify=False))
    assert noted.data == plain.data
    assert noted.report.exit_status == 0
    assert [f.rule for f in noted.report.remaining] == ["support/HARD_SWISH"]
    assert [f.fixable for f in noted.report.remaining] == [False]


def test_explain_separates_unsupported_operators_from_disagreements(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    row = rows(("operators", "['CONCATENATION']"), ("limits", "{ operator = ['ADD'] }"))
    found = target(row).support
    _with_support(monkeypatch, found)
    asked = aligning.question(concat_example(), AlignOptions())
    solution = solve(asked.bound, asked.broken, asked.settings)
    story = overview(asked.bound, solution, asked.findings)
    assert not any("support/" in message for one in story.components for message in one.findings)
    assert [message for message in story.elsewhere if "support/" in message]


def test_an_error_that_cannot_be_repaired_fails_check(monkeypatch: pytest.MonkeyPatch) -> None:
    row = rows(("operators", "['HARD_SWISH']"), ("limits", "{ operator = ['ADD'] }"))
    found = target(row, severity="error").support
    _with_support(monkeypatch, found)
    report = check(concat_example(0.1, 0.1, 0.1))
    assert (report.exit_status, report.reasons) == (1, ("1 error finding",))


def test_a_switched_off_row_gives_no_findings(model: Model) -> None:
    row = rows(("operators", "['*']"), ("limits", "{ operator = [] }"))
    assert findings(model, target(row, severity="off")) == []
    assert len(findings(model, target(row))) == 4


def test_unless_and_when_restrict_a_row(model: Model) -> None:
    row = rows(("operators", "['*']"), ("limits", "{ operator = [] }"))
    exempt = findings(model, target(row + "\nunless = ['CONV_*']"))
    assert [f.rule for f in exempt] == ["support/CONCATENATION", "support/HARD_SWISH"]
    when = findings(model, target(row + "\nwhen = { inputs_at_least = 3 }"))
    assert {f.rule for f in when} == {"support/CONV_2D"}


def test_a_limit_of_the_model_names_its_inputs(model: Model) -> None:
    row = rows(("operators", "['MODEL']"), ("limits", "{ any_type = ['uint8'] }"))
    (finding,) = findings(model, target(row, severity="error"))
    assert finding.message == (
        "subgraph[0]/inputs[0]: not supported: found none, expected some computed tensor of uint8"
        " (rule support/MODEL)"
    )
    assert findings(model, target(row.replace("uint8", "int8"))) == []


def test_every_limit_is_either_of_operators_or_of_tensors() -> None:
    assert set(LIMITS) == set(OPERATOR_TESTS) | set(TENSOR_TESTS)
    assert not set(OPERATOR_TESTS) & set(TENSOR_TESTS)


# --- each limit ---------------------------------------------------------------------------------


def probe() -> bytes:
    """PAD, MEAN and a CONCATENATION with a constant: operators whose limits depend on operand
    values.
    """
    graph = Graph()
    graph.activation("x", 0.05, shape=(1, 4, 4, 6))
    graph.constant("pads", [[0, 0], [1, 1], [1, 1], [0, 0]], "int32")
    graph.activation("padded", 0.05, shape=(1, 6, 6, 6))
    graph.add("PAD", ["x", "pads"], ["padded"])
    graph.constant("axes", [1, 2], "int32")
    graph.activation("mean", 0.05, shape=(1, 6))
    graph.add("MEAN", ["padded", "axes"], ["mean"], ("ReducerOptions", {"keepDims": False}))
    graph.constant("zeros", np.zeros((1, 2)), "int8", 0.05)
    graph.activation("y", 0.05, shape=(1, 8))
    options = ("ConcatenationOptions", {"axis": -1})
    graph.add("CONCATENATION", ["mean", "zeros"], ["y"], options)
    return graph.bytes(["x"], ["y"])


def limit(text: str, slot: str = "") -> dict[str, str]:
    return {"limits": text, **({"slots": f"['{slot}']"} if slot else {})}


# (operator, row, (expected, actual) of the finding; None: no finding)
WORDS: dict[str, tuple[str, dict[str, str], tuple[str, str] | None]] = {
    "operator": ("PAD", limit("{ operator = ['PAD', 'ADD'] }"), None),
    "not the operator": (
        "PAD",
        limit("{ operator = ['ADD'] }"),
        ("an operator that the target supports", "PAD"),
    ),
    "custom_code": (
        "PAD",
        limit("{ custom_code = ['A'] }"),
        ("the custom operator A", "none"),
    ),
    "version": ("PAD", limit("{ version_at_most = 0 }"), ("version 0 or less", "version 1")),
    "inputs_at_least": ("PAD", limit("{ inputs_at_least = 3 }"), ("3 inputs or more", "2")),
    "inputs_at_most": ("PAD", limit("{ inputs_at_most = 1 }"), ("1 inputs or fewer", "2")),
    "outputs_at_least": (
        "PAD",
        limit("{ outputs_at_least = 2 }"),
        ("2 outputs or more", "1"),
    ),
    "outputs_at_most": ("PAD", limit("{ outputs_at_most = 1 }"), None),
    "options": (
        "CONCATENATION",
        limit("{ options = { axis = [3, 2, 1] } }"),
        ("axis 3, 2 or 1", "axis -1"),
    ),
    "options_at_most": (
        "CONCATENATION",
        limit("{ options_at_most = { axis = -2 } }"),
        ("axis up to -2", "axis -1"),
    ),
    "options_equal": (
        "CONCATENATION",
        limit("{ options_equal = [['axis', 'fused_activation_function']] }"),
        ("axis = fused_activation_function", "-1 and 0"),
    ),
    "axes by slot": (
        "MEAN",
        limit("{ axes = { slot = 'inputs[1]', of = 'inputs[0]', innermost = 2 } }"),
        ("an axis among the 2 innermost dimensions", "axis 1 of 4"),
    ),
    "axes by option": (
        "CONCATENATION",
        limit("{ axes = { option = 'axis', of = 'outputs[0]', innermost = 1 } }"),
        None,
    ),
    "axes_include": (
        "MEAN",
        limit("{ axes_include = { slot = 'inputs[1]', of = 'inputs[0]', axis = -1 } }"),
        ("axis -1", "axes [-3, -2]"),
    ),
    "growth": (
        "PAD",
        limit("{ growth = { from = 'inputs[0]', to = 'outputs[0]', at_most = 1.4 } }"),
        ("a size at most 1.4 times as large", "4 resized to 6"),
    ),
    "same_shape": (
        "PAD",
        limit("{ same_shape = ['inputs[0]', 'outputs[0]'] }"),
        ("equal shapes", "[1, 4, 4, 6] and [1, 6, 6, 6]"),
    ),
    "outputs_inside": ("PAD", limit("{ outputs_inside = true }"), None),
    "outputs at the border": (
        "CONCATENATION",
        limit("{ outputs_inside = true }"),
        ("a tensor that is not an output of the subgraph", "an output of the subgraph"),
    ),
    "some_constant": ("PAD", limit("{ some_constant = true }"), None),
    "constants_zero": (
        "PAD",
        limit("{ constants_zero = true }"),
        ("only zeros", "other values"),
    ),
    "constant_large_dimensions": (
        "PAD",
        limit("{ constant_large_dimensions = 1 }"),
        ("sizes above 1 only in the innermost dimension", "[4, 2]"),
    ),
    "any_type": ("PAD", limit("{ any_type = ['int8'] }"), None),
    "types": ("PAD", limit("{ types = ['int32'] }", "inputs[1]"), None),
    "constant": (
        "PAD",
        limit("{ constant = true }", "inputs[0]"),
        ("a constant", "a computed tensor"),
    ),
    "not constant": (
        "PAD",
        limit("{ constant = false }", "inputs[1]"),
        ("a computed tensor", "a constant"),
    ),
    "absent": ("PAD", limit("{ absent = true }", "inputs[1]"), ("no such operand", "pads")),
    "absent, and it is": ("PAD", limit("{ absent = true }", "inputs[2]"), None),
    "static": ("PAD", limit("{ static = true }"), None),
    "ranks": (
        "PAD",
        limit("{ ranks = [1, 2] }", "inputs[0]"),
        ("1 or 2 dimensions", "[1, 4, 4, 6]"),
    ),
    "large_dimensions": (
        "PAD",
        limit("{ large_dimensions = 2 }", "inputs[0]"),
        ("sizes above 1 only in the innermost 2 dimensions", "[1, 4, 4, 6]"),
    ),
    "three large dimensions": ("PAD", limit("{ large_dimensions = 3 }", "inputs[0]"), None),
    "elements_at_least": (
        "PAD",
        limit("{ elements_at_least = 97 }", "inputs[0]"),
        ("97 elements or more", "96"),
    ),
    "elements_at_most": (
        "PAD",
        limit("{ elements_at_most = 95 }", "inputs[0]"),
        ("95 elements or fewer", "96"),
    ),
    "positions_at_most": (
        "PAD",
        limit("{ positions_at_most = 15 }", "inputs[0]"),
        ("15 positions or fewer", "16"),
    ),
    "innermost_at_most": ("PAD", limit("{ innermost_at_most = 6 }", "inputs[0]"), None),
    "innermost_multiple_of": (
        "PAD",
        limit("{ innermost_multiple_of = 4 }", "inputs[0]"),
        ("an innermost size that is a multiple of 4", "6"),
    ),
    "values": ("PAD", limit("{ values = [0] }", "inputs[1]"), ("values 0", "1")),
    "values that are computed": (
        "PAD",
        limit("{ values = [0] }", "inputs[0]"),
        ("a constant", "a computed tensor"),
    ),
    "zero": ("CONCATENATION", limit("{ zero = true }", "inputs[1]"), None),
    "not zero": ("PAD", limit("{ zero = true }", "inputs[1]"), ("only zeros", "other values")),
    "rows_zero_outside": ("PAD", limit("{ rows_zero_outside = 3 }", "inputs[1]"), None),
    "rows outside": (
        "PAD",
        limit("{ rows_zero_outside = 2 }", "inputs[1]"),
        ("zeros outside the 2 innermost dimensions", "[[0, 0], [1, 1]]"),
    ),
    "per_tensor": ("PAD", limit("{ per_tensor = true }"), None),
    "varied": ("PAD", limit("{ varied = true }", "inputs[1]"), None),
    "values that vary and are computed": (
        "PAD",
        limit("{ varied = true }", "inputs[0]"),
        ("a constant", "a computed tensor"),
    ),
    "one value": (
        "CONCATENATION",
        limit("{ varied = true }", "inputs[1]"),
        ("several values", "only [0]"),
    ),
    "real_at_most": (
        "CONCATENATION",
        limit("{ real_at_most = -1.5 }", "inputs[1]"),
        ("real values up to -1.5", "0"),
    ),
    "real values without a scale": (
        "PAD",
        limit("{ real_at_most = 1 }", "inputs[1]"),
        ("a constant with one scale", "another operand"),
    ),
}


@pytest.mark.parametrize("name", WORDS)
def test_each_limit_is_evaluated_on_the_operator(name: str) -> None:
    operator, keys, expected = WORDS[name]
    row = rows(("operators", f"['{operator}']"), *keys.items())
    found = [(f.expected, f.actual) for f in findings(read(probe()), target(row))]
    assert found == ([] if expected is None else [expected])


# --- malformed rows -----------------------------------------------------------------------------

BAD: dict[str, tuple[str, str]] = {
    "an unknown word": (
        "operators = ['ADD']\nlimits = { typs = ['int8'] }",
        "here.toml:12: support[0].limits: unknown key 'typs'; did you mean 'types'?",
    ),
    "no limit": (
        "operators = ['ADD']\nlimits = {}",
        "here.toml:12: support[0]: expected at least one operator and one limit",
    ),
    "axes from nowhere": (
        "operators = ['ADD']\nlimits = { axes = { of = 'inputs[0]', innermost = 3 } }",
        "here.toml:12: support[0]: axes must be given by an option or by a slot",
    ),
    "a yes that is no": (
        "operators = ['ADD']\nlimits = { static = false }",
        "here.toml:12: support[0].limits.static: expected true, found False",
    ),
    "the model among operators": (
        "operators = ['ADD', 'MODEL']\nlimits = { operator = [] }",
        "here.toml:12: support[0]: MODEL must be the only operator of its row",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_a_malformed_row_is_refused_by_name(name: str) -> None:
    row, sentence = BAD[name]
    with pytest.raises(RuleError) as refusal:
        target(row)
    assert str(refusal.value) == sentence
