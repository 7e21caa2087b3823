"""Sizes folded to constants equal the integers that LiteRT's kernels compute."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as fb
from ai_edge_litert.interpreter import Interpreter, OpResolverType

from tests.rules.operators.all_makers import MAKERS
from tests.rules.operators.plain_cases import plain_case
from tests.support.models import Graph, TensorSpec
from tests.support.object_api import load, pack
from tflite_align.checks.shapes.folding import FOLDED
from tflite_align.checks.shapes.inference import inferred
from tflite_align.format.reader import read

KINDS = ("int32", "int64")
# Operators whose conformance case does not compute integers from integers: special models here.
ODD = ("CAST", "SHAPE")
CASES = [
    (name, kind)
    for name in sorted(FOLDED)
    for kind in KINDS
    if name not in ODD and kind in MAKERS[name].plain
]


def constant_inputs(data: bytes, seed: int) -> bytes:
    """The model with its inputs made constants: 1 to 8 or their negatives."""
    rng = np.random.default_rng(seed)
    made = load(data)
    graph = made.subgraphs[0]
    for index in graph.inputs:
        tensor = graph.tensors[index]
        kind = "int64" if tensor.type == fb.TensorType.INT64 else "int32"
        values = rng.integers(1, 9, tensor.shape) * rng.choice([-1, 1], tensor.shape)
        buffer = fb.BufferT()
        buffer.data = np.frombuffer(values.astype(kind).tobytes(), np.uint8)
        tensor.buffer = len(made.buffers)
        made.buffers.append(buffer)
    graph.inputs = []
    return pack(made)


def ran(data: bytes) -> Any:
    made = Interpreter(
        model_content=data,
        experimental_preserve_all_tensors=True,
        experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    )
    made.allocate_tensors()
    made.invoke()
    return made


@pytest.mark.backends
@pytest.mark.parametrize(("name", "kind"), CASES)
def test_folded_sizes_equal_litert_integers(name: str, kind: str) -> None:
    model = plain_case(name, kind).model()
    assert sum(compared(constant_inputs(model, seed)) for seed in range(3))


@pytest.mark.backends
def test_folded_sizes_of_other_operators_equal_litert_integers() -> None:
    graph = Graph()
    graph.activation("x", 0.05)
    graph.constant("long", [2**40 + 7, -3], "int64")
    shapes = {"sizes": (4,), "short": (2,)}
    for name, shape in shapes.items():
        graph.tensors[name] = TensorSpec(name=name, type="int32", shape=shape)
    graph.add("SHAPE", ["x"], ["sizes"], ("ShapeOptions", {"outType": fb.TensorType.INT32}))
    graph.add("CAST", ["long"], ["short"])
    assert compared(graph.bytes(["x"], list(shapes))) == len(ODD)


def compared(data: bytes) -> int:
    """The number of known tensors, each compared with LiteRT's result."""
    model, interpreter, count = read(data), ran(data), 0
    for operator in model.subgraphs[0].operators:
        for index in operator.outputs:
            value = inferred(model, 0).values.get(index)
            if value is not None:
                real = interpreter.get_tensor(index)
                assert value.dtype == real.dtype
                assert np.array_equal(value, real), (value, real)
                count += 1
    return count


def test_every_foldable_operator_is_tested() -> None:
    assert set(FOLDED) == {name for name, _ in CASES} | set(ODD)
