"""Operator families and the alignment policies that apply to each.

A family is a group of operators that PPQ's QuantAlignmentPass treats in the same way
(TYPES_FOR_ALIGNMENT in esp_ppq/core/common.py). schema/operators.toml assigns operators to
families.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

__all__ = ["FAMILIES", "FAMILY_POLICIES", "OPERATOR_POLICIES", "Family", "Policy"]

Family = Literal["concat", "elementwise", "pooling", "resize", "logical", "rnn", "other"]

# none: no shared label. input, output: that of the first input or output. large: the cover of the
# operands. first: a recurrent operator's states get its first output's. auto: the solver chooses.
Policy = Literal["none", "input", "output", "large", "first", "auto"]

_ALIGNED: tuple[Policy, ...] = ("none", "input", "output", "large", "auto")

FAMILY_POLICIES: Mapping[str, tuple[Policy, ...]] = {
    "concat": _ALIGNED,
    "elementwise": _ALIGNED,
    "pooling": _ALIGNED,
    "resize": _ALIGNED,
    "logical": ("none", "large", "auto"),
    "rnn": ("none", "first", "auto"),
}
FAMILIES = tuple(FAMILY_POLICIES)
# Policies that an override can set for single operators.
OPERATOR_POLICIES = _ALIGNED
