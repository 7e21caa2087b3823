"""Preservation of bytes in rare kinds of files, and that the comparison of files detects each kind
of damage.

Each file in `RARE` needs a repair and has, next to the tables that change, something that a
careless writer would destroy.
"""

from __future__ import annotations

import io
import random
import struct
import zipfile
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from tests.support.models import concat_example
from tests.support.object_api import load, pack
from tests.support.preservation import File, declared_of, differences, places, unlike
from tflite_align import AlignOptions, align

PLAIN = AlignOptions(verify=False)
CUT = AlignOptions(verify=False, policies={"concat": "none"}, overlap="forbid")
STALE = 1.5  # factor on a bias's scale: its repair rewrites the constant


def broken() -> Any:
    """The object model of a CONCATENATION of two convolutions with different scales; the first
    convolution's bias has a wrong scale, too.
    """
    made = load(concat_example())
    made.subgraphs[0].tensors[2].quantization.scale = [
        value * STALE for value in made.subgraphs[0].tensors[2].quantization.scale
    ]
    return made


def shared_buffers() -> bytes:
    """Both biases have one buffer; both weights have one buffer."""
    made = broken()
    tensors = made.subgraphs[0].tensors
    tensors[5].buffer, tensors[4].buffer = tensors[2].buffer, tensors[1].buffer
    return pack(made)


def alias(data: bytes, table: str, field: str, first: int, second: int) -> bytes:
    """The file with one reference redirected. Of the two tables at `first` and `second`, the one
    whose field `field` is stored at the lower address then refers to what the other one refers to.
    """
    file = File(data)
    index = {"Tensor.quant": 4, "Quant.scale": 2, "Quant.zero_point": 3, "Operator.inputs": 1}
    one, other = (file.slot(place, index[f"{table}.{field}"]) for place in (first, second))
    assert one is not None
    assert other is not None
    low, high = sorted((one, other))
    out = bytearray(data)
    struct.pack_into("<I", out, low, high + struct.unpack_from("<I", data, high)[0] - low)
    return bytes(out)


def shared_tables() -> bytes:
    """The graph input and the first convolution's output refer to one quantization table."""
    data = pack(broken())
    tensors = File(data).all("Graph", File(data).graphs[0], "tensors")
    return alias(data, "Tensor", "quant", tensors[3], tensors[0])


def shared_vectors() -> bytes:
    data = pack(broken())
    file = File(data)
    tensors = file.all("Graph", file.graphs[0], "tensors")
    quants = [file.get("Tensor", tensors[t], "quant") for t in (0, 3)]
    return alias(data, "Quant", "zero_point", *quants)


def missing_fields() -> bytes:
    """No tensor states a zero point and no operator a fused activation: both have defaults."""
    made = broken()
    for tensor in made.subgraphs[0].tensors:
        if tensor.quantization is not None:
            tensor.quantization.zeroPoint = None
    return pack(made)


def external_buffers() -> bytes:
    """Constants are stored behind the FlatBuffers tables, as in models above 2 GB."""
    made = broken()
    behind = b""
    moved = [buffer for buffer in made.buffers if buffer.data is not None and len(buffer.data)]
    contents = [bytes(bytearray(buffer.data)) for buffer in moved]
    for buffer in moved:
        buffer.data = None
        buffer.offset, buffer.size = 1 << 40, 1
    start = -(-len(pack(made)) // 64) * 64
    for buffer, content in zip(moved, contents, strict=True):
        buffer.offset, buffer.size = start + len(behind), len(content)
        behind += content + bytes(-len(content) % 16)
    tables = pack(made)
    return tables + bytes(start - len(tables)) + behind


def large_custom_options() -> bytes:
    """The last operator is a custom one whose options are stored behind the FlatBuffers tables."""
    made = broken()
    graph = made.subgraphs[0]
    code = schema.OperatorCodeT()
    code.deprecatedBuiltinCode = code.builtinCode = schema.BuiltinOperator.CUSTOM
    code.version, code.customCode = 1, "Mine"
    made.operatorCodes.append(code)
    custom = schema.OperatorT()
    custom.opcodeIndex = len(made.operatorCodes) - 1
    custom.inputs, custom.outputs = [graph.outputs[0]], [len(graph.tensors)]
    custom.largeCustomOptionsOffset, custom.largeCustomOptionsSize = 1 << 40, 777
    last = schema.TensorT()
    last.name, last.shape, last.type = "own", [1], schema.TensorType.FLOAT32
    graph.tensors.append(last)
    graph.operators.append(custom)
    graph.outputs = [len(graph.tensors) - 1]
    end = len(pack(made))
    custom.largeCustomOptionsOffset = end
    return pack(made) + bytes(random.Random(1).randbytes(777))  # noqa: S311 - content


def zipped() -> bytes:
    stream = io.BytesIO(pack(broken()))
    stream.seek(0, io.SEEK_END)
    with zipfile.ZipFile(stream, "a") as archive:
        for number in range(5):
            archive.writestr(f"labels_{number}.txt", "cat\n" * number)
    return stream.getvalue()


RARE: dict[str, Callable[[], bytes]] = {
    made.__name__: made
    for made in (
        shared_buffers,
        shared_tables,
        shared_vectors,
        missing_fields,
        external_buffers,
        large_custom_options,
        zipped,
    )
}


def aligned(data: bytes, options: AlignOptions = PLAIN) -> tuple[bytes, set[Any]]:
    result = align(data, options)
    assert result.report.changes, "the file is made to be repaired"
    return result.data, declared_of(data, result.report)


@pytest.mark.parametrize("options", [PLAIN, CUT], ids=["moved", "cut"])
@pytest.mark.parametrize("name", RARE)
def test_rare_files_are_preserved(name: str, options: AlignOptions) -> None:
    data = RARE[name]()
    new, declared = aligned(data, options)
    assert differences(data, new, declared) == []
    assert unlike(data, new, declared) == []
    assert align(new, options).data == new


@pytest.mark.parametrize("name", RARE)
def test_undeclared_tensors_read_the_same_by_the_generated_api(name: str) -> None:
    """As read by the generated API, names and shapes are the same as before, and so are the scales
    of all tensors that are not declared as changed.
    """
    data = RARE[name]()
    new, declared = aligned(data, CUT)
    pairs = zip(load(data).subgraphs[0].tensors, load(new).subgraphs[0].tensors, strict=False)
    for index, (old, after) in enumerate(pairs):
        assert (old.name, list(old.shape)) == (after.name, list(after.shape))
        if ("tensor", 0, index) not in declared and old.quantization is not None:
            assert list(old.quantization.scale) == list(after.quantization.scale)


# --- the comparison detects damage ------------------------------------------------------------------------


@pytest.mark.parametrize("name", RARE)
def test_a_changed_byte_is_detected(name: str) -> None:
    """200 random bytes of the original part, outside declared changes, are damaged one at a time;
    each is detected.
    """
    data = RARE[name]()
    new, declared = aligned(data, CUT)
    shift = len(new) - len(data)
    free = np.zeros(len(data), dtype=bool)
    for place in places(File(data)):
        if place.owner in declared:
            free[place.start : place.start + place.length] = True
    chance = random.Random(2)  # noqa: S311 - damage
    for at in chance.sample([int(at) for at in np.flatnonzero(~free)], 200):
        hurt = bytearray(new)
        hurt[shift + at] ^= 0x55
        assert differences(data, bytes(hurt), declared) != [], at


def test_an_undeclared_change_is_detected() -> None:
    data = zipped()
    new, declared = aligned(data)
    for owner in sorted(declared):
        if owner[0] == "tensor":
            seen = differences(data, new, declared - {owner})
            seen += unlike(data, new, declared - {owner})
            assert seen != [], owner


@pytest.mark.parametrize("name", ["zipped", "large_custom_options", "external_buffers"])
def test_a_repacked_file_is_detected(name: str) -> None:
    """Repacking with the generated API drops the data behind the tables."""
    data = RARE[name]()
    again = pack(load(data))
    assert len(again) < len(data)
    assert differences(data, again, set()) != []
    assert differences(data, again + bytes(len(data) - len(again)), set()) != []


def test_an_unadjusted_position_is_detected() -> None:
    data = large_custom_options()
    new, declared = aligned(data, CUT)
    file = File(new)
    operator = file.all("Graph", file.graphs[0], "operators")[-1]
    place = file.slot(operator, 9)
    assert place is not None
    shift = len(new) - len(data)
    assert shift > 0
    hurt = bytearray(new)
    struct.pack_into("<Q", hurt, place, struct.unpack_from("<Q", new, place)[0] - shift)
    assert unlike(data, bytes(hurt), declared) != []
