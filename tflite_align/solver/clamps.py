"""Clamps that only a declared range implies: exporters fold a ReLU into the output range.

A range that starts exactly at zero, of an operator that could write negative values, is a ReLU; one
that also ends at 6 is a ReLU6. Widening the range would undo the clamp, unless the operator gets it
as fused activation.
"""

from __future__ import annotations

from ..format.enums import Activation
from ..numerics import Label, Range, label_range
from ..record import Record

__all__ = ["Clamp", "Saturation", "clamp_of"]

# Largest distance (real value) from 6 of the end of a RELU6 range: 1/4 step of an 8-bit range to 6.
_SIX = 6e-3


class Clamp(Record, frozen=True, kw_only=True):
    """The clamp that a tensor's declared range implies. `low`: negative values become 0; `high`:
    positive values become 0; `six`: values above 6 become 6; `ceiling`: upper end of the declared
    range, real value.
    """

    low: bool
    high: bool
    six: bool
    ceiling: float

    @property
    def activation(self) -> Activation | None:
        """The fused activation with the same effect, RELU or RELU6; None if there is none. The
        clamp at 0 is exact, since zero is an integer of every label.
        """
        if not self.low or self.high:
            return None
        return Activation.RELU6 if self.six else Activation.RELU

    def undone_by(self, span: Range, step: float) -> bool:
        """Whether the range `span` contains values that the clamp would change; `step`: scale, for
        a tolerance at 6.
        """
        return (
            (self.low and span.low < 0)
            or (self.high and span.high > 0)
            or (self.six and span.high > self.ceiling + step)
        )


class Saturation(Record, frozen=True, kw_only=True):
    """The real values that a tensor's declared range lets through (`held`). Recorded for tensors
    whose range may be widened: their readers must not get values outside it.
    """

    held: Range


def clamp_of(label: Label, type_name: str, reach: Range) -> Clamp | None:
    """The clamp that the range of `label` implies; None if it clips nothing that the operator could
    write.

    `reach`: range of real values that the operator could write if its range did not clip.
    `type_name`: integer type of the tensor.
    """
    declared = label_range(label, type_name)
    low = declared.low == 0 and reach.low < 0
    high = declared.high == 0 and reach.high > 0
    six = declared.low == 0 and abs(declared.high - 6) <= _SIX and reach.high > 6 + _SIX
    if not (low or high or six):
        return None
    return Clamp(low=low, high=high, six=six, ceiling=declared.high)
