"""Small quantized graphs for tests of solver, planner and pipeline, by the names of their parts."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.rules.build import GraphSpec, OperatorSpec, Quant, TensorSpec, model_bytes

SHAPE = (1, 4, 4, 3)
CONV = ("Conv2DOptions", {"strideH": 1, "strideW": 1, "dilationHFactor": 1, "dilationWFactor": 1})
POOL = ("Pool2DOptions", {"strideH": 1, "strideW": 1, "filterHeight": 1, "filterWidth": 1})
WEIGHT_SCALE = 0.02


class Graph:
    """Grows a model operator by operator; every activation is int8 [1, 4, 4, 3] unless said."""

    def __init__(self, type_name: str = "int8", seed: int = 0) -> None:
        self.type = type_name
        self.tensors: dict[str, TensorSpec] = {}
        self.operators: list[OperatorSpec] = []
        self.rng = np.random.default_rng(seed)

    def activation(
        self, name: str, scale: float, zero_point: int = 0, shape: tuple[int, ...] = SHAPE
    ) -> str:
        quant = Quant(scale=(scale,), zero_point=(zero_point,))
        self.tensors[name] = TensorSpec(name=name, type=self.type, shape=shape, quant=quant)
        return name

    def constant(self, name: str, data: Any, type_name: str, scale: float | None = None) -> str:
        quant = None if scale is None else Quant(scale=(scale,), zero_point=(0,))
        data = np.asarray(data, dtype=type_name)
        self.tensors[name] = TensorSpec(
            name=name, type=type_name, shape=data.shape, quant=quant, data=data
        )
        return name

    def conv(
        self, source: str, name: str, scale: float, zero_point: int = 0, *, fused: int = 0
    ) -> str:
        """CONV_2D 1x1 from `source` to a new activation, with its weights and bias."""
        weights = self.rng.integers(-127, 128, (3, 1, 1, 3))
        given = self.tensors[source].quant
        assert given is not None
        bias_type = "int64" if self.type == "int16" else "int32"
        self.constant(f"{name}.w", weights, "int8", WEIGHT_SCALE)
        self.constant(
            f"{name}.b",
            self.rng.integers(-2000, 2000, 3),
            bias_type,
            float(np.float32(given.scale[0] * float(np.float32(WEIGHT_SCALE)))),
        )
        self.activation(name, scale, zero_point)
        options = (CONV[0], {**CONV[1], "fusedActivationFunction": fused})
        return self.add("CONV_2D", [source, f"{name}.w", f"{name}.b"], [name], options)

    def add(
        self,
        operator: str,
        inputs: list[str],
        outputs: list[str],
        options: tuple[str, dict[str, Any]] | None = None,
    ) -> str:
        self.operators.append(
            OperatorSpec(name=operator, inputs=inputs, outputs=outputs, options=options)
        )
        return outputs[0]

    def bytes(self, inputs: list[str], outputs: list[str]) -> bytes:
        return model_bytes(
            [
                GraphSpec(
                    tensors=list(self.tensors.values()),
                    operators=self.operators,
                    inputs=inputs,
                    outputs=outputs,
                )
            ]
        )


def ppq_example() -> bytes:
    """Conv1 -> Add1, Conv2 -> Add1, Conv2 -> Conv3: PPQ's picture of overlapping alignment."""
    graph = Graph()
    graph.activation("x", 0.05)
    graph.conv("x", "c1", 0.1, 3)
    graph.conv("x", "c2", 0.04, -5)
    graph.activation("a1", 0.12)
    graph.add("ADD", ["c1", "c2"], ["a1"], ("AddOptions", {}))
    graph.conv("c2", "c3", 0.09)
    return graph.bytes(["x"], ["a1", "c3"])


def concat_example(first: float = 0.1, second: float = 0.04, out: float = 0.1) -> bytes:
    """Two convolutions into a CONCATENATION whose operands disagree."""
    graph = Graph()
    graph.activation("x", 0.05)
    graph.conv("x", "c1", first)
    graph.conv("x", "c2", second)
    graph.activation("cat", out, shape=(1, 4, 4, 6))
    graph.add("CONCATENATION", ["c1", "c2"], ["cat"], ("ConcatenationOptions", {"axis": 3}))
    graph.activation("y", 0.2, shape=(1, 4, 4, 6))
    graph.add("HARD_SWISH", ["cat"], ["y"])
    return graph.bytes(["x"], ["y"])
