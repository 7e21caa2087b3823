"""Groups of tensor types by use. Imports nothing, because the command line loads it first."""

from __future__ import annotations

from typing import Literal, get_args

__all__ = [
    "ACTIVATION_TYPES",
    "BIAS_TYPES",
    "BORDER_TYPES",
    "FLOATS",
    "QUANTIZED_TYPES",
    "READABLE_BIAS_TYPES",
    "IOType",
]

# Types of activations whose integers stand for real values if a scale is declared, and
# the same with types of weights.
ACTIVATION_TYPES = ("int8", "uint8", "int16")
QUANTIZED_TYPES = (*ACTIVATION_TYPES, "int4")

# Types of values that are not quantized.
FLOATS = ("float32", "float16")

# Types of a bias, in units of accumulator steps.
BIAS_TYPES = ("int32", "int64")

# Types of a constant bias that can be requantized to one of those.
READABLE_BIAS_TYPES = (*BIAS_TYPES, "int8", "uint8", "int16", "float32")

# Types that a conversion can give to graph inputs and outputs.
IOType = Literal["int8", "uint8", "int16", "float32"]
BORDER_TYPES: tuple[IOType, ...] = get_args(IOType)
