"""Malformed rows and targets are refused with their place and what was expected."""

from __future__ import annotations

import pytest

from tests.support.target_texts import LEVEL, TARGET
from tflite_align.certify.arithmetic import parse_arithmetic
from tflite_align.errors import RuleError
from tflite_align.rules.fixes import parse_fixes
from tflite_align.rules.kernels import parse_kernels
from tflite_align.rules.operator_rows import parse_operators
from tflite_align.rules.shape_rows import parse_shapes
from tflite_align.rules.store import Rows
from tflite_align.rules.targets import parse_target
from tflite_align.rules.versions import parse_versions

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
    "an option of a bias that is none": (
        ROW
        + "bias = [{ slot = 'inputs[2]', factors = ['inputs[0]'], type_option = 'bias_typ',"
        + " bias_types = { int8 = ['int32'] } }]",
        (
            "operators.toml: operator.ADD.bias: there is no option 'bias_typ'; did you mean"
            " 'bias' or 'in_data_type'?"
        ),
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


SUPPORT = (
    '[[support]]\noperators = ["ADD"]\nlimits.types = ["int8"]\nseverity = "error"\n'
    'behaviour = ""\nsources = []\n'
)

BAD_TARGETS = {
    "an operator that is none": (
        TARGET + LEVEL + SUPPORT.replace('"ADD"', '"ADD", "CONV2D"'),
        (
            "here.toml:12: support[0].operators[1]: there is no operator 'CONV2D';"
            " did you mean 'CONV_2D' or 'CONV_3D'?"
        ),
    ),
    "an exception that is no operator": (
        TARGET + LEVEL + SUPPORT + 'unless = ["MULL"]',
        ("here.toml:12: support[0].unless[0]: there is no operator 'MULL'; did you mean 'MUL'?"),
    ),
    "a pattern that no operator has": (
        TARGET + LEVEL + SUPPORT.replace('"ADD"', '"Q*Z"'),
        (
            "here.toml:12: support[0].operators[0]: there is no operator 'Q*Z';"
            " expected a name of BuiltinOperator"
        ),
    ),
    "an operator listed twice": (
        TARGET + LEVEL + SUPPORT.replace('"ADD"', '"ADD", "ADD"'),
        "here.toml:12: support[0].operators[1]: 'ADD' is listed twice",
    ),
    "an option that is none": (
        TARGET + LEVEL + SUPPORT + "limits.options = { strideh = [1] }",
        (
            "here.toml:12: support[0].limits.options: there is no option 'strideh';"
            " did you mean 'stride_h', 'strides' or 'stride_w'?"
        ),
    ),
    "a float option that is none": (
        TARGET + LEVEL + SUPPORT + "limits.options_within = { bta = [0, 1] }",
        (
            "here.toml:12: support[0].limits.options_within: there is no option 'bta';"
            " did you mean 'beta'?"
        ),
    ),
    "a limit of operands for the model": (
        TARGET + LEVEL + SUPPORT.replace('"ADD"', '"MODEL"'),
        (
            "here.toml:12: support[0]: 'types' is a limit of operators, not of MODEL;"
            " known: any_type, border_types, registered_codes, stated_sizes"
        ),
    ),
    "two rows that say the same": (
        TARGET + LEVEL + SUPPORT + SUPPORT,
        "here.toml:18: support[1]: repeats support[0]; remove one of them",
    ),
    "a level for an operator that is none": (
        TARGET + LEVEL + 'operators = ["ADDD"]',
        (
            "here.toml:8: level[0].operators[0]: there is no operator 'ADDD';"
            " did you mean 'ADD' or 'ADD_N'?"
        ),
    ),
    "a level for a kind of rule that is none": (
        TARGET + LEVEL.replace('"*"', '"sme/*"'),
        (
            "here.toml:8: level[0].rules[0]: 'sme/*': no rule begins with 'sme';"
            " did you mean 'same'?"
        ),
    ),
    "a level for a rule of no operator": (
        TARGET + LEVEL.replace('"*"', '"same/PADD"'),
        (
            "here.toml:8: level[0].rules[0]: 'same/PADD': there is no operator 'PADD';"
            " did you mean 'PAD', 'ADD' or 'PADV2'?"
        ),
    ),
    "a level without effect": (
        TARGET + LEVEL + LEVEL,
        (
            "here.toml:12: level[1]: level[0] has the same rules, types and operators;"
            " the last level counts, so that the first one has no effect"
        ),
    ),
    "kernels without a file": (
        TARGET + LEVEL + '[kernels]\nlitertt = "LiteRT"',
        (
            "here.toml: kernels: there is no file schema/kernels/"
            "litertt.toml;"
            " did you mean 'litert'?"
        ),
    ),
    "an unknown key": (
        TARGET + LEVEL + 'sevrity = "off"',
        "here.toml:8: level[0]: unknown key 'sevrity'; did you mean 'severity'?",
    ),
    "no behaviour": (
        TARGET + '[[level]]\nrules = ["*"]\nseverity = "error"\n',
        "here.toml:8: level[0]: key 'behaviour' is missing",
    ),
    "a severity that is none": (
        TARGET + '[[level]]\nrules = ["*"]\nseverity = "fatal"\nbehaviour = ""\n',
        "here.toml:8: level[0].severity: expected one of error, warning, off; found 'fatal'",
    ),
    "a level for a type that is none": (
        TARGET + LEVEL + 'types = ["i8"]',
        "here.toml:8: level[0].types[0]: 'i8' is not a valid tensor type",
    ),
    "a limit on a type that is none": (
        TARGET
        + LEVEL
        + '[[support]]\noperators = ["ADD"]\nlimits.types = ["i8"]\nseverity = "error"\n'
        + 'behaviour = ""\nsources = []',
        "here.toml:12: support[0].limits.types[0]: 'i8' is not a valid tensor type",
    ),
    "a QUANTIZE from float": (
        TARGET + 'float32 = ["int8"]\n' + LEVEL,
        "here.toml: quantize: 'float32' is not a valid quantized type",
    ),
}


@pytest.mark.parametrize("name", BAD_TARGETS)
def test_a_malformed_target_is_refused_by_name(name: str) -> None:
    document, sentence = BAD_TARGETS[name]
    with pytest.raises(RuleError) as refusal:
        parse_target(document, "here.toml")
    assert str(refusal.value) == sentence


KERNELS = 'format = 1\ntitle = "t"\nsources = []\n[operator.ABS]\nsources = []\n'

BAD_KERNELS = {
    "a type that is none": (
        'takes = ["int7 > int8"]',
        (
            "here.toml: operator.ABS.takes[0]: 'int7 > int8': 'int7' is not a tensor type;"
            " did you mean 'int8', 'int4' or 'int2'?"
        ),
    ),
    "a type of T that is none": (
        'takes = ["T > T: int8 flot32"]',
        (
            "here.toml: operator.ABS.takes[0]: 'T > T: int8 flot32': 'flot32' is not a tensor"
            " type; did you mean 'float32', 'float64' or 'float16'?"
        ),
    ),
    "types that are right and wrong": (
        'takes = ["int8 > int8"]\nwrong = ["int8 > int8"]',
        "here.toml: operator.ABS: the types 'int8 > int8' are listed twice in takes and wrong",
    ),
    "versions in the wrong order": (
        "takes = []\nversions = [4, 1]",
        "here.toml: operator.ABS.versions: expected [first, last], found [4, 1]",
    ),
}


@pytest.mark.parametrize("name", BAD_KERNELS)
def test_a_malformed_kernel_row_is_refused_by_name(name: str) -> None:
    row, sentence = BAD_KERNELS[name]
    with pytest.raises(RuleError) as refusal:
        parse_kernels(KERNELS + row, "here.toml")
    assert str(refusal.value) == sentence


@pytest.mark.parametrize(
    ("head", "sentence"),
    [
        (
            "[operator.CONV2D]",
            "there is no operator 'CONV2D'; did you mean 'CONV_2D' or 'CONV_3D'?",
        ),
        (
            "[[operator.PADD.same]]",
            "there is no operator 'PADD'; did you mean 'PAD', 'ADD' or 'PADV2'?",
        ),
        ("[operators.ABS]", "expected [operator.NAME]"),
        ('[operator."ABS"]', "expected [operator.NAME]"),
    ],
)
def test_a_row_of_no_operator_is_refused_before_any_row_is_read(head: str, sentence: str) -> None:
    with pytest.raises(RuleError) as refusal:
        Rows(f"{ROW}\n{head}\n", parse_operators, "operators.toml")
    assert str(refusal.value) == f"operators.toml:5: {head}: {sentence}"


def test_misspelled_names_in_other_tables_are_refused() -> None:
    shape = '[[shape]]\nfunction = "same"\noperators = ["ABSS"]\nsources = []\n'
    with pytest.raises(RuleError, match=r"^here:2: shape\[0\]\.operators\[0\]: .*'ABS'"):
        parse_shapes("format = 1\n" + shape, "here")
    fix = '[[fix]]\nid = "a"\ntitle = "t"\ndoes = "d"\ndefault = "on"\nmeaning = "kept"\n'
    with pytest.raises(RuleError, match=r"^here:2: fix\[0\]\.repairs\[0\]: .*'bias'\?$"):
        parse_fixes(f'format = 1\n{fix}repairs = ["bais/*:scale"]\n', "here")
    version = '[operator.ABS]\nslot = "inputs[0]"\nversions = { int8 = 2 }\nonly = { axs = 1 }\n'
    with pytest.raises(
        RuleError, match=r"^here: operator\.ABS\.only: .*'axs'; did you mean 'axis'"
    ):
        parse_versions("format = 1\nsources = []\n" + version, "here")
    row = '[[operator.ABS]]\ntypes = ["int8 > int8"]\nclass = "table"\nfunction = "abs_double"\nsources = []\n'
    head = 'format = 1\ntitle = "t"\nprocessor = "p"\nsources = []\n'
    with pytest.raises(RuleError, match=r"ABS\[0\]\.when: there is no option 'groupd'.*'grouped'"):
        parse_arithmetic(f"{head}{row}when = {{ groupd = true }}\n", "here")
