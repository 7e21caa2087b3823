"""A small sound model and edits that each violate one rule, for tests of repairs."""

from __future__ import annotations

from typing import Any

from tests.support.models import Graph
from tflite_align import AlignOptions
from tflite_align.format.reader import read
from tflite_align.format.writer.edits import Edit, SetQuant
from tflite_align.format.writer.splice import splice
from tflite_align.record import replace

PLAIN = AlignOptions(verify=False)


def named(data: bytes, name: str) -> tuple[Any, Any]:
    model = read(data)
    tensor = next(t for t in model.subgraphs[0].tensors if t.name == name)
    return model, tensor


def edited(data: bytes, *edits: Edit) -> bytes:
    return splice(data, read(data), edits).join()


def chain() -> bytes:
    graph = Graph()
    graph.activation("x", 0.05)
    graph.conv("x", "c", 0.1)
    graph.activation("p", 0.1)
    graph.add(
        "MAX_POOL_2D",
        ["c"],
        ["p"],
        ("Pool2DOptions", {"strideH": 1, "strideW": 1, "filterHeight": 1, "filterWidth": 1}),
    )
    graph.conv("p", "y", 0.2)
    return graph.bytes(["x"], ["y"])


def requantized(data: bytes, name: str, **fields: object) -> bytes:
    _, tensor = named(data, name)
    quant = replace(tensor.quant, **fields)
    return edited(data, SetQuant(subgraph=0, tensor=tensor.index, quant=quant))


def stale_bias() -> bytes:
    data = chain()
    _, tensor = named(data, "c.b")
    return requantized(data, "c.b", scale=(tensor.quant.scale[0] * 2,))
