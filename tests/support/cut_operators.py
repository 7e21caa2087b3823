"""Single operators extracted from a file, with their constants, as runnable models."""

from __future__ import annotations

from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as fb
from numpy.typing import NDArray

from tflite_align.record import Record

Array = NDArray[Any]

_DTYPES = {
    fb.TensorType.INT8: np.int8,
    fb.TensorType.UINT8: np.uint8,
    fb.TensorType.INT16: np.int16,
    fb.TensorType.INT32: np.int32,
    fb.TensorType.INT64: np.int64,
    fb.TensorType.FLOAT32: np.float32,
    fb.TensorType.BOOL: np.bool_,
}


class CutOperator(Record, frozen=True, kw_only=True):
    """A runnable model of one operator; `inputs`: its input arrays, in order."""

    name: str
    data: bytes
    inputs: list[Array]

    def model(self) -> bytes:
        return self.data

    def fed(self) -> list[Array]:
        return self.inputs


class Cutter:
    """Extracts operators from the first subgraph of a file."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def cut(
        self,
        index: int,
        name: str,
        rng: np.random.Generator,
        *,
        accumulator: tuple[int, int, int] | None = None,
    ) -> CutOperator:
        """The operator with random integers as inputs.

        `accumulator`: sets all weights to their zero point and the bias of this channel to this
        integer. `index`: of the operator; `name`: of the new model.
        """
        model = fb.ModelT.InitFromPackedBuf(self._data, 0)
        graph = model.subgraphs[0]
        operator = graph.operators[index]
        graph.operators = [operator]
        given = [i for i in dict.fromkeys(operator.inputs) if i >= 0 and not _constant(model, i)]
        graph.inputs, graph.outputs = given, list(operator.outputs)
        model.signatureDefs, model.metadata = None, None
        model.subgraphs = [graph]
        if accumulator is not None:
            _set_accumulator(model, operator, *accumulator)
        builder = flatbuffers.Builder(1024)
        builder.Finish(model.Pack(builder), b"TFL3")
        fed = [_random(graph.tensors[i], rng) for i in given]
        return CutOperator(name=name, data=bytes(builder.Output()), inputs=fed)


def _constant(model: Any, index: int) -> bool:
    data = model.buffers[model.subgraphs[0].tensors[index].buffer].data
    return data is not None and len(data) > 0


def _random(tensor: Any, rng: np.random.Generator) -> Array:
    shape = [max(size, 1) for size in tensor.shape]
    return random_like(np.empty(shape, _DTYPES[tensor.type]), rng)


def random_like(value: Array, rng: np.random.Generator) -> Array:
    """Random numbers of an array's shape and type; integers over all of the type's range."""
    if value.dtype.kind not in "iu":
        return rng.normal(size=value.shape).astype(value.dtype)
    limits: Any = np.iinfo(value.dtype)
    return rng.integers(limits.min, limits.max, value.shape, endpoint=True, dtype=value.dtype)


def _set_accumulator(model: Any, operator: Any, bias: int, channel: int, value: int) -> None:
    tensors = model.subgraphs[0].tensors
    weights = tensors[operator.inputs[1]]
    zero = int(weights.quantization.zeroPoint[0]) if len(weights.quantization.zeroPoint) else 0
    stored = model.buffers[weights.buffer]
    stored.data = np.full(len(stored.data), zero % 256, dtype=np.uint8)
    added = tensors[operator.inputs[bias]]
    values = np.zeros(added.shape, dtype=_DTYPES[added.type])
    values.reshape(-1)[channel] = value
    model.buffers[added.buffer].data = np.frombuffer(values.tobytes(), dtype=np.uint8)
