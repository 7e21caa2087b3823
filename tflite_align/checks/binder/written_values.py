"""Real values that an operator can produce, independent of its output's parameters."""

from __future__ import annotations

import math
from collections.abc import Mapping

from ...format.enums import Activation
from ...format.model import Operator
from ...numerics import Range
from ...rules.rows import OperatorRow
from .bound import FUSED

__all__ = ["EVERYTHING", "clamp_of", "reach_of"]

_FUSED_RANGES: Mapping[int, Range] = {
    Activation.RELU: Range(0.0, math.inf),
    Activation.RELU_N1_TO_1: Range(-1.0, 1.0),
    Activation.RELU6: Range(0.0, 6.0),
    Activation.TANH: Range(-1.0, 1.0),
}
EVERYTHING = Range(-math.inf, math.inf)


def clamp_of(operator: Operator) -> Range:
    """The range of real values that the operator's fused activation lets through; unlimited without
    one.
    """
    return _FUSED_RANGES.get(int(operator.options.get(FUSED) or 0), EVERYTHING)


def reach_of(operator: Operator, row: OperatorRow) -> Range:
    """The range of real values that the operator can produce: that of its function, clamped by its
    fused activation.
    """
    reach, clamp = row.range, clamp_of(operator)
    if reach is None:
        return clamp
    return Range(max(reach.low, clamp.low), min(reach.high, clamp.high))
