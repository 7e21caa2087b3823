"""Reading the written file from its parts, without copying long constants, gives the same model as
reading the joined bytes.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from tests.support.models import Graph
from tflite_align.errors import FormatError
from tflite_align.format.flatbuffer import Image
from tflite_align.format.model import Model, QuantParams
from tflite_align.format.reader import read
from tflite_align.format.writer.edits import SetData, SetQuant
from tflite_align.format.writer.patch import Written
from tflite_align.format.writer.splice import splice
from tflite_align.record import replace

LONG = (1, 4, 512, 640)  # 1.25 MiB as int8


def model() -> bytes:
    """A CONCATENATION of an input with three constants, each longer than what is copied."""
    graph = Graph()
    for number, name in enumerate("abc"):
        data = np.full(LONG, number + 1, np.int8)
        graph.constant(name, data, "int8", 0.1)
    graph.activation("x", 0.1, shape=LONG)
    graph.activation("y", 0.1, shape=(1, 4, 512, 2560))
    options = ("ConcatenationOptions", {"axis": 3})
    graph.add("CONCATENATION", ["x", "a", "b", "c"], ["y"], options)
    return graph.bytes(["x"], ["y"])


def both(data: bytes, *edits: Any) -> tuple[Written, Image, Model, Model]:
    """(what was written, its image, the model read from the image, the model read from the joined
    bytes) after `edits`.
    """
    found = read(data)
    written = splice(data, found, edits)
    image = written.image(found)
    assert isinstance(image, Image)
    return written, image, read(image), read(written.join())


def same(first: Model, second: Model) -> bool:
    """Whether all records are equal, and all bytes of all constants."""
    contents = [
        [bytes(entry.data) if entry.data is not None else None for entry in one.buffers]
        for one in (first, second)
    ]
    return contents[0] == contents[1] and first.subgraphs == second.subgraphs


def test_untouched_constants_are_views_of_the_original() -> None:
    data = model()
    quant = QuantParams(scale=(0.2,), zero_point=(3,))
    _, image, seen, joined = both(data, SetQuant(subgraph=0, tensor=0, quant=quant))
    assert len(image.apart) == 3
    assert same(seen, joined)
    base = np.frombuffer(data, np.uint8).__array_interface__["data"][0]
    for _, _, view in image.apart:
        at = np.frombuffer(view, np.uint8).__array_interface__["data"][0]
        assert base <= at < base + len(data)


def test_a_constant_that_was_overwritten_is_read_as_it_was_written() -> None:
    data = model()
    found = read(data)
    index = next(t.index for t in found.subgraphs[0].tensors if t.name == "b")
    new = np.full(LONG, 9, np.int8).tobytes()
    _, image, seen, joined = both(data, SetData(subgraph=0, tensor=index, data=new))
    assert len(image.apart) == 2
    assert same(seen, joined)
    assert bytes(seen.constant(0, index) or b"") == new


def test_growth_at_the_front_moves_separate_constants() -> None:
    data = model()
    found = read(data)
    index = next(t.index for t in found.subgraphs[0].tensors if t.name == "b")
    longer = QuantParams(scale=(0.1, 0.2, 0.3, 0.4), zero_point=(0,) * 4, quantized_dimension=1)
    written, image, seen, joined = both(data, SetQuant(subgraph=0, tensor=index, quant=longer))
    assert written.prefix > 0
    assert len(image.apart) == 3
    assert same(seen, joined)


def test_a_shared_constant_is_read_for_both_tensors() -> None:
    raw = bytearray(model())
    found = read(bytes(raw))
    graph = found.subgraphs[0]
    first, second = (next(t for t in graph.tensors if t.name == name) for name in "ab")
    # Let both tensors have the same buffer index: the field has the same offset in both tables.
    for at in range(second.pos, second.pos + 64):
        if struct.unpack_from("<I", raw, at)[0] == second.buffer and at % 4 == 0:
            struct.pack_into("<I", raw, at, first.buffer)
            if read(bytes(raw)).subgraphs[0].tensors[second.index].buffer == first.buffer:
                break
            struct.pack_into("<I", raw, at, second.buffer)
    data = bytes(raw)
    assert read(data).subgraphs[0].tensors[second.index].buffer == first.buffer
    quant = QuantParams(scale=(0.2,), zero_point=(3,))
    _, _, seen, joined = both(data, SetQuant(subgraph=0, tensor=graph.inputs[0], quant=quant))
    assert same(seen, joined)


def test_a_table_inside_a_constant_is_refused() -> None:
    """Long constants are not part of the image's bytes. A reference that leads a table into one of
    them is refused.
    """
    data = model()
    quant = QuantParams(scale=(0.2,), zero_point=(3,))
    _, image, _, _ = both(data, SetQuant(subgraph=0, tensor=0, quant=quant))
    first, end, _ = image.apart[0]
    astray = bytearray(image.data)
    struct.pack_into("<I", astray, 0, (first + end) // 2 & ~3)
    with pytest.raises(FormatError):
        read(Image(bytes(astray), image.apart))


class Unvisited(tuple[tuple[int, int], ...]):
    """Patches that fail the test when they are walked over."""

    __slots__ = ()

    def __iter__(self) -> Iterator[tuple[int, int]]:
        pytest.fail("patches are compared with a short constant")


def test_short_constants_are_not_compared_with_patches() -> None:
    """Each pair of a constant and a patch would be visited: 100 million in a model of 100,000
    operators of which a tenth has new parameters.
    """
    graph = Graph()
    names = [f"w{number}" for number in range(50)]
    for name in names:
        graph.constant(name, np.ones((4,), np.int8), "int8", 0.1)
    graph.activation("y", 0.1, shape=(200,))
    graph.add("CONCATENATION", names, ["y"], ("ConcatenationOptions", {"axis": 0}))
    data = graph.bytes([], ["y"])
    found = read(data)
    quant = QuantParams(scale=(0.2,), zero_point=(3,))
    edits = [SetQuant(subgraph=0, tensor=number, quant=quant) for number in range(50)]
    written = splice(data, found, edits)
    image = replace(written, patches=Unvisited(written.patches)).image(found)
    assert (len(written.patches), image.apart) == (100, ())
    assert bytes(image.data) == written.join()
