"""What a conversion comes to."""

from __future__ import annotations

from dataclasses import dataclass

from ..planner import Plan

__all__ = ["Conversion"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversion:
    """`plan` carries out what can be done; `refused` says, a sentence each, what cannot. A
    conversion of which anything is refused is not to be carried out.
    """

    plan: Plan
    refused: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
