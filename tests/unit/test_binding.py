"""The constraints that rules and graph inputs and outputs give at the slots of small models."""

from __future__ import annotations

import pytest

from tests.rules.operators.boundary import boundary_cases
from tests.rules.operators.cases import satisfied
from tests.support.bound_models import (
    ROWS,
    TARGET,
    X,
    Y,
    altered,
    bound,
    missing,
    of_row,
    strict,
    ties,
)
from tests.support.models import (
    POOL,
    Graph,
    GraphSpec,
    OperatorSpec,
    Quant,
    TensorSpec,
    model_bytes,
)
from tflite_align.checks.binder.bind import bind
from tflite_align.checks.binder.bound import Requantizing
from tflite_align.checks.constraints import BiasOf, Fixed, Weight
from tflite_align.format.model import Model, QuantParams, Slot, SlotKind
from tflite_align.format.reader import read
from tflite_align.record import replace
from tflite_align.rules.targets import load_target


def test_a_copy_ties_its_input_to_its_output() -> None:
    found = bound(of_row("MAX_POOL_2D"))
    (tie,) = ties(found)
    assert (tie.rule, tie.type, tie.slots, tie.reference) == (
        "same/MAX_POOL_2D", "int8", (X, Y), Y,
    )  # fmt: skip
    assert [name for name, _ in tie.requirements] == ["tflite"]
    assert not found.rigid & {X, Y}


def test_operands_of_two_types_are_rigid_instead_of_tied() -> None:
    model = of_row("MAX_POOL_2D")
    graph = model.subgraphs[0]
    inner = replace(graph, inputs=(), outputs=())
    apart = altered(replace(model, subgraphs=(inner,)), graph.outputs[0], type="uint8")
    found = bound(apart)
    assert ties(found) == []
    assert found.rigid >= {X, Y}


def test_an_operand_without_parameters_takes_those_of_the_output() -> None:
    graph = Graph()
    for name in ("a", "b"):
        graph.activation(name, 0.1)
    graph.activation("cat", 0.1, shape=(1, 4, 4, 6))
    graph.add("CONCATENATION", ["a", "b"], ["cat"], ("ConcatenationOptions", {"axis": 3}))
    model = read(graph.bytes(["a", "b"], ["cat"]))
    found = bound(altered(model, model.subgraphs[0].inputs[1], quant=None))
    (entry,) = missing(found)
    assert (entry.slot, entry.like, entry.type) == (Slot(0, 0, "inputs", 1), Y, "int8")
    assert (entry.expected, entry.actual, entry.fixable) == (
        "a scale and a zero_point",
        "none",
        True,
    )
    (tie,) = ties(found)
    assert tie.slots == (X, Y)


def test_the_remaining_operand_of_a_tie_is_rigid() -> None:
    model = of_row("MAX_POOL_2D")
    found = bound(altered(model, model.subgraphs[0].inputs[0], quant=None))
    assert ties(found) == []
    assert Y in found.rigid
    assert [entry.slot for entry in missing(found)] == [X]


@pytest.mark.parametrize("name", ["SOFTMAX", "LOGISTIC", "TANH"])
def test_a_fixed_output_is_bound_where_it_has_parameters(name: str) -> None:
    model = of_row(name)
    entries = [e for e in bound(model).constraints if isinstance(e, Fixed)]
    parts = ("/scale", "/zero_point") if name == "LOGISTIC" else ("",)
    assert [e.rule for e in entries] == [f"fixed/{name}{part}" for part in parts]
    assert {(e.slot, e.type) for e in entries} == {(Y, "int8")}
    bare = bound(altered(model, model.subgraphs[0].outputs[0], quant=None))
    assert not any(isinstance(e, Fixed) for e in bare.constraints)


def test_weights_and_bias_of_a_convolution() -> None:
    graph = Graph()
    graph.activation("x", 0.1)
    graph.conv("x", "y", 0.2)
    model = read(graph.bytes(["x"], ["y"]))
    entries = bound(model).constraints
    weights = [entry for entry in entries if isinstance(entry, Weight)]
    bias, counted = (entry for entry in entries if isinstance(entry, BiasOf))
    assert (bias.slot, bias.source.counted, counted.source.counted) == (counted.slot, False, True)
    w, b = Slot(0, 0, "inputs", 1), Slot(0, 0, "inputs", 2)
    assert {(entry.slot, entry.source.axis) for entry in weights} == {(w, 0)}
    assert any(entry.source.symmetric for entry in weights)
    assert (bias.slot, bias.factors, bias.type, bias.legal_types) == (b, (X, w), "int8", ("int32",))
    # Weights computed by another operator have no constant integers to check.
    made = altered(model, w.tensor(model), buffer=0)
    assert not any(isinstance(entry, Weight) for entry in bound(made).constraints)


def test_every_operand_of_an_operator_without_a_row_is_rigid() -> None:
    graph = Graph()
    for name in ("x", "c", "y"):
        graph.activation(name, 0.1)
    graph.add("MAX_POOL_2D", ["x"], ["c"], POOL)
    graph.add("MAX_POOL_2D", ["c"], ["y"], POOL)
    model = read(graph.bytes(["x"], ["y"]))
    inner = model.subgraphs[0]
    unknown = replace(inner.operators[1], name="CUSTOM", inputs=(-1, *inner.operators[1].inputs, 0))
    held = replace(inner, operators=(inner.operators[0], unknown))
    found = bound(replace(model, subgraphs=(held,)))
    assert {slot for slot in found.rigid if slot.operator == 1} == {
        Slot(0, 1, "inputs", 1), Slot(0, 1, "inputs", 2), Slot(0, 1, "outputs", 0),
    }  # fmt: skip


Place = tuple[int, int, SlotKind, int]
BOUNDARIES: dict[str, list[tuple[Place, Place]]] = {
    "READ_VARIABLE": [((0, 1, "inputs", 1), (0, 2, "outputs", 0))],
    "IF": [
        ((0, 0, "inputs", 1), (1, -1, "inputs", 0)),
        ((0, 0, "outputs", 0), (1, -1, "outputs", 0)),
        ((0, 0, "inputs", 1), (2, -1, "inputs", 0)),
        ((0, 0, "outputs", 0), (2, -1, "outputs", 0)),
    ],
    "WHILE": [
        ((0, 0, "inputs", 1), (1, -1, "inputs", 1)),
        ((0, 0, "inputs", 1), (2, -1, "inputs", 1)),
        ((0, 0, "outputs", 1), (2, -1, "outputs", 1)),
        ((0, 0, "inputs", 1), (0, 0, "outputs", 1)),
    ],
}


@pytest.mark.parametrize("name", BOUNDARIES)
def test_values_across_a_subgraph_boundary_are_tied(name: str) -> None:
    (case,) = [case for case in boundary_cases() if case.operator == name]
    found = bound(read(case.model()))
    across = [tie for tie in ties(found) if tie.rule.startswith(("boundary/", "resource/"))]
    pairs = [frozenset(Slot(*place) for place in pair) for pair in BOUNDARIES[name]]
    assert sorted(map(sorted_slots, (frozenset(tie.slots) for tie in across))) == sorted(
        map(sorted_slots, pairs)
    )
    assert all(tie.reference == tie.slots[0] and tie.type == "int8" for tie in across)
    assert all(tie.requirements for tie in across)


@pytest.mark.parametrize("name", BOUNDARIES)
def test_a_boundary_rule_depends_on_the_type(name: str) -> None:
    (case,) = [case for case in boundary_cases() if case.operator == name]
    model = read(case.model())
    asked = {kind: ties(bind(model, ROWS, [strict(kind)])) for kind in ("int8", "int16")}
    across = [tie for tie in asked["int8"] if tie.rule.startswith(("boundary/", "resource/"))]
    assert len(across) == len(BOUNDARIES[name])
    assert asked["int16"] == []


def sorted_slots(slots: frozenset[Slot]) -> list[str]:
    return sorted(str(slot) for slot in slots)


def test_a_subgraph_boundary_between_two_types_is_rigid() -> None:
    (case,) = [case for case in boundary_cases() if case.operator == "READ_VARIABLE"]
    model = read(case.model())
    found = bound(altered(model, model.subgraphs[0].outputs[0], type="uint8"))
    assert [tie for tie in ties(found) if tie.rule.startswith("resource/")] == []
    assert found.rigid >= {Slot(0, 1, "inputs", 1), Slot(0, 2, "outputs", 0)}


def test_a_handle_of_unknown_origin_makes_every_variable_rigid() -> None:
    (case,) = [case for case in boundary_cases() if case.operator == "READ_VARIABLE"]
    model = read(case.model())
    graph = model.subgraphs[0]
    known = Slot(0, 1, "inputs", 1), Slot(0, 2, "outputs", 0)
    assert not bound(model).rigid & set(known)
    assert bound(model).variables == (known,)
    # A second READ_VARIABLE, whose handle is a graph input: which variable it reads is unknown.
    lost = replace(graph.operators[2], index=3, inputs=graph.inputs)
    found = bound(replace(model, subgraphs=(replace(graph, operators=(*graph.operators, lost)),)))
    assert found.rigid >= {*known, Slot(0, 3, "outputs", 0)}


def test_values_across_a_subgraph_boundary_are_rigid_without_a_single_scale() -> None:
    (case,) = [case for case in boundary_cases() if case.operator == "WHILE"]
    model = read(case.model())
    # The counter is a plain int32.
    assert bound(model).rigid >= {Slot(0, 0, "inputs", 0), Slot(2, -1, "outputs", 0)}
    graph = model.subgraphs[0]
    along = QuantParams(scale=(0.5,) * 8, zero_point=(0,) * 8, quantized_dimension=1)
    found = bound(altered(model, graph.operators[0].inputs[1], quant=along))
    assert found.rigid >= {Slot(0, 0, "inputs", 1), Slot(1, -1, "inputs", 1)}
    (tie,) = [tie for tie in ties(found) if tie.rule == "boundary/WHILE"]
    assert tie.slots == (Slot(0, 0, "outputs", 1), Slot(2, -1, "outputs", 1))


def remembered(*quants: Quant | None, read_back: bool = True) -> Model:
    """One variable for each element of `quants`: a VAR_HANDLE, an ASSIGN_VARIABLE and, with
    `read_back`, a READ_VARIABLE. The element holds the parameters of both values; None: they are
    float32.
    """
    tensors, operators = [], []
    for number, quant in enumerate(quants):
        handle, x, y = f"handle{number}", f"x{number}", f"y{number}"
        kind = "float32" if quant is None else "int8"
        tensors.append(TensorSpec(name=handle, type="resource"))
        tensors += [TensorSpec(name=n, type=kind, shape=(1, 2), quant=quant) for n in (x, y)]
        options = ("VarHandleOptions", {"container": "", "sharedName": handle})
        operators += [
            OperatorSpec(name="VAR_HANDLE", inputs=[], outputs=[handle], options=options),
            OperatorSpec(name="ASSIGN_VARIABLE", inputs=[handle, x], outputs=[]),
        ]
        if read_back:
            operators.append(OperatorSpec(name="READ_VARIABLE", inputs=[handle], outputs=[y]))
    graph = GraphSpec(tensors=tensors, operators=operators, inputs=[], outputs=[])
    return read(model_bytes([graph]))


ONE = Quant(scale=(0.5,), zero_point=(3,))
ALONG = Quant(scale=(0.5, 0.25), zero_point=(0, 0), axis=1)


def test_each_variable_is_tied_by_itself() -> None:
    found = bound(remembered(None, ONE, ONE))
    pairs = tuple((Slot(0, at, "inputs", 1), Slot(0, at + 1, "outputs", 0)) for at in (4, 7))
    assert found.variables == pairs
    assert [(tie.rule, tie.slots) for tie in ties(found)] == [
        ("resource/ASSIGN_VARIABLE", pair) for pair in pairs
    ]
    assert found.rigid == frozenset()


def test_an_unread_variable_is_tied_to_nothing() -> None:
    found = bound(remembered(ONE, read_back=False))
    assert found.variables == ((Slot(0, 1, "inputs", 1),),)
    assert ties(found) == []


def test_a_variable_with_several_scales_is_rigid() -> None:
    found = bound(remembered(ALONG))
    assert (found.variables, ties(found)) == ((), [])
    assert found.rigid == {Slot(0, 1, "inputs", 1), Slot(0, 2, "outputs", 0)}


def test_graph_inputs_and_outputs_are_kept_unless_freed() -> None:
    model = of_row("ADD")
    ends = {Slot(0, -1, "inputs", 0), Slot(0, -1, "inputs", 1), Slot(0, -1, "outputs", 0)}
    assert bind(model, ROWS, [TARGET]).rigid >= ends
    assert not bind(model, ROWS, [TARGET], free_io=True).rigid & ends


ANY = Requantizing()
EIGHT_BITS = Requantizing(ratio=2**23)
WRAPPING = Requantizing(ratio=65536)
WRAPPING_ZERO = Requantizing(zero=True, ratio=65536)


@pytest.mark.parametrize(
    ("targets", "cuts"),
    [
        (["tflite"], {"int16": WRAPPING_ZERO, "int8": EIGHT_BITS, "uint8": EIGHT_BITS}),
        (["tflm"], {"int16": WRAPPING, "int8": EIGHT_BITS}),
        (["tflite", "tflm"], {"int16": WRAPPING_ZERO, "int8": EIGHT_BITS}),
        ([], {}),
    ],
    ids=["tflite", "tflm", "both", "none"],
)
def test_a_quantize_is_possible_where_every_target_supports_it(
    targets: list[str], cuts: dict[str, Requantizing]
) -> None:
    model = read(satisfied(ROWS["ADD"], "int8").model())
    assert bind(model, ROWS, [load_target(name) for name in targets]).cuts == cuts


def test_without_a_quantize_row_no_zero_points_are_constrained() -> None:
    model = read(satisfied(ROWS["ADD"], "int8").model())
    assert bind(model, {}, [TARGET]).cuts == {"int16": ANY, "int8": ANY, "uint8": ANY}
