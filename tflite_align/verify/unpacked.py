"""Queries on an unpacked model: which tensors have real values, their types and parameters.

All functions take the mutable objects of `object_api.parse`. Float tensors and quantized tensors
have real values; indices, shapes and raw integers without parameters do not.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import UnsupportedError
from ..format.type_groups import BIAS_TYPES, QUANTIZED_TYPES
from ..numerics import Label
from ..record import Record
from .object_api import builtin_name, schema, type_name

__all__ = [
    "BIAS_SLOT",
    "CUSTOM",
    "Params",
    "is_constant",
    "is_stateful",
    "operator_name",
    "params",
    "quantized_tensors",
    "real_tensors",
    "tensor_name",
]

CUSTOM = "CUSTOM:"  # prefix of a custom operator's name
# Operand position of the bias, and the two positions whose scales make the bias scale.
BIAS_SLOT = {
    "CONV_2D": (2, 0, 1),
    "DEPTHWISE_CONV_2D": (2, 0, 1),
    "FULLY_CONNECTED": (2, 0, 1),
    "TRANSPOSE_CONV": (3, 2, 1),
}
_FLOATS = ("float32", "float16", "bfloat16", "float64")
_RECURRENT = ("UNIDIRECTIONAL_SEQUENCE_LSTM", "BIDIRECTIONAL_SEQUENCE_LSTM", "LSTM", "SVDF")


class Params(Record, frozen=True, kw_only=True):
    """Affine parameters as the file declares them: real = scale * (integer - zero_point)."""

    scale: npt.NDArray[np.float32]
    zero_point: npt.NDArray[np.int64]
    axis: int

    @property
    def per_tensor(self) -> bool:
        """Whether there is exactly one scale."""
        return len(self.scale) == 1

    @property
    def label(self) -> Label:
        """The first scale and zero point."""
        return Label(float(self.scale[0]), int(self.zero_point[0]))


def operator_name(model: Any, operator: Any) -> str:
    """`CONV_2D`; for a custom operator its own name, as `CUSTOM:Name`."""
    code = model.operatorCodes[operator.opcodeIndex]
    name = builtin_name(max(code.builtinCode, code.deprecatedBuiltinCode))
    if name != "CUSTOM":
        return name
    return f"{CUSTOM}{(code.customCode or b'').decode(errors='replace')}"


def tensor_name(tensor: Any) -> str:
    """The tensor's name as text."""
    return (tensor.name or b"").decode(errors="replace")


def is_constant(model: Any, tensor: Any) -> bool:
    """Whether the tensor has data in the file and is no variable."""
    data = model.buffers[tensor.buffer].data
    return data is not None and len(data) > 0 and not tensor.isVariable


def params(tensor: Any) -> Params | None:
    """The declared parameters; None without any. Raises UnsupportedError for schemes other than
    affine.
    """
    quant = tensor.quantization
    if quant is None:
        return None
    if quant.detailsType != 0:
        raise UnsupportedError(f"{tensor_name(tensor)}: a quantization scheme beyond affine")
    if quant.scale is None or len(quant.scale) == 0 or not np.all(quant.scale):
        return None
    scale = np.asarray(quant.scale, np.float32)
    zeros = [] if quant.zeroPoint is None else quant.zeroPoint
    zero_point = np.zeros(len(scale), np.int64)
    if len(zeros) in (1, len(scale)):
        zero_point[:] = np.asarray(zeros, np.int64)
    return Params(scale=scale, zero_point=zero_point, axis=int(quant.quantizedDimension))


def quantized_tensors(model: Any, graph: Any) -> set[int]:
    """Indices of the tensors whose integers represent real values.

    int32 and int64 count only as a bias, or as operand of a QUANTIZE or DEQUANTIZE: old converters
    leave wrong parameters on shapes and indices.
    """
    tensors = {
        index
        for index, tensor in enumerate(graph.tensors)
        if type_name(tensor.type) in QUANTIZED_TYPES and params(tensor) is not None
    }
    for operator in graph.operators:
        name = operator_name(model, operator)
        if name in ("QUANTIZE", "DEQUANTIZE"):
            slots = [*operator.inputs, *operator.outputs]
        elif name in BIAS_SLOT:
            slots = operator.inputs[BIAS_SLOT[name][0] :][:1]
        elif name in _RECURRENT:
            slots = operator.inputs
        else:
            continue
        for index in slots:
            if index >= 0 and type_name(graph.tensors[index].type) in BIAS_TYPES:
                tensor = graph.tensors[index]
                if params(tensor) is not None or name in BIAS_SLOT:
                    tensors.add(index)
    return tensors


def real_tensors(model: Any, graph: Any) -> set[int]:
    """Indices of quantized tensors and float tensors."""
    floats = {i for i, t in enumerate(graph.tensors) if type_name(t.type) in _FLOATS}
    return floats | quantized_tensors(model, graph)


def is_stateful(model: Any) -> bool:
    """Whether an invoke depends on the invokes before it (resource variables, variable tensors)."""
    variable = schema().TensorType.RESOURCE
    return any(
        tensor.isVariable or tensor.type == variable
        for graph in model.subgraphs
        for tensor in graph.tensors
    )
