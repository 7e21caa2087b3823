"""Cached binding of similar operators gives the constraints of their rows."""

from __future__ import annotations

import pytest

from tests.rules.operators.cases import case_types, satisfied
from tflite_align.checks.binder.bound import FUSED, Collector
from tflite_align.checks.binder.cache import Templates
from tflite_align.checks.binder.missing_parameters import all_slots
from tflite_align.checks.binder.operators import bind_operator
from tflite_align.checks.constraints import Weight
from tflite_align.format.model import Model, Operator
from tflite_align.format.reader import read
from tflite_align.record import replace
from tflite_align.rules.operator_rows import load_operators
from tflite_align.rules.targets import load_target

ROWS = load_operators()
TARGETS = [load_target(name) for name in ("tflite", "litert", "xnnpack", "tflm", "ethos-u55")]
CASES = [(name, type_name) for name in sorted(ROWS) for type_name in case_types(name)]


def several(model: Model) -> Model:
    """The model with its only operator repeated: unchanged, with each other fused activation and
    bias type, with the last input absent, with an input more, with an output more, and with inputs
    and outputs exchanged.
    """
    graph = model.subgraphs[0]
    (operator,) = graph.operators
    option_sets = [
        {**operator.options, name: code}
        for name in (FUSED, "quantized_bias_type")
        if name in operator.options
        for code in (0, 1, 2, 3, 4)
    ]
    operands = (*operator.inputs, *operator.outputs)
    alike: list[Operator] = [
        operator,
        replace(operator, index=1),
        *(replace(operator, index=2 + i, options=options) for i, options in enumerate(option_sets)),
        # The last input absent; an input more; an output more; inputs and outputs exchanged.
        replace(operator, index=2 + len(option_sets), inputs=(*operator.inputs[:-1], -1)),
        replace(operator, index=3 + len(option_sets), inputs=(*operator.inputs, operands[-1])),
        replace(operator, index=4 + len(option_sets), outputs=(*operator.outputs, operands[0])),
        replace(
            operator, index=5 + len(option_sets), outputs=operator.inputs, inputs=operator.outputs
        ),
    ]
    return replace(model, subgraphs=(replace(graph, operators=tuple(alike)),))


def unquantized(model: Model, every: int) -> Model:
    """The model in which tensors whose index is a multiple of `every` have no parameters."""
    graph = model.subgraphs[0]
    tensors = [t if t.index % every else replace(t, quant=None) for t in graph.tensors]
    return replace(model, subgraphs=(replace(graph, tensors=tuple(tensors)),))


def row_by_row(model: Model) -> Collector:
    found = Collector(model, TARGETS)
    for graph in model.subgraphs:
        for operator in graph.operators:
            if operator.name in ROWS:
                bind_operator(found, graph.index, operator, ROWS[operator.name])
            else:
                found.rigid.update(all_slots(graph.index, operator))
    return found


def by_example(model: Model, templates: Templates) -> Collector:
    found = Collector(model, TARGETS, graded=templates.learnt.graded)
    templates.bind(found)
    return found


def assert_alike(found: Collector, wanted: Collector) -> None:
    assert found.constraints == wanted.constraints
    assert found.flows == wanted.flows
    assert found.rigid == wanted.rigid
    assert found.several == wanted.several
    assert found.silent == wanted.silent
    assert found.ranges == wanted.ranges
    assert found.families == wanted.families


@pytest.mark.parametrize(("name", "type_name"), CASES, ids=lambda part: part)
def test_every_row_is_bound_the_same_with_and_without_the_cache(name: str, type_name: str) -> None:
    templates = Templates(ROWS, TARGETS)
    model = several(read(satisfied(ROWS[name], type_name).model()))
    # The cache is shared by all states: earlier ones must not change the result of later ones.
    for state in (
        model,
        unquantized(model, 2),
        unquantized(model, 3),
        unquantized(model, 1),
        model,
    ):
        assert_alike(by_example(state, templates), row_by_row(state))


def test_constant_operands_have_separate_cache_entries() -> None:
    """Weight rules apply to constants. Whether an operand is one depends on its buffer, so cached
    bindings must distinguish each of these states.
    """
    model = read(satisfied(ROWS["FULLY_CONNECTED"], "int8").model())
    (graph,) = model.subgraphs
    number = graph.operators[0].inputs[1]
    weights = graph.tensors[number]

    def holding(buffer: dict[str, object], tensor: dict[str, object]) -> Model:
        buffers = list(model.buffers)
        buffers[weights.buffer] = replace(buffers[weights.buffer], **buffer)
        tensors = list(graph.tensors)
        tensors[number] = replace(weights, **tensor)
        inner = replace(graph, tensors=tuple(tensors))
        return replace(model, buffers=tuple(buffers), subgraphs=(inner,))

    states = {
        "held": holding({}, {}),
        "none": holding({"data": None}, {}),
        "empty": holding({"data": memoryview(b"")}, {}),
        "one byte": holding({"data": memoryview(b"1")}, {}),
        "in another file": holding({"data": None, "external": True}, {}),
        "in another buffer": holding({"data": None}, {"external_buffer": 1}),
        "no such buffer": holding({}, {"buffer": len(model.buffers)}),
        "variable": holding({}, {"is_variable": True}),
    }
    templates = Templates(ROWS, TARGETS)
    weighed = set()
    for name, state in states.items():
        found = by_example(state, templates)
        assert_alike(found, row_by_row(state))
        if any(isinstance(entry, Weight) for entry in found.constraints):
            weighed.add(name)
    assert weighed == {"held", "one byte", "in another file", "in another buffer"}


def test_an_operator_without_a_row_is_rigid_and_the_next_is_bound() -> None:
    model = several(read(satisfied(ROWS["ADD"], "int8").model()))
    graph = model.subgraphs[0]
    operators = (replace(graph.operators[0], name="CUSTOM"), *graph.operators[1:])
    model = replace(model, subgraphs=(replace(graph, operators=operators),))
    found = by_example(model, Templates(ROWS, TARGETS))
    assert_alike(found, row_by_row(model))
    assert found.rigid >= set(all_slots(0, operators[0]))


def test_similar_operators_are_bound_once() -> None:
    templates = Templates(ROWS, TARGETS)
    by_example(read(satisfied(ROWS["ADD"], "int8").model()), templates)
    (learnt,) = templates.learnt.templates.values()
    # Other values of parameters, or another model, need no new cache entry.
    by_example(read(satisfied(ROWS["ADD"], "int8").model()), templates)
    assert list(templates.learnt.templates.values()) == [learnt]
    (instance,) = templates.instances.values()
    assert instance.template is learnt


def test_the_cache_key_separates_inputs_from_outputs() -> None:
    """Absent operands are -1 in both lists. Inputs (a, -1) with output (b) and input (a) with
    outputs (-1, b) give the same sequence but must have different cache entries.
    """
    model = read(satisfied(ROWS["CONCATENATION"], "int8").model())
    graph = model.subgraphs[0]
    (operator,) = graph.operators
    first, last = operator.inputs[0], operator.outputs[0]
    operators = (
        replace(operator, inputs=(first, -1), outputs=(last,)),
        replace(operator, index=1, inputs=(first,), outputs=(-1, last)),
    )
    shown = replace(model, subgraphs=(replace(graph, operators=operators),))
    assert_alike(by_example(shown, Templates(ROWS, TARGETS)), row_by_row(shown))
