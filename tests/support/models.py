"""Small TFLite models, made with the generated object API: for tests only, never for output.

`model_bytes` builds a file from specifications of its parts; `Graph` grows one operator by
operator; the functions at the end are the models that several test files use.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as fb
from numpy.typing import NDArray

from tflite_align.numerics import int4_pack
from tflite_align.record import Record, field

Array = NDArray[Any]


class Quant(Record, frozen=True, kw_only=True):
    """Affine parameters: one scale, or one for each index along `axis`."""

    scale: tuple[float, ...]
    zero_point: tuple[int, ...]
    axis: int = 0


class TensorSpec(Record, frozen=True, kw_only=True):
    """One tensor; constant when `data` is given, absent (an operand of -1) when `type` is empty."""

    name: str
    type: str
    shape: tuple[int, ...] = ()
    quant: Quant | None = None
    data: Array | None = None
    variable: bool = False
    sparse: bool = False  # stored as a compressed sparse matrix


class OperatorSpec(Record, frozen=True, kw_only=True):
    """One operator; operands are tensor names. `options` names the schema's options table."""

    name: str
    inputs: Sequence[str]
    outputs: Sequence[str]
    options: tuple[str, Mapping[str, Any]] | None = None
    version: int = 1
    custom_code: str = ""


class GraphSpec(Record, frozen=True, kw_only=True):
    tensors: Sequence[TensorSpec]
    operators: Sequence[OperatorSpec]
    inputs: Sequence[str]
    outputs: Sequence[str]
    name: str = field(default="main")


def model_bytes(graphs: Sequence[GraphSpec]) -> bytes:
    """The model of these subgraphs as a FlatBuffer. `graphs`: the subgraphs."""
    model = fb.ModelT()
    model.version = 3
    model.description = "conformance case"
    model.buffers = [fb.BufferT()]
    model.operatorCodes = []
    model.subgraphs = [_subgraph(model, graph) for graph in graphs]
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _subgraph(model: Any, graph: GraphSpec) -> Any:
    present = [spec for spec in graph.tensors if spec.type]
    index = {spec.name: i for i, spec in enumerate(present)}
    index.update({spec.name: -1 for spec in graph.tensors if not spec.type})
    made = fb.SubGraphT()
    made.name = graph.name
    made.tensors = [_tensor(model, spec) for spec in present]
    made.inputs = [index[name] for name in graph.inputs]
    made.outputs = [index[name] for name in graph.outputs]
    made.operators = [_operator(model, spec, index) for spec in graph.operators]
    return made


def _tensor(model: Any, spec: TensorSpec) -> Any:
    made = fb.TensorT()
    made.name = spec.name
    made.type = getattr(fb.TensorType, spec.type.upper())
    made.shape = list(spec.shape)
    made.isVariable = spec.variable
    made.buffer = 0
    if spec.sparse:
        made.sparsity = _sparsity(spec)
    if spec.data is not None:
        buffer = fb.BufferT()
        buffer.data = np.frombuffer(_bytes(spec), dtype=np.uint8)
        made.buffer = len(model.buffers)
        model.buffers.append(buffer)
    if spec.quant is not None:
        made.quantization = fb.QuantizationParametersT()
        made.quantization.scale = list(spec.quant.scale)
        made.quantization.zeroPoint = list(spec.quant.zero_point)
        made.quantization.quantizedDimension = spec.quant.axis
    return made


def _bytes(spec: TensorSpec) -> bytes:
    assert spec.data is not None
    if spec.type == "int4":
        return int4_pack(np.asarray(spec.data, dtype=np.int8).reshape(-1))
    if spec.type == "string":
        return _strings([bytes(word) for word in spec.data.reshape(-1)])
    values = spec.data[np.nonzero(spec.data)] if spec.sparse else spec.data
    data: bytes = np.ascontiguousarray(values, dtype=spec.type).tobytes()
    return data


def _strings(words: Sequence[bytes]) -> bytes:
    """The bytes of a string tensor: count, offsets, text."""
    starts = np.cumsum([4 * (len(words) + 2), *map(len, words)])
    head = np.array([len(words), *starts], dtype="<i4")
    return head.tobytes() + b"".join(words)


def _sparsity(spec: TensorSpec) -> Any:
    """Sparsity of a matrix: dense rows, compressed columns."""
    assert spec.data is not None
    rows, columns = np.nonzero(spec.data)
    dense, compressed = fb.DimensionMetadataT(), fb.DimensionMetadataT()
    dense.format, dense.denseSize = fb.DimensionType.DENSE, spec.shape[0]
    compressed.format = fb.DimensionType.SPARSE_CSR
    ends = np.searchsorted(rows, np.arange(spec.shape[0] + 1))
    for name, values in (("Segments", ends), ("Indices", columns)):
        vector = fb.Int32VectorT()
        vector.values = values.tolist()
        setattr(compressed, f"array{name}", vector)
        setattr(compressed, f"array{name}Type", fb.SparseIndexVector.Int32Vector)
    made = fb.SparsityParametersT()
    made.traversalOrder = [0, 1]
    made.dimMetadata = [dense, compressed]
    return made


def _operator(model: Any, spec: OperatorSpec, index: Mapping[str, int]) -> Any:
    made = fb.OperatorT()
    made.opcodeIndex = _opcode(model, spec)
    made.inputs = [index[name] for name in spec.inputs]
    made.outputs = [index[name] for name in spec.outputs]
    if spec.options is not None:
        table, values = spec.options
        options = getattr(fb, table + "T")()
        for name, value in values.items():
            # Without this check a misspelled field name would have no effect.
            assert hasattr(options, name), f"{table} has no {name}"
            setattr(options, name, value)
        if hasattr(fb.BuiltinOptions, table):
            made.builtinOptionsType = getattr(fb.BuiltinOptions, table)
            made.builtinOptions = options
        else:
            made.builtinOptions2Type = getattr(fb.BuiltinOptions2, table)
            made.builtinOptions2 = options
    return made


def _opcode(model: Any, spec: OperatorSpec) -> int:
    code = getattr(fb.BuiltinOperator, spec.name)
    for i, known in enumerate(model.operatorCodes):
        if known.builtinCode == code and (known.customCode or "") == spec.custom_code:
            return i
    made = fb.OperatorCodeT()
    made.builtinCode = code
    # Codes above 126 do not fit the old field, which then has 127.
    made.deprecatedBuiltinCode = min(code, 127)
    made.version = spec.version
    made.customCode = spec.custom_code or None
    model.operatorCodes.append(made)
    return len(model.operatorCodes) - 1


# --- graphs built by name ------------------------------------------------------------------------

SHAPE = (1, 4, 4, 3)
CONV = ("Conv2DOptions", {"strideH": 1, "strideW": 1, "dilationHFactor": 1, "dilationWFactor": 1})
POOL = ("Pool2DOptions", {"strideH": 1, "strideW": 1, "filterHeight": 1, "filterWidth": 1})
WEIGHT_SCALE = 0.02


class Graph:
    """Builds a model operator by operator; activations are int8 [1, 4, 4, 3] by default."""

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
        """CONV_2D 1x1 from `source` to a new activation, with its weights and bias. `scale`,
        `zero_point`: of the output; `fused`: activation code.
        """
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
        return outputs[0] if outputs else ""

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
    """Conv1 -> Add1, Conv2 -> Add1, Conv2 -> Conv3: PPQ's example of overlapping alignment."""
    graph = Graph()
    graph.activation("x", 0.05)
    graph.conv("x", "c1", 0.1, 3)
    graph.conv("x", "c2", 0.04, -5)
    graph.activation("a1", 0.12)
    graph.add("ADD", ["c1", "c2"], ["a1"], ("AddOptions", {}))
    graph.conv("c2", "c3", 0.09)
    return graph.bytes(["x"], ["a1", "c3"])


def concat_example(first: float = 0.1, second: float = 0.04, out: float = 0.1) -> bytes:
    """Two convolutions into a CONCATENATION whose operands have different scales. `first`,
    `second`, `out`: scales.
    """
    graph = Graph()
    graph.activation("x", 0.05)
    graph.conv("x", "c1", first)
    graph.conv("x", "c2", second)
    graph.activation("cat", out, shape=(1, 4, 4, 6))
    graph.add("CONCATENATION", ["c1", "c2"], ["cat"], ("ConcatenationOptions", {"axis": 3}))
    graph.activation("y", 0.2, shape=(1, 4, 4, 6))
    graph.add("HARD_SWISH", ["cat"], ["y"])
    return graph.bytes(["x"], ["y"])


# --- models whose declared ranges are wider than their values ----------------------------------


def wide_member(second: float = 0.04, out: float = 0.04) -> bytes:
    """A CONCATENATION of two convolutions.

    The first one has range +-12.8, which another reader needs, but with `quiet_inputs` its values
    rarely exceed +-4. `second`, `out`: scales of the second convolution and of the output.
    """
    graph = Graph(seed=3)
    graph.activation("x", 0.05)
    graph.conv("x", "c1", 0.1)
    graph.conv("x", "c2", second)
    graph.activation("cat", out, shape=(1, 4, 4, 6))
    graph.add("CONCATENATION", ["c1", "c2"], ["cat"], ("ConcatenationOptions", {"axis": 3}))
    graph.activation("y", 0.04, shape=(1, 4, 4, 6))
    graph.add("HARD_SWISH", ["cat"], ["y"])
    graph.conv("c1", "z", 0.1)
    return graph.bytes(["x"], ["y", "z"])


def quiet_inputs(count: int = 64) -> Array:
    return np.random.default_rng(0).normal(0, 0.3, (count, 4, 4, 3)).astype(np.float32)


def two_inputs() -> bytes:
    graph = Graph()
    graph.activation("a", 0.05)
    graph.activation("b", 0.05)
    graph.activation("sum", 0.1)
    graph.add("ADD", ["a", "b"], ["sum"], ("AddOptions", {}))
    return graph.bytes(["a", "b"], ["sum"])


def kept_join() -> bytes:
    """Like wide_member, but the CONCATENATION's output, with range +-5.1, is a graph output that
    keeps its parameters.
    """
    graph = Graph(seed=3)
    graph.activation("x", 0.05)
    graph.conv("x", "c1", 0.4)
    graph.activation("cat", 0.04, shape=(1, 4, 4, 6))
    graph.conv("x", "c2", 0.04)
    graph.add("CONCATENATION", ["c1", "c2"], ["cat"], ("ConcatenationOptions", {"axis": 3}))
    graph.conv("c1", "z", 0.1)
    return graph.bytes(["x"], ["cat", "z"])
