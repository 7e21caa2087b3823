"""Small models for comparing PPQ's alignment pass with ours."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tests.support.models import POOL, SHAPE, Graph, TensorSpec
from tflite_align.record import replace

__all__ = ["TOPOLOGIES"]


class _Net(Graph):
    """Convolutions c1, c2, ... of one input x with the labels of `LABELS`, and operators that join
    them.
    """

    LABELS = ((0.06, 60), (0.04, -100), (0.07, 11), (0.2, -60))

    def __init__(self, convolutions: int) -> None:
        super().__init__()
        self.activation("x", 0.05)
        for number in range(convolutions):
            self.conv("x", f"c{number + 1}", *self.LABELS[number])

    def join(
        self, operator: str, inputs: list[str], output: str, scale: float, zero_point: int
    ) -> str:
        """An elementwise operator of equal shapes. `inputs`, `output`: names; `scale`,
        `zero_point`: of the output.
        """
        self.activation(output, scale, zero_point)
        table = {"ADD_N": "AddNOptions", "MAXIMUM": "MaximumMinimumOptions"}
        kind = table.get(operator, f"{operator.capitalize()}Options")
        return self.add(operator, inputs, [output], (kind, {}))

    def concat(self, inputs: list[str], output: str, scale: float, zero_point: int) -> str:
        channels = sum(self.tensors[name].shape[-1] for name in inputs)
        self.activation(output, scale, zero_point, shape=(1, 4, 4, channels))
        return self.add("CONCATENATION", inputs, [output], ("ConcatenationOptions", {"axis": 3}))

    def pool(self, operator: str, source: str, output: str, scale: float, zero_point: int) -> str:
        self.activation(output, scale, zero_point)
        return self.add(operator, [source], [output], POOL)

    def resize(self, source: str, output: str, scale: float, zero_point: int) -> str:
        self.activation(output, scale, zero_point)
        self.constant(f"{output}.size", [4, 4], "int32")
        return self.add(
            "RESIZE_BILINEAR",
            [source, f"{output}.size"],
            [output],
            ("ResizeBilinearOptions", {}),
        )

    def passed(self, operator: str, source: str, output: str, scale: float, zero_point: int) -> str:
        """A SLICE or RESHAPE that hands on the whole tensor. `scale`, `zero_point`: of
        the output.
        """
        shape = self.tensors[source].shape
        self.activation(output, scale, zero_point, shape=shape)
        given = [source]
        if operator == "SLICE":
            given.append(self.constant(f"{output}.begin", [0] * len(shape), "int32"))
        given.append(self.constant(f"{output}.shape", list(shape), "int32"))
        return self.add(operator, given, [output], (f"{operator.capitalize()}Options", {}))

    def end(self, *names: str) -> bytes:
        """The model, with a convolution that reads each of these tensors."""
        ends = [self.conv(name, f"end_{name}", 0.09, 2) for name in names]
        return self.bytes(["x"], ends)


def _seed() -> bytes:
    net = _Net(2)
    net.join("ADD", ["c1", "c2"], "a1", 0.12, 1)
    return net.end("a1", "c2")


def _elementwise(operator: str) -> Callable[[], bytes]:
    def build() -> bytes:
        net = _Net(2)
        net.join(operator, ["c1", "c2"], "a1", 0.12, 1)
        return net.end("a1")

    return build


def _chain_of_sums() -> bytes:
    net = _Net(3)
    net.join("ADD", ["c1", "c2"], "a1", 0.12, 1)
    net.join("ADD", ["a1", "c3"], "a2", 0.3, -7)
    return net.end("a2")


def _concat(inputs: int, *ends: str) -> Callable[[], bytes]:
    def build() -> bytes:
        net = _Net(inputs)
        net.concat([f"c{number + 1}" for number in range(inputs)], "k", 0.09, 6)
        return net.end("k", *ends)

    return build


def _concat_of_concat() -> bytes:
    net = _Net(3)
    net.concat(["c1", "c2"], "k1", 0.09, 6)
    net.concat(["k1", "c3"], "k2", 0.11, -4)
    return net.end("k2")


def _two_concats_share() -> bytes:
    net = _Net(3)
    net.concat(["c1", "c2"], "k1", 0.09, 6)
    net.concat(["c2", "c3"], "k2", 0.11, -4)
    return net.end("k1", "k2")


def _two_sums_share() -> bytes:
    net = _Net(2)
    net.conv("x", "wide", 0.2, -60)
    net.join("ADD", ["c1", "c2"], "a1", 0.12, 1)
    net.join("ADD", ["c2", "wide"], "a2", 0.3, -7)
    return net.end("a1", "a2")


def _pool(operator: str, scale: float, zero_point: int, *ends: str) -> Callable[[], bytes]:
    def build() -> bytes:
        net = _Net(1)
        net.pool(operator, "c1", "p1", scale, zero_point)
        return net.end("p1", *ends)

    return build


def _pool_to_concat(operator: str, scale: float, zero_point: int) -> Callable[[], bytes]:
    def build() -> bytes:
        net = _Net(2)
        net.pool(operator, "c1", "p1", scale, zero_point)
        net.concat(["p1", "c2"], "k", 0.09, 6)
        return net.end("k")

    return build


def _resize(*ends: str) -> Callable[[], bytes]:
    def build() -> bytes:
        net = _Net(1)
        net.resize("c1", "r1", 0.08, 4)
        return net.end("r1", *ends)

    return build


def _twice(operator: str) -> Callable[[], bytes]:
    def build() -> bytes:
        net = _Net(1)
        if operator == "CONCATENATION":
            net.concat(["c1", "c1"], "a1", 0.08, 6)
        else:
            net.join(operator, ["c1", "c1"], "a1", 0.2, 3)
        return net.end("a1")

    return build


def _of_graph_input(operator: str) -> Callable[[], bytes]:
    def build() -> bytes:
        net = _Net(1)
        if operator == "CONCATENATION":
            net.concat(["x", "c1"], "a1", 0.08, 6)
        else:
            net.join(operator, ["x", "c1"], "a1", 0.13, 3)
        return net.end("a1")

    return build


def _to_graph_output(operator: str) -> Callable[[], bytes]:
    def build() -> bytes:
        net = _Net(2)
        if operator == "CONCATENATION":
            net.concat(["c1", "c2"], "a1", 0.09, 6)
        else:
            net.join(operator, ["c1", "c2"], "a1", 0.12, 1)
        return net.bytes(["x"], ["a1"])

    return build


def _split_to_sum() -> bytes:
    net = _Net(0)
    tall = (1, 8, 4, 3)  # twice the height of other tensors, so that its halves fit them
    net.activation("tall", 0.05, shape=tall)
    net.conv("tall", "c1", 0.1, 3)
    net.tensors["c1"] = replace(net.tensors["c1"], shape=tall)
    net.conv("x", "c2", 0.04, -100)
    for name in ("s1", "s2"):
        net.activation(name, 0.1, 3)
    net.constant("axis", 1, "int32")
    net.add("SPLIT", ["axis", "c1"], ["s1", "s2"], ("SplitOptions", {"numSplits": 2}))
    net.join("ADD", ["s1", "c2"], "a1", 0.12, 1)
    ends = [net.conv(name, f"end_{name}", 0.09, 2) for name in ("a1", "s2")]
    return net.bytes(["x", "tall"], ends)


def _passed_to_concat(operator: str) -> Callable[[], bytes]:
    def build() -> bytes:
        net = _Net(2)
        net.passed(operator, "c1", "s1", 0.06, 60)
        net.concat(["s1", "c2"], "k", 0.08, 6)
        return net.end("k")

    return build


def _passed_to_sum(scale: float, zero_point: int) -> Callable[[], bytes]:
    def build() -> bytes:
        net = _Net(2)
        net.passed("RESHAPE", "c1", "s1", scale, zero_point)
        net.join("ADD", ["s1", "c2"], "a1", 0.12, 1)
        return net.end("a1")

    return build


def _residual() -> bytes:
    net = _Net(1)
    net.conv("c1", "c2", 0.04, -100)
    net.join("ADD", ["c1", "c2"], "a1", 0.12, 1)
    return net.end("a1")


def _sum_into_concat() -> bytes:
    net = _Net(3)
    net.join("ADD", ["c1", "c2"], "a1", 0.12, 1)
    net.concat(["a1", "c3"], "k", 0.09, 6)
    return net.end("k")


def _concat_into_sum() -> bytes:
    net = _Net(2)
    net.conv("x", "c3", 0.07, 11)
    net.concat(["c1"], "k", 0.09, 6)
    net.join("ADD", ["k", "c3"], "a1", 0.12, 1)
    return net.end("a1", "c2")


def _sum_output_joined_again() -> bytes:
    """Operands joined with a sum of themselves: x1 + x1 = a1, a1 - x1 = a2."""
    net = _Net(1)
    net.join("ADD", ["c1", "c1"], "a1", 0.2, 3)
    net.join("SUB", ["a1", "c1"], "a2", 0.12, 1)
    return net.end("a2")


def _less() -> bytes:
    net = _Net(2)
    net.tensors["b"] = TensorSpec(name="b", type="bool", shape=SHAPE, quant=None)
    net.add("LESS", ["c1", "c2"], ["b"], ("LessOptions", {}))
    return net.bytes(["x"], ["b"])


def _pack() -> bytes:
    net = _Net(2)
    net.activation("k", 0.09, 6, shape=(2, 1, 4, 4, 3))
    options: tuple[str, dict[str, Any]] = ("PackOptions", {"valuesCount": 2, "axis": 0})
    net.add("PACK", ["c1", "c2"], ["k"], options)
    return net.bytes(["x"], ["k"])


def _mean(*axes: int) -> Callable[[], bytes]:
    def build() -> bytes:
        net = _Net(1)
        shape = tuple(1 if axis in axes else size for axis, size in enumerate((1, 4, 4, 3)))
        net.activation("m", 0.03, 6, shape=shape)
        net.constant("axes", list(axes), "int32")
        net.add("MEAN", ["c1", "axes"], ["m"], ("ReducerOptions", {"keepDims": True}))
        return net.bytes(["x"], ["m"])

    return build


def _scatter() -> bytes:
    net = _Net(1)
    net.constant("places", [[0]], "int32")
    net.constant("shape", [1, 4, 4, 3], "int32")
    net.activation("k", 0.09, 6)
    net.add("SCATTER_ND", ["places", "c1", "shape"], ["k"], ("ScatterNdOptions", {}))
    return net.end("k")


# name -> function that makes the model, and the families whose policies are varied.
TOPOLOGIES: Mapping[str, tuple[Callable[[], bytes], tuple[str, ...]]] = {
    "seed": (_seed, ("elementwise",)),
    "add": (_elementwise("ADD"), ("elementwise",)),
    "sub": (_elementwise("SUB"), ("elementwise",)),
    "mul": (_elementwise("MUL"), ("elementwise",)),
    "maximum": (_elementwise("MAXIMUM"), ("elementwise",)),
    "chain of sums": (_chain_of_sums, ("elementwise",)),
    "concat of two": (_concat(2), ("concat",)),
    "concat of three": (_concat(3), ("concat",)),
    "concat of concat": (_concat_of_concat, ("concat",)),
    "concat shares an input": (_concat(2, "c2"), ("concat",)),
    "two concats share": (_two_concats_share, ("concat",)),
    "two sums share": (_two_sums_share, ("elementwise",)),
    "max pool": (_pool("MAX_POOL_2D", 0.08, 4), ("pooling",)),
    "max pool, equal": (_pool("MAX_POOL_2D", 0.06, 60), ("pooling",)),
    "max pool into concat": (_pool_to_concat("MAX_POOL_2D", 0.06, 60), ("concat", "pooling")),
    "average pool": (_pool("AVERAGE_POOL_2D", 0.08, 4), ("pooling",)),
    "average pool shares its input": (_pool("AVERAGE_POOL_2D", 0.08, 4, "c1"), ("pooling",)),
    "average pool into concat": (
        _pool_to_concat("AVERAGE_POOL_2D", 0.08, 4),
        ("concat", "pooling"),
    ),
    "resize": (_resize(), ("resize",)),
    "resize shares its input": (_resize("c1"), ("resize",)),
    "sum of one tensor twice": (_twice("ADD"), ("elementwise",)),
    "concat of one tensor twice": (_twice("CONCATENATION"), ("concat",)),
    "sum of a graph input": (_of_graph_input("ADD"), ("elementwise",)),
    "concat of a graph input": (_of_graph_input("CONCATENATION"), ("concat",)),
    "sum as graph output": (_to_graph_output("ADD"), ("elementwise",)),
    "concat as graph output": (_to_graph_output("CONCATENATION"), ("concat",)),
    "split into sum": (_split_to_sum, ("elementwise",)),
    "slice into concat": (_passed_to_concat("SLICE"), ("concat",)),
    "reshape into concat": (_passed_to_concat("RESHAPE"), ("concat",)),
    "reshape into sum": (_passed_to_sum(0.06, 60), ("elementwise",)),
    "broken reshape into sum": (_passed_to_sum(0.08, 4), ("elementwise",)),
    "residual": (_residual, ("elementwise",)),
    "sum into concat": (_sum_into_concat, ("elementwise", "concat")),
    "concat into sum": (_concat_into_sum, ("elementwise", "concat")),
    "sum whose output comes back": (_sum_output_joined_again, ("elementwise",)),
    "less": (_less, ("logical",)),
    "pack": (_pack, ("concat",)),
    "mean over the image": (_mean(1, 2), ("pooling",)),
    "scatter": (_scatter, ("concat",)),
}
