"""Edits that the writer refuses, and metadata that counts tensors."""

from __future__ import annotations

import gc
import mmap
import struct
from typing import Any

import pytest
from ai_edge_litert import schema_py_generated as schema
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.object_api import buffer, chain, entry, expected, load, meaning, pack
from tflite_align.errors import UnsupportedError, UsageError
from tflite_align.format.flatbuffer import BufferReader
from tflite_align.format.model import QuantParams
from tflite_align.format.reader import read
from tflite_align.format.schema import table_layout
from tflite_align.format.writer.edits import (
    AddOperator,
    AddTensor,
    Edit,
    RemoveOperator,
    SetData,
    SetGraphIO,
    SetOperand,
    SetOption,
    SetQuant,
    SetType,
)
from tflite_align.format.writer.grow import grow
from tflite_align.format.writer.metadata import unknown_metadata
from tflite_align.format.writer.nodes import make_table
from tflite_align.format.writer.splice import splice

QUANT = QuantParams(scale=(0.25,), zero_point=(1,))
ADDED = AddTensor(subgraph=0, index=5, like=1, name="new", type="int8", quant=QUANT)


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (SetQuant(subgraph=1, tensor=0, quant=QUANT), "subgraph 1 does not exist"),
        (SetQuant(subgraph=-1, tensor=0, quant=QUANT), "subgraph -1 does not exist"),
        (SetQuant(subgraph=0, tensor=5, quant=QUANT), r"subgraph\[0\] has no tensor 5"),
        (SetData(subgraph=0, tensor=-1, data=b""), r"subgraph\[0\] has no tensor -1"),
        (
            SetData(subgraph=0, tensor=2, data=bytes(5)),
            r"subgraph\[0\]/tensor\[2\]: 5 bytes of data where shape and type need 4",
        ),
        (SetData(subgraph=0, tensor=2, data=b"", type="int9"), "'int9' is not a tensor type"),
        (
            SetOperand(subgraph=0, operator=3, kind="inputs", index=0, tensor=0),
            r"subgraph\[0\] has no operator 3",
        ),
        (RemoveOperator(subgraph=0, operator=3), r"subgraph\[0\] has no operator 3"),
        (
            SetOperand(subgraph=0, operator=1, kind="inputs", index=3, tensor=0),
            r"subgraph\[0\]/operator\[1\] ADD has no inputs\[3\]",
        ),
        (
            SetOperand(subgraph=0, operator=1, kind="inputs", index=0, tensor=5),
            r"subgraph\[0\] has no tensor 5",
        ),
        (
            SetGraphIO(subgraph=0, kind="inputs", index=1, tensor=0),
            r"subgraph\[0\] has no inputs\[1\]",
        ),
        (
            AddTensor(subgraph=0, index=7, like=0, name="", type="int8", quant=None),
            r"subgraph\[0\]: the next tensor is 5, not 7",
        ),
        (
            AddOperator(subgraph=0, before=4, name="ABS", version=1, inputs=(), outputs=()),
            r"subgraph\[0\]: there is no place before operator 4",
        ),
        (
            AddOperator(subgraph=0, before=-1, name="ABS", version=1, inputs=(), outputs=()),
            r"subgraph\[0\]: there is no place before operator -1",
        ),
        (
            AddOperator(subgraph=0, before=0, name="ABS", version=1, inputs=(0,), outputs=(9,)),
            r"subgraph\[0\] has no tensor 9",
        ),
        (
            AddOperator(subgraph=0, before=0, name="ABC", version=1, inputs=(), outputs=()),
            "'ABC' is not a builtin operator",
        ),
        (
            SetOption(subgraph=0, operator=1, field="fused_activation_function", value=1000),
            "fused_activation_function cannot be set to 1000",
        ),
        (
            SetQuant(subgraph=0, tensor=0, quant=QuantParams(scale=(1.0,), zero_point=(1 << 70,))),
            "cannot be stored",
        ),
        (
            SetQuant(
                subgraph=0,
                tensor=0,
                quant=QuantParams(scale=(1.0,) * 9, zero_point=(1 << 70, *range(1, 9))),
            ),
            r"a value of \[1180591620717411303424, 1, 2, 3, 4, 5, 6, 7\] cannot be stored",
        ),
    ],
)
def test_edits_of_missing_tensors_and_operators_are_refused(edit: Edit, message: str) -> None:
    data = pack(chain())
    with pytest.raises(UsageError, match=message):
        splice(data, read(data), [edit])


def test_a_model_read_from_other_bytes_is_refused() -> None:
    data = pack(chain())
    with pytest.raises(UsageError, match="the model was read from"):
        splice(data + bytes(16), read(data), [])


def _blockwise(model: Any) -> None:
    parameters = schema.QuantizationParametersT()
    parameters.detailsType = schema.QuantizationDetails.BlockwiseQuantization
    parameters.details = schema.BlockwiseQuantizationT()
    model.subgraphs[0].tensors[1].quantization = parameters


def _external(model: Any) -> None:
    model.subgraphs[0].tensors[1].externalBuffer = 7


def test_edits_that_cannot_be_written_are_refused() -> None:
    custom = AddOperator(subgraph=0, before=0, name="CUSTOM", version=1, inputs=(), outputs=())
    for change, edit, message in (
        (
            _blockwise,
            SetQuant(subgraph=0, tensor=1, quant=QUANT),
            r"^subgraph\[0\]/tensor\[1\]: parameters of a scheme beyond affine cannot be set$",
        ),
        (
            _external,
            SetData(subgraph=0, tensor=1, data=b""),
            r"^subgraph\[0\]/tensor\[1\]: sparse, variable or external data cannot be set$",
        ),
        (lambda _: None, custom, "^a custom operator cannot be added$"),
    ):
        made = chain()
        change(made)
        data = pack(made)
        with pytest.raises(UnsupportedError, match=message):
            splice(data, read(data), [edit])


def test_a_field_newer_than_the_code_is_never_lost() -> None:
    data = bytearray(pack(chain()))
    root = BufferReader(bytes(data)).root()
    # A second Model table at the end, with a field 12, as a future schema might have.
    plan, _ = BufferReader(bytes(data)).table(table_layout("Model"), root)
    at = len(data)
    vtable_size = 4 + 2 * 13
    table = at + vtable_size + 2
    fields = [plan.at[i] for i in range(10)] + [0, 0, plan.size]
    data += struct.pack("<15H", vtable_size, plan.size + 4, *fields) + bytes(2)
    body = bytearray(plan.size + 4)
    struct.pack_into("<i", body, 0, table - at)
    # References point forward only, so that this last table can have only scalars.
    version = plan.at[0]
    struct.pack_into("<I", body, version, 3)
    for i in range(1, 10):
        struct.pack_into("<H", data, at + 4 + 2 * i, 0)
    data += body
    struct.pack_into("<I", data, 0, table)
    known = read(pack(chain()))
    model = type(known)(
        **{
            name: getattr(known, name)
            for name in known.__struct_fields__
            if name not in {"size", "pos"}
        },
        size=len(data),
        pos=table,
    )
    with pytest.raises(UnsupportedError, match=r"the Model table at byte .* has a field 12 that"):
        splice(bytes(data), model, [SetData(subgraph=0, tensor=2, data=bytes(8), type="int16")])


def test_growth_beyond_two_gigabytes_is_refused() -> None:
    root = make_table("Model", {"version": 3})
    assert len(grow(root, 2**31 - 1 - 64)) == 64
    message = f"^the model would take {2**31} bytes, more than the 2 GiB of a FlatBuffer$"
    with pytest.raises(UnsupportedError, match=message):
        grow(root, 2**31 - 64)


# --- signatures --------------------------------------------------------------------------------


def _twice(entries: int) -> bytes:
    """`chain` with z as both of its outputs, and `entries` signature entries for them."""
    made = chain()
    made.subgraphs[0].outputs = [4, 4]
    made.signatureDefs[0].outputs = [entry(name, 4) for name in ("a", "b", "c")[:entries]]
    return pack(made)


def test_entries_of_one_tensor_follow_in_their_order() -> None:
    data = _twice(2)
    edit = SetGraphIO(subgraph=0, kind="outputs", index=1, tensor=3)
    out = splice(data, read(data), [edit]).join()
    assert read(out).signatures[0].outputs == (("a", 4), ("b", 3))


def test_ambiguous_signature_entries_are_refused() -> None:
    data = _twice(3)
    edit = SetGraphIO(subgraph=0, kind="outputs", index=1, tensor=3)
    with pytest.raises(UnsupportedError, match="signature 'serve': tensor 4 is named by several"):
        splice(data, read(data), [edit])


def test_a_signature_entry_without_stored_index_is_rebuilt() -> None:
    data = pack(chain())  # x is tensor 0, a default that FlatBuffers does not store
    edit = SetGraphIO(subgraph=0, kind="inputs", index=0, tensor=3)
    written = splice(data, read(data), [edit])
    assert written.prefix > 0
    assert read(written.join()).signatures[0].inputs == (("x", 3),)


def test_a_memory_mapped_file_can_be_edited() -> None:
    data = pack(chain())
    with mmap.mmap(-1, len(data)) as mapped:
        mapped[:] = data
        model = read(mapped)
        written = splice(mapped, model, [ADDED])
        assert written.join() == splice(data, read(data), [ADDED]).join()
        del model, written
        gc.collect()


# --- metadata ----------------------------------------------------------------------------------


def _with_metadata(name: str, content: bytes) -> bytes:
    made = chain()
    made.buffers.append(buffer(content))
    record = schema.MetadataT()
    record.name, record.buffer = name, 3
    made.metadata.append(record)
    return pack(made)


def test_unknown_metadata_forbids_growth_only() -> None:
    data = _with_metadata("model_control_dependencies", b"1234")
    model = read(data)
    assert unknown_metadata(model) == ("model_control_dependencies",)
    with pytest.raises(UnsupportedError, match="metadata 'model_control_dependencies', which may"):
        splice(data, model, [ADDED])
    new = AddOperator(subgraph=0, before=0, name="ABS", version=1, inputs=(0,), outputs=())
    for refused in (new, RemoveOperator(subgraph=0, operator=1)):
        with pytest.raises(UnsupportedError, match="none can be added or removed"):
            splice(data, model, [refused])
    edit = SetQuant(subgraph=0, tensor=1, quant=QUANT)
    assert meaning(splice(data, model, [edit]).join()) == expected(data, [edit])
    bare = load(data)
    bare.subgraphs[0].operators[1].inputs = bare.subgraphs[0].operators[1].outputs = []
    data = pack(bare)
    with pytest.raises(UnsupportedError, match="none can be added or removed"):
        splice(data, read(data), [RemoveOperator(subgraph=0, operator=1)])


def _plan(*offsets: int) -> bytes:
    return struct.pack(f"<3i{len(offsets)}i", 1, 0, len(offsets), *offsets)


def _plan_after(data: bytes, edits: list[Edit]) -> tuple[int, ...]:
    made = load(splice(data, read(data), edits).join())
    content = bytes(bytearray(made.buffers[made.metadata[1].buffer].data))
    return struct.unpack(f"<{len(content) // 4}i", content)


def test_an_offline_memory_plan_is_kept_in_step() -> None:
    data = _with_metadata("OfflineMemoryAllocation", _plan(0, 16, -1, 32, 48))
    assert _plan_after(data, [ADDED]) == (1, 0, 6, 0, 16, -1, 32, 48, -1)
    operator = AddOperator(
        subgraph=0, before=2, name="QUANTIZE", version=1, inputs=(3,), outputs=(5,)
    )
    assert _plan_after(data, [ADDED, operator]) == (1, 0, 6, 0, 16, -1, -1, 48, -1)
    moved = SetOperand(subgraph=0, operator=2, kind="inputs", index=0, tensor=1)
    assert _plan_after(data, [moved]) == (1, 0, 5, 0, -1, -1, -1, 48)
    removed = RemoveOperator(subgraph=0, operator=2)
    assert _plan_after(data, [removed]) == (1, 0, 5, 0, 16, -1, -1, -1)
    # An absent operand (-1) has no entry in the plan.
    left_out = SetOperand(subgraph=0, operator=2, kind="inputs", index=0, tensor=-1)
    assert _plan_after(data, [left_out]) == (1, 0, 5, 0, 16, -1, -1, 48)
    made = load(data)
    made.subgraphs[0].operators[1].inputs = [-1, 1]
    assert _plan_after(pack(made), [RemoveOperator(subgraph=0, operator=1)]) == (
        1, 0, 5, 0, -1, -1, -1, 48,
    )  # fmt: skip
    # Another type changes the size in bytes.
    wider = SetData(subgraph=0, tensor=3, data=bytes(16), type="int32")
    assert _plan_after(data, [wider]) == (1, 0, 5, 0, 16, -1, -1, 48)
    narrower = SetType(subgraph=0, tensor=1, type="int4")
    assert _plan_after(data, [narrower]) == (1, 0, 5, 0, -1, -1, 32, 48)
    rescaled = SetQuant(subgraph=0, tensor=1, quant=QUANT)
    assert _plan_after(data, [rescaled]) == (1, 0, 5, 0, 16, -1, 32, 48)


def test_a_memory_plan_in_the_first_buffer_is_kept_in_step() -> None:
    """The plan is in buffer 0. That index is a default and not stored, so the metadata table is
    rebuilt with the index of a new buffer.
    """
    made = load(_with_metadata("OfflineMemoryAllocation", b""))
    made.buffers[3], made.buffers[0] = buffer(), buffer(_plan(0, 16, -1, 32, 48))
    made.metadata[1].buffer = 0
    for tensor in made.subgraphs[0].tensors:
        tensor.buffer = tensor.buffer or 3
    assert _plan_after(pack(made), [ADDED]) == (1, 0, 6, 0, 16, -1, 32, 48, -1)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"123", "3 bytes are not a memory plan"),
        (b"", " 0 bytes are not a memory plan"),
        (_plan(0, 1), "it holds 2 offsets for 5 tensors"),
        (struct.pack("<4i", 1, 0, 5, 0), "it announces 5 offsets and holds 1"),
    ],
)
def test_a_malformed_memory_plan_is_refused(content: bytes, message: str) -> None:
    data = _with_metadata("OfflineMemoryAllocation", content)
    with pytest.raises(UnsupportedError, match=message):
        splice(data, read(data), [ADDED])


# --- any list of edits -------------------------------------------------------------------------

_tensors = st.integers(0, 4)
_scales = st.floats(2.0**-20, 2.0**20, width=32)
_quants = st.builds(
    lambda scale, point: QuantParams(scale=(scale,), zero_point=(point,)),
    _scales,
    st.integers(-128, 127),
)
_edits = st.one_of(
    st.builds(SetQuant, subgraph=st.just(0), tensor=_tensors, quant=_quants),
    st.builds(
        SetData, subgraph=st.just(0), tensor=st.just(2), data=st.binary(min_size=4, max_size=4)
    ),
    st.builds(
        SetOption,
        subgraph=st.just(0),
        operator=st.just(1),
        field=st.just("fused_activation_function"),
        value=st.integers(0, 5),
    ),
    st.builds(
        SetOperand,
        subgraph=st.just(0),
        operator=st.just(1),
        kind=st.just("inputs"),
        index=st.integers(0, 1),
        tensor=st.integers(0, 2),
    ),
    st.builds(RemoveOperator, subgraph=st.just(0), operator=st.integers(0, 2)),
    st.builds(
        AddOperator,
        subgraph=st.just(0),
        before=st.integers(0, 3),
        name=st.sampled_from(["QUANTIZE", "GELU", "RESHAPE"]),
        version=st.integers(1, 2),
        inputs=st.just((0,)),
        outputs=st.just(()),
    ),
)


@settings(max_examples=150, deadline=None)
@given(edits=st.lists(_edits, max_size=8), added=st.integers(0, 2), share=st.booleans())
def test_random_edits_match_the_object_api(
    edits: list[Edit],
    added: int,
    share: bool,  # noqa: FBT001 - drawn
) -> None:
    made = chain()
    if share:
        made.subgraphs[0].tensors[1].buffer = 1
        made.subgraphs[0].operators[0].outputs = []
    data = pack(made)
    new = [
        AddTensor(subgraph=0, index=5 + i, like=i, name=f"new{i}", type="int16", quant=None)
        for i in range(added)
    ]
    written = splice(data, read(data), [*new, *edits])
    out = written.join()
    assert meaning(out) == expected(data, [*new, *edits])
    body = bytearray(out[written.prefix :])
    for start, length in written.patches:
        body[start : start + length] = data[start : start + length]
    assert body == data
