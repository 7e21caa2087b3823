"""Where bytes may be overwritten: constants stored at offsets and their neighbours, tables inside
constants.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from tests.support.object_api import buffer, chain, expected, load, meaning, misaligned, pack
from tflite_align.errors import UnsupportedError
from tflite_align.format.flatbuffer import BufferReader, Image
from tflite_align.format.model import QuantParams
from tflite_align.format.reader import read
from tflite_align.format.schema import table_layout
from tflite_align.format.writer.edits import AddOperator, AddTensor, Edit, SetData, SetQuant
from tflite_align.format.writer.patch import Written
from tflite_align.format.writer.splice import splice
from tflite_align.format.writer.tail import _u32
from tflite_align.record import replace

LONG = 1 << 20
QUANT = table_layout("QuantizationParameters")
QUANTIZED = QuantParams(scale=(0.25,), zero_point=(1,))
SET = SetData(subgraph=0, tensor=2, data=b"wxyz")


def behind(*places: tuple[int, int], tail: bytes = b"") -> bytes:
    """`chain` and `tail` behind its tables. For each (offset, size) of `places` a buffer is added
    that refers to these bytes of the tail.

    The first three buffers belong to tensors 2, 0 and 1, which no operator writes; 4 bytes are the
    size of these tensors.
    """
    made = chain()
    made.subgraphs[0].operators = [o for o in made.subgraphs[0].operators if 1 not in o.outputs]
    made.buffers += [buffer() for _ in places]
    for number, tensor in zip(range(len(places)), (2, 0, 1), strict=False):
        made.subgraphs[0].tensors[tensor].buffer = 3 + number
    for pos in (1 << 40, len(pack(placed(made, places, 1 << 40)))):
        data = pack(placed(made, places, pos))
    return data + tail


def placed(made: Any, places: Sequence[tuple[int, int]], pos: int) -> Any:
    for number, (offset, size) in enumerate(places):
        made.buffers[3 + number].offset, made.buffers[3 + number].size = pos + offset, size
    return made


def checked(data: bytes, *edits: Edit) -> Written:
    written = splice(data, read(data), edits)
    assert meaning(written.join()) == expected(data, edits)
    return written


# --- data at offsets ----------------------------------------------------------------------------


def test_a_constant_between_other_constants_is_overwritten() -> None:
    data = behind((4, 4), (0, 4), (8, 4), tail=b"aaaabbbbcccc")
    written = checked(data, SET)
    assert (written.prefix, written.patches) == (0, ((len(data) - 8, 4),))


@pytest.mark.parametrize("offset", [0, 1, 2, 4, 6, 7, 8])
def test_bytes_that_belong_to_two_constants_are_not_overwritten(offset: int) -> None:
    data = behind((4, 4), (offset, 4), tail=b"aaaabbbbcccc")
    assert (checked(data, SET).prefix > 0) == (0 < offset < 8)


@pytest.mark.parametrize("where", ["in the tables", "behind them"])
def test_parameters_that_lie_in_a_constant_are_not_overwritten(where: str) -> None:
    """A tensor's scale vector is stored inside the bytes of a constant. Changing the constant must
    not change the scale.
    """
    content = struct.pack("<If", 1, 0.375)
    made = load(behind((0, 8)))
    made.subgraphs[0].tensors[2].shape = [1, 8]
    data = pack(placed(made, [(0, 8)], len(pack(made)))) + content
    if where == "in the tables":
        made.buffers[3] = buffer(content)
        data = pack(made)
    # New tables stand in front of the old bytes, so that their references can reach every old byte.
    added = AddTensor(subgraph=0, index=5, like=1, name="new", type="int8", quant=QUANTIZED)
    out = bytearray(splice(data, read(data), [added]).join())
    model = read(bytes(out))
    at = bytes(out).index(content)
    quant = model.subgraphs[0].tensors[5].quant
    assert quant is not None
    plan, _ = BufferReader(bytes(out)).table(QUANT, quant.pos)
    place = quant.pos + plan.at[QUANT.by_name["scale"].id]
    struct.pack_into("<I", out, place, at - place)
    assert checked(bytes(out), SetData(subgraph=0, tensor=2, data=bytes(8))).prefix > 0


# --- long constants, read again without a copy --------------------------------------------------


def test_constants_side_by_side_are_kept_apart() -> None:
    places = [(0, LONG), (LONG, LONG), (2 * LONG, LONG)]
    content = b"".join(bytes([number]) * LONG for number in (1, 2, 3))
    made = load(behind(*places))
    for index in (2, 0, 1):
        made.subgraphs[0].tensors[index].shape = [LONG]
    end = len(pack(made))
    data = pack(placed(made, places, end)) + content
    model = read(data)
    for edit, apart in (
        (SetData(subgraph=0, tensor=0, data=bytes([9]) * LONG), [1, 3]),
        (SetQuant(subgraph=0, tensor=3, quant=QUANTIZED), [1, 2, 3]),
    ):
        image = splice(data, model, [edit]).image(model)
        assert isinstance(image, Image)
        assert [view[0] for _, _, view in image.apart] == apart
        # The constant is not copied: the image has zeros in its place.
        assert not any(any(image.data[first : first + 4]) for first, _, _ in image.apart)
        kept = [bytes(entry.data or b"") for entry in read(image).buffers[3:]]
        assert [held[:1] for held in kept] == [
            bytes([number if number in apart else 9]) for number in (1, 2, 3)
        ]
        assert {len(held) for held in kept} == {LONG}


@pytest.mark.parametrize("second", [(LONG - 50, LONG), (LONG - 50, 100), (8, 100)])
def test_constants_that_overlap_are_read_as_they_were(second: tuple[int, int]) -> None:
    places = [(0, LONG), second]
    made = load(behind(*places))
    for index, (_, size) in zip((2, 0), places, strict=True):
        made.subgraphs[0].tensors[index].shape = [size]
    content = np.arange(LONG // 2, dtype=np.uint32).tobytes()
    data = pack(placed(made, places, len(pack(made)))) + content
    model = read(data)
    for edit in (
        SetData(subgraph=0, tensor=0, data=bytes([9]) * second[1]),
        SetQuant(subgraph=0, tensor=3, quant=QUANTIZED),
    ):
        written = splice(data, model, [edit])
        seen, joined = read(written.image(model)), read(written.join())
        assert [one.data for one in seen.buffers] == [one.data for one in joined.buffers]


def test_an_offset_beyond_two_gigabytes_is_supported() -> None:
    assert _u32(BufferReader(struct.pack("<II", 1, 0xFFFFFFFE)), 4) == 0xFFFFFFFE


# --- operands, tensors --------------------------------------------------------------------------


def test_a_new_operator_may_lack_operands() -> None:
    edit = AddOperator(
        subgraph=0, before=3, name="CONV_2D", version=1, inputs=(3, -1), outputs=(-1,)
    )
    operators = read(checked(pack(chain()), edit).join()).subgraphs[0].operators
    assert (operators[-1].inputs, operators[-1].outputs) == ((3, -1), (-1,))


def test_two_new_operators_of_one_kind_have_one_code() -> None:
    edits = [
        AddOperator(subgraph=0, before=at, name=name, version=1, inputs=(3,), outputs=(3,))
        for at in (1, 2)
        for name in ("QUANTIZE", "RESHAPE")
    ]
    codes = load(checked(pack(chain()), *edits).join()).operatorCodes
    assert [(code.builtinCode, code.version) for code in codes] == [(22, 1), (0, 2), (114, 1)]


def test_a_new_tensor_gets_an_empty_buffer_where_all_hold_data() -> None:
    made = chain()
    made.buffers[0] = buffer(b"abcd")
    made.subgraphs[0].operators = []  # a tensor that an operator writes must not have data
    for tensor in made.subgraphs[0].tensors:
        tensor.buffer = tensor.buffer or 1
    edit = AddTensor(subgraph=0, index=5, like=1, name="new", type="int8", quant=None)
    another = replace(edit, index=6)
    out = checked(pack(made), edit, another).join()
    model = read(out)
    assert [len(model.buffers), model.subgraphs[0].tensors[5].buffer] == [4, 3]
    assert model.subgraphs[0].tensors[6].buffer == 3
    assert misaligned(out) == []


def test_a_new_tensor_of_a_file_without_buffers_names_the_first() -> None:
    made = chain()
    made.buffers, made.metadata = [], []
    for tensor in made.subgraphs[0].tensors:
        tensor.buffer = 0
    edit = AddTensor(subgraph=0, index=5, like=1, name="new", type="int8", quant=None)
    data = pack(made)
    assert read(splice(data, read(data), [edit]).join()).subgraphs[0].tensors[5].buffer == 0


def test_a_new_tensor_has_a_shape_where_its_like_or_the_edit_has_one() -> None:
    made = chain()
    made.subgraphs[0].tensors[1].shape = None
    made.subgraphs[0].tensors[1].shapeSignature = None
    edit = AddTensor(subgraph=0, index=5, like=1, name="new", type="int8", quant=None)
    shaped = replace(edit, index=6, name="shaped", shape=(1, 4))
    data = pack(made)
    tensors = load(splice(data, read(data), [edit, shaped]).join()).subgraphs[0].tensors
    assert tensors[5].shape is None
    assert list(tensors[6].shape) == [1, 4]


def test_a_new_tensor_is_as_open_as_its_like() -> None:
    made = chain()
    made.subgraphs[0].tensors[1].shape = [-1, 4]
    made.subgraphs[0].tensors[1].hasRank = True
    edit = AddTensor(subgraph=0, index=5, like=1, name="new", type="int8", quant=None)
    tensor = load(checked(pack(made), edit).join()).subgraphs[0].tensors[5]
    assert (list(tensor.shape), tensor.hasRank) == ([-1, 4], True)


def test_setting_data_of_a_tensor_without_a_buffer() -> None:
    """The tensor gets a new buffer, since the empty one is shared."""
    edit = SetData(subgraph=0, tensor=1, data=b"wxyz")
    assert checked(pack(chain()), edit).prefix > 0


def _sparse(tensor: Any) -> None:
    tensor.sparsity = schema.SparsityParametersT()
    tensor.sparsity.traversalOrder = [0, 1]


def _variable(tensor: Any) -> None:
    tensor.isVariable = True


@pytest.mark.parametrize("change", [_sparse, _variable])
def test_data_of_sparse_variable_or_external_tensors_is_refused(change: Any) -> None:
    made = chain()
    change(made.subgraphs[0].tensors[2])
    data = pack(made)
    with pytest.raises(UnsupportedError, match=r"sparse, variable or external data cannot be set$"):
        splice(data, read(data), [SET])
