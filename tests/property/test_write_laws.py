"""Reading what write(data, before, after) wrote gives `after`, for random graphs and random
changes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.models import Graph, TensorSpec, concat_example
from tests.support.random_models import models
from tflite_align.errors import UnsupportedError, UsageError
from tflite_align.format.model import Buffer, Model, Operator, QuantParams, Subgraph, Tensor
from tflite_align.format.reader import read
from tflite_align.format.writer.write import write
from tflite_align.record import replace


def content(model: Model) -> Iterator[Any]:
    """Tensors with their constants' bytes in place of buffer indices, then operators, inputs and
    outputs of each subgraph.
    """
    for graph in model.subgraphs:
        for tensor in graph.tensors:
            data = model.constant(graph.index, tensor.index)
            yield replace(tensor, buffer=0), None if data is None else bytes(data)
        yield graph.operators, graph.inputs, graph.outputs


class Editor:
    """Changes a model step by step, like the stages of an alignment."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.graph: Subgraph = model.subgraphs[0]

    def set(self, **fields: Any) -> None:
        self.graph = replace(self.graph, **fields)

    def tensor(self, index: int, **fields: Any) -> None:
        tensors = list(self.graph.tensors)
        tensors[index] = replace(tensors[index], **fields)
        self.set(tensors=tuple(tensors))

    def operator(self, place: int, **fields: Any) -> None:
        operators = list(self.graph.operators)
        operators[place] = replace(operators[place], **fields)
        self.set(operators=tuple(operators))

    def buffer(self, data: bytes | None) -> int:
        view = None if data is None else memoryview(data)
        buffers = (*self.model.buffers, Buffer(index=len(self.model.buffers), data=view, pos=0))
        self.model = replace(self.model, buffers=buffers)
        return len(buffers) - 1

    def insert(self, place: int, operator: Operator) -> None:
        operators = list(self.graph.operators)
        operators.insert(place, operator)
        self.number(operators)

    def remove(self, place: int) -> None:
        operators = list(self.graph.operators)
        del operators[place]
        self.number(operators)

    def number(self, operators: list[Operator]) -> None:
        self.set(operators=tuple(replace(one, index=index) for index, one in enumerate(operators)))

    def done(self) -> Model:
        return replace(self.model, subgraphs=(self.graph, *self.model.subgraphs[1:]))


def activations(graph: Subgraph) -> list[int]:
    return [t.index for t in graph.tensors if t.type == "int8" and t.quant is not None]


@st.composite
def changed(draw: st.DrawFn, model: Model) -> Model:
    """The model after up to six random changes."""
    editor = Editor(model)
    for _ in range(draw(st.integers(0, 6))):
        _change(draw, editor)
    return editor.done()


def _change(draw: st.DrawFn, editor: Editor) -> None:
    kinds = ["quant", "name", "shape", "data", "insert", "remove", "version", "fused"]
    kind = draw(st.sampled_from(kinds))
    graph = editor.graph
    index = draw(st.sampled_from(activations(graph)))
    if kind == "quant":
        scale = draw(st.sampled_from([0.5, 0.25, 0.125]))
        quant = QuantParams(scale=(scale,), zero_point=(draw(st.integers(-128, 127)),))
        editor.tensor(index, quant=quant)
    elif kind == "name":
        editor.tensor(index, name=draw(st.text("abc", min_size=1, max_size=5)))
    elif kind == "shape" and index < len(editor.model.subgraphs[0].tensors):
        if editor.model.constant(0, index) is None:
            sizes = draw(st.lists(st.integers(1, 9), min_size=1, max_size=5))
            editor.tensor(index, shape=tuple(sizes))
    elif kind == "data":
        _replace_constant(draw, editor)
    elif kind == "insert":
        _insert_quantize(draw, editor, index)
    elif graph.operators:
        place = draw(st.integers(0, len(graph.operators) - 1))
        one = graph.operators[place]
        if kind == "remove":
            needed = {*graph.outputs, *(i for operator in graph.operators for i in operator.inputs)}
            if needed.isdisjoint(one.outputs):
                editor.remove(place)
        elif one.origin is not None and kind == "version":
            editor.operator(place, version=one.version + draw(st.integers(0, 2)))
        elif "fused_activation_function" in one.options:
            options = {**one.options, "fused_activation_function": draw(st.integers(0, 3))}
            editor.operator(place, options=options)


def _replace_constant(draw: st.DrawFn, editor: Editor) -> None:
    count = len(editor.model.subgraphs[0].tensors)
    known = [
        tensor
        for tensor in editor.graph.tensors[:count]
        if editor.model.constant(0, tensor.index) is not None and tensor.type == "int32"
    ]
    if not known:
        return
    tensor = draw(st.sampled_from(known))
    held = editor.model.constant(0, tensor.index)
    assert held is not None
    data = draw(st.binary(min_size=len(held), max_size=len(held)))
    editor.tensor(tensor.index, buffer=editor.buffer(data))


def _insert_quantize(draw: st.DrawFn, editor: Editor, source: int) -> None:
    """Add a QUANTIZE of tensor `source` to a new tensor, which one random reader of `source` then
    reads.
    """
    graph = editor.graph
    like = graph.tensors[source]
    new = Tensor(
        index=len(graph.tensors),
        name=f"new_{len(graph.tensors)}",
        type="int8",
        shape=like.shape,
        shape_signature=like.shape_signature,
        buffer=editor.buffer(None),
        quant=QuantParams(scale=(0.5,), zero_point=(3,)),
        like=like.index if like.like is None else like.like,
    )
    editor.set(tensors=(*graph.tensors, new))
    made = Operator(
        index=-1,
        name="QUANTIZE",
        version=1,
        custom_code=None,
        inputs=(source,),
        outputs=(new.index,),
    )
    readers = [
        (at, number)
        for at, operator in enumerate(graph.operators)
        for number, tensor in enumerate(operator.inputs)
        if tensor == source
    ]
    place = len(graph.operators)
    if readers:
        at, number = draw(st.sampled_from(readers))
        inputs = list(graph.operators[at].inputs)
        inputs[number] = new.index
        editor.operator(at, inputs=tuple(inputs))
        place = at
    elif source in graph.outputs:
        outputs = tuple(new.index if tensor == source else tensor for tensor in graph.outputs)
        editor.set(outputs=outputs)
    editor.insert(place, made)


@settings(max_examples=200, deadline=None)
@given(st.data(), models())
def test_the_written_file_reads_back_as_the_requested_state(
    choices: st.DataObject, data: bytes
) -> None:
    before = read(data)
    after = choices.draw(changed(before))
    written = write(data, before, after).join()
    assert list(content(read(written))) == list(content(after))
    if list(content(before)) == list(content(after)):
        assert written == data


@settings(max_examples=50, deadline=None)
@given(models())
def test_an_unchanged_state_gives_the_same_bytes(data: bytes) -> None:
    model = read(data)
    assert write(data, model, model).join() == data
    rebuilt = replace(model, subgraphs=tuple(replace(one) for one in model.subgraphs))
    assert write(data, model, rebuilt).join() == data


def test_unreachable_states_are_refused() -> None:
    data = concat_example()
    model = read(data)
    graph = model.subgraphs[0]
    first, *others = graph.operators

    def of(**fields: Any) -> Model:
        return replace(model, subgraphs=(replace(graph, **fields),))

    for state, what in (
        (replace(model, subgraphs=()), "subgraphs cannot be added or removed"),
        (of(tensors=graph.tensors[:-1]), "tensors cannot be removed"),
        (of(operators=(*others, first)), "operators of the file keep their order"),
        (of(operators=(first, first, *others)), "operators of the file keep their order"),
    ):
        with pytest.raises(UsageError, match=what):
            write(data, model, state)
    for state, what in (
        (
            of(tensors=(replace(graph.tensors[0], is_variable=True), *graph.tensors[1:])),
            "is_variable cannot",
        ),
        (of(operators=(replace(first, name="ADD"), *others)), "name cannot be changed"),
        (of(operators=(replace(first, inputs=(0,)), *others)), "number of inputs"),
        (of(inputs=()), "number of inputs is fixed"),
    ):
        with pytest.raises(UnsupportedError, match=what):
            write(data, model, state)


def test_changing_an_operator_does_not_change_another_with_the_same_table() -> None:
    """Two entries of the vector of operators may refer to one table. Changing one of the two
    operators must not change the other.
    """
    graph = Graph()
    graph.activation("x", 0.05)
    graph.activation("y", 0.05)
    graph.add("ABS", ["x"], ["y"])
    graph.tensors["handle"] = TensorSpec(name="handle", type="resource", shape=(), quant=None)
    graph.add("VAR_HANDLE", [], ["handle"], ("VarHandleOptions", {"sharedName": "v"}))
    for _ in range(2):
        graph.add("ASSIGN_VARIABLE", ["handle", "y"], [])
    data = shared_table(graph.bytes(["x"], ["y"]))
    before = read(data)
    third, fourth = before.subgraphs[0].operators[2:]
    assert third.pos == fourth.pos
    editor = Editor(before)
    editor.operator(3, inputs=(fourth.inputs[0], before.subgraphs[0].inputs[0]))
    after = editor.done()
    written = read(write(data, before, after).join())
    assert list(content(written)) == list(content(after))
    assert written.subgraphs[0].operators[2] == third
    assert written.subgraphs[0].operators[3].inputs != fourth.inputs


def shared_table(data: bytes) -> bytes:
    """The file in which the entry of operator 3 refers to the table of operator 2."""
    positions = [operator.pos for operator in read(data).subgraphs[0].operators[2:]]
    changed = bytearray(data)
    for place in range(0, len(data) - 3, 4):
        if place + int.from_bytes(data[place : place + 4], "little") == positions[1]:
            start = int.from_bytes(data[place - 4 : place], "little") + place - 4
            if start == positions[0]:
                changed[place : place + 4] = (positions[0] - place).to_bytes(4, "little")
                return bytes(changed)
    raise AssertionError("no vector of operators was seen")
