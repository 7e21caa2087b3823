"""The result of a conversion."""

from __future__ import annotations

from ...record import Record
from ..planner.changes import Plan

__all__ = ["Conversion"]


class Conversion(Record, frozen=True, kw_only=True):
    """`plan` does what can be done; `refused` has a sentence for each part that cannot. If anything
    is refused, nothing is carried out.
    """

    plan: Plan
    refused: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
