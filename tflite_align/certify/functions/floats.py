"""Functions from float32 to an integer (QUANTIZE): output = f(x, output), monotone in the float32
array x.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .affine import INT32, Affine

__all__ = ["quantize_away", "quantize_even"]

Floats = NDArray[np.float32]
Array = NDArray[np.int64]


def _out(steps: NDArray[np.floating[Any]], output: Affine) -> Array:
    """The output integers for rounded results in steps: zero point added, then clamped."""
    # The conversion of values beyond int32 depends on the processor, so they are clamped before it.
    whole = np.clip(steps.astype(np.float64), INT32[0] + 2**17, INT32[1] - 2**17).astype(np.int64)
    return np.clip(whole + output.zero_point, output.low, output.high)


def quantize_away(x: Floats, output: Affine) -> Array:
    """QUANTIZE of LiteRT and TFLM: x / scale in float32, ties away from zero."""
    with np.errstate(over="ignore", invalid="ignore"):  # an infinite quotient has no fraction
        scaled = x / np.float32(output.scale)
        whole = np.trunc(scaled)
        away = np.copysign(np.abs(scaled - whole) >= 0.5, scaled)
    return _out(whole + away, output)


def quantize_even(x: Floats, output: Affine) -> Array:
    """QUANTIZE of XNNPACK: x times float32(1 / scale), ties to even."""
    with np.errstate(over="ignore"):
        scaled = x * (np.float32(1) / np.float32(output.scale))
    return _out(np.rint(scaled), output)
