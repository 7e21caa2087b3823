"""Constants of the float twin: the real values that a quantized constant declares."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import UnsupportedError
from .object_api import type_name
from .unpacked import Params, params, tensor_name

__all__ = ["can_stay_integer", "real_values"]

_DTYPES = {
    "int8": np.int8,
    "uint8": np.uint8,
    "int16": np.int16,
    "int32": np.int32,
    "int64": np.int64,
}
# Constants with fewer bytes become float constants, since some operators need a constant operand.
_SMALL = 4096


def can_stay_integer(model: Any, tensor: Any) -> bool:
    """Whether the twin may keep this constant as integers behind a DEQUANTIZE: LiteRT's kernel
    reads its type, and it is large enough for the saved memory to count.
    """
    quant = params(tensor)
    tensor_type = type_name(tensor.type)
    if quant is None or len(model.buffers[tensor.buffer].data) < _SMALL:
        return False
    if tensor_type == "int16":
        return quant.per_tensor and quant.label.zero_point == 0
    return tensor_type in ("int8", "uint8")


def real_values(
    model: Any, tensor: Any, fallback: npt.NDArray[np.float32] | None = None
) -> npt.NDArray[np.float32]:
    """The real values of a constant by its declared parameters, in the tensor's shape.

    `fallback`: scales for a bias without declared ones (input scale x weight scales). Raises
    UnsupportedError for a type without integers, values that do not fit the shape, and real values
    that float32 cannot hold.
    """
    if tensor.sparsity is not None:
        raise UnsupportedError(f"{tensor_name(tensor)}: sparse constant")
    shape = [] if tensor.shape is None else [int(size) for size in tensor.shape]
    integers = _integers(model.buffers[tensor.buffer].data, type_name(tensor.type), shape, tensor)
    quant = params(tensor)
    if quant is None:
        if fallback is None:
            raise UnsupportedError(f"{tensor_name(tensor)}: integers without parameters")
        quant = Params(scale=fallback, zero_point=np.zeros(len(fallback), np.int64), axis=0)
    if quant.per_tensor:
        scale, zero = quant.label
        return _in_float32(integers, np.float64(zero), np.float64(scale), tensor)
    axis = 0 if integers.ndim == 1 else quant.axis
    if axis >= integers.ndim or integers.shape[axis] != len(quant.scale):
        raise UnsupportedError(
            f"{tensor_name(tensor)}: {len(quant.scale)} scales for shape {shape}, axis {axis}"
        )
    along = [1] * integers.ndim
    along[axis] = -1
    zeros = quant.zero_point.astype(np.float64).reshape(along)
    scales = quant.scale.astype(np.float64).reshape(along)
    return _in_float32(integers, zeros, scales, tensor)


def _in_float32(integers: Any, zeros: Any, scales: Any, tensor: Any) -> npt.NDArray[np.float32]:
    """(integers - zeros) * scales in float32; UnsupportedError where that is beyond its range.

    `zeros` and `scales` (real value of one step) are of float64 and broadcast to `integers`.
    """
    with np.errstate(over="ignore", invalid="ignore"):  # a scale may be infinite or NaN
        values = np.asarray((integers.astype(np.float64) - zeros) * scales, np.float32)
    if not np.isfinite(values).all():
        raise UnsupportedError(f"{tensor_name(tensor)}: real values beyond the range of float32")
    return values


def _integers(data: Any, tensor_type: str, shape: list[int], tensor: Any) -> npt.NDArray[Any]:
    """The integers of a constant, in its shape. `data`: its bytes. `tensor_type`: its type's name."""
    raw = np.asarray(data, np.uint8).tobytes()
    count = int(np.prod(shape)) if shape else 1
    if tensor_type == "int4":
        packed = np.frombuffer(raw, np.int8)
        both = np.stack([(packed << 4).astype(np.int8) >> 4, packed >> 4], axis=-1)
        flat: npt.NDArray[Any] = both.reshape(-1)[:count]
    elif tensor_type in _DTYPES:
        flat = np.frombuffer(raw, np.dtype(_DTYPES[tensor_type]).newbyteorder("<"))
    else:
        raise UnsupportedError(f"{tensor_name(tensor)}: {tensor_type} constant")
    if flat.size != count:
        raise UnsupportedError(f"{tensor_name(tensor)}: {flat.size} values for the shape {shape}")
    return flat.reshape(shape)
