"""The result of a conversion."""

from __future__ import annotations

from ...record import Record
from ..planner.changes import Plan

__all__ = ["Conversion"]


class Conversion(Record, frozen=True, kw_only=True):
    """The result of a conversion: a plan with the changed model. If any part is impossible, the
    plan is empty and `refused` has the reasons as sentences.
    """

    plan: Plan
    refused: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
