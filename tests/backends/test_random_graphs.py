"""Random graphs compute what they declare once they are aligned without findings.

Every tensor of a graph gets its own random parameters. The aligned graph runs on LiteRT's builtin
kernels with all tensors kept. Each operator's integers are compared with those that NumPy computes,
by the declared parameters, from the integers that the operator read. The package's `verify` is not
used.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest

from tests.support.models import POOL, SHAPE, Graph
from tflite_align import AlignOptions, align
from tflite_align.format.model import Model, Operator
from tflite_align.format.reader import read
from tflite_align.numerics import DTYPES

litert = pytest.importorskip("ai_edge_litert.interpreter", reason="LiteRT is not installed")

Array = np.ndarray[Any, Any]
SEEDS = range(400)
RUNS = 3
# Allowed error in steps of the output: rounding, fixed-point multipliers, tables.
STEPS = 2.6
# This kernel keeps 7 bits below twice the coarser operand's step before it squares.
COARSE = {"SQUARED_DIFFERENCE": 8.0}

UNARY: Mapping[str, Callable[[Array], Array]] = {
    "HARD_SWISH": lambda x: x * np.clip(x + 3, 0, 6) / 6,
    "LOGISTIC": lambda x: 1 / (1 + np.exp(-x)),
    "MAX_POOL_2D": lambda x: x,
    "QUANTIZE": lambda x: x,
    "RELU": lambda x: np.maximum(x, 0),
    "RELU6": lambda x: np.clip(x, 0, 6),
    "RESHAPE": lambda x: x,
    "TANH": np.tanh,
}
BINARY: Mapping[str, Callable[[Array, Array], Array]] = {
    "ADD": np.add,
    "MAXIMUM": np.maximum,
    "MINIMUM": np.minimum,
    "MUL": np.multiply,
    "SQUARED_DIFFERENCE": lambda a, b: (a - b) ** 2,
    "SUB": np.subtract,
}
OPTIONS: Mapping[str, tuple[str, dict[str, Any]]] = {
    "ADD": ("AddOptions", {}),
    "MAX_POOL_2D": POOL,
    "MUL": ("MulOptions", {}),
    "SQUARED_DIFFERENCE": ("SquaredDifferenceOptions", {}),
    "SUB": ("SubOptions", {}),
}


class Wiring:
    """Builds a random graph in which every activation has random parameters."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)  # noqa: S311 - no secret
        self.graph = Graph(seed=seed)
        self.known = [self.fresh("x")]
        for step in range(self.random.randint(2, 10)):
            self.grow(f"t{step}")

    def fresh(self, name: str, shape: tuple[int, ...] = SHAPE) -> str:
        scale = 10 ** self.random.uniform(-2.5, -0.3)
        return self.graph.activation(name, scale, self.random.choice([-128, -90, 0, 33]), shape)

    def grow(self, name: str) -> None:
        first, second = self.random.choice(self.known), self.random.choice(self.known)
        kind = self.random.choice([*UNARY, *BINARY, "CONV_2D", "CONV_2D", "CONCATENATION"])
        if kind == "CONV_2D":
            scale, zero_point = 10 ** self.random.uniform(-2, 0), self.random.choice([-128, 7])
            self.graph.conv(first, name, scale, zero_point, fused=self.random.choice([0, 1]))
        elif kind == "CONCATENATION":
            wide = self.fresh(f"{name}.wide", (1, 4, 4, 6))
            axis = ("ConcatenationOptions", {"axis": 3})
            self.graph.add(kind, [first, second], [wide], axis)
            begin = self.graph.constant(
                f"{name}.begin", [0, 0, 0, self.random.choice([0, 2])], "int32"
            )
            size = self.graph.constant(f"{name}.size", SHAPE, "int32")
            self.graph.add("SLICE", [wide, begin, size], [self.fresh(name)], ("SliceOptions", {}))
        else:
            inputs = [first, second] if kind in BINARY else [first]
            if kind == "RESHAPE":
                inputs.append(self.graph.constant(f"{name}.shape", SHAPE, "int32"))
            self.fresh(name)
            if kind in {"MUL", "SQUARED_DIFFERENCE"}:
                self.graph.activation(name, self.step_of_a_product(first, second))
            self.graph.add(kind, inputs, [name], OPTIONS.get(kind))
        self.known.append(name)

    def step_of_a_product(self, *factors: str) -> float:
        """A random output scale for a product: 16 to 256 times the square of the largest factor's
        scale, as in trained models; at most 1.
        """
        quants = [self.graph.tensors[name].quant for name in factors]
        largest = max(quant.scale[0] for quant in quants if quant is not None)
        return min(largest**2 * self.random.uniform(16, 256), 1.0)

    def bytes(self) -> bytes:
        read_by_none = set(self.known[1:])
        for operator in self.graph.operators:
            read_by_none -= set(operator.inputs)
        outputs = sorted(read_by_none | {self.random.choice(self.known[1:])})
        return self.graph.bytes(["x"], outputs)


@pytest.mark.backends
@pytest.mark.parametrize("seed", SEEDS)
def test_aligned_graphs_compute_what_they_declare(seed: int) -> None:
    result = align(Wiring(seed).bytes(), AlignOptions(verify=False))
    assert result.report.conflicts == ()
    assert {finding.rule for finding in result.report.remaining} <= {"params/steps"}
    data = result.data
    assert align(data, AlignOptions(verify=False)).data == data
    model = read(data)
    operators = model.subgraphs[0].operators
    used = {t for operator in operators for t in (*operator.inputs, *operator.outputs)}
    for held in runs(data, used, seed):
        for operator in operators:
            off = deviation(model, operator, held)
            assert off < COARSE.get(operator.name, STEPS), (
                f"{operator.index} {operator.name}: {off:.1f} steps"
            )


def runs(data: bytes, tensors: set[int], seed: int) -> list[dict[int, Array]]:
    """For a few random inputs: the integers of the given tensors, by tensor index."""
    kernels = litert.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    interpreter = litert.Interpreter(
        model_content=data,
        experimental_op_resolver_type=kernels,
        experimental_preserve_all_tensors=True,
    )
    interpreter.allocate_tensors()
    (source,) = interpreter.get_input_details()
    generator = np.random.default_rng(seed)
    found = []
    for _ in range(RUNS):
        integers = np.clip(generator.normal(0, 50, SHAPE), -128, 127).astype(np.int8)
        interpreter.set_tensor(source["index"], integers)
        interpreter.invoke()
        found.append({index: interpreter.get_tensor(index) for index in tensors})
    return found


def deviation(model: Model, operator: Operator, held: Mapping[int, Array]) -> float:
    """The largest error of the operator's output, in steps of that output. `held`: tensor index ->
    integers.
    """
    values = [real(model, tensor, held) for tensor in operator.inputs]
    if operator.name in BINARY:
        exact = BINARY[operator.name](values[0], values[1])
    elif operator.name in UNARY:
        exact = UNARY[operator.name](values[0])
    elif operator.name == "CONV_2D":
        weights = values[1].reshape(3, -1)
        exact = values[0] @ weights.T + values[2]
    elif operator.name == "CONCATENATION":
        exact = np.concatenate(values, axis=3)
    else:
        assert operator.name == "SLICE"
        exact = values[0][..., int(values[1][3]) :][..., :3]
    if operator.options.get("fused_activation_function"):
        exact = np.maximum(exact, 0)
    (target,) = operator.outputs
    quant = model.subgraphs[0].tensors[target].quant
    assert quant is not None
    scale, zero_point = quant.label
    steps = np.clip(exact / scale + zero_point, -128, 127)
    return float(np.abs(held[target] - steps).max())


def real(model: Model, index: int, held: Mapping[int, Array]) -> Array:
    """Real values of a tensor from its integers (`held`, or the file for constants); a tensor
    without parameters is returned unchanged.
    """
    tensor = model.subgraphs[0].tensors[index]
    data = model.constant(0, index)
    integers = held[index] if data is None else np.frombuffer(data, DTYPES[tensor.type])
    integers = integers.reshape(tensor.shape).astype(np.float64)
    if tensor.quant is None or not tensor.quant.scale:
        return integers
    return (integers - tensor.quant.zero_point[0]) * tensor.quant.scale[0]
