"""Bulk reading gives the same records and errors as reading table by table."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

import synthetic
from tests.support.column_reading import ALWAYS, NEVER, THRESHOLDS, read_with
from tflite_align.format import flatbuffer_bulk as columns
from tflite_align.format.model import Model
from tflite_align.record import replace

SYNTHETIC = synthetic.build(40, channels=3).data


@THRESHOLDS
def test_bulk_reading_gives_the_same_positions(quick: int) -> None:
    fast, slow = read_with(SYNTHETIC, quick), read_with(SYNTHETIC, NEVER)
    assert isinstance(fast, Model)
    assert isinstance(slow, Model)
    for one, other in zip(fast.subgraphs, slow.subgraphs, strict=True):
        assert [tensor.pos for tensor in one.tensors] == [tensor.pos for tensor in other.tensors]
        assert [op.pos for op in one.operators] == [op.pos for op in other.operators]


@example(place=7576, value=255, length=4)  # makes a scale NaN
@given(
    place=st.integers(0, len(SYNTHETIC) - 1),
    value=st.integers(0, 255),
    length=st.sampled_from([1, 2, 4]),
)
def test_damaged_files_give_the_same_result_in_both_readers(
    place: int, value: int, length: int
) -> None:
    data = bytearray(SYNTHETIC)
    data[place : place + length] = bytes([value]) * len(data[place : place + length])
    fast, slow = (read_with(bytes(data), many) for many in (ALWAYS, NEVER))
    assert isinstance(fast, Model) == isinstance(slow, Model)
    if isinstance(fast, Model) and isinstance(slow, Model):
        assert fast.buffers == slow.buffers
        texts = [repr(replace(model, buffers=())) for model in (fast, slow)]
        assert texts[0] == texts[1]  # compared as text, since NaN != NaN


def test_tables_with_distinct_vtables_are_read_one_by_one() -> None:
    """Bulk reading groups tables by vtable. If each table has its own vtable, no group is made and
    the values are still right.
    """
    from tflite_align.format.flatbuffer import BufferReader
    from tflite_align.format.schema import table_layout

    # 64 OperatorCode tables, each after its own vtable; the field `version` is the table's number.
    tables, data = [], b""
    for number in range(64):
        vtable = len(data)
        data += bytes([10, 0, 8, 0, 0, 0, 0, 0, 4, 0, 0, 0])
        tables.append(len(data))
        data += (len(data) - vtable).to_bytes(4, "little") + number.to_bytes(4, "little")
    layout = table_layout("OperatorCode")
    found = columns.Columns(BufferReader(data), layout, tables)
    assert found.values(layout.by_name["version"].id) == list(range(64))
    assert not found._groups
