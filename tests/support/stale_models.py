"""Models with wrong shapes, as converters write them."""

from __future__ import annotations

import numpy as np

from tests.support.models import Graph
from tests.support.object_api import load, pack
from tflite_align.record import replace

__all__ = ["dilated"]


def dilated(*, signature: bool = False) -> bytes:
    """A dilated convolution as the converter writes it: a tensor declares batch 1 where the
    operator gives 2. `signature`: the batch is open (-1) in shape_signature.
    """
    graph = Graph()
    graph.activation("x", 0.05)
    graph.activation("s", 0.05, shape=(1, 2, 4, 3))
    graph.constant("blocks", np.array([2, 1]), "int32")
    graph.constant("border", np.zeros((2, 2)), "int32")
    graph.add("SPACE_TO_BATCH_ND", ["x", "blocks", "border"], ["s"])
    graph.conv("s", "c", 0.1)
    graph.tensors["c"] = replace(graph.tensors["c"], shape=(1, 2, 4, 3))
    graph.activation("y", 0.1)
    graph.add("BATCH_TO_SPACE_ND", ["c", "blocks", "border"], ["y"])
    data = graph.bytes(["x"], ["y"])
    if not signature:
        return data
    made = load(data)
    for tensor in made.subgraphs[0].tensors:
        if tensor.name in (b"x", b"s", b"c", b"y"):
            tensor.shapeSignature = [-1, *tensor.shape[1:]]
    return pack(made)
