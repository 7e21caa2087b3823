"""What the page's script reads, as JSON values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..record import Report

__all__ = ["page_data"]


def page_data(reports: Sequence[Report]) -> list[dict[str, Any]]:
    """One entry a report."""
    return [{} for _ in reports]
