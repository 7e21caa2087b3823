"""Malformed rows and targets are refused with their place and what was expected."""

from __future__ import annotations

import pytest

from tests.support.target_texts import LEVEL, TARGET
from tflite_align.errors import RuleError
from tflite_align.rules.operator_rows import parse_operators
from tflite_align.rules.targets import parse_target

ROW = 'format = 1\n[operator.ADD]\nsources = ["litert:add.cc"]\n'

BAD_ROWS = {
    "an unknown key": (
        ROW + "famly = 'concat'",
        "operators.toml: operator.ADD: unknown key 'famly'; did you mean 'family'?",
    ),
    "an unknown key like no other": (
        "format = 1\nzzz = 2\n[operator]",
        "operators.toml: unknown key 'zzz'; known: format, operator",
    ),
    "no sources": (
        "format = 1\n[operator.ADD]\n",
        "operators.toml: operator.ADD: key 'sources' is missing",
    ),
    "a slot that is none": (
        ROW + "rigid = ['input[0]']",
        (
            "operators.toml: operator.ADD.rigid[0]: 'input[0]' is not a slot;"
            " write inputs[0], inputs[*], inputs[1:], outputs[0]"
        ),
    ),
    "a number that is none": (
        ROW + "range = ['1/0', 1]",
        "operators.toml: operator.ADD.range[0]: '1/0' is not a number, fraction or power",
    ),
    "a list that is none": (
        ROW + "rigid = 'inputs[0]'",
        "operators.toml: operator.ADD.rigid: expected a list, found 'inputs[0]'",
    ),
    "a family that is none": (
        ROW + "family = 'concats'",
        (
            "operators.toml: operator.ADD.family: expected one of"
            " concat, elementwise, pooling, resize, logical, rnn, other; found 'concats'"
        ),
    ),
    "a label without a zero point": (
        ROW + "fixed = [{ slot = 'outputs[0]', labels = { int8 = [[1]] } }]",
        (
            "operators.toml: operator.ADD.fixed[0].labels.int8[0]: expected [scale, zero_point],"
            " found [1]"
        ),
    ),
    "a label of no quantized type": (
        ROW + "fixed = [{ slot = 'outputs[0]', labels = { float32 = [[1, 0]] } }]",
        "operators.toml: operator.ADD.fixed[0].labels: 'float32' is not a valid quantized type",
    ),
    "a type that is none": (
        ROW + "zero = [{ slots = ['inputs[0]'], types = ['int8', 'i16'] }]",
        "operators.toml: operator.ADD.zero[0].types[1]: 'i16' is not a valid tensor type",
    ),
    "two rules of one name": (
        ROW + "zero = [" + "{ slots = ['inputs[0]'], types = ['int16'] }, " * 2 + "]",
        "operators.toml: operator.ADD: two constraints have one id; give each a `part`",
    ),
    "a boolean for an integer": (
        ROW + "weight = [{ slot = 'inputs[1]', types = ['int8'], axis = true }]",
        "operators.toml: operator.ADD.weight[0].axis: expected an integer, found True",
    ),
    "another format": (
        "format = 2\n[operator]",
        "operators.toml: format 2 is unknown; this version reads 1",
    ),
}


@pytest.mark.parametrize("name", BAD_ROWS)
def test_a_malformed_row_is_refused_by_name(name: str) -> None:
    document, sentence = BAD_ROWS[name]
    with pytest.raises(RuleError) as refusal:
        parse_operators(document)
    assert str(refusal.value) == sentence


def test_invalid_toml_is_refused_with_its_position() -> None:
    with pytest.raises(RuleError, match=r"^operators\.toml: .*line 1"):
        parse_operators("format = = 1")


BAD_TARGETS = {
    "an unknown key": (
        TARGET + LEVEL + 'sevrity = "off"',
        "here.toml.level[0]: unknown key 'sevrity'; did you mean 'severity'?",
    ),
    "no behaviour": (
        TARGET + '[[level]]\nrules = ["*"]\nseverity = "error"\n',
        "here.toml.level[0]: key 'behaviour' is missing",
    ),
    "a severity that is none": (
        TARGET + '[[level]]\nrules = ["*"]\nseverity = "fatal"\nbehaviour = ""\n',
        "here.toml.level[0].severity: expected one of error, warning, off; found 'fatal'",
    ),
    "a level for a type that is none": (
        TARGET + LEVEL + 'types = ["i8"]',
        "here.toml.level[0].types[0]: 'i8' is not a valid tensor type",
    ),
    "a limit on a type that is none": (
        TARGET
        + LEVEL
        + '[[support]]\noperators = ["ADD"]\nlimits.types = ["i8"]\nseverity = "error"\n'
        + 'behaviour = ""\nsources = []',
        "here.toml.support[0].limits.types[0]: 'i8' is not a valid tensor type",
    ),
    "a QUANTIZE from float": (
        TARGET + 'float32 = ["int8"]\n' + LEVEL,
        "here.toml.quantize: 'float32' is not a valid quantized type",
    ),
}


@pytest.mark.parametrize("name", BAD_TARGETS)
def test_a_malformed_target_is_refused_by_name(name: str) -> None:
    document, sentence = BAD_TARGETS[name]
    with pytest.raises(RuleError) as refusal:
        parse_target(document, "here.toml")
    assert str(refusal.value) == sentence
