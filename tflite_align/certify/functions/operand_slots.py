"""Positions of operands by content: weights and biases, data that an operator copies.

tests/certify/test_operand_slots.py compares both tables with the kernels.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

__all__ = ["COPIED", "INDEXED", "PADDED", "SUMMANDS", "WEIGHTED", "WeightedSlots"]


class WeightedSlots(NamedTuple):
    """Input indices of data, weights and bias, and the weights' axis of output channels."""

    data: int
    weights: int
    bias: int
    axis: int


WEIGHTED: Mapping[str, WeightedSlots] = {
    "CONV_2D": WeightedSlots(0, 1, 2, 0),
    "DEPTHWISE_CONV_2D": WeightedSlots(0, 1, 2, -1),
    "FULLY_CONNECTED": WeightedSlots(0, 1, 2, 0),
    "TRANSPOSE_CONV": WeightedSlots(2, 1, 3, 0),
}

# Operators that copy integers -> their data operands; each of their outputs holds data.
COPIED: Mapping[str, slice] = {
    **dict.fromkeys(
        (
            "RESHAPE", "SQUEEZE", "EXPAND_DIMS", "TRANSPOSE", "SLICE", "STRIDED_SLICE", "SPLIT_V",
            "UNPACK", "GATHER", "GATHER_ND", "TILE", "REVERSE_V2", "REVERSE_SEQUENCE",
            "BROADCAST_TO", "BATCH_TO_SPACE_ND", "SPACE_TO_BATCH_ND", "SPACE_TO_DEPTH",
            "DEPTH_TO_SPACE", "PAD", "MIRROR_PAD", "MAX_POOL_2D", "REDUCE_MAX", "REDUCE_MIN",
            "RESIZE_NEAREST_NEIGHBOR",
        ),
        slice(0, 1),
    ),
    "SPLIT": slice(1, 2),
    "CONCATENATION": slice(0, None),
    "PACK": slice(0, None),
    "PADV2": slice(0, 3, 2),
    "FILL": slice(1, 2),
    "EMBEDDING_LOOKUP": slice(1, 2),
    "DYNAMIC_UPDATE_SLICE": slice(0, 2),
    "SELECT": slice(1, 3),
    "SELECT_V2": slice(1, 3),
    "MAXIMUM": slice(0, 2),
    "MINIMUM": slice(0, 2),
}  # fmt: skip

# Operators that have a bound where a constant operand was clipped to its type's range.
SUMMANDS = frozenset({"ADD", "SUB"})

# Operators that write the index of the largest or smallest of their first operand.
INDEXED = frozenset({"ARG_MAX", "ARG_MIN"})

PADDED = frozenset({"PAD", "SPACE_TO_BATCH_ND"})  # these also write the output's zero point
