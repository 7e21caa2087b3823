"""The rules compared with an independent table of rules: NXP's Neutron backend.

Its converter refuses a .tflite file that violates one of its rows. Source: pytorch/executorch at
cff6f4dd, `backends/nxp/backend/ir/converter/builder/quantization_verification.py`; each row here
names its line. It covers the 27 operators that the backend writes; other operators are not
compared.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from fnmatch import fnmatchcase

import pytest

from tflite_align.numerics import Label
from tflite_align.record import Record, field
from tflite_align.rules.operator_rows import load_operators
from tflite_align.rules.rows import (
    BiasRule,
    FixedRule,
    OperatorRow,
    Rule,
    SameRule,
    SlotPattern,
    WeightRule,
)

ROWS = load_operators()
BOTH = ("int8", "uint8")


class Demand(Record, frozen=True, kw_only=True):
    """What NXP's table requires of one operator. `line`: first line of its entry."""

    line: int
    same: dict[str, tuple[str, ...]] = field(
        default_factory=dict
    )  # type -> groups of slots that share scale and zero point
    fixed: dict[str, Label] = field(default_factory=dict)  # type -> fixed parameters of outputs[0]
    bias: tuple[
        str, ...
    ] = ()  # types of a bias inputs[2]: scale of inputs[0] x scale of inputs[1], zero point 0
    weight_zero: dict[str, int] = field(
        default_factory=dict
    )  # type -> zero point of constant inputs[1]


def _same(line: int, *slots: str, types: tuple[str, ...] = BOTH) -> Demand:
    return Demand(line=line, same=dict.fromkeys(types, slots))


_FIVE = tuple(f"inputs[{index}]" for index in range(5))
NXP = {
    "AVERAGE_POOL_2D": _same(244, "inputs[0]", "outputs[0]"),
    "BROADCAST_TO": _same(248, "inputs[0]", "outputs[0]"),
    "CONCATENATION": _same(252, *_FIVE, "outputs[0]", types=("int8",)),
    "CONV_2D": Demand(line=259, bias=("int32",)),
    "DEPTHWISE_CONV_2D": Demand(line=260, bias=("int32",)),
    "FULLY_CONNECTED": Demand(line=261, bias=("int32",), weight_zero={"int8": 0, "uint8": 128}),
    "GATHER": _same(265, "inputs[0]", "outputs[0]"),
    "GATHER_ND": _same(269, "inputs[0]", "outputs[0]"),
    "L2_NORMALIZATION": Demand(line=273, fixed={"int8": Label(1 / 128, 0)}),
    "LOG_SOFTMAX": Demand(
        line=276, fixed={"int8": Label(16 / 256, 127), "uint8": Label(16 / 256, 255)}
    ),
    "LOGISTIC": Demand(line=280, fixed={"int8": Label(1 / 256, -128), "uint8": Label(1 / 256, 0)}),
    "MAX_POOL_2D": _same(284, "inputs[0]", "outputs[0]"),
    "MAXIMUM": _same(288, "inputs[0]", "inputs[1]", "outputs[0]"),
    "MINIMUM": _same(294, "inputs[0]", "inputs[1]", "outputs[0]"),
    "PAD": _same(300, "inputs[0]", "outputs[0]"),
    "PADV2": _same(304, "inputs[0]", "inputs[2]", "outputs[0]"),
    "RESHAPE": _same(310, "inputs[0]", "outputs[0]"),
    "RESIZE_BILINEAR": _same(314, "inputs[0]", "outputs[0]"),
    "RESIZE_NEAREST_NEIGHBOR": _same(318, "inputs[0]", "outputs[0]"),
    "SCATTER_ND": _same(322, "inputs[1]", "outputs[0]"),
    "SELECT_V2": _same(326, "inputs[1]", "inputs[2]", "outputs[0]"),
    "SLICE": _same(332, "inputs[0]", "outputs[0]"),
    "SOFTMAX": Demand(line=336, fixed={"int8": Label(1 / 256, -128), "uint8": Label(1 / 256, 0)}),
    "SQUEEZE": _same(340, "inputs[0]", "outputs[0]"),
    "TANH": Demand(line=344, fixed={"int8": Label(1 / 128, 0)}),
    "TILE": _same(347, "inputs[0]", "outputs[0]"),
    "TRANSPOSE": _same(351, "inputs[0]", "outputs[0]"),
}
# Number of inputs for operators of any number: one more than NXP's table lists.
INPUTS = {"CONCATENATION": 6, "MAXIMUM": 2, "MINIMUM": 2}

# (who requires it, the requirement) -> why the other table does not require it.
DIFFERENCES = {
    (
        "nxp",
        "* bias int16 int32",
    ): "its rule is for any activation type, but no row of it has int16",
    ("ours", "* bias int16 int64*"): "16x8: biases of 64 bits, which LiteRT reads",
    ("nxp", "FULLY_CONNECTED weight_zero uint8 128"): "the kernels of uint8 take any zero point",
    (
        "ours",
        "CONV_2D weight_zero int8 0",
    ): "it does not look; the int8 kernels subtract no zero point of a weight",
    ("ours", "DEPTHWISE_CONV_2D weight_zero int8 0"): "the same",
    ("ours", "* weight_zero int4 0"): "its tensors have 8 bits",
    ("ours", "* same int16 *"): "its rows are of 8 bits; int16 kernels copy integers as well",
    ("ours", "* fixed int16 *"): "its rows are of 8 bits",
    ("ours", "CONCATENATION same int8 inputs[[]5]"): "it looks at five inputs, whatever there are",
    (
        "ours",
        "CONCATENATION same uint8 *",
    ): "LiteRT's uint8 kernel rescales: for tflite it is a warning",
    ("ours", "L2_NORMALIZATION fixed uint8 *"): "it has no row for uint8; the kernels fix 1/128",
    ("ours", "TANH fixed uint8 *"): "it has no row for uint8; the kernels fix 1/128",
    ("ours", "* rule zero/*"): "it looks at no zero point on its own",
    ("ours", "* rule window/*"): "it looks at no multiplier",
    ("ours", "* rule weight/*/axis"): "it looks at no axis",
    ("ours", "* rule present/*"): "it looks at operands that are there",
    ("ours", "* rule weight/*/minimum"): "it looks at no weights; every runtime computes -128",
}


def _slots(pattern: SlotPattern, operator: str) -> Iterator[str]:
    count = INPUTS.get(operator, 1) if pattern.stop is None else pattern.stop
    for index in pattern.select(count):
        yield f"{pattern.kind}[{index}]"


def _label(label: Label) -> str:
    return f"1/{1 / label.scale:g} {label.zero_point}"


def _of_rule(operator: str, rule: Rule) -> Iterator[str]:
    """The requirements in one of our rules, in the words of this test; a kind of rule that NXP does
    not have is given by its id.
    """
    match rule:
        case SameRule(slots=slots):
            for kind in rule.types:
                for pattern in slots:
                    yield from (f"{operator} same {kind} {s}" for s in _slots(pattern, operator))
        case FixedRule(labels=labels):
            assert str(rule.slot) == "outputs[0]"
            for kind, legal in labels.items():
                yield f"{operator} fixed {kind} {_label(legal[0])}"
        case BiasRule(bias_types=bias_types):
            assert str(rule.slot) == "inputs[2]"
            assert [str(factor) for factor in rule.factors] == ["inputs[0]", "inputs[1]"]
            assert rule.multiplier == 1
            for kind, legal_types in bias_types.items():
                yield f"{operator} bias {kind} {' or '.join(legal_types)}"
        case WeightRule(symmetric=True):
            assert str(rule.slot) == "inputs[1]"
            yield from (f"{operator} weight_zero {kind} 0" for kind in rule.types)
        case _:
            yield f"{operator} rule {rule.id}"


def _ours(row: OperatorRow) -> set[str]:
    return {demand for rule in row.rules for demand in _of_rule(row.name, rule)}


def _theirs(operator: str, row: Demand) -> set[str]:
    demands = {f"{operator} same {kind} {s}" for kind, slots in row.same.items() for s in slots}
    demands |= {f"{operator} fixed {kind} {_label(one)}" for kind, one in row.fixed.items()}
    kinds = (*BOTH, "int16")
    demands |= {f"{operator} bias {kind} {one}" for kind in kinds for one in row.bias}
    return demands | {
        f"{operator} weight_zero {kind} {point}" for kind, point in row.weight_zero.items()
    }


def _apart() -> Iterator[tuple[str, str]]:
    for operator, row in NXP.items():
        ours, theirs = _ours(ROWS[operator]), _theirs(operator, row)
        yield from (("ours", demand) for demand in sorted(ours - theirs))
        yield from (("nxp", demand) for demand in sorted(theirs - ours))


def _reasons(who: str, demand: str) -> list[tuple[str, str]]:
    return [
        (side, pattern)
        for side, pattern in DIFFERENCES
        if side == who and fnmatchcase(demand, pattern)
    ]


def test_every_difference_has_its_reason() -> None:
    apart = list(_apart())
    reasons = {(who, demand): _reasons(who, demand) for who, demand in apart}
    assert {key: found for key, found in reasons.items() if len(found) != 1} == {}
    assert {found for (found,) in reasons.values()} == set(DIFFERENCES), "a difference that is none"


def test_the_table_has_its_operators_in_the_order_of_their_lines() -> None:
    assert len(NXP) == 27
    lines = [row.line for row in NXP.values()]
    assert lines == sorted(set(lines))


@pytest.mark.parametrize("operator", NXP)
def test_each_operator_shares_a_requirement_with_our_rules(operator: str) -> None:
    """Both tables group tied slots in the same way, so that equal slot names can be compared."""
    assert _ours(ROWS[operator]) & _theirs(operator, NXP[operator])
    for kind in BOTH:
        groups = [
            {slot for pattern in rule.slots for slot in _slots(pattern, operator)}
            for rule in ROWS[operator].rules
            if isinstance(rule, SameRule) and kind in rule.types
        ]
        assert not groups or set.intersection(*groups), "two groups apart"


def test_fixed_scales_of_nxp_are_powers_of_two() -> None:
    """NXP compares scales with a tolerance of 1e-5; both tables mean exact powers of two."""
    labels = [label for row in NXP.values() for label in row.fixed.values()]
    assert all(math.log2(label.scale).is_integer() for label in labels)
