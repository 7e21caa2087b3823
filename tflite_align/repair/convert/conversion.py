"""The result of a conversion."""

from __future__ import annotations

from ...record import Record
from ..planner.changes import Plan

__all__ = ["Conversion"]


class Conversion(Record, frozen=True, kw_only=True):
    """The result of a conversion: a plan; or, if any part is impossible, an unchanged model and the
    reasons as sentences in `refused`.
    """

    plan: Plan
    refused: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
