"""The constraints that each kind of rule gives, and those that overrides add."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from tests.rules.operators.cases import case_types
from tests.support.bound_models import ROWS, TARGET, X, Y, altered, bound, missing, of_row, strict
from tests.support.models import Graph, concat_example
from tflite_align import Override
from tflite_align.checks.binder.bind import bind
from tflite_align.checks.binder.bound import FUSED, Bound
from tflite_align.checks.constraints import (
    Anchored,
    BiasOf,
    Constraint,
    Fixed,
    Power,
    Uncut,
    Weight,
    Window,
    ZeroPoint,
)
from tflite_align.format.model import Model, QuantParams, Slot
from tflite_align.format.reader import read
from tflite_align.numerics import Range
from tflite_align.record import replace
from tflite_align.rules.operator_rows import parse_operators
from tflite_align.rules.rows import BiasRule, SlotPattern, WindowRule

FORMS = [(name, kind) for name in ROWS for kind in case_types(name)]
W, B = Slot(0, 0, "inputs", 1), Slot(0, 0, "inputs", 2)
BEYOND = QuantParams(scale=(), zero_point=(), details=True)


def conv() -> Model:
    graph = Graph()
    graph.activation("x", 0.1)
    graph.conv("x", "y", 0.2)
    return read(graph.bytes(["x"], ["y"]))


def of_kind(found: Bound, kind: type[Constraint]) -> list[Any]:
    return [entry for entry in found.constraints if isinstance(entry, kind)]


# --- types --------------------------------------------------------------------------------------


@pytest.mark.parametrize("type_name", ["int8", "uint8", "int16"])
def test_a_rule_applies_only_to_its_types(type_name: str) -> None:
    """A target of one type gives only constraints at slots of that type, and they equal those that
    a target of all types gives at these slots. A bias constraint has the type of its operator's
    input.
    """
    target = strict(type_name)
    types = {rule.id: rule.types for row in ROWS.values() for rule in row.rules}
    for name, kind in FORMS:
        model = of_row(name, kind)
        asked = set()
        for entry in bind(model, ROWS, [target]).constraints:
            if entry.rule in types:
                places = (entry.factors[0],) if isinstance(entry, BiasOf) else entry.slots
                last = model.subgraphs[0].tensors[places[-1].tensor(model)]
                assert (entry.type, last.type) == (type_name, type_name), entry
                assert entry.type in types[entry.rule], entry
                assert [level.severity for _, level in entry.requirements] == ["error"], entry
                asked.add((entry.rule, places))
        # A target of all types gives no further constraint at slots of this type.
        for entry in bound(model).constraints:
            if entry.rule in types and entry.type == type_name:
                places = (entry.factors[0],) if isinstance(entry, BiasOf) else entry.slots
                assert (entry.rule, places) in asked


# --- missing parameters -------------------------------------------------------------------------


def test_weights_without_a_scale_are_missing_one() -> None:
    model = altered(conv(), W.tensor(conv()), quant=None)
    (entry,) = missing(bound(model), "params/unknown")
    assert (entry.slot, entry.type, entry.like, entry.fixable) == (W, "int8", None, False)
    assert of_kind(bound(model), BiasOf) == []
    asked = {
        kind: missing(bind(model, ROWS, [strict(kind, "params/unknown")]), "params/unknown")
        for kind in ("int8", "int16")
    }
    assert [one.requirements[0][1].severity for one in asked["int8"]] == ["error"]
    assert asked["int16"] == []


def test_a_float_input_needs_no_parameters() -> None:
    """The input of a CONV_2D is float32, its weights are int8. No bias constraint applies, since
    the bias rule has no row for float32, and no parameters are reported as missing.
    """
    model = altered(conv(), X.tensor(conv()), type="float32", quant=None)
    assert missing(bound(model)) == []
    assert of_kind(bound(model), BiasOf) == []


def test_parameters_beyond_affine_are_not_replaced() -> None:
    graph = Graph()
    for name in ("a", "b"):
        graph.activation(name, 0.1)
    graph.activation("cat", 0.1, shape=(1, 4, 4, 6))
    graph.add("CONCATENATION", ["a", "b"], ["cat"], ("ConcatenationOptions", {"axis": 3}))
    model = read(graph.bytes(["a", "b"], ["cat"]))
    for quant, fixable in ((None, True), (replace(BEYOND, details=False), True), (BEYOND, False)):
        found = bound(altered(model, W.tensor(model), quant=quant))
        assert [(entry.slot, entry.fixable) for entry in missing(found)] == [(W, fixable)]


# --- biases -------------------------------------------------------------------------------------


@pytest.mark.parametrize("type_name", ["float64", "bool"])
def test_a_bias_of_an_unreadable_type_gives_no_constraint(type_name: str) -> None:
    assert of_kind(bound(altered(conv(), B.tensor(conv()), type=type_name)), BiasOf) == []


@pytest.mark.parametrize(
    ("code", "stated", "legal"),
    [
        (0, "", ("int32",)),
        (2, "int32", ("int32",)),
        (4, "int64", ("int32", "int64")),
        (7, "int16", ("int32",)),
    ],
)
def test_a_bias_may_have_the_type_that_its_operator_states(
    code: int, stated: str, legal: tuple[str, ...]
) -> None:
    model = stating(conv(), code)
    entry = of_kind(bound(model), BiasOf)[0]
    assert (entry.source.type_option, entry.stated, entry.legal_types) == (
        "quantized_bias_type",
        stated,
        legal,
    )


def test_no_other_type_than_the_stated_one_of_integers_is_added() -> None:
    for name in ("CONV_2D", "FULLY_CONNECTED"):  # int32 is a legal type for the second alone
        entry = of_kind(bound(stating(of_row(name, "int16"), 2)), BiasOf)[0]
        assert (entry.stated, entry.legal_types) == ("int32", ("int64", "int32"))
    entry = of_kind(bound(of_row("DEPTHWISE_CONV_2D")), BiasOf)[0]
    assert (entry.source.type_option, entry.stated, entry.legal_types) == ("", "", ("int32",))


def stating(model: Model, code: int, option: str = "quantized_bias_type") -> Model:
    (graph,) = model.subgraphs
    (operator,) = graph.operators
    changed = replace(operator, options={**operator.options, option: code})
    return replace(model, subgraphs=(replace(graph, operators=(changed,)),))


# --- weights, windows ---------------------------------------------------------------------------


def test_weights_have_an_axis_or_a_lowest_value() -> None:
    weights = of_kind(bound(conv()), Weight)
    rules = {r.id: r for r in ROWS["CONV_2D"].rules}
    assert weights
    for entry in weights:
        rule: Any = rules[entry.rule]
        assert (entry.source.axis, entry.source.symmetric, entry.source.minimum) == (
            rule.axis, rule.symmetric, rule.minimum,
        )  # fmt: skip
    assert {entry.source.minimum for entry in weights} == {None, -127}


LSTMS = ("LSTM", "UNIDIRECTIONAL_SEQUENCE_LSTM")


@pytest.mark.parametrize("type_name", ["int8", "int16"])
@pytest.mark.parametrize("name", LSTMS)
def test_a_rule_may_depend_on_the_presence_of_an_operand(name: str, type_name: str) -> None:
    rules = [rule for rule in ROWS[name].rules if rule.when or rule.unless]
    biases = {rule.slot.start for rule in ROWS[name].rules if isinstance(rule, BiasRule)}
    graph = Graph(type_name)
    names = [graph.activation(f"i{number}", 0.1) for number in range(24)]
    graph.activation("y", 0.1)
    for number in biases:
        graph.constant(f"i{number}", [1, 2, 3], "int32", 0.01)
    graph.add(name, names, ["y"])
    model = read(graph.bytes(["i0"], ["y"]))
    (inner,) = model.subgraphs
    # The model builder cannot make intermediates: take five of the inputs.
    operator = replace(inner.operators[0], intermediates=inner.operators[0].inputs[:5])
    for absent in (None, 16, 20, 21, 22, 23):
        inputs = tuple(-1 if at == absent else tensor for at, tensor in enumerate(operator.inputs))
        state = replace(inner, operators=(replace(operator, inputs=inputs),))
        asked = {entry.rule for entry in bound(replace(model, subgraphs=(state,))).constraints}
        for rule in rules:
            there = rule.when is None or rule.when.start != absent
            free = rule.unless is None or rule.unless.start == absent
            assert (rule.id in asked) == (there and free and type_name in rule.types), rule.id


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ('when = "inputs[1]"', True),
        ('when = "inputs[2]"', False),
        ('unless = "inputs[1]"', False),
        ('unless = "inputs[2]"', True),
        ('beside = ["inputs[1]"]', True),
        ('beside = ["outputs[0]"]', False),
    ],
)
def test_a_rule_of_one_operand_may_depend_on_another(condition: str, holds: bool) -> None:  # noqa: FBT001 - drawn
    row = """\
format = 1
[operator.ADD]
category = "arithmetic"
sources = ["litert:add.cc"]
[[operator.ADD.zero]]
slots = ["inputs[0]"]
types = ["int8"]
"""
    model = of_row("ADD")
    model = altered(model, Y.tensor(model), type="uint8")
    found = bind(model, parse_operators(row + condition), [strict("int8")])
    assert [entry.slot for entry in of_kind(found, ZeroPoint)] == ([X] if holds else [])


@pytest.mark.parametrize("name", LSTMS)
def test_the_scale_of_a_cell_state_is_a_power_of_two(name: str) -> None:
    graph = Graph("int16")
    for tensor in ("x", "cell", "y"):
        graph.activation(tensor, 0.1)
    graph.add("ABS", ["x"], ["y"])
    model = read(graph.bytes(["x"], ["y"]))
    (inner,) = model.subgraphs
    cell = next(tensor.index for tensor in inner.tensors if tensor.name == "cell")
    operands = (inner.operators[0].inputs[0], *[-1] * 18, cell)
    operator = replace(inner.operators[0], name=name, inputs=operands)
    model = replace(model, subgraphs=(replace(inner, operators=(operator,)),))
    (entry,) = of_kind(bound(model), Power)
    assert (entry.rule, entry.type) == (f"power/{name}/cell", "int16")
    assert entry.slot == Slot(0, 0, "inputs", 19)
    assert of_kind(bound(altered(model, cell, quant=None)), Power) == []
    assert of_kind(bound(altered(model, cell, type="int8")), Power) == []


WINDOWED = [
    (row.name, rule)
    for row in ROWS.values()
    for rule in row.rules
    if isinstance(rule, WindowRule) and not rule.fused
]


@pytest.mark.parametrize(("name", "rule"), WINDOWED, ids=[rule.id for _, rule in WINDOWED])
def test_a_window_applies_to_operands_with_scales(name: str, rule: WindowRule) -> None:
    for kind in sorted(rule.types & {*case_types(name)}):
        model = of_row(name, kind)
        (entry,) = windows(model, kind, rule)
        assert (entry.type, entry.source.form, entry.source) == (kind, rule.form, rule)
        for slot in (*entry.numerator, *entry.denominator):
            assert windows(altered(model, slot.tensor(model), quant=None), kind, rule) == []
        (graph,) = model.subgraphs
        absent = replace(graph.operators[0], inputs=(-1,) * len(graph.operators[0].inputs))
        alone = replace(model, subgraphs=(replace(graph, operators=(absent,)),))
        assert (windows(alone, kind, rule) == []) is bool(rule.numerator)


def windows(model: Model, type_name: str, rule: WindowRule) -> list[Window]:
    found = of_kind(bind(model, ROWS, [strict(type_name)]), Window)
    return [entry for entry in found if entry.rule == rule.id]


# --- values -------------------------------------------------------------------------------------

ANY = float("inf")


def test_the_value_flow_of_an_operator_is_that_of_its_row() -> None:
    for name, kind in FORMS:
        row, model = ROWS[name], of_row(name, kind)
        found = bound(model)
        # Families that apply to some axes only have their own tests.
        assert row.family_axes or found.families == {(0, 0): row.family}
        assert len(found.flows) == (row.flow is not None)
        for flow in found.flows:
            assert row.flow is not None
            assert (flow.kind, flow.source) == (row.flow.kind, row.flow)
            assert flow.inputs == named(model, row.flow.inputs)
            assert flow.outputs == named(model, row.flow.outputs)


def named(model: Model, patterns: Sequence[SlotPattern]) -> tuple[Slot, ...]:
    """The slots of the only operator that `patterns` select and that hold a tensor."""
    (operator,) = model.subgraphs[0].operators
    return tuple(
        Slot(0, 0, pattern.kind, index)
        for pattern in patterns
        for index in pattern.select(len(operator.operands(pattern.kind)))
        if operator.operands(pattern.kind)[index] >= 0
    )


@pytest.mark.parametrize(
    ("code", "reach"),
    [
        (0, (-ANY, ANY)),
        (1, (0.0, ANY)),
        (2, (-1.0, 1.0)),
        (3, (0.0, 6.0)),
        (4, (-1.0, 1.0)),
        (5, (-ANY, ANY)),
    ],
)
def test_a_fused_activation_bounds_the_output(code: int, reach: tuple[float, float]) -> None:
    found = bound(stating(conv(), code, FUSED))
    assert found.ranges == {Y: Range(*reach)}
    assert found.silent == ({Y} if code == 0 else set())


def test_an_operator_may_bound_its_output_itself() -> None:
    assert bound(of_row("LOGISTIC")).ranges == {Y: Range(0.0, 1.0)}
    assert bound(of_row("LOGISTIC")).silent == set()
    model = of_row("L2_NORMALIZATION")
    assert bound(model).ranges == {Y: Range(-1.0, 1.0)}
    assert bound(stating(model, 3, FUSED)).ranges == {Y: Range(0.0, 1.0)}
    (first, *_) = bound(of_row("SPLIT")).ranges.values()
    outputs = len(of_row("SPLIT").subgraphs[0].outputs)
    assert bound(of_row("SPLIT")).ranges == {
        Slot(0, 0, "outputs", i): first for i in range(outputs)
    }


# --- overrides by users -------------------------------------------------------------------------


def with_overrides(model: Model, *overrides: Override) -> Bound:
    return bind(model, ROWS, [TARGET], overrides=overrides)


def test_anchor_and_no_cut_overrides_are_bound() -> None:
    model = read(concat_example())
    anchor = Override(slot="subgraph[0]/operator[2] CONCATENATION/inputs[0]", anchor=True)
    uncut = Override(slot="subgraph[0]/operator[2] CONCATENATION/inputs[1]", cut=False)
    found = with_overrides(model, anchor, uncut)
    place = Slot(0, 2, "inputs", 0)
    quant = model.subgraphs[0].tensors[place.tensor(model)].quant
    assert quant is not None
    assert of_kind(found, Anchored) == [
        Anchored(
            rule="override/anchor",
            type="",
            requirements=(),
            slots=(place,),
            label=quant.label,
            by=str(anchor),
        )
    ]
    assert of_kind(found, Uncut) == [
        Uncut(
            rule="override/cut",
            type="",
            requirements=(),
            slot=Slot(0, 2, "inputs", 1),
            by=str(uncut),
        )
    ]


def test_an_override_changes_the_severity_at_a_place() -> None:
    model = of_row("SOFTMAX")
    (before,) = of_kind(bound(model), Fixed)
    wish = Override(operator="SOFTMAX", severity="warning")
    (after,) = of_kind(with_overrides(model, wish), Fixed)
    assert before.severity == "error"
    assert after.requirements == tuple(
        (name, replace(level, severity="warning")) for name, level in before.requirements
    )


def test_keeping_a_tensor_makes_one_of_its_slots_rigid() -> None:
    graph = Graph()
    graph.activation("x", 0.1)
    graph.conv("x", "y", 0.2)
    graph.activation("inside", 0.1)
    model = read(graph.bytes(["x"], ["y"]))
    inner = model.subgraphs[0]
    number = next(tensor.index for tensor in inner.tensors if tensor.name == "inside")
    operator = replace(inner.operators[0], intermediates=(number,))
    model = replace(model, subgraphs=(replace(inner, operators=(operator,)),))
    held = {"y": {Y}, "y.b": {X}, "y.w": {W}, "inside": {Slot(0, 0, "intermediates", 0)}}
    for name, slots in held.items():
        wish = Override(tensor=name, keep=True)
        # Graph inputs and outputs are rigid without an override, too.
        assert with_overrides(model, wish).held_by == dict.fromkeys(slots, str(wish)), name
