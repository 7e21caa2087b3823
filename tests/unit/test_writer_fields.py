"""Contents of new tables and lists, field by field; memory plans of several subgraphs."""

from __future__ import annotations

import copy
import struct

import pytest
from ai_edge_litert import schema_py_generated as schema

from tests.support.object_api import buffer, chain, entry, load, pack
from tflite_align.errors import UnsupportedError, UsageError
from tflite_align.format.flatbuffer import BufferReader
from tflite_align.format.model import Model, QuantParams
from tflite_align.format.reader import read
from tflite_align.format.schema import table_layout
from tflite_align.format.signature_entries import renamed_entries
from tflite_align.format.writer.edits import (
    AddOperator,
    AddTensor,
    Edit,
    SetGraphIO,
    SetName,
    SetOperand,
    SetOption,
    SetQuant,
    SetType,
)
from tflite_align.format.writer.metadata import memory_plan
from tflite_align.format.writer.splice import splice
from tflite_align.record import replace


def bare() -> bytes:
    """`chain` whose second tensor has no quantization parameters."""
    made = chain()
    made.subgraphs[0].tensors[1].quantization = None
    return pack(made)


def test_new_parameters_have_all_their_fields() -> None:
    data = bare()
    quant = QuantParams(
        scale=(0.5, 0.25),
        zero_point=(3, 4),
        quantized_dimension=1,
        minimum=(-1.0, -2.0),
        maximum=(1.0, 2.0),
    )
    out = splice(data, read(data), [SetQuant(subgraph=0, tensor=1, quant=quant)]).join()
    made = load(out).subgraphs[0].tensors[1].quantization
    assert list(made.scale) == [0.5, 0.25]
    assert list(made.zeroPoint) == [3, 4]
    assert made.quantizedDimension == 1
    assert (list(made.min), list(made.max)) == ([-1.0, -2.0], [1.0, 2.0])


def test_absent_zero_points_are_written_as_zeros() -> None:
    data = bare()
    quant = QuantParams(scale=(0.5, 0.25), zero_point=())
    edits: list[Edit] = [
        SetQuant(subgraph=0, tensor=1, quant=quant),
        AddTensor(subgraph=0, index=5, like=1, name="new", type="int8", quant=quant),
    ]
    tensors = load(splice(data, read(data), edits).join()).subgraphs[0].tensors
    assert list(tensors[1].quantization.zeroPoint) == [0, 0]
    assert list(tensors[5].quantization.zeroPoint) == [0, 0]
    made = chain()
    made.subgraphs[0].tensors[1].quantization.scale = [0.5] * 4
    made.subgraphs[0].tensors[1].quantization.zeroPoint = [7] * 4
    made.subgraphs[0].tensors[1].quantization.quantizedDimension = 1
    four = pack(made)
    edit = SetQuant(subgraph=0, tensor=1, quant=replace(quant, scale=(0.25,) * 4))
    tensors = load(splice(four, read(four), [edit]).join()).subgraphs[0].tensors
    assert list(tensors[1].quantization.zeroPoint) == [0] * 4
    other = SetQuant(subgraph=0, tensor=0, quant=replace(quant, scale=(0.25,)))
    tensors = load(splice(data, read(data), [other]).join()).subgraphs[0].tensors
    assert list(tensors[0].quantization.zeroPoint) == [0]


def test_graph_inputs_and_outputs_are_separate_lists() -> None:
    data = pack(chain())
    before = read(data).subgraphs[0]
    for kind, other in (("inputs", "outputs"), ("outputs", "inputs")):
        edit = SetGraphIO(subgraph=0, kind=kind, index=0, tensor=3)  # type: ignore[arg-type]
        after = read(splice(data, read(data), [edit]).join()).subgraphs[0]
        assert getattr(after, kind)[0] == 3
        assert getattr(after, other) == getattr(before, other)


def test_one_of_several_graph_inputs() -> None:
    made = chain()
    made.subgraphs[0].inputs = [0, 1]
    data = pack(made)
    edit = SetGraphIO(subgraph=0, kind="inputs", index=1, tensor=3)
    after = read(splice(data, read(data), [edit]).join()).subgraphs[0]
    assert (after.inputs, after.outputs) == ((0, 3), (4,))


def test_a_constant_keeps_the_type_of_its_data() -> None:
    data = pack(chain())
    message = r"^subgraph\[0\]/tensor\[2\]: its data has another type$"
    with pytest.raises(UsageError, match=message):
        splice(data, read(data), [SetType(subgraph=0, tensor=2, type="uint8")])
    changed = splice(data, read(data), [SetType(subgraph=0, tensor=1, type="uint8")]).join()
    assert read(changed).subgraphs[0].tensors[1].type == "uint8"


def test_a_renamed_tensor_changes_its_signature_entries() -> None:
    data = pack(chain())
    out = splice(data, read(data), [SetName(subgraph=0, tensor=1, name="hidden")]).join()
    names = [tensor.name for tensor in read(out).subgraphs[0].tensors]
    assert names == ["x", "hidden", "constant", "y", "z"]


@pytest.mark.parametrize("length", range(1, 9))
def test_names_end_with_a_zero(length: int) -> None:
    """FlatBuffers' verifier asks for it; no other content may take its byte."""
    name = "n" * length
    edits = [
        AddTensor(subgraph=0, index=index, like=1, name=name, type="int8", quant=None)
        for index in (5, 6)
    ]
    data = pack(chain())
    out = splice(data, read(data), edits).join()
    assert out.count(struct.pack("<I", length) + name.encode() + b"\0") == 2


@pytest.mark.parametrize("length", range(1, 9))
def test_new_data_ends_where_the_next_begins(length: int) -> None:
    """Every byte of it is kept, whatever follows."""
    content = b"\xff" * length
    first = AddTensor(
        subgraph=0,
        index=5,
        like=1,
        name="n",
        type="int8",
        quant=QuantParams(scale=(0.5,), zero_point=(0,)),
        data=content,
        shape=(length,),
    )
    data = pack(chain())
    model = read(splice(data, read(data), [first, replace(first, index=6)]).join())
    for index in (5, 6):
        assert bytes(model.constant(0, index) or b"") == content


def test_new_tables_with_the_same_fields_have_one_vtable() -> None:
    data = pack(chain())
    edits = [
        AddTensor(subgraph=0, index=5 + at, like=1, name="n", type="int8", quant=None)
        for at in range(8)
    ]
    written = splice(data, read(data), edits)
    out = written.join()
    positions = [tensor.pos for tensor in read(out).subgraphs[0].tensors[5:]]
    (vtable,) = {at - struct.unpack_from("<i", out, at)[0] for at in positions}
    (size,) = struct.unpack_from("<H", out, vtable)
    assert out[: written.prefix].count(out[vtable : vtable + size]) == 1


def test_a_new_tensor_has_the_shapes_of_its_like() -> None:
    made = chain()
    made.subgraphs[0].tensors[1].shapeSignature = [-1, 4]
    data = pack(made)
    edit = AddTensor(subgraph=0, index=5, like=1, name="new", type="int8", quant=None)
    tensors = read(splice(data, read(data), [edit]).join()).subgraphs[0].tensors
    assert tensors[5].shape_signature == (-1, 4)
    assert tensors[5].shape == tensors[1].shape
    # It gets the existing empty buffer: none is added.
    assert tensors[5].buffer == 0


# --- options ------------------------------------------------------------------------------------


def test_an_options_table_is_added_where_none_exists() -> None:
    made = chain()
    made.subgraphs[0].operators[1].builtinOptionsType = 0
    made.subgraphs[0].operators[1].builtinOptions = None
    data = pack(made)
    edits = [
        SetOption(subgraph=0, operator=1, field="fused_activation_function", value=1),
        SetOption(subgraph=0, operator=1, field="pot_scale_int16", value=0),
    ]
    options = read(splice(data, read(data), edits).join()).subgraphs[0].operators[1].options
    assert options == {"fused_activation_function": 1, "pot_scale_int16": False}
    back = SetOption(subgraph=0, operator=1, field="fused_activation_function", value=0)
    assert splice(data, read(data), [back]).chunks == (data,)
    changed = read(splice(data, read(data), [*edits, back]).join()).subgraphs[0].operators[1]
    assert changed.options == {"fused_activation_function": 0, "pot_scale_int16": False}


def test_an_option_that_the_operator_lacks_is_refused() -> None:
    data = pack(chain())
    model = read(data)
    for operator, field in ((0, "fused_activation_function"), (1, "padding")):
        edit = SetOption(subgraph=0, operator=operator, field=field, value=1)
        with pytest.raises(UnsupportedError) as refusal:
            splice(data, model, [edit])
        name = model.subgraphs[0].operators[operator].name
        assert str(refusal.value) == (
            f"subgraph[0]/operator[{operator}] {name}: its options have no field '{field}'"
            " that could be set"
        )


def test_a_kind_of_options_without_a_table_gets_one() -> None:
    made = chain()
    made.subgraphs[0].operators[1].builtinOptions = None
    data = pack(made)
    edit = SetOption(subgraph=0, operator=1, field="fused_activation_function", value=1)
    added = read(splice(data, read(data), [edit]).join()).subgraphs[0].operators[1]
    assert added.options["fused_activation_function"] == 1


def test_a_table_of_other_options_is_not_replaced() -> None:
    """An ADD with the options of another operator: what they say would be lost."""
    made = chain()
    made.subgraphs[0].operators[1].builtinOptionsType = schema.BuiltinOptions.SoftmaxOptions
    made.subgraphs[0].operators[1].builtinOptions = schema.SoftmaxOptionsT()
    data = pack(made)
    edit = SetOption(subgraph=0, operator=1, field="fused_activation_function", value=1)
    with pytest.raises(UnsupportedError, match=r"ADD: its options have no field"):
        splice(data, read(data), [edit])


# --- shared tables -----------------------------------------------------------------------------


@pytest.mark.parametrize("shift", [0, 1])
def test_a_shared_options_table_is_not_touched(shift: int) -> None:
    """Two operators have one options table; changing one of them gives it a table of its own.
    `shift` moves all tables by one byte, since references need not be aligned.
    """
    made = chain()
    graph = made.subgraphs[0]
    graph.operators[1].builtinOptions.fusedActivationFunction = 1
    graph.operators.append(copy.deepcopy(graph.operators[1]))
    graph.tensors.append(copy.deepcopy(graph.tensors[4]))
    graph.operators[3].inputs, graph.operators[3].outputs = [3, 2], [5]
    data = bytearray(pack(made))
    if shift:  # move all but the root reference by one byte
        (root,) = struct.unpack_from("<I", data)
        data[8:8] = bytes(shift)
        struct.pack_into("<I", data, 0, root + shift)
    layout = table_layout("Operator")
    number = layout.by_name["builtin_options"].id
    places = []
    for index in (1, 3):
        pos = read(bytes(data)).subgraphs[0].operators[index].pos
        plan, values = BufferReader(bytes(data)).table(layout, pos)
        at = pos + plan.at[number]
        places.append((BufferReader(bytes(data)).target(plan, pos, values, number), at))
    target, (_, other) = max(places)[0], min(places)
    struct.pack_into("<I", data, other, target - other)
    shared = bytes(data)
    edit = SetOption(subgraph=0, operator=1, field="fused_activation_function", value=3)
    operators = read(splice(shared, read(shared), [edit]).join()).subgraphs[0].operators
    assert operators[1].options["fused_activation_function"] == 3
    assert operators[3].options["fused_activation_function"] == 1


# --- memory plans ------------------------------------------------------------------------------


def twin() -> Model:
    """A model of two subgraphs with five and three tensors."""
    made = chain()
    second = copy.deepcopy(made.subgraphs[0])
    second.operators = []
    second.tensors, second.inputs, second.outputs = second.tensors[:3], [0], [1]
    made.subgraphs.append(second)
    return read(pack(made))


def plan(graph: int, *offsets: int) -> bytes:
    return struct.pack(f"<3i{len(offsets)}i", 1, graph, len(offsets), *offsets)


EVERYTHING = (10, 11, 12, 13, 14, 20, 21, 22)


def test_a_memory_plan_of_three_subgraphs_is_kept_in_step() -> None:
    model = twin()
    three = replace(model, subgraphs=(*model.subgraphs, replace(model.subgraphs[1], index=2)))
    after = memory_plan(three, plan(0, *EVERYTHING, 30, 31, 32), {2: 1}, {(2, 0)})
    assert after == plan(0, *EVERYTHING, -1, 31, 32, -1)


def test_a_plan_for_all_subgraphs_is_kept_in_step_in_each() -> None:
    after = memory_plan(twin(), plan(0, *EVERYTHING), {0: 1, 1: 2}, {(0, 1), (1, 2)})
    assert after == plan(0, 10, -1, 12, 13, 14, -1, 20, 21, -1, -1, -1)
    assert memory_plan(twin(), plan(0, *EVERYTHING), {}, ()) == plan(0, *EVERYTHING)


@pytest.mark.parametrize(("graph", "offsets"), [(0, EVERYTHING[:5]), (1, EVERYTHING[5:])])
def test_a_plan_for_one_subgraph_is_kept_in_step_there_alone(
    graph: int, offsets: tuple[int, ...]
) -> None:
    before = plan(graph, *offsets)
    assert memory_plan(twin(), before, {graph: 1}, {(graph, 0)}) == plan(
        graph, -1, *offsets[1:], -1
    )
    assert memory_plan(twin(), before, {1 - graph: 1}, {(1 - graph, 0)}) == before


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (plan(2, 1, 2, 3), "it holds 3 offsets for 8 tensors"),
        (plan(-1, 1, 2, 3), "it holds 3 offsets for 8 tensors"),
        (plan(0, 1, 2, 3), "it holds 3 offsets for 8 tensors"),
        (plan(0), "it holds 0 offsets for 8 tensors"),
        (plan(0, *EVERYTHING)[:-1], "43 bytes are not a memory plan"),
    ],
)
def test_a_plan_that_fits_no_subgraph_is_refused(content: bytes, why: str) -> None:
    with pytest.raises(UnsupportedError, match=f"cannot be kept in step with the edits: {why}$"):
        memory_plan(twin(), content, {0: 1}, ())


@pytest.mark.parametrize(
    "edit",
    [
        SetOperand(subgraph=0, operator=2, kind="inputs", index=1, tensor=1),
        AddOperator(subgraph=0, before=3, name="ABS", version=1, inputs=(1,), outputs=()),
        AddOperator(subgraph=0, before=3, name="ABS", version=1, inputs=(), outputs=(1,)),
    ],
)
def test_a_tensor_that_is_used_longer_gets_another_place(edit: Edit) -> None:
    made = chain()
    made.buffers.append(buffer(plan(0, 10, 11, 12, 13, 14)))
    made.metadata[0].name, made.metadata[0].buffer = "OfflineMemoryAllocation", 3
    if isinstance(edit, AddOperator):  # else two operators write the tensor
        made.subgraphs[0].operators[0].outputs = []
    data = pack(made)
    out = load(splice(data, read(data), [edit]).join())
    content = bytes(bytearray(out.buffers[out.metadata[0].buffer].data))
    assert content == plan(0, 10, -1, 12, 13, 14)


HARMLESS = [
    "CONVERSION_METADATA",
    "TFLITE_METADATA",
    "buffer_location",
    "keep_stablehlo_constant",
    "min_runtime_version",
    "odml.infra.proto.LlmParameters",
    "reduced_precision_support",
    "spm_vocab_model",
]


@pytest.mark.parametrize("name", HARMLESS)
def test_metadata_that_counts_nothing_does_not_hinder_an_addition(name: str) -> None:
    made = chain()
    made.metadata[0].name = name
    data = pack(made)
    edit = AddTensor(subgraph=0, index=5, like=1, name="new", type="int8", quant=None)
    assert splice(data, read(data), [edit]).prefix > 0


# --- signatures --------------------------------------------------------------------------------


def test_a_signature_entry_follows_the_graph_input_or_output() -> None:
    assert renamed_entries("s", [4, 5], [4, 5], [4, 9]) == [4, 9]
    assert renamed_entries("s", [7], [4, 5], [4, 9]) == [7]
    assert renamed_entries("s", [4], [4, 4], [8, 8]) == [8]
    assert renamed_entries("s", [4, 4], [4, 4], [8, 9]) == [8, 9]
    with pytest.raises(UnsupportedError, match=r"^signature 's': tensor 4 is named by several"):
        renamed_entries("s", [4], [4, 4], [8, 9])


def test_other_entries_of_a_rebuilt_signature_stay() -> None:
    """Tensor 0 is a default and not stored: its entry is made anew, between two that are kept."""
    made = chain()
    made.subgraphs[0].inputs = [1, 0, 2]
    made.signatureDefs[0].inputs = [entry("b", 1), entry("a", 0), entry("c", 2)]
    data = pack(made)
    edit = SetGraphIO(subgraph=0, kind="inputs", index=1, tensor=3)
    out = read(splice(data, read(data), [edit]).join())
    assert out.signatures[0].inputs == (("b", 1), ("a", 3), ("c", 2))
    assert out.signatures[0].outputs == (("z", 4),)
