"""A float twin that clips where the file's ranges do: the declared reading without rounding."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tflite_align.format.type_groups import ACTIVATION_TYPES
from tflite_align.numerics import INTEGER_LIMITS
from tflite_align.verify import twin
from tflite_align.verify.frontier import Frontier
from tflite_align.verify.object_api import schema

__all__ = ["saturating_twin"]


def saturating_twin(data: bytes, frontier: Frontier) -> bytes:
    """The model with every quantized activation made a float that is clipped to its declared range.
    `frontier`: the outputs that a verification compares.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(twin._VERSIONS, "MAXIMUM", 1)
        patch.setitem(twin._VERSIONS, "MINIMUM", 1)
        patch.setattr(twin.FloatGraph, "pair", _clip)
        return twin.declared(data, frontier)


def _clip(floats: Any, source: int, target: int) -> None:
    """Clip float values to a tensor's declared range, in place of QUANTIZE and DEQUANTIZE.
    `source`, `target`: tensor indices.
    """
    kind, scale, zero = floats.label(target if target in floats.declared else source)
    if kind not in ACTIVATION_TYPES:
        floats.insert("CAST", [source], [target])
        return
    low, high = ((limit - zero) * scale for limit in INTEGER_LIMITS[kind])
    raised = floats.like(source, "raised")
    floats.insert("MAXIMUM", [source, _edge(floats, source, low)], [raised])
    floats.insert("MINIMUM", [raised, _edge(floats, source, high)], [target])


def _edge(floats: Any, like: int, value: float) -> int:
    buffer = schema().BufferT()
    buffer.data = np.frombuffer(np.float32(value).tobytes(), np.uint8)
    buffer.offset = buffer.size = 0
    floats.model.buffers.append(buffer)
    index: int = floats.like(like, "edge")
    tensor = floats.graph.tensors[index]
    tensor.shape, tensor.shapeSignature = np.array([], np.int32), None
    tensor.buffer = len(floats.model.buffers) - 1
    return index
