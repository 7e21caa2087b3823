"""References: how many objects contain a byte range, compared with a count by walking all tables,
also for truncated files.
"""

from __future__ import annotations

import itertools
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ai_edge_litert import schema_py_generated as schema

from tests.rules.operators.boundary import boundary_cases
from tests.rules.operators.cases import satisfied
from tests.support.object_api import chain, pack
from tflite_align.errors import FormatError
from tflite_align.format.flatbuffer import BufferReader
from tflite_align.format.reader import read
from tflite_align.format.schema import OPTIONS, OPTIONS2, table_layout
from tflite_align.format.writer.refs import References
from tflite_align.rules.operator_rows import load_operators

DATA = Path(__file__).parents[1] / "data"
KINDS = {
    "array_indices": {1: "Int32Vector", 2: "Uint16Vector", 3: "Uint8Vector"},
    "builtin_options": OPTIONS,
    "builtin_options2": OPTIONS2,
    "details": {1: "CustomQuantization", 2: "BlockwiseQuantization", 3: "MultiAxisQuantization"},
}
KINDS["array_segments"] = KINDS["array_indices"]


def extents(data: bytes) -> list[tuple[int, int]]:
    """(first byte, end) of every table, vector and string, once for each path from the root; of
    each vtable once.
    """
    found, vtables = [(0, 8)], set()
    todo = [("Model", BufferReader(data).root())]
    while todo:
        name, pos = todo.pop()
        layout = table_layout(name)
        vtable = pos - word(data, pos, "<i")
        length, size = struct.unpack_from("<2H", data, vtable)
        found.append((pos, pos + size))
        vtables.add((vtable, vtable + length))
        for number, entry in enumerate(layout.fields):
            at = 0 if 4 + 2 * number >= length else word(data, vtable + 4 + 2 * number, "<H")
            if not at or entry.kind == "scalar":
                continue
            target = pos + at + word(data, pos + at)
            if entry.kind == "union":
                kind_at = word(data, vtable + 4 + 2 * (number - 1), "<H")
                kind = data[pos + kind_at] if kind_at else 0
                todo += [(KINDS[entry.name].get(kind, ""), target)] if kind else []
            elif entry.kind == "table":
                todo.append((entry.target, target))
            else:
                count = word(data, target)
                width = {"string": 1, "scalars": struct.calcsize(entry.item or "i")}
                found.append((target, target + 4 + count * width.get(entry.kind, 4)))
                if entry.kind == "tables":
                    places = range(target + 4, target + 4 + 4 * count, 4)
                    todo += [(entry.target, place + word(data, place)) for place in places]
    return [*found, *vtables]


def word(data: bytes, at: int, code: str = "<I") -> int:
    return int(struct.unpack_from(code, data, at)[0])


def rare() -> bytes:
    """`chain` with rarely used fields: a sparse tensor, block-wise quantization, options of the
    second union.
    """
    made = chain()
    first, second, third = made.subgraphs[0].tensors[:3]
    dense, sparse = schema.DimensionMetadataT(), schema.DimensionMetadataT()
    dense.denseSize = 1
    sparse.format = schema.DimensionType.SPARSE_CSR
    sparse.arraySegmentsType = schema.SparseIndexVector.Uint8Vector
    sparse.arraySegments = schema.Uint8VectorT()
    sparse.arraySegments.values = [0, 2]
    sparse.arrayIndicesType = schema.SparseIndexVector.Int32Vector
    sparse.arrayIndices = schema.Int32VectorT()
    sparse.arrayIndices.values = [1, 3]
    wide = schema.DimensionMetadataT()
    wide.format = schema.DimensionType.SPARSE_CSR
    wide.arraySegmentsType = schema.SparseIndexVector.Uint16Vector
    wide.arraySegments = schema.Uint16VectorT()
    wide.arraySegments.values = [0, 2, 3, 4, 5]
    first.sparsity = schema.SparsityParametersT()
    first.sparsity.traversalOrder = [0, 1]
    first.sparsity.dimMetadata = [dense, sparse, wide]
    second.quantization = schema.QuantizationParametersT()
    second.quantization.detailsType = schema.QuantizationDetails.BlockwiseQuantization
    second.quantization.details = schema.BlockwiseQuantizationT()
    second.quantization.details.blockSize = 2
    third.quantization = schema.QuantizationParametersT()
    third.quantization.detailsType = schema.QuantizationDetails.CustomQuantization
    third.quantization.details = schema.CustomQuantizationT()
    third.quantization.details.custom = [1, 2, 3]
    newer = made.subgraphs[0].operators[0]
    newer.builtinOptions2Type = schema.BuiltinOptions2.StablehloConcatenateOptions
    newer.builtinOptions2 = schema.StablehloConcatenateOptionsT()
    newer.builtinOptions2.dimension = 3
    return pack(made)


def plain(*, kind: bool) -> bytes:
    """The chain with a table of options that has no fields; without `kind`, nothing says which."""
    made = chain()
    made.subgraphs[0].operators[0].builtinOptionsType = schema.BuiltinOptions.AbsOptions
    made.subgraphs[0].operators[0].builtinOptions = schema.AbsOptionsT()
    made.subgraphs[0].operators[0].debugMetadataIndex = 1  # with a vtable of its own
    data = pack(made)
    if kind:
        return data
    pos = read(data).subgraphs[0].operators[0].pos
    number = table_layout("Operator").by_name["builtin_options_type"].id
    place = pos - word(data, pos, "<i") + 4 + 2 * number
    return data[:place] + bytes(2) + data[place + 2 :]


def of_kind(kind: int) -> bytes:
    """The chain, its ADD with options of another kind."""
    data = pack(chain())
    layout = table_layout("Operator")
    pos = read(data).subgraphs[0].operators[1].pos
    plan, _ = BufferReader(data).table(layout, pos)
    place = pos + plan.at[layout.by_name["builtin_options_type"].id]
    return data[:place] + bytes([kind]) + data[place + 1 :]


def idle() -> bytes:
    made = chain()
    made.subgraphs[0].operators = []
    return pack(made)


def merged(made: Any, *, every: bool) -> bytes:
    """The model with shared tables: its last tensor's table is its first one's; with `every`, the
    tables of all subgraphs and of all tensors are the first one's.
    """
    data = bytearray(pack(made))
    view = BufferReader(bytes(data))
    model, graph = table_layout("Model"), table_layout("SubGraph")
    tables = [view.root()]
    for layout, name in ((model, "subgraphs"), (graph, "tensors")):
        plan, values = view.table(layout, tables[0])
        place = view.target(plan, tables[0], values, layout.by_name[name].id)
        tables = view.references(place)
        last = place + 4 * len(tables)
        if every or name == "tensors":
            for at in range(place + 4 if every else last, last + 4, 4):
                struct.pack_into("<I", data, at, tables[0] - at)
    return bytes(data)


def crowd(many: int) -> bytes:
    """`many` subgraphs that share one table, with `many` tensors that share one table."""
    made, graph = schema.ModelT(), schema.SubGraphT()
    graph.tensors = [schema.TensorT() for _ in range(many)]
    made.subgraphs = [graph, *(schema.SubGraphT() for _ in range(many - 1))]
    return merged(made, every=True)


def buffers(
    tables: tuple[int, int], vtables: tuple[int, int], data_at: int, *, length: int = 4
) -> bytearray:
    """A model of two buffers, with tables, vtables and data at the given byte positions. The first
    buffer has an empty vector as data; the second one's vtable has `length` bytes and no field.
    """
    last = max(tables[0] + 8, tables[1] + 4, vtables[0] + 6, vtables[1] + length, data_at + 4)
    data = bytearray(last)
    struct.pack_into("<I4s", data, 0, 24, b"TFL3")
    struct.pack_into(
        "<7H", data, 8, 14, 8, 0, 0, 0, 0, 4
    )  # the model's vtable: only the field `buffers`
    struct.pack_into("<iI3I", data, 24, 24 - 8, 4, 2, tables[0] - 36, tables[1] - 40)
    struct.pack_into("<iI", data, tables[0], tables[0] - vtables[0], data_at - tables[0] - 4)
    struct.pack_into("<i", data, tables[1], tables[1] - vtables[1])
    struct.pack_into("<3H", data, vtables[0], 6, 8, 4)
    struct.pack_into("<2H", data, vtables[1], length, 4)
    return data


ROWS = load_operators()
FILES: dict[str, Callable[[], bytes]] = {
    "chain": lambda: pack(chain()),
    "rare": rare,
    "options without fields": lambda: plain(kind=True),
    "options of no kind": lambda: plain(kind=False),
    "options of kind 0": lambda: of_kind(0),
    "options of an unknown kind": lambda: of_kind(250),
    "no operators": idle,
    "shared": lambda: merged(chain(), every=False),
    # For both tables, position plus the stored distance to the vtable gives the same sum.
    "apart": lambda: bytes(buffers((48, 56), (64, 80), 72)),
    "a table at the end": lambda: bytes(buffers((64, 76), (48, 56), 72)),
    "a long vtable": lambda: bytes(buffers((48, 56), (64, 80), 72, length=40_000)),
    "sample": (DATA / "sample_origin.tflite").read_bytes,
    "unet": (DATA / "unet_onnx2tf.tflite").read_bytes,
    "IF": lambda: next(c for c in boundary_cases() if c.operator == "IF").model(),
    "CONV_2D": satisfied(ROWS["CONV_2D"], "int8").model,
    "SPLIT": satisfied(ROWS["SPLIT"], "int8").model,
}


@pytest.mark.parametrize("name", FILES)
def test_owners_equal_a_count_over_all_objects(name: str) -> None:
    data = FILES[name]()
    found = extents(data)
    references = References(BufferReader(data), BufferReader(data).root())
    edges = sorted({edge for extent in found for edge in extent})
    # Whole objects, ranges between neighbouring ends, and single bytes before and after each end.
    bytes_there = [(at, at + 1) for edge in edges for at in (edge - 1, edge)]
    for start, end in [*found, *itertools.pairwise(edges), *bytes_there, (0, len(data))]:
        near = sum(first < end and last > start for first, last in found)
        assert references.owners(start, end) == near, (start, end)


@pytest.mark.parametrize("name", ["chain", "rare"])
def test_a_file_cut_short_is_refused(name: str) -> None:
    data = FILES[name]()
    root = BufferReader(data).root()
    messages = set()
    for size in range(root, len(data)):
        try:
            References(BufferReader(data[:size]), root)
        except FormatError as error:
            messages.add(str(error).partition(": ")[2])
    assert {message for message in messages if "table" not in message} == {
        "a reference points outside the file"
    }


def test_a_table_past_the_end_is_refused_at_its_place() -> None:
    # Both tables have one vtable, which states 8 bytes; the last table has room for 4.
    data = buffers((64, 76), (48, 56), 72)
    struct.pack_into("<i", data, 64, 64 - 56)
    struct.pack_into("<2H", data, 56, 4, 8)
    with pytest.raises(FormatError, match=r"Buffer table runs past the end of the file$") as error:
        References(BufferReader(bytes(data)), 24)
    assert error.value.offset == 76


@pytest.mark.parametrize("reference", [2**31, 2**32 - 20])
def test_a_reference_far_beyond_the_end_does_not_wrap_around(reference: int) -> None:
    data = buffers((48, 56), (64, 80), 72)
    struct.pack_into("<I", data, 52, reference)
    with pytest.raises(FormatError, match=r"a reference points outside the file$") as error:
        References(BufferReader(bytes(data)), 24)
    assert error.value.offset == 52 + reference


def test_more_objects_than_four_times_the_file_size_plus_64_kib_are_refused() -> None:
    data = crowd(299)
    root = BufferReader(data).root()
    # Counted are all objects but the header, and each reference in a vector of tables.
    amount = len(extents(data)) - 1 + 299 + 299 * 299
    size, rest = divmod(amount - (1 << 16), 4)
    assert (size > len(data), rest) == (True, 0)
    References(BufferReader(data.ljust(size, b"\0")), root)
    with pytest.raises(FormatError, match=r"claims many times more content than it has bytes$"):
        References(BufferReader(data.ljust(size - 1, b"\0")), root)
