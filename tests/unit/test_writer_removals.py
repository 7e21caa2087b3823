"""Removal of operators, in place or with a new vector where the old one is shared."""

from __future__ import annotations

import copy
import struct
from collections.abc import Sequence

from tests.support.object_api import chain, expected, meaning, pack
from tflite_align.format.flatbuffer import BufferReader
from tflite_align.format.model import QuantParams
from tflite_align.format.reader import read
from tflite_align.format.schema import table_layout
from tflite_align.format.writer.edits import (
    AddOperator,
    AddTensor,
    Edit,
    RemoveOperator,
    SetOperand,
    SetOption,
)
from tflite_align.format.writer.patch import Written
from tflite_align.format.writer.splice import splice

HALF = QuantParams(scale=(0.25,), zero_point=(-7,))
FIRST = RemoveOperator(subgraph=0, operator=0)


def written_out(data: bytes, edits: Sequence[Edit]) -> Written:
    """The result of writing `edits`, after comparing its content with the same edits made with the
    object API.
    """
    written = splice(data, read(data), edits)
    assert meaning(written.join()) == expected(data, edits)
    return written


def test_an_operator_is_taken_out_of_the_vector_where_it_stands() -> None:
    data = pack(chain())
    every = [RemoveOperator(subgraph=0, operator=operator) for operator in range(3)]
    for edit in every:
        written = written_out(data, [edit])
        assert (written.prefix, len(written.patches)) == (0, 1)
    assert written_out(data, every).prefix == 0


def test_operands_rewired_next_to_a_removal_are_overwritten() -> None:
    edit = SetOperand(subgraph=0, operator=2, kind="inputs", index=0, tensor=0)
    written = written_out(pack(chain()), [FIRST, edit])
    assert (written.prefix, len(written.patches)) == (0, 2)


def test_replacing_an_operator_needs_a_new_vector() -> None:
    new = AddOperator(subgraph=0, before=0, name="QUANTIZE", version=1, inputs=(0,), outputs=(1,))
    assert written_out(pack(chain()), [FIRST, new]).prefix > 0


def test_a_shared_vector_of_operators_is_not_touched() -> None:
    made = chain()
    made.subgraphs.append(copy.deepcopy(made.subgraphs[0]))
    data = bytearray(pack(made))
    layout = table_layout("SubGraph")
    number = layout.by_name["operators"].id
    first, last = sorted(graph.pos for graph in read(bytes(data)).subgraphs)
    view = BufferReader(bytes(data))
    places = []
    for pos in (first, last):
        plan, values = view.table(layout, pos)
        places.append((pos + plan.at[number], view.target(plan, pos, values, number)))
    struct.pack_into("<I", data, places[0][0], places[1][1] - places[0][0])
    written = written_out(bytes(data), [RemoveOperator(subgraph=1, operator=0)])
    assert (written.prefix > 0, written.patches) == (True, ())


def test_a_vector_of_operators_whose_end_is_read_as_a_name_is_not_touched() -> None:
    data = bytearray(pack(chain()))
    layout = table_layout("SubGraph")
    pos = read(bytes(data)).subgraphs[0].pos
    view = BufferReader(bytes(data))
    plan, values = view.table(layout, pos)
    vector = view.target(plan, pos, values, layout.by_name["operators"].id)
    place = pos + plan.at[layout.by_name["name"].id]
    struct.pack_into("<I", data, place, vector + 4 + 4 * 2 - place)
    written = written_out(bytes(data), [FIRST])
    assert (written.prefix > 0, written.patches) == (True, ())


def test_indices_in_edits_count_removed_operators() -> None:
    edits: list[Edit] = [
        AddTensor(subgraph=0, index=5, like=3, name="new", type="int8", quant=HALF),
        AddOperator(subgraph=0, before=2, name="QUANTIZE", version=1, inputs=(3,), outputs=(5,)),
        SetOperand(subgraph=0, operator=2, kind="inputs", index=0, tensor=5),
        RemoveOperator(subgraph=0, operator=0),
        SetOperand(subgraph=0, operator=1, kind="inputs", index=0, tensor=0),
    ]
    graph = read(written_out(pack(chain()), edits).join()).subgraphs[0]
    assert [op.name for op in graph.operators] == ["ADD", "QUANTIZE", "RESHAPE"]
    assert [op.inputs for op in graph.operators] == [(0, 2), (3,), (5,)]
    assert len(graph.tensors) == 6


def test_other_edits_of_a_removed_operator_are_ignored() -> None:
    edits: list[Edit] = [
        RemoveOperator(subgraph=0, operator=1),
        SetOption(subgraph=0, operator=1, field="fused_activation_function", value=1),
        SetOperand(subgraph=0, operator=1, kind="inputs", index=0, tensor=0),
    ]
    assert len(read(written_out(pack(chain()), edits).join()).subgraphs[0].operators) == 2
