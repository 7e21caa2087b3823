"""What a conversion comes to."""

from __future__ import annotations

from ...record import Record
from ..planner.changes import Plan

__all__ = ["Conversion"]


class Conversion(Record, frozen=True, kw_only=True):
    """`plan` carries out what can be done; `refused` says, a sentence each, what cannot. A
    conversion of which anything is refused is not to be carried out.
    """

    plan: Plan
    refused: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
