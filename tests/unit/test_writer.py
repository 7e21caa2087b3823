"""Each kind of edit, in place or with new tables in front of the file."""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from tests.support.object_api import buffer, chain, expected, load, meaning, misaligned, pack
from tflite_align.format.flatbuffer import BufferReader
from tflite_align.format.model import QuantParams
from tflite_align.format.reader import read
from tflite_align.format.schema import table_layout
from tflite_align.format.writer.edits import (
    AddOperator,
    AddTensor,
    Edit,
    SetData,
    SetGraphIO,
    SetOperand,
    SetOption,
    SetQuant,
)
from tflite_align.format.writer.patch import Written
from tflite_align.format.writer.splice import splice

HALF = QuantParams(scale=(0.25,), zero_point=(-7,))


def _written(data: bytes, edits: Sequence[Edit]) -> Written:
    """The result of writing `edits`. Checks that bytes outside the declared patches are unchanged,
    that the content equals the same edits made with the object API, that alignment holds, and that
    writing again changes nothing.
    """
    written = splice(data, read(data), edits)
    out = written.join()
    body = bytearray(out[written.prefix :])
    for start, length in written.patches:
        assert body[start : start + length] != data[start : start + length]
        body[start : start + length] = data[start : start + length]
    assert body == data
    assert meaning(out) == expected(data, edits)
    assert written.prefix % 64 == 0
    assert misaligned(out) == []
    again = splice(out, read(out), [])
    assert again.join() == out
    return written


def _field(data: bytes, table: str, pos: int, name: str) -> int:
    """Byte position of the field `name` of the table at `pos`."""
    layout = table_layout(table)
    plan, _ = BufferReader(data).table(layout, pos)
    return pos + plan.at[layout.by_name[name].id]


def _alias(data: bytes, table: str, pos: int, name: str, target: int) -> bytes:
    """The file in which the reference field `name` of the table at `pos` points to `target`, a
    later byte position.
    """
    at = _field(data, table, pos, name)
    assert target > at
    out = bytearray(data)
    struct.pack_into("<I", out, at, target - at)
    return bytes(out)


def _target(data: bytes, table: str, pos: int, name: str) -> int:
    at = _field(data, table, pos, name)
    return at + int(struct.unpack_from("<I", data, at)[0])


def _set(**fields: Any) -> SetQuant:
    return SetQuant(subgraph=0, tensor=fields.pop("tensor", 1), quant=QuantParams(**fields))


# --- in place ----------------------------------------------------------------------------------


def test_no_edits_return_the_original() -> None:
    data = pack(chain())
    written = splice(data, read(data), [])
    assert written == Written(chunks=(memoryview(data),), prefix=0, patches=())
    assert written.join() == data


def test_parameters_are_overwritten_where_they_stand() -> None:
    written = _written(pack(chain()), [SetQuant(subgraph=0, tensor=1, quant=HALF)])
    assert written.prefix == 0
    assert sorted(length for _, length in written.patches) == [4, 8]


def test_ranges_beside_the_parameters_do_not_go_stale() -> None:
    made = chain()
    made.subgraphs[0].tensors[1].quantization.min = [-1.0]
    made.subgraphs[0].tensors[1].quantization.max = [1.0]
    written = _written(
        pack(made), [_set(scale=(0.25,), zero_point=(1,), minimum=(-2.0,), maximum=(2.0,))]
    )
    assert written.prefix == 0
    kept = _written(pack(made), [_set(scale=(0.25,), zero_point=(1,))])
    assert load(kept.join()).subgraphs[0].tensors[1].quantization.min == [-1.0]


def test_operands_and_graph_boundaries_are_overwritten() -> None:
    edits: list[Edit] = [
        SetOperand(subgraph=0, operator=2, kind="inputs", index=0, tensor=1),
        SetOperand(subgraph=0, operator=1, kind="outputs", index=0, tensor=3),
        SetGraphIO(subgraph=0, kind="outputs", index=0, tensor=3),
    ]
    written = _written(pack(chain()), edits)
    assert written.prefix == 0
    assert read(written.join()).signatures[0].outputs == (("z", 3),)


def test_a_constant_is_overwritten() -> None:
    written = _written(pack(chain()), [SetData(subgraph=0, tensor=2, data=b"wxyz")])
    assert (written.prefix, len(written.patches)) == (0, 1)


def test_a_present_option_is_overwritten() -> None:
    made = chain()
    made.subgraphs[0].operators[1].builtinOptions.fusedActivationFunction = 1
    edit = SetOption(subgraph=0, operator=1, field="fused_activation_function", value=3)
    assert _written(pack(made), [edit]).prefix == 0


# --- absent fields -----------------------------------------------------------------------------


def test_an_absent_option_makes_the_table_anew() -> None:
    edits = [
        SetOption(subgraph=0, operator=1, field="fused_activation_function", value=1),
        SetOption(subgraph=0, operator=1, field="pot_scale_int16", value=0),
    ]
    assert _written(pack(chain()), edits).prefix > 0
    default = [SetOption(subgraph=0, operator=1, field="fused_activation_function", value=0)]
    assert _written(pack(chain()), default).patches == ()


@pytest.mark.parametrize("absent", ["quantization", "zeroPoint", "scale"])
def test_parameters_that_are_absent_are_added(absent: str) -> None:
    made = chain()
    tensor = made.subgraphs[0].tensors[1]
    setattr(tensor if absent == "quantization" else tensor.quantization, absent, None)
    assert _written(pack(made), [SetQuant(subgraph=0, tensor=1, quant=HALF)]).prefix > 0


def test_absent_parameters_stay_absent() -> None:
    made = chain()
    parameters = made.subgraphs[0].tensors[1].quantization
    parameters.scale = parameters.zeroPoint = None
    parameters.min = [-1.0]
    data = pack(made)
    assert splice(data, read(data), [_set(scale=(), zero_point=())]).chunks == (data,)
    emptied = read(splice(data, read(data), [_set(tensor=0, scale=(), zero_point=())]).join())
    assert emptied.subgraphs[0].tensors[0].quant is None


def test_more_scales_need_a_new_table() -> None:
    edit = _set(scale=(0.5, 1.0, 2.0, 4.0), zero_point=(0, 0, 0, 0), quantized_dimension=1)
    assert _written(pack(chain()), [edit]).prefix > 0


# --- shared tables and vectors -----------------------------------------------------------------


def test_a_shared_scale_vector_is_not_touched() -> None:
    data = pack(chain())
    graph = read(data).subgraphs[0]
    first, last = (graph.tensors[i].quant.pos for i in (0, 4))  # type: ignore[union-attr]
    scale = _target(data, "QuantizationParameters", first, "scale")
    data = _alias(data, "QuantizationParameters", last, "scale", scale)
    for index in (0, 4):
        written = _written(data, [SetQuant(subgraph=0, tensor=index, quant=HALF)])
        assert (written.prefix > 0, written.patches) == (True, ())
        assert _written(data, [_set(tensor=index, scale=(0.5,), zero_point=(3,))]).chunks == (data,)


def test_a_shared_quantization_table_is_not_touched() -> None:
    data = pack(chain())
    tensors = read(data).subgraphs[0].tensors
    table = _target(data, "Tensor", tensors[0].pos, "quantization")
    data = _alias(data, "Tensor", tensors[4].pos, "quantization", table)
    written = _written(data, [SetQuant(subgraph=0, tensor=4, quant=HALF)])
    assert (written.prefix > 0, written.patches) == (True, ())
    assert _written(data, [_set(tensor=4, scale=(0.5,), zero_point=(3,))]).chunks == (data,)


def test_a_scale_vector_whose_end_is_read_as_another_is_not_touched() -> None:
    """The bits of the second scale are a length of 1: the third is a vector of its own."""
    made = chain()
    quantization = made.subgraphs[0].tensors[0].quantization
    quantization.quantizedDimension, quantization.zeroPoint = 1, [0] * 4
    quantization.scale = [0.5, 2.0**-149, 0.125, 1.0]
    data = pack(made)
    tensors = read(data).subgraphs[0].tensors
    first, last = (tensors[i].quant.pos for i in (0, 4))  # type: ignore[union-attr]
    scale = _target(data, "QuantizationParameters", first, "scale")
    data = _alias(data, "QuantizationParameters", last, "scale", scale + 8)
    assert load(data).subgraphs[0].tensors[4].quantization.scale == [0.125]
    written = _written(
        data, [_set(tensor=0, scale=(1.0,) * 4, zero_point=(0,) * 4, quantized_dimension=1)]
    )
    assert (written.prefix > 0, written.patches) == (True, ())


def test_a_shared_operand_vector_is_not_touched() -> None:
    made = chain()
    data = pack(made)
    operators = read(data).subgraphs[0].operators
    # The vector of the first RESHAPE's outputs, [1], also is the last one's vector of inputs.
    vector = _target(data, "Operator", operators[0].pos, "outputs")
    data = _alias(data, "Operator", operators[2].pos, "inputs", vector)
    edit = SetOperand(subgraph=0, operator=2, kind="inputs", index=0, tensor=3)
    written = _written(data, [edit])
    assert (written.prefix > 0, written.patches) == (True, ())


def test_a_shared_tensor_table_is_not_touched() -> None:
    data = pack(chain())
    graph = read(data).subgraphs[0]
    vector = _target(data, "SubGraph", graph.pos, "tensors") + 4
    out = bytearray(data)
    place = vector + 4 * 4
    struct.pack_into("<I", out, place, graph.tensors[1].pos - place)
    written = _written(bytes(out), [SetQuant(subgraph=0, tensor=4, quant=HALF)])
    assert (written.prefix > 0, written.patches) == (True, ())


def test_a_shared_buffer_is_split() -> None:
    made = chain()
    made.subgraphs[0].tensors[0].buffer = 1
    written = _written(pack(made), [SetData(subgraph=0, tensor=2, data=b"wxyz")])
    assert written.prefix > 0
    same = SetData(subgraph=0, tensor=2, data=bytes([1, 2, 3, 4]))
    assert _written(pack(made), [same]).patches == ()
    made = chain()
    made.metadata[0].buffer = 1
    assert _written(pack(made), [SetData(subgraph=0, tensor=2, data=b"wxyz")]).prefix > 0


def test_buffers_that_share_bytes_are_split() -> None:
    made = chain()
    made.buffers.append(buffer(b"...."))
    made.subgraphs[0].tensors[0].buffer = 3
    data = pack(made)
    buffers = read(data).buffers
    vector = _target(data, "Buffer", buffers[1].pos, "data")
    data = _alias(data, "Buffer", buffers[3].pos, "data", vector)
    assert _written(data, [SetData(subgraph=0, tensor=2, data=b"wxyz")]).prefix > 0


# --- growth ------------------------------------------------------------------------------------


def _insertion(version: int = 1) -> list[Edit]:
    return [
        AddTensor(subgraph=0, index=5, like=3, name="new", type="int8", quant=HALF),
        AddOperator(
            subgraph=0, before=2, name="QUANTIZE", version=version, inputs=(3,), outputs=(5,)
        ),
        SetOperand(subgraph=0, operator=2, kind="inputs", index=0, tensor=5),
    ]


def test_an_inserted_operator_gets_an_operator_code_once() -> None:
    out = _written(pack(chain()), _insertion()).join()
    codes = load(out).operatorCodes
    assert [code.builtinCode for code in codes] == [22, 0, 114]
    # Written once more: its operator code exists already.
    graph = read(out).subgraphs[0]
    edit = AddOperator(subgraph=0, before=4, name="QUANTIZE", version=1, inputs=(4,), outputs=(5,))
    assert [op.name for op in graph.operators] == ["RESHAPE", "ADD", "QUANTIZE", "RESHAPE"]
    more = splice(out, read(out), [edit]).join()
    assert len(load(more).operatorCodes) == 3


def test_another_version_adds_an_operator_code() -> None:
    out = _written(pack(chain()), _insertion()).join()
    edit = AddOperator(subgraph=0, before=1, name="QUANTIZE", version=2, inputs=(1,), outputs=(1,))
    assert [c.version for c in load(splice(out, read(out), [edit]).join()).operatorCodes] == [
        1,
        2,
        1,
        2,
    ]


def test_several_inserted_operators_keep_their_order() -> None:
    names = ("ABS", "NEG", "RELU")
    edits = [
        AddOperator(subgraph=0, before=3, name=name, version=1, inputs=(4,), outputs=(4,))
        for name in names
    ]
    data = pack(chain())
    out = splice(data, read(data), [])
    assert out.prefix == 0
    graph = load(_meaningful(data, edits)).subgraphs[0]
    assert [op.opcodeIndex for op in graph.operators] == [0, 1, 0, 2, 3, 4]


def _meaningful(data: bytes, edits: Sequence[Edit]) -> bytes:
    out = splice(data, read(data), edits).join()
    assert meaning(out) == expected(data, edits)
    return out


def test_a_new_constant_is_aligned_and_new_vectors_too() -> None:
    edit = AddTensor(subgraph=0, index=5, like=2, name="é", type="int8", quant=HALF, data=b"abcd")
    out = _written(pack(chain()), [edit]).join()
    model = read(out)
    data = model.buffers[3].data
    assert data is not None
    whole = np.frombuffer(out, np.uint8).__array_interface__["data"][0]
    assert (np.frombuffer(data, np.uint8).__array_interface__["data"][0] - whole) % 16 == 0
    added = model.subgraphs[0].tensors[5]
    assert added.quant is not None
    points = _target(out, "QuantizationParameters", added.quant.pos, "zero_point")
    assert (points + 4) % 8 == 0
    assert added.name == "é"


def test_longer_data_and_another_type() -> None:
    edit = SetData(subgraph=0, tensor=2, data=bytes(16), type="int32")
    assert _written(pack(chain()), [edit]).prefix > 0


def test_data_at_an_offset_moves_with_the_file() -> None:
    made = chain()
    made.buffers[1] = schema.BufferT()
    made.buffers[1].offset, made.buffers[1].size = 1 << 40, 4
    made.buffers[2].data = None
    made.buffers[2].offset = made.buffers[2].size = 1
    made.subgraphs[0].operators[0].largeCustomOptionsOffset = 1 << 40
    made.subgraphs[0].operators[2].largeCustomOptionsOffset = 1 << 40
    end = len(pack(made))
    for operator in (0, 2):
        made.subgraphs[0].operators[operator].largeCustomOptionsOffset = end + 4
    made.buffers[1].offset = end
    data = pack(made) + b"wxyz" + b"options"
    edits = [*_insertion(), SetOperand(subgraph=0, operator=0, kind="outputs", index=0, tensor=1)]
    written = _written(data, edits)
    after = load(written.join())
    assert after.buffers[1].offset == end + written.prefix
    assert after.buffers[2].offset == 1
    offsets = [op.largeCustomOptionsOffset for op in after.subgraphs[0].operators]
    assert offsets == [end + 4 + written.prefix, 0, 0, end + 4 + written.prefix]
    assert _written(data, [SetData(subgraph=0, tensor=2, data=b"WXYZ")]).patches == ((end, 4),)


@pytest.mark.parametrize("offset", [1, 2, 100])
def test_a_remade_operator_carries_its_offset_moved(offset: int) -> None:
    made = chain()
    made.subgraphs[0].operators[1].largeCustomOptionsOffset = offset
    edit = SetOption(subgraph=0, operator=1, field="fused_activation_function", value=1)
    written = _written(pack(made), [edit])
    moved = load(written.join()).subgraphs[0].operators[1].largeCustomOptionsOffset
    assert moved == offset + (written.prefix if offset > 1 else 0)


def _zipped(data: bytes) -> bytes:
    stream = io.BytesIO(data)
    stream.seek(0, io.SEEK_END)
    with zipfile.ZipFile(stream, "a") as archive:
        archive.writestr("labels.txt", "cat\ndog\n")
        archive.writestr("vocab.txt", "a" * 1000)
    return stream.getvalue()


def test_an_appended_zip_moves_with_the_file() -> None:
    data = _zipped(pack(chain()))
    written = _written(data, _insertion())
    with zipfile.ZipFile(io.BytesIO(written.join())) as archive:
        assert archive.read("labels.txt") == b"cat\ndog\n"
        assert archive.read("vocab.txt") == b"a" * 1000
        assert archive.infolist()[0].header_offset == len(pack(chain())) + written.prefix


def test_a_zip_that_counts_from_its_own_start_stays() -> None:
    data = pack(chain()) + _zipped(b"")
    written = _written(data, _insertion())
    assert written.patches[-1][0] < len(pack(chain()))
    with zipfile.ZipFile(io.BytesIO(written.join())) as archive:
        assert archive.read("labels.txt") == b"cat\ndog\n"
