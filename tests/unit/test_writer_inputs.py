"""Adding an input to an operator: written, read back; other changes of the count are refused."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from tests.support.models import Graph
from tests.support.object_api import buffer, load, pack
from tflite_align.errors import UnsupportedError, UsageError
from tflite_align.format.model import Model, QuantParams, Slot
from tflite_align.format.reader import read
from tflite_align.format.writer.edits import (
    AddOperator,
    AddTensor,
    Edit,
    RemoveOperator,
    SetGraphIO,
    SetOperand,
    SetOption,
    SetShape,
    SetType,
)
from tflite_align.format.writer.splice import splice
from tflite_align.format.writer.write import write
from tflite_align.record import replace
from tflite_align.repair.planner.draft import Draft


def _bare() -> bytes:
    graph = Graph()
    graph.activation("x", 0.05)
    graph.constant("w", np.ones((3, 1, 1, 3)), "int8", 0.02)
    graph.activation("y", 0.1)
    graph.add("CONV_2D", ["x", "w"], ["y"], ("Conv2DOptions", {"strideH": 1, "strideW": 1}))
    graph.conv("y", "z", 0.1)
    return graph.bytes(["x"], ["z"])


def _grown(model: Model) -> Model:
    draft = Draft(model)
    weights = model.subgraphs[0].operators[0].inputs[1]
    quant = QuantParams(scale=(0.001,), zero_point=(0,))
    data = np.zeros(3, np.int32).tobytes()
    bias = draft.add_tensor(0, weights, "_bias", quant, data=data, type_name="int32", shape=(3,))
    draft.rewire(Slot(0, 0, "inputs", 2), bias)
    return draft.plan().model


def test_an_input_is_added_and_nothing_else_changes() -> None:
    data = _bare()
    before = read(data)
    after = _grown(before)
    found = read(write(data, before, after).join())
    first, second = found.subgraphs[0].operators
    assert first.inputs == (
        *before.subgraphs[0].operators[0].inputs,
        len(before.subgraphs[0].tensors),
    )
    assert first.options == before.subgraphs[0].operators[0].options
    assert second == before.subgraphs[0].operators[1]
    bias = found.subgraphs[0].tensors[-1]
    assert (bias.name, bias.type, bias.shape, bias.shape_signature) == ("w_bias", "int32", (3,), ())
    assert bytes(found.constant(0, bias.index) or b"") == bytes(12)
    assert found.subgraphs[0].tensors[:-1] == before.subgraphs[0].tensors


def test_two_inputs_are_added_in_order_alone() -> None:
    data = _bare()
    model = read(data)
    edits = [
        SetOperand(subgraph=0, operator=0, kind="inputs", index=2, tensor=0),
        SetOperand(subgraph=0, operator=0, kind="inputs", index=3, tensor=1),
    ]
    found = read(splice(data, model, edits).join())
    assert found.subgraphs[0].operators[0].inputs[2:] == (0, 1)
    with pytest.raises(UsageError, match=r"has no inputs\[3\]"):
        splice(data, model, edits[1:])
    with pytest.raises(UsageError, match=r"^subgraph\[0\] has no tensor 9$"):
        splice(data, model, [replace(edits[0], tensor=9)])
    with pytest.raises(UsageError, match=r"has no outputs\[1\]"):
        splice(data, model, [replace(edits[0], kind="outputs", index=1)])


def test_fewer_inputs_and_more_outputs_are_refused() -> None:
    data = _bare()
    model = read(data)
    graph = model.subgraphs[0]
    for fields in ({"inputs": graph.operators[0].inputs[:1]}, {"outputs": (0, 1)}):
        operators = (replace(graph.operators[0], **fields), *graph.operators[1:])
        changed = replace(model, subgraphs=(replace(graph, operators=operators),))
        with pytest.raises(UnsupportedError, match="the number of"):
            write(data, model, changed)


@pytest.mark.parametrize(
    "edit",
    [
        SetOperand(subgraph=0, operator=-1, kind="inputs", index=0, tensor=0),
        SetOperand(subgraph=0, operator=0, kind="inputs", index=-1, tensor=0),
        SetGraphIO(subgraph=0, kind="inputs", index=-1, tensor=0),
        SetGraphIO(subgraph=0, kind="inputs", index=0, tensor=99),
        RemoveOperator(subgraph=0, operator=-1),
        SetType(subgraph=0, tensor=0, type="type#x"),
        AddOperator(subgraph=0, before=0, name="BUILTIN#x", version=1, inputs=(0,), outputs=(0,)),
    ],
    ids=lambda edit: type(edit).__name__,
)
def test_what_is_not_there_is_refused(edit: Edit) -> None:
    data = _bare()
    with pytest.raises(UsageError, match=r"(has no|is not a) (operator|inputs|tensor|builtin)"):
        splice(data, read(data), [edit])


def test_an_operand_set_to_itself_changes_no_memory_plan() -> None:
    made = load(_bare())
    count = len(made.subgraphs[0].tensors)
    made.buffers.append(buffer(struct.pack(f"<{3 + count}i", 1, 0, count, *range(count))))
    plan = schema.MetadataT()
    plan.name, plan.buffer = "OfflineMemoryAllocation", len(made.buffers) - 1
    made.metadata = [plan]
    data = pack(made)
    model = read(data)
    tensor = model.subgraphs[0].operators[0].inputs[0]
    edit = SetOperand(subgraph=0, operator=0, kind="inputs", index=0, tensor=tensor)
    assert splice(data, model, [edit]).chunks == (data,)


def test_options_of_either_table_are_set_and_lists_are_not() -> None:
    made = load(_bare())
    first, second = made.subgraphs[0].operators
    first.builtinOptionsType = schema.BuiltinOptions.ReshapeOptions
    first.builtinOptions = schema.ReshapeOptionsT()
    first.builtinOptions.newShape = [1, 3]
    second.builtinOptions2Type = schema.BuiltinOptions2.StablehloConcatenateOptions
    second.builtinOptions2 = schema.StablehloConcatenateOptionsT()
    second.builtinOptions2.dimension = 3
    data = pack(made)
    edit = SetOption(subgraph=0, operator=1, field="dimension", value=1)
    out = load(splice(data, read(data), [edit]).join())
    assert out.subgraphs[0].operators[1].builtinOptions2.dimension == 1
    listed = SetOption(subgraph=0, operator=0, field="new_shape", value=1)
    with pytest.raises(UnsupportedError, match="its options have no field 'new_shape'"):
        splice(data, read(data), [listed])


def test_a_constant_keeps_its_shape() -> None:
    data = _bare()
    model = read(data)
    constant = next(t.index for t in model.subgraphs[0].tensors if t.name == "w")
    edit = SetShape(subgraph=0, tensor=constant, shape=(9,))
    with pytest.raises(UsageError, match=r"its data has another shape$"):
        splice(data, model, [edit])


def test_a_tensor_like_an_added_one_has_its_shape() -> None:
    data = _bare()
    model = read(data)
    count = len(model.subgraphs[0].tensors)
    first = AddTensor(
        subgraph=0, index=count, like=1, name="a", type="int32", quant=None, shape=(2,)
    )
    second = replace(first, index=count + 1, like=count, name="b", shape=None)
    third = replace(second, index=count + 2, name="c", shape=(5,))
    fourth = replace(second, index=count + 3, like=count + 2, name="d")
    found = read(splice(data, model, [first, second, third, fourth]).join())
    shapes = [tensor.shape for tensor in found.subgraphs[0].tensors[count:]]
    assert shapes == [(2,), (2,), (5,), (5,)]
