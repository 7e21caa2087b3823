"""Which tensor types may hold what. Imports nothing: the command line starts with it."""

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

# Types whose integers stand for real values where a scale is declared: those of activations, and
# those of weights too.
ACTIVATION_TYPES = ("int8", "uint8", "int16")
QUANTIZED_TYPES = (*ACTIVATION_TYPES, "int4")

# Types of values that nothing quantized.
FLOATS = ("float32", "float16")

# Types of a bias, whose integers count steps of the accumulator.
BIAS_TYPES = ("int32", "int64")

# Types of a constant bias that can be re-expressed in one of those.
READABLE_BIAS_TYPES = (*BIAS_TYPES, "int8", "uint8", "int16", "float32")

# Types that a conversion can give to the graph's inputs and outputs.
IOType = Literal["int8", "uint8", "int16", "float32"]
BORDER_TYPES: tuple[IOType, ...] = get_args(IOType)
