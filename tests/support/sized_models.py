"""Models that compute sizes from shapes, as converters write recurrent and attention layers."""

from __future__ import annotations

import numpy as np

from tests.support.models import SHAPE, Graph, TensorSpec
from tests.support.object_api import load, pack

__all__ = ["filled", "opened"]


def filled(*, gathered: bool = False, kept: bool = False) -> bytes:
    """A state of zeros with the input's size: FILL of sizes that SHAPE and PACK compute.

    `gathered`: through GATHER and REDUCE_PROD, as in Keras's Flatten. `kept`: the sizes are a graph
    output, too.
    """
    graph = Graph()
    graph.activation("x", 0.05)
    for name in ("z", "y"):
        graph.activation(name, 0.05)
    for name, values in (("zero", [0]), ("one", [1]), ("axis", 0), ("step", 1)):
        graph.constant(name, np.array(values), "int32")
    graph.constant("nothing", np.array(0), "int8", 0.05)
    shapes = {"sizes": (4,), "batch": (), "dims": (4,), "first": (1,)}
    for name, shape in shapes.items():
        graph.tensors[name] = TensorSpec(name=name, type="int32", shape=shape)
    for name, value in zip(("h", "w", "c"), SHAPE[1:], strict=True):
        graph.constant(name, np.array(value), "int32")
    graph.add("SHAPE", ["x"], ["sizes"], ("ShapeOptions", {"outType": 2}))
    if gathered:
        graph.add("GATHER", ["sizes", "zero"], ["first"], ("GatherOptions", {"axis": 0}))
        graph.add("REDUCE_PROD", ["first", "zero"], ["batch"], ("ReducerOptions", {}))
    else:
        options = ("StridedSliceOptions", {"shrinkAxisMask": 1})
        graph.add("STRIDED_SLICE", ["sizes", "zero", "one", "one"], ["batch"], options)
    graph.add("PACK", ["batch", "h", "w", "c"], ["dims"], ("PackOptions", {"valuesCount": 4}))
    graph.add("FILL", ["dims", "nothing"], ["z"])
    graph.add("ADD", ["x", "z"], ["y"], ("AddOptions", {}))
    return graph.bytes(["x"], ["y", "dims"] if kept else ["y"])


def opened(data: bytes) -> bytes:
    """The same model with an open batch dimension (-1) in its input's shape_signature."""
    made = load(data)
    (graph,) = made.subgraphs
    tensor = graph.tensors[graph.inputs[0]]
    tensor.shapeSignature = [-1, *tensor.shape[1:]]
    return pack(made)
