"""Small aligned graphs with certificates, and mutations of the original, the written file or the
certificate.

A mutant is (original, written). For changed numbers an oracle decides whether the certified bound
is exceeded; a change of anything that must be equal always makes the certificate wrong.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as fb

from tests.support.models import Graph, Quant, TensorSpec
from tflite_align import AlignOptions
from tflite_align.certify.make import make_certificate
from tflite_align.pipeline.aligning import align
from tflite_align.record import Record

__all__ = ["NUMBERS", "STRUCTURE", "Base", "bases", "mutants", "packed", "unpacked"]

Row = dict[str, Any]
Model = Any
Mutate = Callable[[Model, np.random.Generator], None]


class Base(Record, frozen=True, kw_only=True):
    name: str
    original: bytes
    written: bytes
    certificate: Row

    @property
    def mapping(self) -> list[int | None]:
        return [row["original"] for row in self.certificate["subgraphs"][0]["operators"]]

    @property
    def stands_for(self) -> list[int | None]:
        """The original's tensor for each written tensor; tensors without parameters map to
        themselves.
        """
        count = len(unpacked(self.written).subgraphs[0].tensors)
        found: list[int | None] = list(range(count))
        for row in self.certificate["subgraphs"][0]["tensors"]:
            found[row["tensor"]] = row["original"]
        return found


def unpacked(data: bytes) -> Model:
    return fb.ModelT.InitFromPackedBuf(data, 0)


def packed(model: Model) -> bytes:
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _full(graph: Graph, source: str, name: str, by: tuple[float, int], *, fused: int = 0) -> str:
    """FULLY_CONNECTED with one or more inputs and two outputs. `source`, `name`: input and output;
    `by`: (scale, zero point) of the output.
    """
    columns = graph.tensors[source].shape[1]
    given = graph.tensors[source].quant
    assert given is not None
    graph.constant(f"{name}.w", graph.rng.integers(-127, 128, (2, columns)), "int8", 0.02)
    bias = float(np.float32(given.scale[0] * float(np.float32(0.02))))
    graph.constant(f"{name}.b", graph.rng.integers(-900, 900, 2), "int32", bias)
    graph.activation(name, *by, (1, 2))
    options = ("FullyConnectedOptions", {"fusedActivationFunction": fused})
    return graph.add("FULLY_CONNECTED", [source, f"{name}.w", f"{name}.b"], [name], options)


def _reshape(graph: Graph, source: str, name: str, scale: float, zero: int) -> str:
    shape = (2, 1)
    graph.constant(f"{name}.s", list(shape), "int32")
    graph.activation(name, scale, zero, shape)
    return graph.add("RESHAPE", [source, f"{name}.s"], [name], ("ReshapeOptions", {}))


def _join(graph: Graph, one: str, other: str, name: str, by: tuple[float, int]) -> str:
    graph.activation(name, *by, (1, 4))
    return graph.add("CONCATENATION", [one, other], [name], ("ConcatenationOptions", {"axis": 1}))


def _reshaped() -> bytes:
    graph = Graph(seed=1)
    graph.activation("x", 0.05, 4, (1, 1))
    _full(graph, "x", "a", (0.06, 3))
    return graph.bytes(["x"], [_reshape(graph, "a", "y", 0.04, -9)])


def _joined() -> bytes:
    """A CONCATENATION whose operands have different parameters; one of them has another reader."""
    graph = Graph(seed=2)
    graph.activation("x", 0.05, 0, (1, 1))
    _full(graph, "x", "a", (0.11, 0), fused=1)
    _full(graph, "x", "b", (0.04, -20))
    _join(graph, "a", "b", "c", (0.1, 0))
    graph.activation("y", 1 / 256, -128, (1, 4))
    graph.add("LOGISTIC", ["c"], ["y"])
    graph.activation("z", 0.06, 0, (1, 2))
    graph.add("RELU", ["b"], ["z"])
    return graph.bytes(["x"], ["y", "z"])


def _added() -> bytes:
    graph = Graph(seed=3)
    graph.activation("x", 0.03, 10, (1, 1))
    _full(graph, "x", "a", (0.05, 0))
    _full(graph, "x", "b", (0.03, 12), fused=3)
    graph.activation("s", 0.08, -3, (1, 2))
    graph.add("ADD", ["a", "b"], ["s"], ("AddOptions", {}))
    quant = Quant(scale=(0.01,), zero_point=(2,))
    data = np.array([[100, -77]], np.int8)
    graph.tensors["k"] = TensorSpec(name="k", type="int8", shape=(1, 2), quant=quant, data=data)
    graph.activation("m", 0.07, 5, (1, 2))
    graph.add("MUL", ["s", "k"], ["m"], ("MulOptions", {}))
    return graph.bytes(["x"], [_reshape(graph, "m", "y", 0.09, 0)])


def _chosen() -> bytes:
    """NEG of a tensor without negative values, and ARG_MAX."""
    graph = Graph(seed=4)
    graph.activation("x", 0.05, 2, (1, 1))
    _full(graph, "x", "a", (0.06, 0), fused=1)
    graph.activation("n", 0.06, 0, (1, 2))
    graph.add("NEG", ["a"], ["n"], ("NegOptions", {}))
    _reshape(graph, "n", "r", 0.05, 7)
    graph.constant("axis", [0], "int32")
    graph.tensors["y"] = TensorSpec(name="y", type="int32", shape=(1,))
    graph.add("ARG_MAX", ["r", "axis"], ["y"], ("ArgMaxOptions", {"outputType": 2}))
    return graph.bytes(["x"], ["y"])


def bases() -> list[Base]:
    found = []
    for make in (_reshaped, _joined, _added, _chosen):
        original = make()
        written = packed(unpacked(align(original, AlignOptions(verify=False)).data))
        certificate = make_certificate(original, written)
        found.append(
            Base(name=make.__name__, original=original, written=written, certificate=certificate)
        )
    return found


# --- numbers ------------------------------------------------------------------------------------


def _quantized(model: Model) -> list[Any]:
    return [
        t
        for t in model.subgraphs[0].tensors
        if t.quantization is not None and len(t.quantization.scale)
    ]


def _picked(model: Model, rng: np.random.Generator) -> Any:
    tensors = _quantized(model)
    return tensors[int(rng.integers(len(tensors)))]


def _scale(model: Model, rng: np.random.Generator) -> None:
    tensor = _picked(model, rng)
    factor = float(rng.choice([0.1, 0.5, 0.9, 0.97, 1.03, 1.2, 2.0, 7.0]))
    tensor.quantization.scale = [float(np.float32(s * factor)) for s in tensor.quantization.scale]


def _zero(model: Model, rng: np.random.Generator) -> None:
    tensor = _picked(model, rng)
    by = int(rng.choice([-30, -5, -3, -1, 1, 3, 5, 30]))
    zeros = [min(max(int(z) + by, -128), 127) for z in tensor.quantization.zeroPoint]
    tensor.quantization.zeroPoint = zeros


def _constant(model: Model, rng: np.random.Generator) -> None:
    """Flip one bit of a constant."""
    full = [b for b in model.buffers if b.data is not None and len(b.data)]
    buffer = full[int(rng.integers(len(full)))]
    data = np.array(buffer.data, np.uint8)
    data[int(rng.integers(len(data)))] ^= 1 << int(rng.integers(8))
    buffer.data = data


def _activation(model: Model, rng: np.random.Generator) -> None:
    having = [
        operator.builtinOptions
        for operator in model.subgraphs[0].operators
        if hasattr(operator.builtinOptions, "fusedActivationFunction")
    ]
    options = having[int(rng.integers(len(having)))]
    options.fusedActivationFunction = int(rng.integers(4))


def _exchanged(model: Model, rng: np.random.Generator) -> None:
    """Swap the parameters of two activations."""
    one, other = _picked(model, rng), _picked(model, rng)
    one.quantization, other.quantization = (
        copy.deepcopy(other.quantization),
        copy.deepcopy(one.quantization),
    )


NUMBERS: tuple[Mutate, ...] = (_scale, _zero, _constant, _activation, _exchanged)


# --- structure ----------------------------------------------------------------------------------


def _turned_outputs(model: Model, _: np.random.Generator) -> None:
    model.subgraphs[0].outputs = [*list(model.subgraphs[0].outputs)[::-1], 0]


def _renamed(model: Model, rng: np.random.Generator) -> None:
    tensors = model.subgraphs[0].tensors
    tensors[int(rng.integers(4))].name = b"another"


def _reshaped_tensor(model: Model, rng: np.random.Generator) -> None:
    _picked(model, rng).shape = [1, 1, 1, 7]


def _variable(model: Model, rng: np.random.Generator) -> None:
    _picked(model, rng).isVariable = True


def _other_tensor(model: Model, rng: np.random.Generator) -> None:
    operators = model.subgraphs[0].operators
    operator = operators[int(rng.integers(1, len(operators)))]
    operator.inputs = [model.subgraphs[0].inputs[0], *list(operator.inputs)[1:]]


def _dropped(model: Model, rng: np.random.Generator) -> None:
    operators = model.subgraphs[0].operators
    del operators[int(rng.integers(len(operators)))]


def _doubled(model: Model, rng: np.random.Generator) -> None:
    operators = model.subgraphs[0].operators
    place = int(rng.integers(len(operators)))
    operators.insert(place, copy.deepcopy(operators[place]))


def _other_operator(model: Model, rng: np.random.Generator) -> None:
    codes = model.operatorCodes
    code = codes[int(rng.integers(len(codes)))]
    code.builtinCode = code.deprecatedBuiltinCode = fb.BuiltinOperator.ABS


def _typed(model: Model, rng: np.random.Generator) -> None:
    _picked(model, rng).type = int(rng.choice([fb.TensorType.UINT8, fb.TensorType.INT16]))


def _metadata(model: Model, _: np.random.Generator) -> None:
    entry = fb.MetadataT()
    entry.name, entry.buffer = b"extra", 0
    model.metadata = [entry]


def _described(model: Model, _: np.random.Generator) -> None:
    model.description = b"another"


def _signed(model: Model, _: np.random.Generator) -> None:
    signature, name = fb.SignatureDefT(), fb.TensorMapT()
    name.name, name.tensorIndex = b"x", 0
    signature.signatureKey, signature.inputs, signature.outputs = b"run", [name], []
    signature.subgraphIndex = 0
    model.signatureDefs = [signature]


STRUCTURE: tuple[Mutate, ...] = (
    _turned_outputs, _renamed, _reshaped_tensor, _variable, _other_tensor, _dropped, _doubled,
    _other_operator, _typed, _metadata, _described, _signed,
)  # fmt: skip


def mutants(
    base: Base, rng: np.random.Generator, kinds: tuple[Mutate, ...]
) -> Iterator[tuple[str, Model, Model]]:
    """An endless sequence of (description, original, written); in seven of eight the written file
    is changed, in the others the original.
    """
    while True:
        mutate = kinds[int(rng.integers(len(kinds)))]
        original, written = unpacked(base.original), unpacked(base.written)
        hit = original if kinds is NUMBERS and rng.integers(8) == 0 else written
        mutate(hit, rng)
        yield mutate.__name__, original, written
